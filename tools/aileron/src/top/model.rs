//! What there is to show at one moment.

use serde_json::json;

use crate::explain::{Cause, Limiter};
use crate::snapshot::{ClientView, ImageView, PublicationView, Snapshot, SubscriberView};
use crate::text::bytes_text;
use crate::{ImageRates, PublicationRates};

/// A driver and its streams, with rates. Rates are per second.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) time: String,
    pub(super) directory: String,
    pub(super) version: String,
    pub(super) threading: String,
    pub(super) pid: i64,
    /// Milliseconds since the driver's heartbeat; absent if it was shut down.
    pub(super) heartbeat_age_ms: Option<i64>,
    pub(super) clients: usize,
    pub(super) errors: i64,
    pub(super) last_error: String,
    pub(super) traffic: Traffic,
    pub(super) agents: Vec<AgentRow>,
    pub(super) sockets: Vec<SocketRow>,
    pub(super) streams: Vec<StreamRow>,
}

/// Rates of the driver as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) bytes_sent: f64,
    pub(super) bytes_received: f64,
    pub(super) naks_sent: f64,
    pub(super) naks_received: f64,
    pub(super) retransmits: f64,
    pub(super) short_sends: f64,
    pub(super) invalid: f64,
}

/// An agent and its thread.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentRow {
    pub(super) name: String,
    /// Share of a CPU that its thread uses, 0 to 1, where the system tells.
    pub(super) cpu: Option<f64>,
    /// Share of the time that it had something to do, where the driver tells.
    pub(super) busy: Option<f64>,
    pub(super) max_cycle_ns: i64,
    pub(super) long_cycles: i64,
}

/// A UDP socket of the driver.
#[derive(Clone, Debug, Default)]
pub(super) struct SocketRow {
    pub(super) address: String,
    /// Bytes that wait to be received.
    pub(super) receive_queue: u64,
    /// Bytes that wait to be sent.
    pub(super) send_queue: u64,
    /// Datagrams dropped since it was opened.
    pub(super) drops: u64,
    pub(super) drops_per_second: f64,
}

/// What a stream is at this driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A publication sent on a network.
    Publication,
    /// An image received from one.
    Image,
    /// A publication within this machine.
    Ipc,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Publication => "pub",
            Self::Image => "img",
            Self::Ipc => "ipc",
        }
    }
}

/// A place on a stream's way, with the bytes between it and the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) position: i64,
    /// What is to be said of it besides.
    pub(super) note: String,
}

/// A publication or an image.
#[derive(Clone, Debug)]
pub(super) struct StreamRow {
    pub(super) kind: Kind,
    /// Registration or correlation id.
    pub(super) id: i64,
    pub(super) session: i32,
    pub(super) stream: i32,
    pub(super) channel: String,
    pub(super) client: String,
    pub(super) position: i64,
    /// Bytes per second.
    pub(super) rate: f64,
    /// How much of the window that limits it is in use, bytes.
    pub(super) used: i64,
    /// That window, bytes.
    pub(super) window: i64,
    pub(super) naks: f64,
    pub(super) back_pressure: f64,
    pub(super) limiter: Limiter,
    pub(super) stages: Vec<Stage>,
    pub(super) facts: Vec<(&'static str, String)>,
    /// Rates of the last looks, the latest last.
    pub(super) rate_history: Vec<u64>,
    /// Shares of the window in per cent, likewise.
    pub(super) used_history: Vec<u64>,
    /// NAKs per second, likewise.
    pub(super) nak_history: Vec<u64>,
}

impl StreamRow {
    /// Share of the window in use, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "shown in per cent")]
    pub(super) fn share(&self) -> f64 {
        if self.window <= 0 {
            return 0.0;
        }
        (self.used as f64 / self.window as f64).clamp(0.0, 1.0)
    }

    /// Whether a person who types `text` looks for it.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.channel.to_lowercase().contains(&text)
            || self.kind.name() == text
            || self.stream.to_string() == text
            || self.session.to_string() == text
            || self.limiter.party.to_lowercase().contains(&text)
    }
}

impl Model {
    /// The streams and the driver for a program to read.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let streams = self.streams.iter().map(|row| {
            json!({
                "kind": row.kind.name(),
                "registration_id": row.id,
                "session_id": row.session,
                "stream_id": row.stream,
                "channel": row.channel,
                "position": row.position,
                "bytes_per_second": row.rate,
                "window_used": row.used,
                "window": row.window,
                "naks_per_second": row.naks,
                "back_pressure_per_second": row.back_pressure,
                "limited_by": row.limiter.party,
                "cause": row.limiter.cause.map(Cause::name),
                "is_held_up": row.limiter.holds_up(),
            })
        });
        let agents = self.agents.iter().map(|agent| {
            json!({
                "name": agent.name,
                "cpu": agent.cpu,
                "busy": agent.busy,
                "max_cycle_ns": agent.max_cycle_ns,
                "long_cycles": agent.long_cycles,
            })
        });
        let sockets = self.sockets.iter().map(|socket| {
            json!({
                "address": socket.address,
                "receive_queue": socket.receive_queue,
                "send_queue": socket.send_queue,
                "drops": socket.drops,
                "drops_per_second": socket.drops_per_second,
            })
        });
        json!({
            "directory": self.directory,
            "pid": self.pid,
            "heartbeat_age_ms": self.heartbeat_age_ms,
            "clients": self.clients,
            "errors": self.errors,
            "last_error": self.last_error,
            "agents": agents.collect::<Vec<_>>(),
            "sockets": sockets.collect::<Vec<_>>(),
            "streams": streams.collect::<Vec<_>>(),
        })
    }
}

