//! One command-line tool for Aeron-compatible media drivers, with a subcommand per question.
//!
//! Works on the directory of any running driver that keeps Aeron's files, and only reads it.
#![forbid(unsafe_code)]

mod stat;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Look at a running media driver.
#[derive(Debug, Parser)]
#[command(name = "aileron", version)]
struct Arguments {
    /// Aeron directory of the driver [default: $AERON_DIR or /dev/shm/aeron-<user>]
    #[arg(short, long, global = true, value_name = "PATH")]
    dir: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the counters of the driver and its streams
    Stat(stat::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let directory = arguments
        .dir
        .unwrap_or_else(aileron::runtime::default_directory);
    let outcome = match &arguments.command {
        Command::Stat(stat) => stat::run(&directory, stat),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "aileron: {error}");
            ExitCode::from(1)
        }
    }
}
