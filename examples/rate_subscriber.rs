//! Takes messages as fast as they come, and prints the rate each second.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::StreamId;
use aileron::runtime::Idler;
use clap::Parser;
use common::{Connection, Outcome, running};

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 256;

/// Report the rate of a stream.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to subscribe to
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20121")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Stop after so many seconds
    #[arg(short = 'd', long)]
    duration: Option<u64>,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let stream = StreamId(arguments.stream);
    let mut subscription = session
        .client
        .add_subscription(&*arguments.channel, stream)?;
    let running = running()?;
    println!(
        "subscribed to {} on stream {}",
        arguments.channel, arguments.stream
    );
    let end = arguments
        .duration
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut idler = Idler::backoff();
    let (mut fragments, mut bytes) = (0u64, 0u64);
    let mut report = Instant::now();
    while running.goes_on() && end.is_none_or(|end| Instant::now() < end) {
        let work = subscription.poll(FRAGMENT_LIMIT, |payload, _| {
            fragments += 1;
            bytes += payload.len() as u64;
        });
        idler.idle(work);
        if report.elapsed() >= Duration::from_secs(1) {
            print_rate(fragments, bytes, report.elapsed());
            (fragments, bytes, report) = (0, 0, Instant::now());
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
fn print_rate(fragments: u64, bytes: u64, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    println!(
        "{:.3e} fragments/s, {:.3} MB/s",
        fragments as f64 / seconds,
        bytes as f64 / seconds / 1e6
    );
}
