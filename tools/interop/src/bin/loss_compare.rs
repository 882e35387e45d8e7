//! `loss-compare`: a stream over a path that delays and loses, between drivers of both origins.
//!
//! For each pair of drivers it starts a publisher with its driver, a subscriber with its own, and
//! the path between them, and watches the position of the subscriber: how much arrives, how long it
//! stands still, and what is sent again. All of it runs on this machine, over loopback; nothing but
//! the drivers differs between the pairs, the windows included.
//!
//! ```text
//! loss-compare --rtt 250 --loss 10 --window 1048576 --seconds 20
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports on its standard output"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aileron::base::CounterId;
use aileron::cnc::Cnc;
use aileron_chaos::fate;
use aileron_chaos::proxy::Proxy;
use aileron_chaos::tally::{Tallied, Tally, TallyReader};
use clap::{Parser, ValueEnum};

/// How long anything may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at the position.
const LOOK: Duration = Duration::from_micros(100);
/// Type of the counter that holds a subscriber's position.
const SUBSCRIBER_POSITION_TYPE_ID: i32 = 4;

/// Compares drivers on a path that delays and loses datagrams.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    /// Round trip in milliseconds.
    #[arg(long, default_value_t = 250.0)]
    rtt: f64,
    /// Share of datagrams lost each way, in percent.
    #[arg(long, default_value_t = 10.0)]
    loss: f64,
    /// Receiver window in bytes, of all subscribers.
    #[arg(long, default_value_t = 1_048_576)]
    window: usize,
    /// Longest datagram in bytes.
    #[arg(long, default_value_t = 1408)]
    mtu: usize,
    /// How long to measure each pair.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// What is lost follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The pairs, publisher first.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Pair::ALL)]
    pairs: Vec<Pair>,
}

/// Whose driver publishes, and whose subscribes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pair {
    /// Aeron C with itself.
    CC,
    /// aileron with itself.
    OursOurs,
    /// From Aeron C to aileron.
    COurs,
    /// From aileron to Aeron C.
    OursC,
}

impl Pair {
    const ALL: [Self; 4] = [Self::CC, Self::OursOurs, Self::COurs, Self::OursC];

    /// The programs of publisher and subscriber.
    const fn programs(self) -> (&'static str, &'static str) {
        match self {
            Self::CC => ("aeron-peer", "aeron-peer"),
            Self::OursOurs => ("aileron-peer", "aileron-peer"),
            Self::COurs => ("aeron-peer", "aileron-peer"),
            Self::OursC => ("aileron-peer", "aeron-peer"),
        }
    }
}

