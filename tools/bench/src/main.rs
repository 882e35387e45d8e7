//! Measures aileron.
//!
//! | Module | What it is |
//! |---|---|
//! | `soak` | numbered, checksummed messages through random loss |
//! | `streams` | `throughput` and `echo` of aileron alone |
//! | `crowd` | `streams`: a working stream among many idle ones |
//! | `compare` | the same work done by aileron and by the C implementation of Aeron, in turn |
//! | `layout` | the threads that do the work, over any `node` |
//! | `node` | a driver and a client: invoked, threaded, or (feature `peers`) of C |
//! | `machine`, `figures`, `sample`, `json` | what is printed |
//!
//! All of it runs within this process, so network figures are those of the loopback interface.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program that a person runs in a terminal"
)]

mod compare;
mod crowd;
mod figures;
mod json;
mod layout;
mod machine;
mod node;
#[cfg(feature = "peers")]
mod peer;
mod sample;
mod soak;
mod streams;

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
    Compare(compare::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Soak(arguments) => soak::run(&arguments),
        Command::Throughput(arguments) => streams::throughput(&arguments),
        Command::Echo(arguments) => streams::echo(&arguments),
        Command::Streams(arguments) => crowd::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("aileron-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}