/// A client by id and name.
fn client_title(snapshot: &Snapshot, subscriber: &SubscriberView) -> String {
    snapshot
        .client(subscriber.client_id)
        .map_or_else(|| subscriber.client_id.to_string(), ClientView::title)
}

/// The row of a publication.
pub(super) fn publication_row(
    snapshot: &Snapshot,
    publication: &PublicationView,
    rates: PublicationRates,
    limiter: Limiter,
) -> StreamRow {
    let log = publication.log.unwrap_or_default();
    let position = publication
        .publisher_position
        .unwrap_or(0)
        .max(log_position(publication));
    let window = i64::from(log.publication_window_length).max(1);
    let room = publication.publisher_limit.unwrap_or(position) - position;
    let mut stages = vec![Stage {
        name: "publishers".to_owned(),
        position,
        note: format!("may write {} more", bytes_text(room.max(0))),
    }];
    if let Some(sent) = publication.sender_position {
        let allowed = publication.sender_window().unwrap_or(0).max(0);
        stages.push(Stage {
            name: "sender".to_owned(),
            position: sent,
            note: format!("may send {} more", bytes_text(allowed)),
        });
    }
    for subscriber in &publication.subscribers {
        let what = if publication.is_network() {
            "spy"
        } else {
            "subscriber"
        };
        stages.push(Stage {
            name: format!("{what} of client {}", client_title(snapshot, subscriber)),
            position: subscriber.position,
            note: String::new(),
        });
    }
    let mut facts = vec![
        ("channel", publication.channel.clone()),
        ("connected", log.is_connected.to_string()),
        ("term length", bytes_text(i64::from(log.term_length))),
        ("mtu", bytes_text(i64::from(log.mtu_length))),
        ("window", bytes_text(window)),
    ];
    if let Some(events) = publication.back_pressure_events {
        facts.push(("stopped by flow control", format!("{events} times")));
    }
    if let Some(naks) = publication.naks_received {
        facts.push(("NAKs received", naks.to_string()));
    }
    if let Some(receivers) = publication.flow_control_receivers {
        facts.push(("receivers in flow control", receivers.to_string()));
    }
    StreamRow {
        kind: if publication.is_network() {
            Kind::Publication
        } else {
            Kind::Ipc
        },
        id: publication.registration_id.get(),
        session: publication.session_id.get(),
        stream: publication.stream_id.get(),
        channel: publication.channel.clone(),
        client: snapshot
            .client(publication.client_id)
            .map_or_else(|| publication.client_id.to_string(), ClientView::title),
        position,
        rate: rates.published,
        used: (window - room).clamp(0, window),
        window,
        naks: rates.naks_received,
        back_pressure: rates.back_pressure_events,
        limiter,
        stages,
        facts,
        rate_history: Vec::new(),
        used_history: Vec::new(),
        nak_history: Vec::new(),
    }
}

/// The driver looks at the producer now and then; the log knows at once.
fn log_position(publication: &PublicationView) -> i64 {
    publication.log.map_or(0, |log| log.producer_position)
}

/// The row of an image.
pub(super) fn image_row(
    snapshot: &Snapshot,
    image: &ImageView,
    rates: ImageRates,
    limiter: Limiter,
) -> StreamRow {
    let log = image.log.unwrap_or_default();
    let high = image.high_water_mark.unwrap_or(0);
    let rebuilt = image.rebuild_position.unwrap_or(high);
    let slowest = image.slowest_subscriber();
    let consumed = slowest.map_or(rebuilt, |slowest| slowest.position);
    let window = log.receiver_window().max(1);
    let used = high.saturating_sub(consumed).clamp(0, window);
    let mut stages = vec![
        Stage {
            name: "received".to_owned(),
            position: high,
            note: String::new(),
        },
        Stage {
            name: "without a gap".to_owned(),
            position: rebuilt,
            note: match image.beyond_gap() {
                0 => String::new(),
                beyond => format!("{} wait behind a gap", bytes_text(beyond)),
            },
        },
    ];
    for subscriber in &image.subscribers {
        stages.push(Stage {
            name: format!("client {}", client_title(snapshot, subscriber)),
            position: subscriber.position,
            note: if subscriber.is_untethered() {
                "untethered"
            } else {
                ""
            }
            .to_owned(),
        });
    }
    let mut facts = vec![
        ("channel", image.channel.clone()),
        ("term length", bytes_text(i64::from(log.term_length))),
        ("mtu", bytes_text(i64::from(log.mtu_length))),
        ("window", bytes_text(window)),
        ("reliable", log.is_reliable.to_string()),
    ];
    if let Some(naks) = image.naks_sent {
        facts.push(("NAKs sent", naks.to_string()));
    }
    if let Some(rtt) = image.round_trip_ns {
        facts.push(("round trip", crate::text::duration_text(rtt)));
    }
    StreamRow {
        kind: Kind::Image,
        id: image.correlation_id.get(),
        session: image.session_id.get(),
        stream: image.stream_id.get(),
        channel: image.channel.clone(),
        client: slowest.map_or_else(String::new, |slowest| client_title(snapshot, slowest)),
        position: high,
        rate: rates.received,
        used,
        window,
        naks: rates.naks_sent,
        back_pressure: 0.0,
        limiter,
        stages,
        facts,
        rate_history: Vec::new(),
        used_history: Vec::new(),
        nak_history: Vec::new(),
    }
}
