//! The command line: what can be asked, and the exit codes.
//!
//! | Exit code | Meaning |
//! |---|---|
//! | 0 | done, and nothing is wrong |
//! | 1 | it could not be done: wrong usage, no driver, no permission |
//! | 2 | `explain`: a stream stalls; `check`: the machine does not suit the configuration |

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::commands;
use crate::directory::{Directory, OpenError};

/// What a subcommand comes to.
///
/// ```
/// assert_eq!(aileron_cli::cli::Outcome::Fine.code(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the exit codes are documented")]
pub enum Outcome {
    /// Done, and nothing is wrong.
    Fine,
    /// Done, and something is wrong with what was looked at.
    Trouble,
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Trouble => 2,
        }
    }
}

/// What subcommands give back.
pub type CommandResult = Result<Outcome, Box<dyn Error>>;

/// Look at a running media driver, and be told why a stream stalls.
///
/// Works on the directory of any driver that keeps Aeron's files, and only reads it (but for
/// `terminate`).
///
/// ```
/// use aileron_cli::cli::Cli;
/// use clap::Parser as _;
/// let cli = Cli::try_parse_from(["aileron", "--dir", "/dev/shm/aeron-me", "stat"]).unwrap();
/// assert_eq!(cli.common.directory(), std::path::Path::new("/dev/shm/aeron-me"));
/// ```
#[derive(Debug, Parser)]
#[command(name = "aileron", version, propagate_version = true)]
#[command(
    about = "Look at a running media driver, and be told why a stream stalls",
    long_about = "Look at a running media driver, and be told why a stream stalls.\n\nWorks on the \
directory of any driver that keeps Aeron's files, and only reads it (but for `terminate`).",
    after_help = "Exit status: 0 when all is well; 1 when it could not be done (wrong usage, no \
driver, no permission); 2 when something is wrong with what was looked at: a stream stalls \
(explain), or the machine does not suit the configuration (check)."
)]
#[non_exhaustive]
pub struct Cli {
    /// What all subcommands share.
    #[command(flatten)]
    pub common: Common,

    #[command(subcommand)]
    command: Command,
}

/// Options of all subcommands. See [`Cli`] for an example.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Common options")]
#[non_exhaustive]
pub struct Common {
    /// Aeron directory of the driver [default: $AERON_DIR or /dev/shm/aeron-USER]
    #[arg(short, long, global = true, value_name = "PATH")]
    pub dir: Option<PathBuf>,

    /// Milliseconds to wait for a driver that is just starting
    #[arg(short, long, global = true, value_name = "MS", default_value_t = 1000)]
    pub timeout: u64,

    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    /// The directory to look at.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        let dir = self.dir.clone();
        dir.unwrap_or_else(aileron::runtime::default_directory)
    }

    /// Opens it.
    ///
    /// # Errors
    /// See [`Directory::open`].
    pub fn open(&self) -> Result<Directory, OpenError> {
        Directory::open(&self.directory(), Duration::from_millis(self.timeout))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the counters of the driver and its streams, again and again
    Stat(commands::stat::Arguments),
    /// Show each stream with all of its positions on one line
    Streams(commands::streams::Arguments),
    /// Show how far each sender, receiver and subscriber is behind
    Backlog(commands::backlog::Arguments),
    /// Show what images have lost since the driver started
    Loss(commands::loss::Arguments),
    /// Show the distinct errors of the driver
    Errors(commands::errors::Arguments),
    /// List every counter with its type, key and owner
    Counters(commands::counters::Arguments),
    /// Inspect a log buffer: metadata, frames, gaps
    Log(commands::log::Arguments),
    /// Show what the driver wrote into its event log, and follow it
    Events(commands::events::Arguments),
    /// Watch streams, agents and sockets in the terminal
    Top(crate::top::Arguments),
    /// Serve OpenMetrics over HTTP
    Metrics(crate::metrics::Arguments),
    /// Say in plain words whether each stream flows and, if not, why, and what to do
    Explain(commands::explain::Arguments),
    /// Check whether this machine suits a driver's configuration, before it starts
    Check(commands::check::Arguments),
    /// Find the drivers of this machine
    Drivers(commands::drivers::Arguments),
    /// Ask the driver to terminate
    Terminate(commands::terminate::Arguments),
    /// Print a completion script for a shell
    Completions(commands::generate::Completions),
    /// Print the manual page, or write one for each subcommand into a directory
    Man(commands::generate::Man),
}

/// The definition of all subcommands, for help, completions and manual pages.
///
/// ```
/// assert!(aileron_cli::cli::command().find_subcommand("stat").is_some());
/// ```
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs what the arguments ask for and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match dispatch(&cli) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            commands::complain(&error.to_string());
            ExitCode::from(1)
        }
    }
}

fn dispatch(cli: &Cli) -> CommandResult {
    let common = &cli.common;
    match &cli.command {
        Command::Stat(arguments) => commands::stat::run(common, arguments),
        Command::Streams(arguments) => commands::streams::run(common, arguments),
        Command::Backlog(arguments) => commands::backlog::run(common, arguments),
        Command::Loss(arguments) => commands::loss::run(common, arguments),
        Command::Errors(arguments) => commands::errors::run(common, arguments),
        Command::Counters(arguments) => commands::counters::run(common, arguments),
        Command::Log(arguments) => commands::log::run(common, arguments),
        Command::Events(arguments) => commands::events::run(common, arguments),
        Command::Top(arguments) => crate::top::run(common, arguments),
        Command::Metrics(arguments) => crate::metrics::run(common, arguments),
        Command::Explain(arguments) => commands::explain::run(common, arguments),
        Command::Check(arguments) => commands::check::run(common, arguments),
        Command::Drivers(arguments) => commands::drivers::run(common, arguments),
        Command::Terminate(arguments) => commands::terminate::run(common, arguments),
        Command::Completions(arguments) => commands::generate::completions(arguments),
        Command::Man(arguments) => commands::generate::man(arguments),
    }
}

/// A file that a person names, for an error.
pub(crate) fn failed(path: &Path, error: &dyn std::fmt::Display) -> Box<dyn Error> {
    format!("{}: {error}", path.display()).into()
}
