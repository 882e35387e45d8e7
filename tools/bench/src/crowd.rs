//! `streams`: what many idle streams cost the one that works, and what adding more costs a driver.

use std::path::Path;
use std::time::{Duration, Instant};

use aileron::cnc::{SystemCounter, SystemCounters};
use aileron::runtime::map_cnc;
use clap::Args;
use serde_json::{Value, json};

use crate::Failure;
use crate::machine::Machine;
use crate::node::{Aileron, Mode, Node, config, free_port};
use crate::sample::Sample;
use crate::work::{Echo, Pace, Period, RoundTrips, Sides, echo};

/// First stream of those that are added while others run.
const FIRST_ADDED: i32 = 500_000;

/// Measure round trips over UDP with many more streams beside, and a driver that is given more.
///
/// Each of the other streams has a message a second. Round trips with and without them are measured
/// in turn; the ratio is that of the medians of all repetitions.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Streams beside the measured ones
    #[arg(short, long, default_value_t = 1000)]
    count: u32,

    /// Publications added to a driver that has that many streams
    #[arg(long, default_value_t = 100)]
    add: u32,

    /// Repetitions
    #[arg(short, long, default_value_t = 5)]
    repeats: u32,

    /// Seconds that each measurement takes
    #[arg(short, long, default_value_t = 2.0)]
    duration: f64,

    /// Seconds to warm up before each
    #[arg(short, long, default_value_t = 1.0)]
    warm_up: f64,

    /// Term length of all logs
    #[arg(long, default_value = "64k")]
    term_length: String,

    /// How the drivers run
    #[arg(short, long, value_enum, default_value_t = Mode::Invoker)]
    mode: Mode,

    /// How the driver runs that is given more streams
    #[arg(long, value_enum, default_value_t = Mode::Shared)]
    adding_mode: Mode,

    /// Set a property of the drivers, such as -Daeron.mtu.length=8k; may be repeated
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,

    /// Print one line of JSON instead
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn channel(&self) -> Result<String, Failure> {
        let (port, length) = (free_port()?, &self.term_length);
        Ok(format!(
            "aeron:udp?endpoint=127.0.0.1:{port}|term-length={length}"
        ))
    }

    fn echo(&self, companions: u32) -> Result<RoundTrips, Failure> {
        let launch = || Aileron::launch(self.mode, config(self.mode, &self.define)?);
        let sides = Sides {
            publisher: &launch,
            subscriber: &|_: &Path| launch(),
        };
        let echo = Echo {
            ping_channel: self.channel()?,
            pong_channel: self.channel()?,
            length: 32,
            pace: Pace::ClosedLoop,
            companions,
            period: Period {
                warm_up: Duration::try_from_secs_f64(self.warm_up)?,
                duration: Duration::try_from_secs_f64(self.duration)?,
            },
        };
        echo::echo(&sides, &echo)
    }

    /// Adds publications to a driver that has `count` of them. Returns the longest duty cycle of
    /// its conductor until then and while they were added, and how long that took.
    fn grow(&self) -> Result<Growth, Failure> {
        let mode = self.adding_mode;
        let mut node = Aileron::launch(mode, config(mode, &self.define)?)?;
        let cnc = map_cnc(&node.directory(), true)?;
        let counters = SystemCounters::attach(&cnc.counters());
        let longest = counters.get(SystemCounter::ConductorMaxCycleTime);
        let channel = self.channel()?;
        let mut add = |count: u32, first: i32| -> Result<Vec<_>, Failure> {
            let streams = first..first + i32::try_from(count)?;
            streams
                .map(|stream| node.add_publication(&channel, stream))
                .collect()
        };
        let before = add(self.count, 1)?;
        let longest_before_ns = longest.get();
        let start = Instant::now();
        let after = add(self.add, FIRST_ADDED)?;
        let elapsed = start.elapsed();
        let longest_ns = longest.get();
        drop((before, after));
        Ok(Growth {
            longest_before_ns,
            longest_ns,
            elapsed,
        })
    }
}

/// What came of adding streams.
#[derive(Clone, Copy, Debug)]
struct Growth {
    longest_before_ns: i64,
    longest_ns: i64,
    elapsed: Duration,
}

/// Round trips of several runs, in microseconds.
#[derive(Clone, Debug, Default)]
struct Runs {
    p50: Sample,
    p99: Sample,
    stolen: Sample,
}

impl Runs {
    fn push(&mut self, trips: &RoundTrips) {
        self.p50.0.push(trips.latencies.micros(0.5));
        self.p99.0.push(trips.latencies.micros(0.99));
        self.stolen.0.push(trips.stolen);
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<18} P50 {:>8.3} us, P99 {:>8.3} us (runs {:.3} to {:.3}); \
             waited for a CPU {:.0} %",
            self.p50.median(),
            self.p99.median(),
            self.p99.min(),
            self.p99.max(),
            self.stolen.median() * 100.0
        );
    }

    fn json(&self) -> Value {
        json!({
            "p50_us": self.p50.json(),
            "p99_us": self.p99.json(),
            "waited_for_cpu": self.stolen.json(),
        })
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let machine = Machine::detect();
    if !arguments.json {
        println!("{machine}");
        println!(
            "layout:   two embedded drivers on loopback, {}; socket buffers 2m, terms {}; \
             {} x {} s each, in turn",
            arguments.mode.describe(),
            arguments.term_length,
            arguments.repeats,
            arguments.duration
        );
    }
    let (mut alone, mut crowded) = (Runs::default(), Runs::default());
    for _ in 0..arguments.repeats {
        alone.push(&arguments.echo(0)?);
        crowded.push(&arguments.echo(arguments.count)?);
    }
    let ratio = crowded.p99.median() / alone.p99.median();
    let growth = arguments.grow()?;
    if arguments.json {
        let result = json!({
            "machine": machine,
            "streams": arguments.count,
            "alone": alone.json(),
            "crowded": crowded.json(),
            "p99_ratio": ratio,
            "added": arguments.add,
            "adding_seconds": growth.elapsed.as_secs_f64(),
            "longest_conductor_cycle_us": micros(growth.longest_ns),
        });
        println!("{result}");
        return Ok(());
    }
    println!("UDP loopback echo, 32 B, closed loop:");
    alone.print("alone");
    crowded.print(&format!("with {} streams", arguments.count));
    println!("  P99 with them is {ratio:.2} times that without");
    println!(
        "{} publications added to {} in {:.1} ms by a driver {}: longest duty cycle of its \
         conductor {:.0} us ({:.0} us before that)",
        arguments.add,
        arguments.count,
        growth.elapsed.as_secs_f64() * 1e3,
        arguments.adding_mode.describe(),
        micros(growth.longest_ns),
        micros(growth.longest_before_ns)
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
fn micros(nanos: i64) -> f64 {
    nanos as f64 / 1e3
}
