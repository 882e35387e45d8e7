//! `soak`: numbered, checksummed messages through random loss in both directions.
//!
//! Two embedded drivers on the loopback interface. The subscriber's hides a share of the data that
//! arrives, the publisher's the same share of the status messages and NAKs. Every message must
//! arrive once, whole, and in order.

mod pattern;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aileron::Subscription;
use aileron::client::FragmentAssembler;
use aileron::cnc::{Cnc, SystemCounter, SystemCounters};
use aileron::net::UdpNetwork;
use aileron::port::Network as _;
use clap::Args;
use serde_json::json;

use crate::Failure;
use crate::figures::short;
use crate::machine::Machine;
use crate::node::{Aileron, Mode, Node, Outlet, config, free_port};
use pattern::{Checker, HEADER_LENGTH};

/// Stream of the small messages; the large ones use the next.
const STREAM: i32 = 1001;
/// Receiver window and socket buffers, if the operating system grants so much.
const WINDOW_MAX: usize = 2 * 1024 * 1024;
/// How long a driver ignores NAKs for what it has just sent again. The default of 10 ms is made for
/// networks with latency; here it would be most of the time that the run takes.
const RETRANSMIT_LINGER: &str = "aeron.retransmit.unicast.linger=500us";
/// How long to look for messages that must not come, when all have arrived.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Offers between two duty cycles of the publisher.
const BATCH: u32 = 32;

/// Send numbered, checksummed messages through random loss and check that all arrive, once and in
/// order.
///
/// Exit status 1 on any violation, or when nothing arrives for a while.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Small messages
    #[arg(short, long, default_value_t = 10_000_000)]
    messages: u64,

    /// Bytes of a small message, at least 12
    #[arg(short, long, default_value_t = 100)]
    length: usize,

    /// Large messages
    #[arg(long, default_value_t = 1_000)]
    large_messages: u64,

    /// Bytes of a large message, at most an eighth of the term length
    #[arg(long, default_value_t = 1024 * 1024)]
    large_length: usize,

    /// Share of datagrams lost in each direction, 0 to 1
    #[arg(long, default_value_t = 0.05)]
    loss: f64,

    /// Seed of the losses and of the messages' contents
    #[arg(short, long, default_value_t = 1)]
    seed: u32,

    /// Term length of the publications
    #[arg(long, default_value = "16m")]
    term_length: String,

    /// Seconds without a message after which the run has failed
    #[arg(long, default_value_t = 20)]
    patience: u64,

    /// How the drivers run
    #[arg(long, value_enum, default_value_t = Mode::Invoker)]
    mode: Mode,

    /// Set a property of both drivers; may be repeated
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,

    /// Print one line of JSON at the end
    #[arg(long)]
    json: bool,
}

/// Messages of one length on one stream.
#[derive(Clone, Copy, Debug)]
struct Series {
    stream: i32,
    count: u64,
    length: usize,
}

/// What the threads share.
#[derive(Debug, Default)]
struct Shared {
    /// Messages accepted, of all series.
    received: AtomicU64,
    bytes: AtomicU64,
    /// Everything has arrived, and nothing else.
    is_done: AtomicBool,
    /// Somebody failed, or the watcher lost patience.
    is_aborted: AtomicBool,
    publisher: OnceLock<PathBuf>,
    subscriber: OnceLock<PathBuf>,
    /// When each series was complete.
    completed: Mutex<Vec<Duration>>,
}

impl Shared {
    fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_done.load(Ordering::Relaxed) || self.is_aborted()
    }
}

/// Tells the others if its thread ends before all is done.
struct AbortUnlessDone<'a>(&'a Shared);

impl Drop for AbortUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.0.is_done.load(Ordering::Relaxed) {
            self.0.is_aborted.store(true, Ordering::Relaxed);
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.length < HEADER_LENGTH || arguments.large_length < HEADER_LENGTH {
        return Err(format!("a message has at least {HEADER_LENGTH} bytes").into());
    }
    let machine = Machine::detect();
    let window = UdpNetwork::new().buffer_limits().max_rcvbuf.min(WINDOW_MAX);
    let channel = format!(
        "aeron:udp?endpoint=127.0.0.1:{}|term-length={}|rcv-wnd={window}|so-rcvbuf={window}\
         |so-sndbuf={window}",
        free_port()?,
        arguments.term_length
    );
    let all = [
        (STREAM, arguments.messages, arguments.length),
        (STREAM + 1, arguments.large_messages, arguments.large_length),
    ];
    let series: Vec<Series> = all
        .into_iter()
        .filter(|(_, count, _)| *count > 0)
        .map(|(stream, count, length)| Series {
            stream,
            count,
            length,
        })
        .collect();
    println!("{machine}");
    println!(
        "layout:   two embedded drivers on loopback, {}",
        arguments.mode.describe()
    );
    println!("channel:  {channel}");
    println!(
        "loss:     {} of the data and of the control frames, seed {}; {RETRANSMIT_LINGER}",
        arguments.loss, arguments.seed
    );
    let shared = Shared::default();
    let start = Instant::now();
    thread::scope(|scope| {
        let publisher = scope.spawn(|| publish(arguments, &channel, &series, &shared));
        let subscriber = scope.spawn(|| subscribe(arguments, &channel, &series, &shared, start));
        let watched = watch(arguments, &series, &shared, start);
        let crashed = |_| Failure::from("a thread panicked");
        let received = subscriber.join().map_err(crashed)?;
        let sent = publisher.join().map_err(crashed)?;
        // A violation tells more than what followed from it.
        received
            .and(sent)
            .and(watched.map(|figures| report(arguments, &machine, &series, &shared, &figures)))
    })
}

