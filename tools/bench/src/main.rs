//! Measures aileron.
//!
//! | Module | What it is |
//! |---|---|
//! | `soak` | numbered, checksummed messages through random loss |
//! | `streams` | `throughput` and `echo` of aileron alone |
//! | `crowd` | `streams`: a working stream among many idle ones |
//! | `watched` | a stream with nobody watching, the event log on, and counters read |
//! | `compare` | the same work done by aileron, its peers and the floors, in turn, and the table of it |
//! | `report` | `docs/performance.md` and its charts, from the results of a comparison |
//! | `scenario`, `targets`, `settings` | what `compare` measures, what is to come of it, with which settings |
//! | `worker`, `measure` | one measurement in a process of its own |
//! | `processes`, `driver` | one with publisher, subscriber and driver in processes of their own |
//! | `footprint` | what a driver takes when it does little |
//! | `work` | the threads that do the work, over any `node` |
//! | `node`, `peers` | a driver and a client: of aileron, or (feature `peers`) of others |
//! | `floor` | what memory and sockets do with nothing on top |
//! | `machine`, `figures`, `outcome`, `sample` | what is printed |
//!
//! All of it runs on this machine, so network figures are those of the loopback interface.
#![cfg_attr(not(feature = "io-uring"), forbid(unsafe_code))]
#![expect(
    clippy::print_stdout,
    reason = "a program that a person runs in a terminal"
)]

mod compare;
mod crowd;
mod driver;
mod figures;
mod floor;
mod footprint;
mod machine;
mod measure;
mod node;
mod outcome;
#[cfg(feature = "peers")]
mod peers;
mod processes;
mod report;
mod sample;
mod scenario;
mod settings;
mod soak;
mod streams;
mod targets;
mod watched;
mod work;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What goes wrong is told to the person who measures.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measure aileron: throughput, round trips, a soak through loss, a comparison with Aeron C.
#[derive(Debug, Parser)]
#[command(name = "aileron-bench", version)]
#[command(after_help = "Build it with `--profile bench` for figures that mean something.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Soak(soak::Arguments),
    Throughput(streams::ThroughputArguments),
    Echo(streams::EchoArguments),
    Streams(crowd::Arguments),
    Watched(watched::Arguments),
    Compare(compare::Arguments),
    Report(report::Arguments),
    #[command(hide = true)]
    Worker(worker::Arguments),
    #[command(hide = true)]
    Driver(driver::Arguments),
    #[command(hide = true)]
    Side(processes::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Throughput(arguments) => streams::throughput(&arguments),
        Command::Echo(arguments) => streams::echo(&arguments),
        Command::Streams(arguments) => crowd::run(&arguments),
        Command::Watched(arguments) => watched::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Worker(arguments) => worker::run(&arguments),
        Command::Driver(arguments) => driver::run(&arguments),
        Command::Side(arguments) => processes::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("aileron-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
