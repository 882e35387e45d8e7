//! One publisher, many subscribers, each with its own stream of datagrams; and who holds them back.
//!
//! The publisher's channel has many destinations (control mode `dynamic`): subscribers introduce
//! themselves at its control address. Its flow control is `min`, so the slowest sets the pace. Here
//! one subscriber at a time takes its time, each in its turn; the report shows where all of them
//! are, and which one limits the others.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::client::Subscription;
use aileron::runtime::Idler;
use aileron::{ExclusivePublication, OfferError, Position, StreamId};
use clap::Parser;
use common::{Connection, Outcome, embedded, running};

/// Messages offered in a row.
const BURST: usize = 32;
/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 64;

/// Show one publisher, its subscribers, and which of them limits the others.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Where subscribers introduce themselves
    #[arg(long, default_value = "localhost:20126")]
    control: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Subscribers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    subscribers: u8,
    /// Bytes of a message
    #[arg(short, long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..))]
    length: u16,
    /// Microseconds that the slow subscriber takes for a message
    #[arg(long, default_value_t = 1000)]
    delay: u64,
    /// Milliseconds between reports
    #[arg(short, long, default_value_t = 1000)]
    interval: u64,
    /// Reports after which it is the next subscriber's turn to be slow
    #[arg(short, long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    turn: u32,
    /// Stop after so many reports
    #[arg(short = 'n', long)]
    reports: Option<u32>,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = if arguments.connection.embedded || arguments.connection.dir.is_none() {
        embedded()?
    } else {
        arguments.connection.open()?
    };
    let count = arguments.subscribers;
    let control = &arguments.control;
    let stream = StreamId(arguments.stream);
    let subscribed = format!("aeron:udp?endpoint=localhost:0|control={control}");
    let published = format!(
        "aeron:udp?control={control}|control-mode=dynamic|fc=min,g:/{count}|term-length=1m"
    );
    let add = |_| session.client.add_subscription(&*subscribed, stream);
    let mut fan = Fan {
        publication: session
            .client
            .add_exclusive_publication(&*published, stream)?,
        subscriptions: (0..count).map(add).collect::<Result<_, _>>()?,
        message: vec![0; usize::from(arguments.length)],
        slow: 0,
        delay: Duration::from_micros(arguments.delay),
        next_of_slow: Instant::now(),
        refusals: 0,
    };
    let running = running()?;
    println!("publishing to {published} on stream {stream}");
    if !running.wait_until(|| fan.is_complete()) {
        return Ok(());
    }
    println!("all {count} subscribers are there");
    let interval = Duration::from_millis(arguments.interval);
    let mut next_report = Instant::now() + interval;
    let mut reports = 0;
    let mut idler = Idler::backoff();
    while running.goes_on() && arguments.reports.is_none_or(|wanted| reports < wanted) {
        idler.idle(fan.step()?);
        if Instant::now() >= next_report {
            next_report += interval;
            reports += 1;
            fan.report();
            if reports % arguments.turn == 0 {
                fan.slow = (fan.slow + 1) % fan.subscriptions.len();
            }
        }
    }
    Ok(())
}

/// The publisher and its subscribers.
struct Fan {
    publication: ExclusivePublication,
    subscriptions: Vec<Subscription>,
    message: Vec<u8>,
    /// Which subscriber takes its time, and when it takes its next message.
    slow: usize,
    delay: Duration,
    next_of_slow: Instant,
    /// Offers refused since the last report.
    refusals: u64,
}

impl Fan {
    fn is_complete(&self) -> bool {
        self.publication.is_connected() && self.subscriptions.iter().all(Subscription::is_connected)
    }

    /// Offers what the publication takes, and takes what has come. Returns how much was done.
    fn step(&mut self) -> Result<usize, OfferError> {
        let mut work = 0;
        for _ in 0..BURST {
            match self.publication.offer(&self.message) {
                Ok(_) => work += 1,
                Err(error) if error.is_retryable() => {
                    self.refusals += 1;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        let now = Instant::now();
        for (place, subscription) in self.subscriptions.iter_mut().enumerate() {
            if place != self.slow {
                work += subscription.poll(FRAGMENT_LIMIT, |_, _| {});
            } else if now >= self.next_of_slow {
                work += subscription.poll(1, |_, _| {});
                self.next_of_slow = now + self.delay;
            }
        }
        Ok(work)
    }

    /// Prints where everybody is. Who is furthest behind limits the others, if the publisher was
    /// held back at all.
    fn report(&mut self) {
        let published = self.publication.position().unwrap_or(Position(0));
        let refusals = std::mem::take(&mut self.refusals);
        println!("publisher at {published}, held back {refusals} times");
        let positions: Vec<_> = self
            .subscriptions
            .iter()
            .map(|subscription| subscription.image_at(0).map(|image| image.position()))
            .collect();
        let last = positions.iter().flatten().min();
        for (number, position) in (1..).zip(&positions) {
            let Some(at) = position else {
                println!("  subscriber {number} has left");
                continue;
            };
            let is_limit = refusals > 0 && Some(at) == last && *at < published;
            println!(
                "  subscriber {number} at {at}, {} behind{}",
                published.0 - at.0,
                if is_limit { ", limits" } else { "" }
            );
        }
    }
}
