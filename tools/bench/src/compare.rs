//! `compare`: the same work done by aileron and by the C implementation of Aeron, in turn.
//!
//! One process, the same threads, channels, term lengths and windows for both: see
//! `layout`. Drivers and clients are invoked by the measuring threads, so that two CPUs
//! suffice and neither side profits from a thread more. Every repetition runs both systems one
//! after the other, and the next the other way round: what slows the machine down hits both.

use clap::Args;

#[cfg(not(feature = "peers"))]
use crate::Failure;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Exclusive publication over shared memory, 32 bytes, as fast as it goes
    IpcThroughput,
    /// Round trips over shared memory, 32 bytes, closed loop
    IpcEcho,
    /// UDP over loopback, 32 bytes, as fast as it goes
    UdpThroughput,
    /// UDP over loopback, 1 KiB, as fast as it goes
    UdpThroughput1k,
    /// Round trips over UDP loopback, 32 bytes, closed loop
    UdpEcho,
}

/// Compare with the C implementation of Aeron (needs the feature `peers`).
///
/// Ratios of 1 and above mean that aileron is at least as good: messages per second of aileron over
/// those of Aeron C, or microseconds of Aeron C over those of aileron.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Scenarios, separated by commas [default: all]
    #[arg(short, long, value_enum, value_delimiter = ',')]
    scenarios: Vec<Scenario>,

    /// Repetitions of each scenario
    #[arg(short, long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// Seconds that each measurement takes
    #[arg(short, long, default_value_t = 2.0)]
    duration: f64,

    /// Seconds to warm up before each
    #[arg(short, long, default_value_t = 0.5)]
    warm_up: f64,

    /// Term length of all logs
    #[arg(long, default_value = "16m")]
    term_length: String,

    /// Receiver window and socket buffers of network channels
    #[arg(long, default_value = "2m")]
    window: String,

    /// Offers between two duty cycles of the publishing side
    #[arg(long, default_value_t = 64)]
    batch: usize,

    /// Measure only one of the two, for profiling: aileron or aeron-c
    #[arg(long, value_enum)]
    only: Option<System>,

    /// Print one line of JSON at the end
    #[arg(long)]
    json: bool,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum System {
    /// This implementation
    Aileron,
    /// The C implementation
    AeronC,
}

#[cfg(not(feature = "peers"))]
pub(crate) fn run(_arguments: &Arguments) -> Result<(), Failure> {
    Err("built without the C implementation of Aeron: build with `--features peers`".into())
}

#[cfg(feature = "peers")]
pub(crate) use with_peers::run;

#[cfg(feature = "peers")]
mod with_peers {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use clap::ValueEnum as _;

    use super::{Arguments, Scenario, System};
    use crate::Failure;
    use crate::figures::short;
    use crate::json::Json;
    use crate::layout::{self, Echo, Flood, Pace, Period, Sides};
    use crate::machine::Machine;
    use crate::node::{Aileron, Mode, Node, config, free_port};
    use crate::peer::AeronC;
    use crate::sample::Sample;

    const LAYOUT: &str = "one process, two threads: the publishing thread invokes its driver and \
client, the subscribing thread its own (over IPC: a second client of the same driver); no other \
threads work";
    const SYSTEMS: [System; 2] = [System::Aileron, System::AeronC];

    /// Figures of one run.
    #[derive(Clone, Copy, Debug)]
    enum Outcome {
        /// Messages per second.
        Rate { per_second: f64, stolen: f64 },
        /// Microseconds.
        RoundTrip {
            p50: f64,
            p99: f64,
            p99_9: f64,
            stolen: f64,
        },
    }

    impl Outcome {
        const fn stolen(&self) -> f64 {
            match self {
                Self::Rate { stolen, .. } | Self::RoundTrip { stolen, .. } => *stolen,
            }
        }

        /// The figure that the ratio is made of.
        const fn main(&self) -> f64 {
            match self {
                Self::Rate { per_second, .. } => *per_second,
                Self::RoundTrip { p50, .. } => *p50,
            }
        }
    }

    impl Scenario {
        const fn is_echo(self) -> bool {
            matches!(self, Self::IpcEcho | Self::UdpEcho)
        }

        const fn is_ipc(self) -> bool {
            matches!(self, Self::IpcThroughput | Self::IpcEcho)
        }

        const fn length(self) -> usize {
            match self {
                Self::UdpThroughput1k => 1024,
                Self::IpcThroughput | Self::IpcEcho | Self::UdpThroughput | Self::UdpEcho => 32,
            }
        }

