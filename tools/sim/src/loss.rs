//! `aileron-loss`: what loss costs a stream on simulated paths, with recovery and without.
//!
//! ```text
//! aileron-loss                                # the paths of docs/loss-recovery.md, as a table
//! aileron-loss --rtt 250ms --loss 10          # one path
//! aileron-loss --svg docs/loss-recovery.svg   # the plot: goodput and longest stall
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a program that reports on its standard output"
)]
#![expect(clippy::print_stderr, reason = "failures go to standard error")]

#[path = "loss/plot.rs"]
mod plot;

use std::path::PathBuf;
use std::process::ExitCode;

use aileron::sim::{LossyPath, PathReport};
use clap::Parser;

const MILLI: i64 = 1_000_000;
/// Paths of the table: round trip in milliseconds, loss in percent.
const PATHS: [(i64, f64); 4] = [(250, 10.0), (250, 1.0), (100, 30.0), (20, 1.0)];

/// Sends a stream over simulated paths that lose datagrams, and shows what arrives.
#[derive(Debug, Parser)]
#[command(name = "aileron-loss", version, about)]
struct Args {
    /// Round trip in milliseconds; with --loss, one path instead of the table.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    rtt: Option<i64>,
    /// Share of datagrams lost each way, in percent.
    #[arg(long, default_value_t = 10.0)]
    loss: f64,
    /// Receiver windows in bytes.
    #[arg(long, value_delimiter = ',', default_values_t = [131_072, 1_048_576, 4_194_304])]
    windows: Vec<i32>,
    /// Random extra delay of each datagram in microseconds.
    #[arg(long, default_value_t = 0)]
    jitter: i64,
    /// Round trips to measure for.
    #[arg(long, default_value_t = 100)]
    round_trips: i64,
    /// What is lost follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the plot to this file instead.
    #[arg(long)]
    svg: Option<PathBuf>,
}

impl Args {
    fn path(
        &self,
        rtt_ms: i64,
        loss_percent: f64,
        window_length: i32,
        recovers: bool,
    ) -> LossyPath {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a million"
        )]
        let loss_ppm = (loss_percent.clamp(0.0, 100.0) * 10_000.0) as u32;
        LossyPath {
            seed: self.seed,
            round_trip_ns: rtt_ms * MILLI,
            loss_ppm,
            jitter_ns: self.jitter * 1_000,
            window_length,
            sender_recovery: recovers,
            receiver_recovery: recovers,
            duration_ns: rtt_ms * MILLI * self.round_trips,
            ..LossyPath::default()
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.svg {
        Some(file) => plot::draw(&args).and_then(|svg| {
            std::fs::write(file, svg).map_err(|error| format!("{}: {error}", file.display()))
        }),
        None => table(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn table(args: &Args) -> Result<(), String> {
    println!(
        "{:>6} {:>6} {:>9} {:>4} {:>11} {:>24} {:>10} {:>10} {:>10} {:>8}",
        "rtt",
        "loss",
        "window",
        "all",
        "goodput",
        "stall p50/p99.9/max",
        "sent again",
        "per first",
        "asked for",
        "NAKs"
    );
    let paths = args
        .rtt
        .map_or_else(|| PATHS.to_vec(), |rtt| vec![(rtt, args.loss)]);
    for (rtt_ms, loss) in paths {
        for window in &args.windows {
            for (sender_recovery, receiver_recovery) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let path = LossyPath {
                    sender_recovery,
                    receiver_recovery,
                    ..args.path(rtt_ms, loss, *window, true)
                };
                show(&path, loss, &path.run()?);
            }
        }
    }
    println!(
        "all: whether all gaps are repaired at once, by both drivers or the sender's or the \
         receiver's alone; stalls in round trips; sent again and asked for in bytes per byte of \
         data lost, sent again also per byte lost when it was sent first"
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn show(path: &LossyPath, loss: f64, report: &PathReport) {
    let stall = |quantile| report.stall_ns(quantile) as f64 / path.round_trip_ns as f64;
    println!(
        "{:>4}ms {loss:>5}% {:>6}KiB {:>4} {:>6.0} kB/s {:>8.2} {:>6.2} {:>6.2} RTT {:>10.2} \
         {:>10.2} {:>10.2} {:>8}",
        path.round_trip_ns / MILLI,
        path.window_length / 1024,
        match (path.sender_recovery, path.receiver_recovery) {
            (false, false) => "no",
            (true, false) => "snd",
            (false, true) => "rcv",
            (true, true) => "yes",
        },
        report.goodput() / 1e3,
        stall(0.5),
        stall(0.999),
        stall(1.0),
        report.resent_per_lost(),
        report.resent_bytes as f64 / report.first_lost_bytes.max(1) as f64,
        report.nak_bytes as f64 / report.lost_bytes.max(1) as f64,
        report.naks,
    );
}
