//! `compare`: the same work done by aileron, by its peers and by the floors under them, in turn.
//!
//! One process for each measurement and in it the same threads, channels, term lengths and windows
//! for all: see `work`. Drivers and clients are invoked by the measuring threads, so that two CPUs
//! suffice and neither side profits from a thread more. Every repetition runs all systems one after
//! the other, and the next the other way round: what slows the machine down hits all.

pub(crate) mod result;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aileron::runtime::{SystemClock, format_utc};
use clap::Args;

use crate::Failure;
use crate::figures::Latencies;
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::report;
use crate::scenario::{self, SWEEP_PREFIX, Scenario, System};
use crate::settings::Settings;
use crate::worker::measure_apart;
use result::{Comparison, Results, Run, Runs};

const LAYOUT: &str = "one process, two threads, each on a CPU of its own: the publishing thread \
invokes its driver and client, the subscribing thread its own (over IPC: a second client of the \
same driver); no other threads work";
const AERON_C: &str = "1.53 as built by rusteron-media-driver 0.2.16: -O3 -march=native";
/// Most repetitions of the scenarios of which only a chart is made.
const SWEEP_REPEATS: u32 = 3;
/// Percentiles that are kept for plots.
const PERCENTILES: [f64; 12] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 100.0,
];

/// Compare with peers (those of the feature `peers`) and with the floors under all of them.
///
/// A ratio is the median of those of the rounds: in each, a figure over that of Aeron C, or of the
/// floor, measured seconds before or after.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Scenarios, separated by commas [default: all]
    #[arg(short, long, value_delimiter = ',')]
    scenarios: Vec<String>,

    /// Repetitions of each scenario
    #[arg(short, long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// One repetition, of short measurements: to see that all works, not for figures that count
    #[arg(long)]
    quick: bool,

    /// Measure only these, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<System>,

    /// Write all results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Keep results and histograms in this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Write `performance.md` and its charts into this directory
    #[arg(long, value_name = "DIR")]
    write_docs: Option<PathBuf>,

    /// Fail if a target is missed
    #[arg(long)]
    enforce: bool,

    #[command(flatten)]
    settings: Settings,
}

impl Arguments {
    fn scenarios(&self) -> Result<Vec<Scenario>, Failure> {
        match self.scenarios.as_slice() {
            [] => Ok(scenario::all()),
            names => names.iter().map(|name| scenario::find(name)).collect(),
        }
    }

    fn settings(&self) -> Settings {
        if !self.quick {
            return self.settings.clone();
        }
        Settings {
            duration: 0.3,
            warm_up: 0.2,
            ..self.settings.clone()
        }
    }

    const fn repeats(&self) -> u32 {
        if self.quick { 1 } else { self.repeats }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut comparison = Comparison {
        date: format_utc(SystemClock::epoch()),
        machine: Machine::detect(),
        layout: LAYOUT.to_owned(),
        aeron_c: AERON_C.to_owned(),
        settings: arguments.settings(),
        repeats: arguments.repeats(),
        scenarios: Vec::new(),
    };
    print_head(&comparison);
    let scratch = Scratch::create(arguments.out.as_deref())?;
    let start = Instant::now();
    let scenarios = arguments.scenarios()?;
    for (index, scenario) in scenarios.iter().enumerate() {
        let (done, all) = (index + 1, scenarios.len());
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        eprintln!("[{done} of {all}, {minutes:.1} min] {}", scenario.name);
        let results = measure(scenario, arguments, &comparison, &scratch)?;
        table::print(&results);
        comparison.scenarios.push(results);
    }
    table::print_score(&comparison);
    let text = serde_json::to_string_pretty(&comparison)?;
    if let Some(directory) = &arguments.out {
        std::fs::write(directory.join("results.json"), &text)?;
        report::draw(&comparison, directory)?;
    }
    if let Some(file) = &arguments.json {
        std::fs::write(file, &text)?;
    }
    if let Some(docs) = &arguments.write_docs {
        report::write(&comparison, docs)?;
    }
    match (comparison.failures(), comparison.score()) {
        (0, (_, missed)) if missed > 0 && arguments.enforce => {
            Err(format!("{missed} targets missed").into())
        }
        (0, _) => Ok(()),
        (failures, _) => Err(format!("{failures} measurements failed").into()),
    }
}

fn print_head(comparison: &Comparison) {
    println!("{}", comparison.machine);
    println!("Aeron C:  {}", comparison.aeron_c);
    println!("layout:   {}", comparison.layout);
    println!("settings: {}", comparison.settings.describe());
    println!("repeats:  {}, in turn", comparison.repeats);
}

/// Where histograms go: a directory that is kept, or one that goes away.
struct Scratch {
    directory: PathBuf,
    is_kept: bool,
}

impl Scratch {
    fn create(out: Option<&Path>) -> Result<Self, Failure> {
        let directory = match out {
            Some(out) => out.join("histograms"),
            None => std::env::temp_dir().join(format!("aileron-bench-{}", std::process::id())),
        };
        std::fs::create_dir_all(&directory)?;
        Ok(Self {
            directory,
            is_kept: out.is_some(),
        })
    }