/// A process; killed by its own id when dropped.
struct Peer {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Peer {
    fn spawn(program: &str, arguments: &[String]) -> Result<Self, String> {
        let name = format!("{program} {}", arguments.first().map_or("", String::as_str));
        let here = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut child = Command::new(here.with_file_name(program))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name}: {error}; build the whole package first"))?;
        let (send, lines) = channel();
        let out = child.stdout.take().ok_or("no output")?;
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, lines })
    }

    /// Waits for a line and returns what follows `prefix`.
    fn line(&self, prefix: &str) -> Result<String, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self
                .lines
                .recv_timeout(left)
                .map_err(|_| format!("{}: no line {prefix}", self.name))?;
            if let Some(rest) = line.strip_prefix(prefix) {
                return Ok(rest.trim().to_owned());
            }
            if line.starts_with("FAILED") {
                return Err(format!("{}: {line}", self.name));
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What a pair achieved.
struct Outcome {
    goodput: f64,
    /// Between one advance and the next, ascending, in seconds.
    stalls: Vec<f64>,
    /// What passed to the subscriber, and from it.
    path: [Tally; 2],
}

impl Outcome {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among few"
    )]
    fn stall(&self, quantile: f64) -> f64 {
        let rank = (self.stalls.len() as f64 * quantile).ceil() as usize;
        let at = rank.clamp(1, self.stalls.len().max(1)) - 1;
        self.stalls.get(at).copied().unwrap_or(f64::NAN)
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    println!(
        "round trip {} ms, {}% lost each way, window {} bytes, MTU {}, {} s a pair, seed {}; \
         loopback, one machine",
        args.rtt, args.loss, args.window, args.mtu, args.seconds, args.seed
    );
    println!(
        "{:>10} {:>12} {:>9} {:>28} {:>12} {:>9}",
        "pair", "goodput", "advances", "stall p50/p99.9/max in RTT", "resent/lost", "NAKs"
    );
    let mut is_bad = false;
    for pair in &args.pairs {
        match run(&args, *pair) {
            Ok(outcome) => show(&args, *pair, &outcome),
            Err(why) => {
                eprintln!("{pair:?}: {why}");
                is_bad = true;
            }
        }
    }
    if is_bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn show(args: &Args, pair: Pair, outcome: &Outcome) {
    let rtt = args.rtt / 1e3;
    let [there, back_again] = &outcome.path;
    println!(
        "{:>10} {:>7.0} kB/s {:>9} {:>10.2} {:>8.2} {:>8.2} {:>12.2} {:>9}",
        format!("{pair:?}"),
        outcome.goodput / 1e3,
        outcome.stalls.len(),
        outcome.stall(0.5) / rtt,
        outcome.stall(0.999) / rtt,
        outcome.stall(1.0) / rtt,
        there.resent_bytes as f64 / there.lost_bytes.max(1) as f64,
        back_again.naks
    );
}

fn run(args: &Args, pair: Pair) -> Result<Outcome, String> {
    let (publisher, subscriber) = pair.programs();
    let home = tempfile::TempDir::with_prefix_in("loss-compare-", "/dev/shm");
    let home = home.map_err(|error| error.to_string())?;
    let dirs = ["publisher", "subscriber"].map(|name| home.path().join(name));
    let [from, to] = &dirs;
    let mut drivers = Vec::new();
    for (program, dir) in [(publisher, from), (subscriber, to)] {
        let driver = Peer::spawn(program, &driver_arguments(args, dir))?;
        driver.line("READY")?;
        drivers.push(driver);
    }
    let listening = format!("aeron:udp?endpoint=127.0.0.1:0|rcv-wnd={}", args.window);
    let heard = Peer::spawn(
        subscriber,
        &stream_arguments(args, "subscribe", to, &listening),
    )?;
    let ready = heard.line("READY")?;
    let endpoint = ready
        .split_whitespace()
        .find_map(|word| word.strip_prefix("endpoint="))
        .and_then(|endpoint| endpoint.parse().ok())
        .ok_or_else(|| format!("no endpoint in {ready:?}"))?;
    let path = fate::Path {
        delay: Duration::from_secs_f64(args.rtt / 2e3),
        loss: args.loss / 100.0,
        ..fate::Path::default()
    };
    let there = Tallied::new(path.drawn_from(args.seed * 2));
    let back_again = Tallied::new(path.drawn_from(args.seed * 2 + 1));
    let tallies = [there.reader(), back_again.reader()];
    let proxy = Proxy::start(endpoint, Box::new(there), Box::new(back_again))
        .map_err(|error| error.to_string())?;
    let sending = format!("aeron:udp?endpoint={}", proxy.address());
    let mut arguments = stream_arguments(args, "publish", from, &sending);
    arguments.push("--exclusive".to_owned());
    let sent = Peer::spawn(publisher, &arguments)?;
    sent.line("CONNECTED")?;
    watch(args, to, &tallies)
}

fn driver_arguments(args: &Args, dir: &Path) -> Vec<String> {
    let buffer = 4 * 1024 * 1024;
    let mut arguments = vec!["driver".to_owned(), "--dir".to_owned()];
    arguments.push(dir.display().to_string());
    for define in [
        "aeron.threading.mode=SHARED".to_owned(),
        "aeron.term.buffer.length=16777216".to_owned(),
        format!("aeron.mtu.length={}", args.mtu),
        format!("aeron.socket.so_rcvbuf={buffer}"),
        format!("aeron.socket.so_sndbuf={buffer}"),
        format!("aeron.rcv.initial.window.length={}", args.window),
    ] {
        arguments.push(format!("-D{define}"));
    }
    arguments
}

fn stream_arguments(args: &Args, role: &str, dir: &Path, channel: &str) -> Vec<String> {
    let payload = (args.mtu - 32).to_string();
    let words = [
        role,
        "--dir",
        &dir.display().to_string(),
        "--channel",
        channel,
        "--count",
        "1000000000",
        "--sizes",
        &payload,
        "--timeout",
        "3600",
    ];
    words.map(str::to_owned).to_vec()
}

/// Watches the position of the subscriber.
fn watch(args: &Args, dir: &Path, tallies: &[TallyReader; 2]) -> Result<Outcome, String> {
    let cnc = aileron::runtime::map_cnc(dir, true).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + PATIENCE;
    let counter = loop {
        if let Some(counter) = subscriber_position(&cnc)
            && cnc.counters().value(counter) > Some(0)
        {
            break counter;
        }
        if Instant::now() > deadline {
            return Err("nothing arrives".to_owned());
        }
        std::thread::park_timeout(LOOK);
    };
    let counters = cnc.counters();
    let position = || counters.value(counter).ok_or("the subscriber is gone");
    let before = tallies.each_ref().map(TallyReader::read);
    let began = Instant::now();
    let first = position()?;
    let (mut last, mut advanced) = (first, began);
    let mut stalls = Vec::new();
    while began.elapsed().as_secs_f64() < args.seconds {
        let at = position()?;
        if at > last {
            let now = Instant::now();
            stalls.push((now - advanced).as_secs_f64());
            (last, advanced) = (at, now);
        }
        std::thread::park_timeout(LOOK);
    }
    // One that is not over counts as far as it goes.
    stalls.push(advanced.elapsed().as_secs_f64());
    stalls.sort_unstable_by(f64::total_cmp);
    let after = tallies.each_ref().map(TallyReader::read);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let goodput = (last - first) as f64 / began.elapsed().as_secs_f64();
    Ok(Outcome {
        goodput,
        stalls,
        path: [0, 1].map(|lane| after[lane].since(before[lane])),
    })
}

fn subscriber_position(cnc: &Cnc) -> Option<CounterId> {
    let mut found = None;
    cnc.counters().for_each(|counter| {
        if counter.type_id == SUBSCRIBER_POSITION_TYPE_ID {
            found = Some(counter.id);
        }
    });
    found
}
