//! `soak`: mixed load for hours, with clients and a driver that die and come back; memory, file
//! descriptors, counters and logs must stay what they are.
//!
//! ```text
//!   near driver (never restarted)                     far driver (killed now and then)
//!     steady: IPC, UDP                                  ▲ UDP through a lossy path
//!     IPC, shared publishers ×2, subscribers ×2         ▲ several destinations ×2
//!     IPC, exclusive                ════════════════════╛
//! ```
//! Each period something happens to somebody; when everybody is back, both drivers must hold
//! exactly what they held the first time that everybody was there.

mod cast;
mod sample;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aileron::base::Rng;
use clap::Args;

use crate::failure::Failure;
use crate::timing::Timing;
use cast::Cast;
use sample::{Holdings, Memory, Samples};

/// Mixed load with restarts: is everything flat?
#[derive(Args, Debug)]
pub(crate) struct Soak {
    /// How long, such as 90s, 10m or 2h
    #[arg(long, default_value = "2m", value_parser = duration)]
    duration: Duration,
    /// Between events
    #[arg(long, default_value = "3s", value_parser = duration)]
    period: Duration,
    /// Seed of the events
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write all samples
    #[arg(long)]
    csv: Option<PathBuf>,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
    /// All timeouts of drivers and clients, in milliseconds
    #[arg(long, default_value_t = 2000)]
    timeout: u64,
    /// What a busy machine may add to a timeout, in milliseconds
    #[arg(long, default_value_t = 5000)]
    slack: u64,
}

/// Digits with a unit: `s`, `m` or `h`.
fn duration(text: &str) -> Result<Duration, String> {
    let malformed = || format!("{text}: not a duration such as 90s, 10m or 2h");
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(malformed)?;
    let count: u64 = digits.parse().map_err(|_| malformed())?;
    let seconds = match unit {
        "s" => count,
        "m" => count * 60,
        "h" => count * 3600,
        _ => return Err(malformed()),
    };
    Ok(Duration::from_secs(seconds))
}

/// What came of a soak.
struct Verdict {
    periods: u64,
    samples: Samples,
    messages: u64,
    elapsed: Duration,
    failure: Option<Failure>,
}

impl Soak {
    /// Runs, and reports. Whether all was flat.
    pub(crate) fn run(&self, place: &std::path::Path) -> Result<bool, Failure> {
        let root = tempfile::Builder::new()
            .prefix("aileron-soak-")
            .tempdir_in(place)
            .map_err(|error| Failure::setup("directory", error))?;
        let base = Duration::from_millis(self.timeout);
        let timing = Timing::new(base, Duration::from_millis(self.slack));
        let mut verdict = Verdict {
            periods: 0,
            samples: Samples::default(),
            messages: 0,
            elapsed: Duration::ZERO,
            failure: None,
        };
        let start = Instant::now();
        let mut cast = Cast::new(root.path(), timing)?;
        let outcome = self.soak(&mut cast, &mut verdict, start);
        verdict.elapsed = start.elapsed();
        verdict.failure = outcome.err().or_else(|| verdict.samples.growth());
        if verdict.failure.is_some() {
            let path = root.keep();
            let story = path.join("story.txt");
            let _ = std::fs::write(&story, cast.stage.transcript());
            eprintln!("kept: {}", path.display());
        }
        if let Some(path) = &self.csv {
            std::fs::write(path, verdict.samples.csv())
                .map_err(|error| Failure::setup("samples", error))?;
        }
        self.report(&verdict);
        Ok(verdict.failure.is_none())
    }

    fn soak(&self, cast: &mut Cast, verdict: &mut Verdict, start: Instant) -> Result<(), Failure> {
        let mut rng = Rng::new(self.seed);
        cast.complete()?;
        // What is lazy has happened once when the first period is over.
        let mut first: Option<Holdings> = None;
        while start.elapsed() < self.duration {
            let period = Instant::now();
            if verdict.periods > 0 {
                cast.disturb(&mut rng)?;
                cast.complete()?;
            }
            let holdings = match &first {
                None => {
                    cast.stage.pass(cast.timing.watchdog() / 8)?;
                    first.insert(cast.holdings()?).clone()
                }
                Some(first) => cast.settle(first)?,
            };
            cast.stage.forget_the_dead();
            verdict.periods += 1;
            verdict
                .samples
                .add(start.elapsed(), holdings, cast.memory());
            cast.stage
                .pass(self.period.saturating_sub(period.elapsed()))?;
        }
        verdict.messages = cast.finish()?;
        Ok(())
    }

    fn report(&self, verdict: &Verdict) {
        let seconds = verdict.elapsed.as_secs();
        let failure = verdict.failure.as_ref().map(ToString::to_string);
        let (first, last) = verdict.samples.ends();
        if self.json {
            let failure = failure.map_or_else(|| "null".to_owned(), |f| crate::report::quoted(&f));
            println!(
                "{{\"seconds\":{seconds},\"periods\":{},\"messages\":{},\"first\":{},\"last\":{},\
                 \"failure\":{failure}}}",
                verdict.periods,
                verdict.messages,
                first.json(),
                last.json()
            );
            return;
        }
        println!(
            "{seconds} s, {} periods, {} messages of those who were there to the end",
            verdict.periods, verdict.messages
        );
        println!("anonymous memory, KiB, median of the second and of the last quarter:");
        println!("{}", Memory::compared(&first, &last));
        println!("{}", verdict.samples.holdings());
        println!("{}", failure.as_deref().unwrap_or("flat"));
    }
}