        const fn title(self) -> &'static str {
            match self {
                Self::IpcThroughput => "exclusive IPC, 32 B, messages/s",
                Self::IpcEcho => "IPC echo, 32 B, closed loop",
                Self::UdpThroughput => "UDP loopback, 32 B, messages/s",
                Self::UdpThroughput1k => "UDP loopback, 1 KiB, messages/s",
                Self::UdpEcho => "UDP loopback echo, 32 B, closed loop",
            }
        }
    }

    impl System {
        const fn name(self) -> &'static str {
            match self {
                Self::Aileron => "aileron",
                Self::AeronC => "Aeron C",
            }
        }
    }

    /// The runs of one scenario: of aileron, of Aeron C.
    struct Results {
        scenario: Scenario,
        outcomes: [Vec<Outcome>; 2],
    }

    pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
        let machine = Machine::detect();
        println!("{machine}");
        println!("Aeron C:  1.53 as built by rusteron-media-driver 0.2.16: -O3 -march=native");
        println!("layout:   {LAYOUT}");
        println!(
            "settings: term length {}, MTU 1408, window and socket buffers {}, {} offers per duty \
             cycle; {} x {} s each after {} s of warm-up, in turn",
            arguments.term_length,
            arguments.window,
            arguments.batch,
            arguments.repeats,
            arguments.duration,
            arguments.warm_up
        );
        let scenarios = match arguments.scenarios.as_slice() {
            [] => Scenario::value_variants(),
            chosen => chosen,
        };
        let mut all = Vec::new();
        for scenario in scenarios {
            let results = measure(*scenario, arguments)?;
            results.print();
            all.push(results);
        }
        if arguments.json {
            let result = Json::Object(vec![
                ("machine", machine.json()),
                ("layout", LAYOUT.into()),
                ("term_length", arguments.term_length.as_str().into()),
                ("window", arguments.window.as_str().into()),
                ("batch", arguments.batch.into()),
                ("seconds", arguments.duration.into()),
                (
                    "scenarios",
                    Json::List(all.iter().map(Results::json).collect()),
                ),
            ]);
            println!("{result}");
        }
        Ok(())
    }

    fn measure(scenario: Scenario, arguments: &Arguments) -> Result<Results, Failure> {
        let mut outcomes = [Vec::new(), Vec::new()];
        for repeat in 0..arguments.repeats {
            let mut order = [0, 1];
            if repeat % 2 == 1 {
                order.reverse();
            }
            for index in order {
                let system = SYSTEMS[index];
                if arguments.only.is_some_and(|only| only != system) {
                    continue;
                }
                let outcome = match system {
                    System::Aileron => measure_aileron(scenario, arguments),
                    System::AeronC => measure_aeron_c(scenario, arguments),
                };
                let outcome = outcome.map_err(|failure| format!("{}: {failure}", system.name()))?;
                outcomes[index].push(outcome);
            }
        }
        Ok(Results { scenario, outcomes })
    }

    fn measure_aileron(scenario: Scenario, arguments: &Arguments) -> Result<Outcome, Failure> {
        let mode = Mode::Invoker;
        let launch = || Aileron::launch(mode, config(mode, &[])?);
        let subscriber = |directory: &Path| match scenario.is_ipc() {
            true => Aileron::attach(mode, directory),
            false => launch(),
        };
        one(
            scenario,
            arguments,
            &Sides {
                publisher: &launch,
                subscriber: &subscriber,
            },
        )
    }

    fn measure_aeron_c(scenario: Scenario, arguments: &Arguments) -> Result<Outcome, Failure> {
        let publisher = || AeronC::launch(&directory("publisher"));
        let subscriber = |directory_of_publisher: &Path| match scenario.is_ipc() {
            true => AeronC::attach(directory_of_publisher),
            false => AeronC::launch(&directory("subscriber")),
        };
        one(
            scenario,
            arguments,
            &Sides {
                publisher: &publisher,
                subscriber: &subscriber,
            },
        )
    }

    fn directory(side: &str) -> PathBuf {
        let mut name = aileron::runtime::default_directory().into_os_string();
        name.push(format!("-bench-c-{}-{side}", std::process::id()));
        name.into()
    }

    /// One run of one system.
    fn one<N: Node>(
        scenario: Scenario,
        arguments: &Arguments,
        sides: &Sides<'_, N>,
    ) -> Result<Outcome, Failure> {
        let period = Period {
            warm_up: Duration::try_from_secs_f64(arguments.warm_up)?,
            duration: Duration::try_from_secs_f64(arguments.duration)?,
        };
        if scenario.is_echo() {
            let trips = layout::echo(
                sides,
                &Echo {
                    ping_channel: channel(scenario, arguments)?,
                    pong_channel: channel(scenario, arguments)?,
                    length: scenario.length(),
                    pace: Pace::ClosedLoop,
                    companions: 0,
                    period,
                },
            )?;
            return Ok(Outcome::RoundTrip {
                p50: trips.latencies.micros(0.5),
                p99: trips.latencies.micros(0.99),
                p99_9: trips.latencies.micros(0.999),
                stolen: trips.stolen,
            });
        }
        let flood = Flood {
            channel: channel(scenario, arguments)?,
            length: scenario.length(),
            batch: arguments.batch,
            fragment_limit: 256,
            period,
        };
        let rate = layout::flood(sides, &flood, |_| {})?;
        Ok(Outcome::Rate {
            per_second: rate.per_second(),
            stolen: rate.stolen,
        })
    }

    fn channel(scenario: Scenario, arguments: &Arguments) -> Result<String, Failure> {
        let Arguments {
            term_length,
            window,
            ..
        } = arguments;
        if scenario.is_ipc() {
            return Ok(format!("aeron:ipc?term-length={term_length}|mtu=1408"));
        }
        Ok(format!(
            "aeron:udp?endpoint=127.0.0.1:{}|term-length={term_length}|mtu=1408|so-sndbuf={window}\
             |so-rcvbuf={window}|rcv-wnd={window}",
            free_port()?
        ))
    }

    impl Results {
        fn sample(&self, index: usize, figure: impl Fn(&Outcome) -> f64) -> Sample {
            Sample(self.outcomes[index].iter().map(figure).collect())
        }

        /// At least 1 if aileron is at least as good.
        fn quotient(&self, aileron: f64, aeron_c: f64) -> f64 {
            if self.scenario.is_echo() {
                aeron_c / aileron
            } else {
                aileron / aeron_c
            }
        }

        /// Ratio of the medians, and the ratios of the pairs of runs that followed each other.
        fn ratios(&self) -> (f64, Sample) {
            let (a, c) = (self.sample(0, Outcome::main), self.sample(1, Outcome::main));
            let pairs =
                a.0.iter()
                    .zip(&c.0)
                    .map(|(a, c)| self.quotient(*a, *c))
                    .collect();
            (self.quotient(a.median(), c.median()), Sample(pairs))
        }

        fn print(&self) {
            println!("\n{}", self.scenario.title());
            for (index, system) in SYSTEMS.iter().enumerate() {
                let main = self.sample(index, Outcome::main);
                let waited = self.sample(index, Outcome::stolen).median() * 100.0;
                let name = system.name();
                if self.scenario.is_echo() {
                    let at = |quantile: fn(&Outcome) -> f64| self.sample(index, quantile).median();
                    println!(
                        "  {name:<8} P50 {:>8.3} us (runs {:.3} to {:.3}), P99 {:.3}, P99.9 {:.3}; \
                         waited for a CPU {waited:.0} %",
                        main.median(),
                        main.min(),
                        main.max(),
                        at(p99),
                        at(p99_9),
                    );
                } else {
                    println!(
                        "  {name:<8} {:>8} (runs {} to {}); waited for a CPU {waited:.0} %",
                        short(main.median()),
                        short(main.min()),
                        short(main.max()),
                    );
                }
            }
            let (ratio, pairs) = self.ratios();
            println!(
                "  ratio    {ratio:.3} of the medians; by pairs {:.3} ({:.3} to {:.3})",
                pairs.median(),
                pairs.min(),
                pairs.max()
            );
        }

        fn json(&self) -> Json {
            let (ratio, pairs) = self.ratios();
            let system = |index| {
                let mut fields =
                    vec![("waited_for_cpu", self.sample(index, Outcome::stolen).json())];
                let main = self.sample(index, Outcome::main).json();
                if self.scenario.is_echo() {
                    fields.push(("p50_us", main));
                    fields.push(("p99_us", self.sample(index, p99).json()));
                    fields.push(("p99_9_us", self.sample(index, p99_9).json()));
                } else {
                    fields.push(("messages_per_second", main));
                }
                Json::Object(fields)
            };
            Json::Object(vec![
                ("scenario", self.scenario.title().into()),
                ("length", self.scenario.length().into()),
                ("aileron", system(0)),
                ("aeron_c", system(1)),
                ("ratio", ratio.into()),
                ("ratio_by_pairs", pairs.json()),
            ])
        }
    }

    fn p99(outcome: &Outcome) -> f64 {
        match outcome {
            Outcome::RoundTrip { p99, .. } => *p99,
            Outcome::Rate { .. } => f64::NAN,
        }
    }

    fn p99_9(outcome: &Outcome) -> f64 {
        match outcome {
            Outcome::RoundTrip { p99_9, .. } => *p99_9,
            Outcome::Rate { .. } => f64::NAN,
        }
    }
}
