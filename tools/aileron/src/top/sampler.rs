//! Looks at a driver again and again, and works out what changed.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use aileron::cnc::SystemCounter;
use aileron::runtime::format_utc;

use super::model::{AgentRow, Model, SocketRow, StreamRow, Traffic, image_row, publication_row};
use super::sockets::{self, Socket};
use super::threads;
use crate::directory::Directory;
use crate::rates::Rates;
use crate::snapshot::Snapshot;

/// Looks that histories go back.
const HISTORY: usize = 120;

/// Histories of one stream.
#[derive(Debug, Default)]
struct History {
    rates: VecDeque<u64>,
    used: VecDeque<u64>,
    naks: VecDeque<u64>,
}

/// What was seen last, to compare with.
#[derive(Debug)]
struct Earlier {
    snapshot: Snapshot,
    ticks: BTreeMap<String, u64>,
    drops: BTreeMap<SocketAddr, u64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sampler {
    directory: Directory,
    earlier: Option<Earlier>,
    histories: BTreeMap<i64, History>,
}

impl Sampler {
    pub(super) const fn new(directory: Directory) -> Self {
        Self {
            directory,
            earlier: None,
            histories: BTreeMap::new(),
        }
    }

    /// Looks once. The first time all rates are 0.
    pub(super) fn sample(&mut self) -> Model {
        if self.directory.is_replaced()
            && let Ok(directory) = Directory::open(self.directory.path(), std::time::Duration::ZERO)
        {
            *self = Self::new(directory);
        }
        let snapshot = Snapshot::take(&self.directory);
        let ticks = threads::cpu_ticks(snapshot.driver.pid);
        let all = sockets::read();
        let rates = self
            .earlier
            .as_ref()
            .map(|earlier| Rates::between(&earlier.snapshot, &snapshot))
            .unwrap_or_default();
        let mut streams = stream_rows(&snapshot, &rates);
        self.remember(&mut streams, rates.elapsed_ns > 0);
        let sockets = self.socket_rows(&snapshot, &all, &rates);
        let model = Model {
            time: format_utc(snapshot.time),
            directory: self.directory.path().display().to_string(),
            version: snapshot.driver.version.clone(),
            threading: snapshot.driver.threading_mode.clone(),
            pid: snapshot.driver.pid,
            heartbeat_age_ms: snapshot.heartbeat_age_ms(),
            clients: snapshot.clients.len(),
            errors: snapshot.system.get(SystemCounter::Errors),
            last_error: snapshot
                .errors
                .iter()
                .max_by_key(|error| error.last.get())
                .map_or_else(String::new, |error| error.text.clone()),
            traffic: traffic(&rates),
            agents: self.agent_rows(&snapshot, &ticks, &rates),
            sockets,
            streams,
        };
        let drops = all.iter().map(|socket| (socket.local, socket.drops));
        self.earlier = Some(Earlier {
            snapshot,
            ticks,
            drops: drops.collect(),
        });
        model
    }

    /// Adds what was just seen to the histories, and gives each row its own.
    fn remember(&mut self, streams: &mut [StreamRow], has_rates: bool) {
        let mut histories = std::mem::take(&mut self.histories);
        for row in streams {
            let mut history = histories.remove(&row.id).unwrap_or_default();
            if has_rates {
                push(&mut history.rates, row.rate);
                push(&mut history.used, row.share() * 100.0);
                push(&mut history.naks, row.naks);
            }
            row.rate_history = history.rates.iter().copied().collect();
            row.used_history = history.used.iter().copied().collect();
            row.nak_history = history.naks.iter().copied().collect();
            self.histories.insert(row.id, history);
        }
    }

    fn agent_rows(
        &self,
        snapshot: &Snapshot,
        ticks: &BTreeMap<String, u64>,
        rates: &Rates,
    ) -> Vec<AgentRow> {
        let cpu = |agent: &str| {
            let (thread, now) = ticks
                .iter()
                .find(|(thread, _)| threads::runs(thread, agent))?;
            let before = self.earlier.as_ref()?.ticks.get(thread)?;
            threads::share(now.saturating_sub(*before), rates.elapsed_ns)
        };
        let agents = snapshot.system.agents.iter().map(|agent| AgentRow {
            name: agent.name.to_owned(),
            cpu: cpu(agent.name),
            busy: rates.utilisation.get(agent.name).copied(),
            max_cycle_ns: agent.max_cycle_ns,
            long_cycles: agent.threshold_exceeded,
        });
        agents.collect()
    }

    fn socket_rows(&self, snapshot: &Snapshot, all: &[Socket], rates: &Rates) -> Vec<SocketRow> {
        let mut rows: Vec<SocketRow> = Vec::new();
        let addresses = snapshot
            .channels
            .iter()
            .flat_map(|channel| &channel.addresses);
        for address in addresses {
            let Ok(parsed) = address.address.parse::<SocketAddr>() else {
                continue;
            };
            let Some(socket) = all.iter().find(|socket| socket.local == parsed) else {
                continue;
            };
            if rows.iter().any(|row| row.address == address.address) {
                continue;
            }
            let before = self.earlier.as_ref().and_then(|e| e.drops.get(&parsed));
            let new = socket
                .drops
                .saturating_sub(*before.unwrap_or(&socket.drops));
            rows.push(SocketRow {
                address: address.address.clone(),
                receive_queue: socket.receive_queue,
                send_queue: socket.send_queue,
                drops: socket.drops,
                drops_per_second: per_second(new, rates.elapsed_ns),
            });
        }
        rows.sort_by(|a, b| {
            b.drops
                .cmp(&a.drops)
                .then_with(|| a.address.cmp(&b.address))
        });
        rows
    }
}

fn stream_rows(snapshot: &Snapshot, rates: &Rates) -> Vec<StreamRow> {
    let publications = snapshot.publications.iter().map(|publication| {
        let rates = rates.publications.get(&publication.registration_id.get());
        publication_row(snapshot, publication, rates.copied().unwrap_or_default())
    });
    let images = snapshot.images.iter().map(|image| {
        let rates = rates.images.get(&image.correlation_id.get());
        image_row(snapshot, image, rates.copied().unwrap_or_default())
    });
    publications.chain(images).collect()
}

const fn traffic(rates: &Rates) -> Traffic {
    let system = &rates.system;
    Traffic {
        bytes_sent: system.bytes_sent,
        bytes_received: system.bytes_received,
        naks_sent: system.naks_sent,
        naks_received: system.naks_received,
        retransmits: system.retransmits_sent,
        short_sends: system.short_sends,
        invalid: system.invalid_packets,
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn per_second(count: u64, elapsed_ns: i64) -> f64 {
    if elapsed_ns <= 0 {
        return 0.0;
    }
    count as f64 * 1e9 / elapsed_ns as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and cut off where nobody can tell"
)]
fn push(history: &mut VecDeque<u64>, value: f64) {
    if history.len() == HISTORY {
        history.pop_front();
    }
    history.push_back(value.max(0.0) as u64);
}
