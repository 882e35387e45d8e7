//! Looks at a driver again and again, and works out what changed.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use aileron::cnc::SystemCounter;
use aileron::runtime::format_utc;

use super::model::{AgentRow, Model, SocketRow, StreamRow, Traffic, image_row, publication_row};
use super::threads;
use crate::directory::Directory;
use crate::explain::{Explanation, Observation, explain_change};
use crate::machine::{MachineFacts, SocketFacts};
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

/// Looks nearer to each other than this show nothing stand still, so an older one is compared with.
const COMPARED_NS: i64 = 250_000_000;

/// What was seen at one look.
#[derive(Debug)]
struct Look {
    seen: Observation,
    ticks: BTreeMap<String, u64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sampler {
    directory: Directory,
    /// The last looks; the first of them is compared with.
    earlier: VecDeque<Look>,
    histories: BTreeMap<i64, History>,
}

impl Sampler {
    pub(super) const fn new(directory: Directory) -> Self {
        Self {
            directory,
            earlier: VecDeque::new(),
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
        let look = Look {
            ticks: threads::cpu_ticks(snapshot.driver.pid),
            seen: Observation {
                machine: MachineFacts::glance(&self.directory, &snapshot),
                snapshot,
            },
        };
        let age_ns = |other: &Look| {
            let now = look.seen.snapshot.monotonic;
            now.since(other.seen.snapshot.monotonic)
        };
        while self
            .earlier
            .get(1)
            .is_some_and(|second| age_ns(second) >= COMPARED_NS)
        {
            self.earlier.pop_front();
        }
        let first = self.earlier.front().unwrap_or(&look);
        let explanation = explain_change(&first.seen, &look.seen);
        let rates = &explanation.rates;
        let snapshot = &look.seen.snapshot;
        let mut streams = stream_rows(snapshot, &explanation);
        let agents = agent_rows(first, &look, rates);
        let sockets = socket_rows(first, &look, rates);
        remember(&mut self.histories, &mut streams, rates.elapsed_ns > 0);
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
            traffic: traffic(rates),
            agents,
            sockets,
            streams,
        };
        self.earlier.push_back(look);
        model
    }
}

/// Adds what was just seen to the histories, and gives each row its own.
fn remember(histories: &mut BTreeMap<i64, History>, streams: &mut [StreamRow], has_rates: bool) {
    let mut before = std::mem::take(histories);
    for row in streams {
        let mut history = before.remove(&row.id).unwrap_or_default();
        if has_rates {
            push(&mut history.rates, row.rate);
            push(&mut history.used, row.share() * 100.0);
            push(&mut history.naks, row.naks);
        }
        row.rate_history = history.rates.iter().copied().collect();
        row.used_history = history.used.iter().copied().collect();
        row.nak_history = history.naks.iter().copied().collect();
        histories.insert(row.id, history);
    }
}

fn agent_rows(first: &Look, look: &Look, rates: &Rates) -> Vec<AgentRow> {
    let cpu = |agent: &str| {
        let mut ticks = look.ticks.iter();
        let (thread, now) = ticks.find(|(thread, _)| threads::runs(thread, agent))?;
        let before = first.ticks.get(thread)?;
        threads::share(now.saturating_sub(*before), rates.elapsed_ns)
    };
    let agents = look.seen.snapshot.system.agents.iter();
    let agents = agents.map(|agent| AgentRow {
        name: agent.name.to_owned(),
        cpu: cpu(agent.name),
        busy: rates.utilisation.get(agent.name).copied(),
        max_cycle_ns: agent.max_cycle_ns,
        long_cycles: agent.threshold_exceeded,
    });
    agents.collect()
}

/// The sockets of the driver's channels, each once.
fn socket_rows(first: &Look, look: &Look, rates: &Rates) -> Vec<SocketRow> {
    let by_address = |look: &Look| -> BTreeMap<SocketAddr, SocketFacts> {
        let all = look.seen.machine.sockets.iter().flatten();
        all.map(|socket| (socket.local, *socket)).collect()
    };
    let (before, mut now) = (by_address(first), by_address(look));
    let channels = look.seen.snapshot.channels.iter();
    let addresses = channels.flat_map(|channel| &channel.addresses);
    let mut rows: Vec<SocketRow> = addresses
        .filter_map(|address| {
            let parsed = address.address.parse().ok()?;
            let socket = now.remove(&parsed)?;
            let drops = before.get(&parsed).map_or(socket.drops, |s| s.drops);
            Some(SocketRow {
                address: address.address.clone(),
                receive_queue: socket.receive_queue,
                send_queue: socket.send_queue,
                drops: socket.drops,
                drops_per_second: per_second(socket.drops.saturating_sub(drops), rates.elapsed_ns),
            })
        })
        .collect();
    rows.sort_by(|a, b| {
        b.drops
            .cmp(&a.drops)
            .then_with(|| a.address.cmp(&b.address))
    });
    rows
}

fn stream_rows(snapshot: &Snapshot, explanation: &Explanation) -> Vec<StreamRow> {
    let rates = &explanation.rates;
    // Verdicts are in the order of the snapshot.
    let (sent, received) = explanation.verdicts.split_at(snapshot.publications.len());
    let publications = snapshot.publications.iter().zip(sent);
    let publications = publications.map(|(publication, verdict)| {
        let rates = rates.publications.get(&publication.registration_id.get());
        let rates = rates.copied().unwrap_or_default();
        publication_row(snapshot, publication, rates, verdict.limiter.clone())
    });
    let images = snapshot.images.iter().zip(received);
    let images = images.map(|(image, verdict)| {
        let rates = rates.images.get(&image.correlation_id.get());
        let rates = rates.copied().unwrap_or_default();
        image_row(snapshot, image, rates, verdict.limiter.clone())
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