/// A driver that hides what `direction` says.
fn launch(arguments: &Arguments, direction: &str, seed: u32) -> Result<Aileron, Failure> {
    let mut set = vec![
        format!("aeron.debug.{direction}.loss.rate={}", arguments.loss),
        format!("aeron.debug.{direction}.loss.seed={seed}"),
        RETRANSMIT_LINGER.to_owned(),
    ];
    set.extend_from_slice(&arguments.define);
    Aileron::launch(arguments.mode, config(arguments.mode, &set)?)
}

fn publish(
    arguments: &Arguments,
    channel: &str,
    series: &[Series],
    shared: &Shared,
) -> Result<(), Failure> {
    let _abort = AbortUnlessDone(shared);
    let mut node = launch(arguments, "send.control", arguments.seed.wrapping_add(1))?;
    let _ = shared.publisher.set(node.directory());
    let mut publications = Vec::new();
    for series in series {
        let mut publication = node.add_publication(channel, series.stream)?;
        let mut message = vec![0; series.length];
        let mut number = 0;
        let mut offers = 0;
        while number < series.count {
            pattern::fill(&mut message, u64::from(arguments.seed), number);
            while !Outlet::offer(&mut publication, &message)? {
                node.work()?;
                if shared.is_aborted() {
                    return Ok(());
                }
                // Where CPUs are few, the other side may be waiting for this one.
                thread::yield_now();
            }
            number += 1;
            offers += 1;
            if offers >= BATCH {
                offers = 0;
                node.work()?;
            }
        }
        publications.push(publication);
    }
    // What was lost is still to be sent again.
    while !shared.is_over() {
        node.work()?;
        thread::yield_now();
    }
    Ok(())
}

/// A series as it arrives.
struct Arriving {
    subscription: Subscription,
    assembler: FragmentAssembler,
    checker: Checker,
    is_reported: bool,
}

fn subscribe(
    arguments: &Arguments,
    channel: &str,
    series: &[Series],
    shared: &Shared,
    start: Instant,
) -> Result<(), Failure> {
    let _abort = AbortUnlessDone(shared);
    let mut node = launch(arguments, "receive.data", arguments.seed)?;
    let _ = shared.subscriber.set(node.directory());
    let mut arriving = Vec::new();
    for series in series {
        arriving.push(Arriving {
            subscription: node.add_subscription(channel, series.stream)?.subscription,
            assembler: FragmentAssembler::new(),
            checker: Checker::new(series.count, series.length),
            is_reported: false,
        });
    }
    let mut done_at = None;
    while done_at.is_none_or(|done: Instant| done.elapsed() < AFTERMATH) {
        let mut work = node.work()?;
        for one in &mut arriving {
            work += one.poll(shared)?;
            if one.checker.is_complete() && !one.is_reported {
                one.is_reported = true;
                let mut completed = shared
                    .completed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                completed.push(start.elapsed());
            }
        }
        if done_at.is_none() && arriving.iter().all(|one| one.checker.is_complete()) {
            done_at = Some(Instant::now());
        }
        if shared.is_aborted() {
            return Ok(());
        }
        if work == 0 {
            thread::yield_now();
        }
    }
    shared.is_done.store(true, Ordering::Relaxed);
    Ok(())
}

impl Arriving {
    /// Takes in what has arrived; returns the fragments.
    fn poll(&mut self, shared: &Shared) -> Result<usize, Failure> {
        let Self {
            subscription,
            assembler,
            checker,
            ..
        } = self;
        let mut outcome = Ok(());
        let (mut count, mut bytes) = (0, 0);
        let fragments = subscription.poll_assembled(assembler, 64, |message, _| {
            if outcome.is_ok() {
                outcome = checker.accept(message);
                count += 1;
                bytes += message.len() as u64;
            }
        });
        outcome.map_err(|violation| format!("violation: {violation}"))?;
        if count > 0 {
            shared.received.fetch_add(count, Ordering::Relaxed);
            shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(fragments)
    }
}

/// Counters of the two drivers.
struct Counters {
    publisher: Cnc,
    subscriber: Cnc,
}

impl Counters {
    fn open(shared: &Shared) -> Option<Self> {
        let open =
            |directory: &OnceLock<PathBuf>| aileron::runtime::map_cnc(directory.get()?, true).ok();
        Some(Self {
            publisher: open(&shared.publisher)?,
            subscriber: open(&shared.subscriber)?,
        })
    }

