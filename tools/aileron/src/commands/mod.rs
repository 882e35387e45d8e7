//! The subcommands. Each is a pure rendering of a [`Snapshot`](crate::Snapshot), as text for people
//! and as JSON for programs, below a thin function that reads and prints.

use std::error::Error;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub mod backlog;
pub mod check;
pub mod counters;
pub mod drivers;
pub mod errors;
pub mod events;
pub mod explain;
pub mod generate;
pub mod log;
pub mod loss;
pub mod stat;
pub mod streams;
pub mod terminate;

/// Between looks at whether the person wants to stop.
const STOP_POLL_PERIOD: Duration = Duration::from_millis(20);

/// Prints to standard output.
///
/// # Errors
/// Standard output cannot be written, but for a pipe whose reader went away: that is how `| head`
/// ends.
pub fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Prints JSON, one line.
///
/// # Errors
/// See [`print()`].
pub fn print_json(value: &serde_json::Value) -> Result<(), Box<dyn Error>> {
    print(&format!("{value}\n"))
}

/// Says on standard error what went wrong.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "aileron: {text}");
}

/// Becomes true when a person or the system asks the process to end.
///
/// # Errors
/// The signals cannot be handled.
pub fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Options of what can be looked at once, or again and again.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Refresh {
    /// Show it again and again, until interrupted
    #[arg(short, long)]
    watch: bool,

    #[command(flatten)]
    interval: Interval,
}

/// How often a page is shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Interval {
    /// Milliseconds between refreshes
    #[arg(
        short = 'u',
        long = "update",
        visible_alias = "interval",
        value_name = "MS"
    )]
    #[arg(default_value = "1000")]
    interval: NonZeroU64,
}

impl Interval {
    const fn get(self) -> Duration {
        Duration::from_millis(self.interval.get())
    }
}

impl Refresh {
    /// Shows the page as asked.
    fn show(
        &self,
        mut page: impl FnMut() -> Result<String, Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        if self.watch {
            watch(self.interval.get(), page)
        } else {
            print(&page()?)
        }
    }
}

/// Calls `page` and shows what it returns on a cleared screen, every `interval`, until asked to
/// stop.
///
/// # Errors
/// Of `page`, or of printing.
pub fn watch(
    interval: Duration,
    mut page: impl FnMut() -> Result<String, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let stop = stop_flag()?;
    while !stop.load(Ordering::Relaxed) {
        print(&format!("\x1b[2J\x1b[H{}", page()?))?;
        pause(interval, &stop);
    }
    Ok(())
}

/// Waits, but not longer than until asked to stop.
pub fn pause(interval: Duration, stop: &AtomicBool) {
    let next = Instant::now() + interval;
    while Instant::now() < next && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(STOP_POLL_PERIOD.min(interval));
    }
}
