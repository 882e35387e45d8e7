//! A server that answers on response channels, and its client, over whichever client library.
//!
//! The server sends every request back, on a publication of its own for each client. What they
//! print:
//!
//! | Line | Of | Meaning |
//! |---|---|---|
//! | `READY …` | both | everything added; a server on a UDP channel adds `endpoint=<address>` |
//! | `ANSWERING session=… correlation=…` | server | a client has come, and has a publication |
//! | `CONNECTED` | client | both streams are there |
//! | `DONE seed=… messages=… bytes=… digest=…` | client | every request has come back |
//! | `UNAVAILABLE session=… …` | client | the server has left |
//!
//! They stay until standard input ends.

use std::collections::{BTreeMap, VecDeque};

use crate::cli::{RequestArgs, RespondArgs};
use crate::console::{Idle, Order, Orders, report};
use crate::pattern::Checker;
use crate::peer::{Offered, Patience, Publisher, Subscriber};
use std::time::Duration;

/// Requests that a server takes before it has answered the first of them.
const REQUESTS_MAX: usize = 64;

/// The requests of a server, of either library.
pub trait Server {
    /// What it answers on.
    type Publication: Publisher;
    /// Session and correlation id of each image.
    fn images(&self) -> Vec<(i32, i64)>;
    /// Polls for up to `limit` fragments and hands over whole requests with their sessions.
    ///
    /// # Errors
    /// When the poll fails.
    fn poll(&mut self, limit: usize, take: &mut dyn FnMut(i32, &[u8])) -> Result<usize, String>;
    /// Adds a publication.
    ///
    /// # Errors
    /// When the driver refuses.
    fn publish(&mut self, channel: &str, stream: i32) -> Result<Self::Publication, String>;
    /// Address bound, once known.
    ///
    /// # Errors
    /// When the library cannot tell.
    fn resolved_endpoint(&self) -> Result<Option<String>, String>;
}

/// Serves until standard input ends.
///
/// # Errors
/// Failed polls, offers and adds.
pub fn respond<S: Server>(server: &mut S, args: &RespondArgs) -> Result<(), String> {
    let orders = Orders::listen();
    let patience = Patience::new(Duration::from_secs(args.timeout));
    let mut idle = Idle::default();
    if args.channel.starts_with("aeron:udp") {
        loop {
            if let Some(endpoint) = server.resolved_endpoint()? {
                report(&format!("READY endpoint={endpoint}"));
                break;
            }
            patience.check("the endpoint")?;
            idle.idle(0);
        }
    } else {
        report("READY");
    }
    let mut clients: BTreeMap<i32, S::Publication> = BTreeMap::new();
    let mut requests: BTreeMap<i32, VecDeque<Vec<u8>>> = BTreeMap::new();
    while orders.next() != Order::Stop {
        let images = server.images();
        clients.retain(|session, _| images.iter().any(|(image, _)| image == session));
        for (session, correlation) in images {
            if clients.contains_key(&session) {
                continue;
            }
            let channel = format!(
                "{}|response-correlation-id={correlation}",
                args.response.response_channel
            );
            let publication = server.publish(&channel, args.response.response_stream)?;
            clients.insert(session, publication);
            report(&format!(
                "ANSWERING session={session} correlation={correlation}"
            ));
        }
        let mut work = 0;
        if requests.values().map(VecDeque::len).sum::<usize>() < REQUESTS_MAX {
            work += server.poll(REQUESTS_MAX, &mut |session, request| {
                requests
                    .entry(session)
                    .or_default()
                    .push_back(request.to_vec());
            })?;
        }
        for (session, client) in &mut clients {
            let Some(requests) = requests.get_mut(session) else {
                continue;
            };
            while let Some(request) = requests.front() {
                match client.offer(request) {
                    Offered::Sent => work += 1,
                    Offered::Retry => break,
                    Offered::Failed(why) => return Err(format!("answer to {session}: {why}")),
                }
                requests.pop_front();
            }
        }
        idle.idle(work);
    }
    Ok(())
}

/// Sends what the plan says and awaits it back, then stays until standard input ends.
///
/// # Errors
/// Failed offers and polls, answers that are not due, and the end of patience.
pub fn request(
    mut publisher: impl Publisher,
    subscriber: &mut impl Subscriber,
    args: &RequestArgs,
) -> Result<(), String> {
    let orders = Orders::listen();
    let patience = Patience::new(args.stream.timeout());
    report(&format!("READY session={}", publisher.session_id()));
    let plan = args.plan();
    let mut checker = Checker::new(vec![plan.clone()]);
    let mut idle = Idle::default();
    while !(publisher.is_connected() && subscriber.is_connected()) {
        if orders.next() == Order::Stop {
            return publisher.close();
        }
        patience.check("the server")?;
        idle.idle(0);
    }
    report("CONNECTED");
    let (mut sent, mut done) = (0, false);
    let mut message = Vec::new();
    loop {
        let mut work = subscriber.poll(&mut checker, REQUESTS_MAX)?;
        if sent < plan.count() {
            plan.fill(sent, &mut message);
            match publisher.offer(&message) {
                Offered::Sent => {
                    sent += 1;
                    work += 1;
                }
                Offered::Retry => {}
                Offered::Failed(why) => return Err(format!("message {sent}: {why}")),
            }
        }
        if !done && checker.is_complete() {
            done = true;
            for (seed, tally) in checker.tallies() {
                report(&format!("DONE seed={seed} {tally}"));
            }
        }
        if orders.next() == Order::Stop {
            return publisher.close();
        }
        if !done {
            let so_far: Vec<_> = checker.tallies().map(|(_, tally)| tally).collect();
            patience.check(&format!("answers after {sent} requests and {so_far:?}"))?;
        }
        idle.idle(work);
    }
}
