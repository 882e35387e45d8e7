//! Round-trip time over UDP loopback: a message goes to the far side and comes back.
//!
//! Without arguments all of it runs in this process: one thread is the media driver, another both
//! ends of the conversation.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::client::Subscription;
use aileron::runtime::Idler;
use aileron::{ExclusivePublication, OfferError, StreamId};
use clap::Parser;
use common::{Connection, Outcome, Running, embedded, running};
use hdrhistogram::Histogram;

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 10;
/// Longest round trip that the histogram can hold.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);

/// Measure round-trip times over loopback.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel of the pings
    #[arg(long, default_value = "aeron:udp?endpoint=localhost:20123")]
    ping_channel: String,
    /// Channel of the pongs
    #[arg(long, default_value = "aeron:udp?endpoint=localhost:20124")]
    pong_channel: String,
    /// Stream of the pings; the pongs use the next one
    #[arg(short, long, default_value_t = 1002)]
    stream: i32,
    /// Round trips to measure
    #[arg(short = 'n', long, default_value_t = 100_000)]
    messages: u64,
    /// Round trips before measuring starts
    #[arg(short, long, default_value_t = 10_000)]
    warm_up: u64,
    /// Bytes of a message, at least 8
    #[arg(short, long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(8..))]
    length: u32,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let is_embedded = arguments.connection.embedded || arguments.connection.dir.is_none();
    let session = if is_embedded {
        embedded()?
    } else {
        arguments.connection.open()?
    };
    let client = &session.client;
    let (ping, pong) = (StreamId(arguments.stream), StreamId(arguments.stream + 1));
    let mut table = Table {
        ping_out: client.add_exclusive_publication(&*arguments.ping_channel, ping)?,
        ping_in: client.add_subscription(&*arguments.ping_channel, ping)?,
        pong_out: client.add_exclusive_publication(&*arguments.pong_channel, pong)?,
        pong_in: client.add_subscription(&*arguments.pong_channel, pong)?,
        started: Instant::now(),
    };
    let running = running()?;
    let is_connected = |table: &Table| {
        table.ping_in.is_connected()
            && table.pong_in.is_connected()
            && table.ping_out.is_connected()
            && table.pong_out.is_connected()
    };
    if !running.wait_until(|| is_connected(&table)) {
        return Ok(());
    }
    let driver = if is_embedded {
        "embedded driver on one thread"
    } else {
        "external driver"
    };
    println!(
        "{} round trips of {} bytes, ping {}, pong {}, {driver}, both ends on one thread",
        arguments.messages, arguments.length, arguments.ping_channel, arguments.pong_channel
    );
    let mut message = vec![0u8; usize::try_from(arguments.length)?];
    let mut histogram = Histogram::new_with_max(u64::try_from(ROUND_TRIP_MAX.as_nanos())?, 3)?;
    for round in 0..arguments.warm_up + arguments.messages {
        let Some(nanos) = table.round_trip(&mut message, &running)? else {
            return Ok(());
        };
        if round >= arguments.warm_up {
            histogram.saturating_record(nanos);
        }
    }
    print_histogram(&histogram);
    Ok(())
}

/// Both ends of the conversation.
struct Table {
    ping_out: ExclusivePublication,
    ping_in: Subscription,
    pong_out: ExclusivePublication,
    pong_in: Subscription,
    started: Instant,
}

impl Table {
    /// Nanoseconds of one round trip; `None` when the person wants to stop.
    fn round_trip(
        &mut self,
        message: &mut [u8],
        running: &Running,
    ) -> Result<Option<u64>, Box<dyn std::error::Error>> {
        let sent_at = self.now();
        if let Some(stamp) = message.first_chunk_mut::<8>() {
            *stamp = sent_at.to_le_bytes();
        }
        offer(&mut self.ping_out, message, running)?;
        let mut received = None;
        let mut idler = Idler::BusySpin;
        while received.is_none() && running.goes_on() {
            let pong_out = &mut self.pong_out;
            let mut outcome = Ok(());
            let mut work = self.ping_in.poll(FRAGMENT_LIMIT, |payload, _| {
                outcome = offer(pong_out, payload, running);
            });
            outcome?;
            let started = self.started;
            work += self.pong_in.poll(FRAGMENT_LIMIT, |payload, _| {
                let stamp = payload
                    .first_chunk::<8>()
                    .map_or(0, |s| u64::from_le_bytes(*s));
                received = Some(nanos_since(started).saturating_sub(stamp));
            });
            idler.idle(work);
        }
        Ok(received)
    }

    fn now(&self) -> u64 {
        nanos_since(self.started)
    }
}

fn nanos_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn offer(
    publication: &mut ExclusivePublication,
    message: &[u8],
    running: &Running,
) -> Result<(), OfferError> {
    while running.goes_on() {
        match publication.offer(message) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_retryable() => std::hint::spin_loop(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn print_histogram(histogram: &Histogram<u64>) {
    println!(
        "round-trip time over {} samples, in microseconds:",
        histogram.len()
    );
    for (name, quantile) in [
        ("min", 0.0),
        ("P50", 0.5),
        ("P90", 0.9),
        ("P99", 0.99),
        ("P99.9", 0.999),
        ("max", 1.0),
    ] {
        let nanos = histogram.value_at_quantile(quantile);
        println!("  {name:>6} {:>10}.{:03}", nanos / 1000, nanos % 1000);
    }
}
