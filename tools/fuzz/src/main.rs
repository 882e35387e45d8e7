//! `aileron-fuzz`: lists the fuzz targets, replays their corpora, searches without a special
//! compiler, and writes the inputs that a corpus begins with.
//!
//! ```text
//! aileron-fuzz replay                      # every input of every target
//! aileron-fuzz run datagrams --runs 100000 # random changes of the corpus
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program that reports on its standard output"
)]

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use aileron::base::Rng;
use aileron_fuzz::{Corpus, TARGETS, Target, corpus_dir};
use clap::{Parser, Subcommand};

/// Where the input is left that a search runs, so that it is there when the process dies.
const LAST_INPUT: &str = "last-input";

/// Input that no honest peer would send.
#[derive(Debug, Parser)]
#[command(name = "aileron-fuzz", version, about)]
struct Args {
    /// Where the corpora are, a folder for each target.
    #[arg(long, global = true)]
    corpus: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Says which targets there are.
    List,
    /// Runs every input of a target, or of all.
    Replay {
        /// Its name.
        target: Option<String>,
    },
    /// Runs the inputs in these files.
    File {
        /// The target's name.
        target: String,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// Runs random changes of a target's inputs, or of all targets'.
    Run {
        /// Its name.
        target: Option<String>,
        /// How many, per target.
        #[arg(long, default_value_t = 10_000)]
        runs: u64,
        /// The source of all chance.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writes the inputs that corpora begin with.
    Seed,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let dir = args.corpus.unwrap_or_else(corpus_dir);
    match act(&args.what, &dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}: {error}", dir.display());
            ExitCode::FAILURE
        }
    }
}

fn act(what: &What, dir: &Path) -> io::Result<()> {
    match what {
        What::List => {
            for target in &TARGETS {
                println!("{:<10} {}", target.name, target.about);
            }
        }
        What::Replay { target } => {
            for target in chosen(target.as_deref())? {
                replay(target, dir)?;
            }
        }
        What::File { target, files } => {
            for target in chosen(Some(target))? {
                for file in files {
                    println!("{} on {}", target.name, file.display());
                    (target.run)(&fs::read(file)?);
                }
            }
        }
        What::Run { target, runs, seed } => {
            for target in chosen(target.as_deref())? {
                search(target, dir, *runs, *seed)?;
            }
        }
        What::Seed => {
            for target in &TARGETS {
                seed(target, dir)?;
            }
        }
    }
    Ok(())
}

fn chosen(name: Option<&str>) -> io::Result<Vec<&'static Target>> {
    let is_chosen = |target: &&Target| name.is_none_or(|name| target.name == name);
    let chosen: Vec<_> = TARGETS.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        let unknown = format!("no target of this name: {}", name.unwrap_or_default());
        return Err(io::Error::new(io::ErrorKind::NotFound, unknown));
    }
    Ok(chosen)
}

fn replay(target: &'static Target, dir: &Path) -> io::Result<()> {
    let corpus = Corpus::read(target, dir)?;
    let began = Instant::now();
    corpus.replay(|_| {});
    println!("{}: {}", target.name, rate(corpus.len() as u64, began));
    Ok(())
}

fn search(target: &'static Target, dir: &Path, runs: u64, seed: u64) -> io::Result<()> {
    let corpus = Corpus::read(target, dir)?;
    let began = Instant::now();
    let mut rng = Rng::new(seed);
    let last = std::env::temp_dir().join(format!("aileron-fuzz-{}-{LAST_INPUT}", target.name));
    println!(
        "{}: seed {seed}, each input is left in {}",
        target.name,
        last.display()
    );
    corpus.search(&mut rng, runs, |input| {
        // Without the file a failure is found again with the seed.
        let _ = fs::write(&last, input);
    });
    println!("{}: {}", target.name, rate(runs, began));
    Ok(())
}

fn seed(target: &Target, dir: &Path) -> io::Result<()> {
    let dir = dir.join(target.name);
    fs::create_dir_all(&dir)?;
    let seeds = (target.seeds)();
    for bytes in &seeds {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        fs::write(dir.join(format!("seed-{:016x}", hasher.finish())), bytes)?;
    }
    println!("{}: {} seeds", target.name, seeds.len());
    Ok(())
}

fn rate(runs: u64, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f64().max(0.001);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = runs as f64 / seconds;
    format!("{runs} inputs in {seconds:.1} s, {rate:.0} per second")
}
