//! `aileron-chaos`: game days. Real drivers, publishers and subscribers are killed, stopped,
//! starved and cut off, round after round; what arrives is checked message by message, what clients
//! are told is timed, and nothing may be left behind. Exits with 1 when a round fails.
//!
//! ```text
//! aileron-chaos --rounds 500 --jobs 4   # seeds 1 to 500
//! aileron-chaos --rounds 1 --seed 4711  # one seed again
//! ```
//! Built with `--features fault-hooks`, clients also die at each store of a claim, and clocks step.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program that reports on its standard output"
)]
#![expect(clippy::print_stderr, reason = "progress goes to standard error")]

mod failure;
mod faults;
mod plan;
mod possessions;
mod process;
mod report;
mod roles;
mod round;
mod scene;
mod soak;
mod stage;
mod stalls;
mod timing;

/// Two network namespaces, as the tests of the library have them.
#[path = "../../../tests/netns/network.rs"]
mod network;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use network::Network;
use plan::{Abilities, Plan};
use report::Totals;
use roles::Role;
use soak::Soak;
use stalls::Stalls;
use timing::Timing;

/// Attempts at a round that fails while the machine stands still.
const ATTEMPTS_MAX: u32 = 4;

/// Runs game days: real processes, faults at random moments, every message checked.
#[derive(Debug, Parser)]
#[command(
    name = "aileron-chaos",
    version,
    about,
    args_conflicts_with_subcommands = true
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    rounds: Rounds,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mixed load with restarts, for hours: is everything flat?
    Soak(Soak),
    #[command(flatten)]
    Role(Role),
}

#[derive(Debug, clap::Args)]
struct Rounds {
    /// How many rounds
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Seed of the first; the next has the next number
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds at a time
    #[arg(long, short, default_value_t = 2)]
    jobs: usize,
    /// All timeouts of drivers and clients, in milliseconds
    #[arg(long, default_value_t = 800)]
    timeout: u64,
    /// What a busy machine may add to a timeout, in milliseconds
    #[arg(long, default_value_t = 1500)]
    slack: u64,
    /// Print JSON: a line for each round, and one at the end
    #[arg(long)]
    json: bool,
    /// Print what the seeds stand for, and run nothing
    #[arg(long)]
    plan: bool,
    /// Go on after a round has failed
    #[arg(long)]
    keep_going: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.command {
        None => run(&args.rounds),
        Some(Command::Role(role)) => exit_code(role.play().map(|()| true)),
        Some(Command::Soak(soak)) => exit_code(soak.run(&place())),
    }
}

fn exit_code(outcome: Result<bool, impl std::fmt::Display>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// What the threads that run rounds share.
struct Game<'a> {
    args: &'a Rounds,
    abilities: Abilities,
    place: PathBuf,
    stalls: Stalls,
    next: AtomicU64,
    totals: Mutex<Totals>,
    began: Instant,
}

fn run(args: &Rounds) -> ExitCode {
    let has_mounts = has_own_mounts();
    let abilities = Abilities {
        has_mounts,
        // Within mounts of its own, so that they go when this process does.
        has_namespaces: has_mounts && Network::make("cut paths").is_some(),
        has_hooks: cfg!(feature = "fault-hooks"),
    };
    if args.plan {
        for seed in args.seed..args.seed.saturating_add(args.rounds) {
            println!("{}", Plan::draw(seed, abilities));
        }
        return ExitCode::SUCCESS;
    }
    if !abilities.has_mounts {
        eprintln!("SKIPPED full storage: this user may not mount");
    }
    if !abilities.has_namespaces {
        eprintln!("SKIPPED cut paths: this user may not make network namespaces");
    }
    if !abilities.has_hooks {
        eprintln!("SKIPPED deaths at a store and clock steps: built without fault-hooks");
    }
    let game = Game {
        args,
        abilities,
        place: place(),
        stalls: Stalls::watch(),
        next: AtomicU64::new(args.seed),
        totals: Mutex::default(),
        began: Instant::now(),
    };
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| game.work());
        }
    });
    let mut totals = game
        .totals
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let elapsed = game.began.elapsed();
    if args.json {
        println!("{}", totals.json(elapsed));
    } else {
        print!("{}", totals.text(elapsed));
    }
    if totals.has_failures() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

impl Game<'_> {
    fn work(&self) {
        let end = self.args.seed.saturating_add(self.args.rounds);
        loop {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            let has_failed = self.totals().has_failures() && !self.args.keep_going;
            if seed >= end || has_failed {
                return;
            }
            self.round(seed);
        }
    }

    fn totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn round(&self, seed: u64) {
        let base = Duration::from_millis(self.args.timeout);
        let timing = Timing::new(base, Duration::from_millis(self.args.slack));
        let mut attempt = 1;
        let outcome = loop {
            let plan = Plan::draw(seed, self.abilities);
            let outcome = round::run(plan, timing, &self.place);
            let is_about_time = outcome.failure.as_ref().is_some_and(|f| f.is_about_time());
            let stall = self.stalls.worst_since(outcome.began);
            if !is_about_time || stall < base / 4 || attempt == ATTEMPTS_MAX {
                break outcome;
            }
            eprintln!(
                "seed {seed}: the machine stood still for {} ms: again",
                stall.as_millis()
            );
            if let Some(kept) = &outcome.kept {
                // Of no interest: the next attempt tells.
                let _ = std::fs::remove_dir_all(kept);
            }
            self.totals().add_again();
            attempt += 1;
        };
        if self.args.json {
            println!("{}", report::round_json(&outcome));
        }
        if let Some(failure) = &outcome.failure {
            eprintln!("FAILED {}: {failure}", outcome.plan);
            if let Some(kept) = &outcome.kept {
                eprintln!("kept: {}", kept.display());
            }
        }
        let mut totals = self.totals();
        totals.add(&outcome);
        if totals.rounds().is_multiple_of(25) {
            eprintln!(
                "{} rounds, {:.0} s",
                totals.rounds(),
                self.began.elapsed().as_secs_f64()
            );
        }
    }
}

/// Where rounds have their directories: shared memory, where it is large enough.
fn place() -> PathBuf {
    const ENOUGH: u64 = 512 << 20;
    let shared = Path::new("/dev/shm");
    if aileron::sys::usable_space(shared).is_ok_and(|space| space > ENOUGH) {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// Gives this process mounts of its own, which go when it does; before it has threads.
fn has_own_mounts() -> bool {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    let none: Option<&str> = None;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    unshare(CloneFlags::CLONE_NEWNS).is_ok() && mount(none, "/", none, flags, none).is_ok()
}
