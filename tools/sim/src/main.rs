//! `aileron-sim`: runs simulated worlds by the thousand. Exits with 1 when one breaks a promise.
//!
//! ```text
//! aileron-sim --seeds 10000            # seeds 0 to 9999
//! aileron-sim --seed 4711 --events 500 # one seed again, with what led to its failure
//! aileron-sim --seed 4711 --shrink     # as little of it as fails in the same way
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program that reports on its standard output"
)]
#![expect(clippy::print_stderr, reason = "progress goes to standard error")]

mod args;
mod output;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aileron::sim::{Failure, Report, World};
use clap::Parser;

use args::Args;
use output::{Cost, Totals};

/// How often progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let args = Args::parse();
    if args.plan {
        for seed in args.seeds() {
            println!("{}", args.world(seed).describe());
        }
        return ExitCode::SUCCESS;
    }
    let runs = Runs::new(&args);
    std::thread::scope(|scope| {
        for _ in 0..args.jobs() {
            scope.spawn(|| runs.work());
        }
    });
    if runs.finish() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The seeds of a run, shared by its threads.
struct Runs<'a> {
    args: &'a Args,
    next: AtomicU64,
    is_over: AtomicBool,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    totals: Totals,
    failures: Vec<Failure>,
    shown: Instant,
}

impl<'a> Runs<'a> {
    fn new(args: &'a Args) -> Self {
        let began = Instant::now();
        Self {
            args,
            next: AtomicU64::new(args.seeds().start),
            is_over: AtomicBool::new(false),
            began,
            state: Mutex::new(State {
                totals: Totals::default(),
                failures: Vec::new(),
                shown: began,
            }),
        }
    }

    /// Takes seeds until there are none left.
    fn work(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.args.seeds().end {
                return;
            }
            self.run(seed);
        }
    }

    fn run(&self, seed: u64) {
        let world = self.args.world(seed);
        let result = world.run();
        if self.args.twice {
            self.compare(seed, &world, &result);
        }
        let mut state = lock(&self.state);
        match result {
            Ok(report) => {
                state.totals.add(&report);
                if self.args.seed.is_some() {
                    output::report(&report, self.args.json);
                }
            }
            Err(failure) => {
                output::failure(&failure, self.args.json);
                if let Some(shrunk) = self.args.shrink.and_then(|runs| world.shrink(runs)) {
                    output::shrunk(&shrunk, self.args.json);
                }
                state.failures.push(*failure);
                if state.failures.len() >= self.args.keep_going {
                    self.is_over.store(true, Ordering::Relaxed);
                }
            }
        }
        if state.shown.elapsed() > PROGRESS_INTERVAL {
            state.shown = Instant::now();
            let (done, failed) = (state.totals.worlds, state.failures.len());
            let rate = rate(done, self.began);
            eprintln!("{done} worlds, {rate:.0} per second, {failed} failed");
        }
    }

    /// A seed must replay exactly.
    fn compare(&self, seed: u64, world: &World, first: &Result<Report, Box<Failure>>) {
        let second = world.run();
        let is_same = match (first, &second) {
            (Ok(first), Ok(second)) => first == second,
            (Err(first), Err(second)) => first.to_string() == second.to_string(),
            _ => false,
        };
        if !is_same {
            eprintln!("seed {seed} does not repeat itself");
            self.is_over.store(true, Ordering::Relaxed);
            lock(&self.state).totals.unrepeatable += 1;
        }
    }

    /// Reports; returns whether all is well.
    fn finish(self) -> bool {
        let State {
            totals, failures, ..
        } = self
            .state
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner());
        let cost = Cost {
            wall: self.began.elapsed(),
            cpu: cpu_time(),
            jobs: self.args.jobs(),
        };
        output::summary(&totals, &failures, &cost, self.args.json);
        failures.is_empty() && totals.unrepeatable == 0
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// Processor time of all threads of this process so far, where the system tells.
fn cpu_time() -> Option<Duration> {
    /// Of the fields behind the name of the program, those with user and system time.
    const FIELDS: [usize; 2] = [11, 12];
    /// Ticks of these fields, which do not depend on the machine.
    const TICKS_PER_SECOND: u64 = 100;
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = FIELDS.iter().map(|at| fields.get(*at)?.parse::<u64>().ok());
    let ticks: u64 = ticks.sum::<Option<u64>>()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(worlds: u64, began: Instant) -> f64 {
    worlds as f64 / began.elapsed().as_secs_f64().max(0.001)
}
