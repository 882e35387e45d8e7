//! The publisher and subscriber of the tests, over whichever client library.
//!
//! What they print, in this order:
//!
//! | Line | Of | Meaning |
//! |---|---|---|
//! | `READY …` | both | publication or subscription added; a subscriber on a UDP channel adds `endpoint=<address>` |
//! | `CONNECTED` | publisher | has a subscriber |
//! | `DONE seed=… messages=… bytes=… digest=…` | both | a series is sent or received whole |
//! | `UNAVAILABLE session=… end-of-stream=… revoked=…` | subscriber | an image went away |
//! | `ERROR-FRAME session=… code=…` | publisher | a receiver sent an error |
//!
//! Then they stay, the subscriber polling on for messages that must not come, until standard input
//! ends. Orders, a line each:
//!
//! | Line | To | Meaning |
//! |---|---|---|
//! | `destination <channel>` | both, a publisher before it sends | add a destination; answered by `ADDED` |
//! | `go` | a gated publisher | send |
//! | `revoke on close` | a publisher that is done | closing the publication revokes it |
//! | `reject <reason>` | subscriber | reject all images; answered by `REJECTED images=…` |
//! | `pause`, `resume` | subscriber | stop and go on polling; answered by `PAUSED` and `RESUMED` |

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
    /// Makes closing the publication revoke it.
    ///
    /// # Errors
    /// When this kind of publication cannot be revoked.
    fn revoke_on_close(&mut self) -> Result<(), String>;
    /// Adds a destination to a publication of many.
    ///
    /// # Errors
    /// When the driver refuses.
    fn add_destination(&mut self, channel: &str) -> Result<(), String>;
    /// Closes the publication and sees to it that the driver is told.
    ///
    /// # Errors
    /// When it cannot be closed.
    fn close(self) -> Result<(), String>;
}

/// A subscription of either library.
pub trait Subscriber {
    /// Polls for up to `limit` fragments and hands whole messages to the checker.
    ///
    /// # Errors
    /// When the poll fails or the checker refuses a message.
    fn poll(&mut self, checker: &mut Checker, limit: usize) -> Result<usize, String>;
    /// Whether a publisher is there.
    fn is_connected(&self) -> bool;
    /// Address bound, once known.
    ///
    /// # Errors
    /// When the library cannot tell.
    fn resolved_endpoint(&self) -> Result<Option<String>, String>;
    /// Adds a destination to a subscription of many.
    ///
    /// # Errors
    /// When the driver refuses.
    fn add_destination(&mut self, channel: &str) -> Result<(), String>;
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
pub fn publish(mut publisher: impl Publisher, args: &PublishArgs) -> Result<(), String> {
    let orders = Orders::listen();
    let patience = Patience::new(args.stream.timeout());
    report(&format!("READY session={}", publisher.session_id()));
    let mut idle = Idle::default();
    let mut gate_is_open = !args.gated;
    let mut is_connected = false;
    while !(gate_is_open && is_connected) {
        match orders.next() {
            Order::Line(line) => match line.strip_prefix("destination ") {
                Some(channel) => {
                    publisher.add_destination(channel)?;
                    report("ADDED");
                }
                None => gate_is_open = true,
            },
            Order::Stop => return publisher.close(),
            Order::None => idle.idle(0),
        }
        if !is_connected && publisher.is_connected() {
            is_connected = true;
            report("CONNECTED");
        }
        patience.check("a subscriber, and the order to send")?;
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
    while let Some(line) = orders.wait() {
        match line.as_str() {
            "revoke on close" => publisher.revoke_on_close()?,
            _ => return Err(format!("unknown order {line}")),
        }
    }
    publisher.close()
}

/// Checks what arrives, then stays until standard input ends.
///
/// # Errors
/// Failed polls, messages that are not due, and the end of patience.
pub fn subscribe(subscriber: &mut impl Subscriber, args: &SubscribeArgs) -> Result<(), String> {
    let orders = Orders::listen();
    let patience = Patience::new(args.stream.timeout());
    let mut idle = Idle::default();
    let channel = &args.stream.channel;
    if channel.starts_with("aeron:udp") && !channel.contains("control-mode=manual") {
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
    let mut is_paused = false;
    loop {
        let work = if is_paused {
            0
        } else {
            subscriber.poll(&mut checker, 64)?
        };
        idle.idle(work);
        if !done && checker.is_complete() {
            done = true;
            for (seed, tally) in checker.tallies() {
                report(&format!("DONE seed={seed} {tally}"));
            }
        }
        match orders.next() {
            Order::Stop => return Ok(()),
            Order::Line(line) if line == "pause" => {
                is_paused = true;
                report("PAUSED");
            }
            Order::Line(line) if line == "resume" => {
                is_paused = false;
                report("RESUMED");
            }
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
    if let Some(channel) = line.strip_prefix("destination ") {
        subscriber.add_destination(channel)?;
        report("ADDED");
        return Ok(());
    }
    let reason = line
        .strip_prefix("reject ")
        .ok_or_else(|| format!("unknown order {line}"))?;
    let images = subscriber.reject_images(reason)?;
    report(&format!("REJECTED images={images}"));
    Ok(())
}

/// A client of either library that adds things and keeps them.
pub trait Registrar {
    /// Adds what `kind` says and keeps it.
    ///
    /// # Errors
    /// The code by which the driver refuses, and its words; or a code of 0 and what else went wrong.
    fn add(&mut self, kind: &str, stream: i32, channel: &str) -> Result<(), (i32, String)>;
    /// Lets go of everything.
    fn forget(&mut self);
}

/// Gives the commands that standard input says, a line each: `<kind> <stream> <channel>`, or
/// `forget`. Each is answered by a line `ADDED` or `REFUSED <code> <words>`.
pub fn command(registrar: &mut impl Registrar) {
    let orders = Orders::listen();
    report("READY");
    while let Some(line) = orders.wait() {
        let mut words = line.splitn(3, ' ');
        let (kind, stream, channel) = (words.next(), words.next(), words.next());
        if kind == Some("forget") {
            registrar.forget();
            report("FORGOTTEN");
            continue;
        }
        let stream = stream.and_then(|text| text.parse().ok()).unwrap_or(0);
        match registrar.add(kind.unwrap_or(""), stream, channel.unwrap_or("")) {
            Ok(()) => report("ADDED"),
            Err((code, words)) => report(&format!("REFUSED {code} {}", words.replace('\n', " | "))),
        }
    }
}

/// A deadline.
pub(crate) struct Patience {
    start: Instant,
    limit: Duration,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            start: Instant::now(),
            limit,
        }
    }

    pub(crate) fn check(&self, awaited: &str) -> Result<(), String> {
        if self.start.elapsed() < self.limit {
            return Ok(());
        }
        Err(format!("gave up after {:?} awaiting {awaited}", self.limit))
    }
}