    fn read(&self) -> Figures {
        let value = |cnc: &Cnc, counter| {
            let value = SystemCounters::attach(&cnc.counters()).get(counter).get();
            u64::try_from(value).unwrap_or(0)
        };
        let (publisher, subscriber) = (&self.publisher, &self.subscriber);
        Figures {
            bytes_sent: value(publisher, SystemCounter::BytesSent),
            retransmits: value(publisher, SystemCounter::RetransmitsSent),
            retransmitted_bytes: value(publisher, SystemCounter::RetransmittedBytes),
            naks_sent: value(subscriber, SystemCounter::NaksSent),
            naks_received: value(publisher, SystemCounter::NaksReceived),
            status_sent: value(subscriber, SystemCounter::StatusMessagesSent),
            status_received: value(publisher, SystemCounter::StatusMessagesReceived),
            errors: value(publisher, SystemCounter::Errors)
                + value(subscriber, SystemCounter::Errors),
        }
    }
}

/// What the drivers counted.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    bytes_sent: u64,
    retransmits: u64,
    retransmitted_bytes: u64,
    naks_sent: u64,
    naks_received: u64,
    status_sent: u64,
    status_received: u64,
    errors: u64,
}

/// Prints a line each second until all is done. Returns what the drivers counted in the end.
///
/// # Errors
/// Nothing arrived for too long.
fn watch(
    arguments: &Arguments,
    series: &[Series],
    shared: &Shared,
    start: Instant,
) -> Result<Figures, Failure> {
    let total: u64 = series.iter().map(|series| series.count).sum();
    let patience = Duration::from_secs(arguments.patience.max(1));
    let mut counters = None;
    let mut figures = Figures::default();
    let (mut seen, mut seen_at) = (0, Instant::now());
    let (mut last, mut last_bytes, mut second) = (0, 0, 0);
    while !shared.is_over() {
        thread::sleep(Duration::from_millis(20));
        counters = counters.or_else(|| Counters::open(shared));
        figures = counters.as_ref().map_or(figures, Counters::read);
        let received = shared.received.load(Ordering::Relaxed);
        if received != seen {
            (seen, seen_at) = (received, Instant::now());
        } else if seen_at.elapsed() > patience && received < total {
            shared.is_aborted.store(true, Ordering::Relaxed);
            let seconds = patience.as_secs();
            return Err(format!("no message for {seconds} s, after {received} of {total}").into());
        }
        if start.elapsed().as_secs() > second {
            second = start.elapsed().as_secs();
            let bytes = shared.bytes.load(Ordering::Relaxed);
            println!(
                "{second:>4} s  {received:>9} of {total}  {:>9}messages/s  {:>9}B/s  NAKs {} sent, {} received, resends {}",
                short(to_f64(received - last)),
                short(to_f64(bytes - last_bytes)),
                figures.naks_sent,
                figures.naks_received,
                figures.retransmits,
            );
            (last, last_bytes) = (received, bytes);
        }
    }
    Ok(figures)
}

fn report(
    arguments: &Arguments,
    machine: &Machine,
    series: &[Series],
    shared: &Shared,
    figures: &Figures,
) {
    let completed = shared
        .completed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut parts = Vec::new();
    let mut before = Duration::ZERO;
    for (series, at) in series.iter().zip(completed) {
        let seconds = (at - before).as_secs_f64();
        before = at;
        let rate = to_f64(series.count) / seconds;
        let bytes = rate * to_f64(series.length as u64);
        println!(
            "{} messages of {} bytes, each once and in order, in {seconds:.1} s: {}messages/s, {}B/s",
            series.count,
            series.length,
            short(rate),
            short(bytes)
        );
        parts.push(json!({
            "messages": series.count,
            "length": series.length,
            "seconds": seconds,
        }));
    }
    println!(
        "bytes sent {}, of which again {} in {} resends; NAKs {} sent, {} received; status messages \
         {} sent, {} received; errors {}",
        figures.bytes_sent,
        figures.retransmitted_bytes,
        figures.retransmits,
        figures.naks_sent,
        figures.naks_received,
        figures.status_sent,
        figures.status_received,
        figures.errors
    );
    println!("OK");
    if arguments.json {
        let result = json!({
            "machine": machine,
            "loss": arguments.loss,
            "seed": arguments.seed,
            "series": parts,
            "bytes_sent": figures.bytes_sent,
            "retransmitted_bytes": figures.retransmitted_bytes,
            "resends": figures.retransmits,
            "naks_sent": figures.naks_sent,
            "naks_received": figures.naks_received,
            "status_messages_sent": figures.status_sent,
            "status_messages_received": figures.status_received,
            "errors": figures.errors,
        });
        println!("{result}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}
