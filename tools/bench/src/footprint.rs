//! What a driver takes when it does little: memory, time to start, CPU time when idle, and the time
//! of the first message after idleness. The driver is a process of its own with the settings that
//! it comes with.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::driver::DriverProcess;
use crate::machine::pin_to_cpu;
use crate::node::{Inlet, Node, Outlet, free_port};
use crate::outcome::{Figure, Outcome};
use crate::sample::Sample;
use crate::scenario::System;

/// Streams of the driver whose memory is measured.
const STREAMS: i32 = 100;
/// Launches of one measurement.
const LAUNCHES: usize = 5;
/// How long an idle driver is watched, after it has settled for half as long again.
const IDLE: Duration = Duration::from_secs(1);
/// Messages of one measurement, each after a second of idleness.
const FIRST_MESSAGES: usize = 3;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Footprint {
    Memory,
    StartUp,
    /// CPU time of a driver with a client and this many streams over UDP, on which nothing is sent.
    IdleCpu {
        streams: i32,
    },
    FirstMessage,
}

/// Measures a driver of `system`, to which `attach` connects a client.
pub(crate) fn measure<N: Node>(
    footprint: Footprint,
    system: System,
    attach: &dyn Fn(&Path) -> Result<N, Failure>,
) -> Result<Outcome, Failure> {
    match footprint {
        Footprint::Memory => memory(system, attach),
        Footprint::StartUp => start_up(system, attach),
        Footprint::IdleCpu { streams } => idle_cpu(system, attach, streams),
        Footprint::FirstMessage => first_message(system, attach),
    }
}

/// Publications with their subscriptions.
type Streams<N> = Vec<(<N as Node>::Publication, <N as Node>::Subscription)>;

/// A client's streams, all of them connected.
fn connect<N: Node>(node: &mut N, channel: &str, count: i32) -> Result<Streams<N>, Failure> {
    let mut streams = Vec::new();
    for stream in 1..=count {
        let subscription = node.add_subscription(channel, stream)?;
        streams.push((node.add_publication(channel, stream)?, subscription));
    }
    let start = Instant::now();
    while !streams.iter().all(|(publication, subscription)| {
        publication.is_connected() && subscription.is_connected()
    }) {
        node.work()?;
        if start.elapsed() > PATIENCE {
            return Err("the streams do not connect".into());
        }
    }
    Ok(streams)
}

fn memory<N: Node>(
    system: System,
    attach: &dyn Fn(&Path) -> Result<N, Failure>,
) -> Result<Outcome, Failure> {
    let driver = DriverProcess::start(system, "memory", &[])?;
    let mut node = attach(driver.directory())?;
    let streams = connect(&mut node, "aeron:ipc?term-length=64k", STREAMS)?;
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", driver.id()))?;
    let of = |name: &str| -> Result<f64, Failure> {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.ok_or("smaps_rollup has another form")?;
        let kib: u32 = kib.trim().trim_end_matches(" kB").parse()?;
        Ok(f64::from(kib) * 1024.0)
    };
    let figures = [
        (Figure::ResidentBytes, of("Rss:")?),
        (Figure::ProportionalBytes, of("Pss:")?),
        (Figure::FileBytes, blocks(driver.directory())?),
    ];
    drop(streams);
    Ok(Outcome::new(figures, 0.0))
}

/// Bytes that the files below `directory` take.
#[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
fn blocks(directory: &Path) -> Result<f64, Failure> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            blocks(&entry.path())?
        } else {
            metadata.blocks() as f64 * 512.0
        };
    }
    Ok(bytes)
}

/// From the launch of the process until a client is connected.
fn start_up<N: Node>(
    system: System,
    attach: &dyn Fn(&Path) -> Result<N, Failure>,
) -> Result<Outcome, Failure> {
    let mut sample = Sample::default();
    for _ in 0..LAUNCHES {
        let start = Instant::now();
        let driver = DriverProcess::start(system, "start-up", &[])?;
        let node = attach(driver.directory())?;
        sample.0.push(start.elapsed().as_secs_f64() * 1e3);
        drop(node);
    }
    Ok(Outcome::new([(Figure::StartUpMs, sample.median())], 0.0))
}

/// A driver with streams over UDP on which nothing is sent.
fn idle_cpu<N: Node>(
    system: System,
    attach: &dyn Fn(&Path) -> Result<N, Failure>,
    count: i32,
) -> Result<Outcome, Failure> {
    let driver = DriverProcess::start(system, "idle", &[])?;
    let mut node = attach(driver.directory())?;
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()?);
    let streams = connect(&mut node, &channel, count)?;
    // The client, which has no thread, may be silent for longer than this before it is missed.
    thread::sleep(IDLE + IDLE / 2);
    let (start, before) = (Instant::now(), cpu_time(driver.id())?);
    thread::sleep(IDLE);
    let used = cpu_time(driver.id())? - before;
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
    drop(streams);
    Ok(Outcome::new([(Figure::IdleCpuPercent, share * 100.0)], 0.0))
}

/// What all threads of a process have run.
fn cpu_time(process: u32) -> Result<Duration, Failure> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let ran = text.split_whitespace().next().unwrap_or_default();
        nanos += ran.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// The longest time that a message took which a driver had to send after a second of idleness; the
/// client polls all the time.
fn first_message<N: Node>(
    system: System,
    attach: &dyn Fn(&Path) -> Result<N, Failure>,
) -> Result<Outcome, Failure> {
    let driver = DriverProcess::start(system, "first", &[])?;
    pin_to_cpu(0);
    let mut node = attach(driver.directory())?;
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()?);
    let mut streams = connect(&mut node, &channel, 1)?;
    let (publication, subscription) = streams.first_mut().ok_or("one stream was asked for")?;
    let mut sample = Sample::default();
    for _ in 0..FIRST_MESSAGES {
        let start = Instant::now();
        while start.elapsed() < IDLE {
            node.work()?;
        }
        let start = Instant::now();
        while !publication.offer(&[0x5a; 32])? {
            node.work()?;
        }
        while subscription.poll(1, |_| {})? == 0 {
            if start.elapsed() > PATIENCE {
                return Err("the message does not arrive".into());
            }
        }
        sample.0.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Outcome::new([(Figure::FirstMessageUs, sample.max())], 0.0))
}
