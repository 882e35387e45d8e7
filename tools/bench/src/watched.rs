//! `watched`: what it costs the data path that somebody watches the driver.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use aileron::cnc::Cnc;
use aileron::runtime::map_cnc;
use clap::Args;
use serde_json::{Value, json};

use crate::Failure;
use crate::machine::Machine;
use crate::node::{Aileron, Mode, Node as _, config, free_port};
use crate::sample::Sample;
use crate::work::{Echo, Flood, Pace, Period, Publishers, Sides, echo, flood};

/// Between two looks at the counters; few scrape as often.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Measure a stream over UDP with the event log and readers of the counters off and on, in turn.
///
/// Off is measured twice in each repetition: the ratio of the two is the noise of the machine.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Repetitions
    #[arg(short, long, default_value_t = 9)]
    repeats: u32,

    /// Seconds that each measurement takes
    #[arg(short, long, default_value_t = 1.0)]
    duration: f64,

    /// Seconds to warm up before each
    #[arg(short, long, default_value_t = 0.4)]
    warm_up: f64,

    /// How the drivers run
    #[arg(short, long, value_enum, default_value_t = Mode::Invoker)]
    mode: Mode,

    /// Print one line of JSON instead
    #[arg(long)]
    json: bool,
}

/// Who watches.
#[derive(Clone, Copy, Debug)]
enum Watch {
    Nobody,
    /// All events are written down.
    Events,
    /// The same, and all counters are read once a second, as `aileron metrics` does when scraped.
    EventsAndCounters,
}

/// The variants in the order of a repetition.
const VARIANTS: [(&str, Watch); 4] = [
    ("off", Watch::Nobody),
    ("events", Watch::Events),
    ("events and counters", Watch::EventsAndCounters),
    ("off again", Watch::Nobody),
];

impl Arguments {
    fn period(&self) -> Result<Period, Failure> {
        Ok(Period {
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            duration: Duration::try_from_secs_f64(self.duration)?,
        })
    }

    /// Median round trip in microseconds, and messages a second.
    fn measure(&self, watch: Watch) -> Result<(f64, f64), Failure> {
        let launch = || {
            let events = match watch {
                Watch::Nobody => Vec::new(),
                Watch::Events | Watch::EventsAndCounters => {
                    vec!["aeron.event.log=all".to_owned()]
                }
            };
            Aileron::launch(self.mode, config(self.mode, &events)?)
        };
        let (tell, told) = mpsc::channel();
        let told_publisher = tell.clone();
        let publisher = move || {
            let node = launch()?;
            // Nobody listens where nobody reads.
            let _ = told_publisher.send(node.directory());
            Ok(node)
        };
        let subscriber = move |_: &Path| {
            let node = launch()?;
            let _ = tell.send(node.directory());
            Ok(node)
        };
        let sides = Sides {
            publisher: &publisher,
            subscriber: &subscriber,
        };
        let reader = matches!(watch, Watch::EventsAndCounters).then(|| Reader::start(told));
        let channel = || -> Result<String, Failure> {
            let port = free_port()?;
            Ok(format!("aeron:udp?endpoint=127.0.0.1:{port}"))
        };
        let trips = echo::echo(
            &sides,
            &Echo {
                ping_channel: channel()?,
                pong_channel: channel()?,
                length: 32,
                pace: Pace::ClosedLoop,
                companions: 0,
                period: self.period()?,
            },
        )?;
        let channel = channel()?;
        let rate = flood::flood(
            &sides,
            &Flood {
                subscriptions: vec![channel.clone()],
                channel,
                publishers: Publishers::Exclusive,
                is_assembled: false,
                length: 1024,
                batch: 64,
                fragment_limit: 256,
                period: self.period()?,
            },
            |_| {},
        )?;
        drop(reader);
        Ok((trips.latencies.micros(0.5), rate.per_second()))
    }
}

/// A thread that reads all counters of the drivers that it is told of.
#[derive(Debug)]
struct Reader {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(told: mpsc::Receiver<PathBuf>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut drivers: Vec<Cnc> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let new = told.try_iter().filter_map(|path| map_cnc(&path, true).ok());
                drivers.extend(new);
                for cnc in &drivers {
                    cnc.counters().for_each(|record| {
                        std::hint::black_box(record);
                    });
                }
                std::thread::park_timeout(LOOK_PERIOD);
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Default)]
struct Runs {
    round_trip_us: Sample,
    per_second: Sample,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let machine = Machine::detect();
    let mut all: Vec<Runs> = VARIANTS.iter().map(|_| Runs::default()).collect();
    for _ in 0..arguments.repeats {
        for ((_, watch), runs) in VARIANTS.iter().zip(&mut all) {
            let (round_trip_us, per_second) = arguments.measure(*watch)?;
            runs.round_trip_us.0.push(round_trip_us);
            runs.per_second.0.push(per_second);
        }
    }
    let (off_us, off_rate) = (all[0].round_trip_us.median(), all[0].per_second.median());
    let rows: Vec<_> = VARIANTS
        .iter()
        .zip(&all)
        .map(|((name, _), runs)| {
            let ratios = (
                runs.round_trip_us.median() / off_us,
                runs.per_second.median() / off_rate,
            );
            (*name, runs, ratios)
        })
        .collect();
    if arguments.json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(name, runs, ratios)| {
                json!({
                    "watched": name,
                    "round_trip_p50_us": runs.round_trip_us.json(),
                    "messages_per_second": runs.per_second.json(),
                    "round_trip_ratio": ratios.0,
                    "rate_ratio": ratios.1,
                })
            })
            .collect();
        println!("{}", json!({ "machine": machine, "variants": rows }));
        return Ok(());
    }
    println!("{machine}");
    println!(
        "layout:   two embedded drivers on loopback, {}; {} x {} s each, in turn; ratios of \
         medians",
        arguments.mode.describe(),
        arguments.repeats,
        arguments.duration
    );
    for (name, runs, ratios) in rows {
        println!(
            "  {name:<20} echo P50 {:>7.3} us ({:.3} to {:.3}), {:.3} of off; 1 KiB messages \
             {:>6.1} k/s ({:.1} to {:.1}), {:.3} of off",
            runs.round_trip_us.median(),
            runs.round_trip_us.min(),
            runs.round_trip_us.max(),
            ratios.0,
            runs.per_second.median() / 1e3,
            runs.per_second.min() / 1e3,
            runs.per_second.max() / 1e3,
            ratios.1
        );
    }
    Ok(())
}
