//! The publisher and subscriber of the tests, over whichever client library.
//!
//! What they print, in this order:
//!
//! | Line | Of | Meaning |
//! |---|---|---|
//! | `READY …` | both | publication or subscription added; a subscriber on a UDP channel adds `endpoint=<address>` |
//! | `CONNECTED` | publisher | has a subscriber |
//! | `DONE seed=… messages=… bytes=… digest=…` | both | a series is sent or received whole |
//! | `UNAVAILABLE session=… end-of-stream=…` | subscriber | an image went away |
//! | `ERROR-FRAME session=… code=…` | publisher | a receiver sent an error |
//!
//! Then they stay, the subscriber polling on for messages that must not come, until standard input
//! ends. A subscriber takes the order `reject <reason>`, which rejects all its images.

use std::time::{Duration, Instant};

use crate::cli::{PublishArgs, SubscribeArgs};
use crate::console::{Idle, Order, Orders, report};
use crate::pattern::{Checker, Tally};

/// Outcome of offering a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offered {
    /// It is in the log.
    Sent,
    /// Try again.
    Retry,
    /// It will never work.
    Failed(String),
}

/// A publication of either library.
pub trait Publisher {
    /// Whether a subscriber is there.
    fn is_connected(&self) -> bool;
    /// Offers a message.
    fn offer(&mut self, message: &[u8]) -> Offered;
    /// Claims space for a message that fits one fragment, and commits it.
    fn claim(&mut self, message: &[u8]) -> Offered;
    /// Longest message that fits one fragment, in bytes.
    fn max_payload_length(&self) -> usize;
    /// Session id.
    fn session_id(&self) -> i32;
}

/// A subscription of either library.
pub trait Subscriber {
    /// Polls for up to `limit` fragments and hands whole messages to the checker.
    ///
    /// # Errors
    /// When the poll fails or the checker refuses a message.
    fn poll(&mut self, checker: &mut Checker, limit: usize) -> Result<usize, String>;
    /// Address bound, once known.
    ///
    /// # Errors
    /// When the library cannot tell.
    fn resolved_endpoint(&self) -> Result<Option<String>, String>;
    /// Rejects every image and returns how many there were.
    ///
    /// # Errors
    /// When the library refuses.
    fn reject_images(&mut self, reason: &str) -> Result<usize, String>;
}

/// Sends what the plan says, then stays until standard input ends.
///
/// # Errors
/// Failed offers and the end of patience.
pub fn publish(publisher: &mut impl Publisher, args: &PublishArgs) -> Result<(), String> {
    let orders = Orders::listen();
    let patience = Patience::new(args.stream.timeout());
    report(&format!("READY session={}", publisher.session_id()));
    let mut idle = Idle::default();
    while !publisher.is_connected() {
        patience.check("a subscriber")?;
        idle.idle(0);
    }
    report("CONNECTED");
    while args.gated && orders.next() == Order::None {
        patience.check("the order to send")?;
        idle.idle(0);
    }
    let plan = args.plan();
    let mut tally = Tally::default();
    let mut message = Vec::new();
    for number in 0..plan.count() {
        plan.fill(number, &mut message);
        let claims = args.claim && message.len() <= publisher.max_payload_length();
        loop {
            let offered = if claims {
                publisher.claim(&message)
            } else {
                publisher.offer(&message)
            };
            match offered {
                Offered::Sent => break,
                Offered::Retry => patience.check("room in the log")?,
                Offered::Failed(why) => return Err(format!("message {number}: {why}")),
            }
            idle.idle(0);
        }
        idle.idle(1);
        tally.add(&message);
    }
    report(&format!("DONE seed={} {tally}", args.seed));
    orders.wait_for_stop();
    Ok(())
}

/// Checks what arrives, then stays until standard input ends.
///
/// # Errors
/// Failed polls, messages that are not due, and the end of patience.
pub fn subscribe(subscriber: &mut impl Subscriber, args: &SubscribeArgs) -> Result<(), String> {
    let orders = Orders::listen();
    let patience = Patience::new(args.stream.timeout());
    let mut idle = Idle::default();
    if args.stream.channel.starts_with("aeron:udp") {
        loop {
            if let Some(endpoint) = subscriber.resolved_endpoint()? {
                report(&format!("READY endpoint={endpoint}"));
                break;
            }
            patience.check("the endpoint")?;
            idle.idle(0);
        }
    } else {
        report("READY");
    }
    let mut checker = Checker::new(args.plans());
    let mut done = false;
    loop {
        idle.idle(subscriber.poll(&mut checker, 64)?);
        if !done && checker.is_complete() {
            done = true;
            for (seed, tally) in checker.tallies() {
                report(&format!("DONE seed={seed} {tally}"));
            }
        }
        match orders.next() {
            Order::Stop => return Ok(()),
            Order::Line(line) => obey(subscriber, &line)?,
            Order::None if done => {}
            Order::None => {
                let so_far: Vec<_> = checker
                    .tallies()
                    .map(|(_, tally)| tally.to_string())
                    .collect();
                patience.check(&format!("messages after {so_far:?}"))?;
            }
        }
    }
}

fn obey(subscriber: &mut impl Subscriber, line: &str) -> Result<(), String> {
    let reason = line
        .strip_prefix("reject ")
        .ok_or_else(|| format!("unknown order {line}"))?;
    let images = subscriber.reject_images(reason)?;
    report(&format!("REJECTED images={images}"));
    Ok(())
}

/// A deadline.
struct Patience {
    start: Instant,
    limit: Duration,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            limit,
        }
    }

    fn check(&self, awaited: &str) -> Result<(), String> {
        if self.start.elapsed() < self.limit {
            return Ok(());
        }
        Err(format!("gave up after {:?} awaiting {awaited}", self.limit))
    }
}
