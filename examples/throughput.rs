//! Throughput within one process: a thread publishes, another subscribes, the driver is embedded.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aileron::StreamId;
use aileron::client::Subscription;
use aileron::runtime::Idler;
use clap::Parser;
use common::{Outcome, embedded, running};

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 256;

/// Publish and subscribe as fast as possible through an embedded driver.
#[derive(Debug, Parser)]
struct Arguments {
    /// Channel to use
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20125")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Bytes of a message
    #[arg(short, long, default_value_t = 32)]
    length: usize,
    /// Seconds to run
    #[arg(short, long, default_value_t = 10)]
    duration: u64,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = embedded()?;
    let stream = StreamId(arguments.stream);
    let subscription = session
        .client
        .add_subscription(&*arguments.channel, stream)?;
    let mut publication = session
        .client
        .add_exclusive_publication(&*arguments.channel, stream)?;
    let running = running()?;
    if !running.wait_until(|| publication.is_connected()) {
        return Ok(());
    }
    let received = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let subscriber = {
        let (received, stop) = (Arc::clone(&received), Arc::clone(&stop));
        std::thread::spawn(move || consume(subscription, &received, &stop))
    };
    println!(
        "{} byte messages over {}",
        arguments.length, arguments.channel
    );
    let message = vec![0u8; arguments.length];
    let mut idler = Idler::backoff();
    let start = Instant::now();
    let (mut report, mut at_report) = (start, 0u64);
    let end = start + Duration::from_secs(arguments.duration);
    let mut offers = 0u64;
    while running.goes_on() {
        match publication.offer(&message) {
            Ok(_) => idler.idle(1),
            Err(error) if error.is_retryable() => idler.idle(0),
            Err(error) => return Err(error.into()),
        }
        offers += 1;
        if offers.is_multiple_of(256) {
            let now = Instant::now();
            if now >= end {
                break;
            }
            if now.duration_since(report) >= Duration::from_secs(1) {
                let total = received.load(Ordering::Relaxed);
                print_rate(
                    total - at_report,
                    arguments.length,
                    now.duration_since(report),
                );
                (report, at_report) = (now, total);
            }
        }
    }
    let total = received.load(Ordering::Relaxed);
    print!("overall: ");
    print_rate(total, arguments.length, start.elapsed());
    stop.store(true, Ordering::Relaxed);
    subscriber
        .join()
        .map_err(|_| "the subscriber's thread panicked")?;
    Ok(())
}

/// Counts whole messages: each ends with one fragment that has the end flag.
fn consume(mut subscription: Subscription, received: &AtomicU64, stop: &AtomicBool) {
    let mut idler = Idler::backoff();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let work = subscription.poll(FRAGMENT_LIMIT, |_, header| {
            count += u64::from(header.is_end());
        });
        received.store(count, Ordering::Relaxed);
        idler.idle(work);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
fn print_rate(messages: u64, length: usize, elapsed: Duration) {
    let rate = messages as f64 / elapsed.as_secs_f64();
    println!(
        "{rate:.3e} messages/s, {:.3} MB/s",
        rate * length as f64 / 1e6
    );
}