    fn histogram(&self, scenario: &Scenario, system: System, repeat: u32) -> PathBuf {
        let name = format!("{}.{}.{repeat}.hdr", scenario.name, system.argument());
        self.directory.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nothing depends on it.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// All repetitions of one scenario.
fn measure(
    scenario: &Scenario,
    arguments: &Arguments,
    comparison: &Comparison,
    scratch: &Scratch,
) -> Result<Results, Failure> {
    let is_wanted = |system: &System| {
        system.is_built() && (arguments.only.is_empty() || arguments.only.contains(system))
    };
    let mut gathered: Vec<_> = scenario
        .systems
        .iter()
        .copied()
        .filter(is_wanted)
        .map(Gathered::new)
        .collect();
    // A chart needs less than a target.
    let repeats = match scenario.name.starts_with(SWEEP_PREFIX) {
        true => comparison.repeats.min(SWEEP_REPEATS),
        false => comparison.repeats,
    };
    for repeat in 0..repeats {
        let mut order: Vec<_> = gathered.iter_mut().collect();
        if repeat % 2 == 1 {
            order.reverse();
        }
        for gathered in order {
            let path = scratch.histogram(scenario, gathered.runs.system, repeat);
            gathered.measure(scenario, &comparison.settings, repeat, &path)?;
        }
    }
    Ok(Results {
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        length: scenario.length,
        figures: scenario.figures().to_vec(),
        floor: scenario.floor,
        runs: gathered.into_iter().map(Gathered::finish).collect(),
    })
}

/// What was measured of one system so far.
struct Gathered {
    runs: Runs,
    latencies: Option<Latencies>,
}

impl Gathered {
    const fn new(system: System) -> Self {
        Self {
            runs: Runs {
                system,
                done: Vec::new(),
                failures: Vec::new(),
                percentiles: BTreeMap::new(),
            },
            latencies: None,
        }
    }

    fn measure(
        &mut self,
        scenario: &Scenario,
        settings: &Settings,
        round: u32,
        path: &Path,
    ) -> Result<(), Failure> {
        let measured = measure_apart(scenario, self.runs.system, settings, path);
        let (outcome, latencies): (Outcome, _) = match measured {
            Ok(measured) => measured,
            Err(failure) => {
                self.runs.failures.push(failure.to_string());
                return Ok(());
            }
        };
        self.runs.done.push(Run { round, outcome });
        match (&mut self.latencies, latencies) {
            (Some(all), Some(more)) => all.add(&more)?,
            (all, Some(first)) => *all = Some(first),
            (_, None) => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Runs {
        if let Some(latencies) = &self.latencies {
            let at =
                |percentile: &f64| (percentile.to_string(), latencies.micros(percentile / 100.0));
            self.runs.percentiles = PERCENTILES.iter().map(at).collect();
        }
        self.runs
    }
}
