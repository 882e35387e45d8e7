//! A driver that exists only for the tests of screens.

use super::model::{AgentRow, Kind, Model, SocketRow, Stage, StreamRow, Traffic};
use crate::explain::{Cause, Limiter};

/// Three streams, one of each kind: a publication that flow control holds up, an image with loss
/// and a slow client, an IPC publication that flows.
pub(super) fn model() -> Model {
    let agent = |name: &str, cpu, max_cycle_ns, long_cycles| AgentRow {
        name: name.to_owned(),
        cpu: Some(cpu),
        busy: None,
        max_cycle_ns,
        long_cycles,
    };
    Model {
        time: "2026-11-27 10:20:30.123+0000".to_owned(),
        directory: "/dev/shm/aeron-me".to_owned(),
        version: "0.1.0".to_owned(),
        threading: "DEDICATED".to_owned(),
        pid: 4711,
        heartbeat_age_ms: Some(312),
        clients: 4,
        errors: 1,
        last_error: "cannot send".to_owned(),
        traffic: Traffic {
            bytes_sent: 12_345_678.0,
            bytes_received: 987_654.0,
            naks_sent: 3.0,
            naks_received: 0.0,
            retransmits: 0.0,
            short_sends: 0.0,
            invalid: 0.0,
        },
        agents: vec![
            agent("conductor", 0.07, 1_200_000, 0),
            agent("sender", 0.93, 80_000, 0),
            agent("receiver", 0.5, 210_000_000, 2),
        ],
        sockets: vec![SocketRow {
            address: "10.0.0.5:40123".to_owned(),
            receive_queue: 131_072,
            send_queue: 0,
            drops: 1_234_567,
            drops_per_second: 17.0,
        }],
        streams: vec![
            StreamRow {
                limiter: held(Cause::FlowControl, "flow control"),
                rate: 12_000_000.0,
                used: 131_072,
                window: 131_072,
                ..row(
                    Kind::Publication,
                    7,
                    1001,
                    "aeron:udp?endpoint=10.0.0.9:40456",
                )
            },
            StreamRow {
                limiter: held(Cause::SubscriberBehind, "client 3 'slow'"),
                rate: 950_000.0,
                used: 100_000,
                window: 131_072,
                naks: 3.0,
                ..row(
                    Kind::Image,
                    12,
                    2002,
                    "aeron:udp?endpoint=10.0.0.5:40123|interface=10.0.0.0/8",
                )
            },
            StreamRow {
                limiter: Limiter {
                    cause: None,
                    party: "publisher".to_owned(),
                },
                rate: 900.0,
                used: 640,
                window: 65_536,
                ..row(Kind::Ipc, 9, 42, "aeron:ipc")
            },
        ],
    }
}

fn held(cause: Cause, party: &str) -> Limiter {
    Limiter {
        cause: Some(cause),
        party: party.to_owned(),
    }
}

fn row(kind: Kind, id: i64, stream: i32, channel: &str) -> StreamRow {
    let stage = |name: &str, position, note: &str| Stage {
        name: name.to_owned(),
        position,
        note: note.to_owned(),
    };
    StreamRow {
        kind,
        id,
        session: -1_234_567_890,
        stream,
        channel: channel.to_owned(),
        client: "2 'feed'".to_owned(),
        position: 9_876_543_210,
        rate: 0.0,
        used: 0,
        window: 1,
        naks: 0.0,
        back_pressure: 0.0,
        limiter: Limiter::default(),
        stages: vec![
            stage("publishers", 9_876_543_210, "may write 0 B more"),
            stage("sender", 9_876_412_138, "may send 0 B more"),
        ],
        facts: vec![
            ("channel", channel.to_owned()),
            ("connected", "true".to_owned()),
            ("term length", "16 MiB".to_owned()),
        ],
        rate_history: (0..60).map(|n| n * n * 3_000).collect(),
        used_history: (0..60).map(|n| 40 + n).collect(),
        nak_history: (0..60).map(|n| n % 7).collect(),
    }
}
