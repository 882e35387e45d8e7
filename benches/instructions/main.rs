//! How many instructions the hot paths take, held against a committed record.
//!
//! Times differ from machine to machine and from run to run; instruction counts hardly do. Each
//! scenario runs in a process of its own under valgrind's callgrind, which counts what is executed
//! within [`measured_section`]. A rise of more than 5% over `benches/instructions.json` is an
//! error.
//!
//! ```text
//! cargo bench --bench instructions                 compare with the record
//! cargo bench --bench instructions -- --record     write it anew: after a rise that is meant, a
//!                                                  gain worth keeping, or a newer compiler
//! ```
//!
//! Counts depend on the compiler, which the record names. To keep the machine out of them, messages
//! are short and the C library is asked for its plain copies.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that a person runs in a terminal"
)]

mod driver;
mod record;
mod scenarios;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use record::Record;
use scenarios::{SCENARIOS, Scenario};

/// Scenarios that have to come to the same as another: what watches a driver costs nothing where
/// data flows, be it off or on.
const SAME: &[(&str, &str)] = &[
    ("idle_driver_cycle_events_off", "idle_driver_cycle"),
    ("udp_message_events_off", "udp_message"),
    ("udp_message_events_all", "udp_message"),
];
/// Instructions per operation by which those may differ: less than one.
const SAME_WITHIN: f64 = 0.5;
/// Times that they are measured: the kernel may be late with a datagram, which takes a cycle more.
const SAME_TRIES: usize = 3;

/// Operations of a scenario that are counted.
const COUNT: u32 = 2_000;

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");

/// Keeps the C library from choosing copies by what the machine has, under whichever of the names
/// its versions know the features by.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX2_Usable,-AVX,-AVX_Usable,\
-ERMS,-FSRM,-AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments
        .iter()
        .position(|argument| argument == "--scenario")
    {
        Some(at) => run_scenario(arguments.get(at + 1).map_or("", String::as_str)),
        None => measure_all(arguments.iter().any(|argument| argument == "--record")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind looks at, by this name.
#[inline(never)]
fn measured_section(operation: &mut dyn FnMut()) {
    for _ in 0..COUNT {
        operation();
    }
}

/// In the process that is measured.
fn run_scenario(name: &str) -> Result<bool, Box<dyn Error>> {
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| format!("no scenario '{name}'"))?;
    let mut operation = (scenario.prepare)();
    // What happens only once is not of interest.
    operation();
    measured_section(&mut *operation);
    Ok(true)
}

/// Measures each scenario, and compares or writes the record. Whether all is well.
fn measure_all(is_recording: bool) -> Result<bool, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let mut measured = Record::new();
    for scenario in SCENARIOS {
        measured.set(scenario.name, measure(scenario, scratch.path())?);
    }
    if is_recording {
        std::fs::write(RECORD, measured.to_string())?;
        println!("{measured}written to {RECORD}");
        return Ok(true);
    }
    let text = std::fs::read_to_string(RECORD).map_err(|error| format!("{RECORD}: {error}"))?;
    let recorded = Record::parse(&text)?;
    let mut is_well = true;
    println!(
        "{:<32} {:>9} {:>9}",
        "instructions per operation", "record", "now"
    );
    for (name, now) in measured.iter() {
        let (verdict, was) = recorded.judge(name, now);
        is_well &= verdict.is_acceptable();
        let was = was.map_or_else(|| "-".to_owned(), |was| format!("{was:.1}"));
        println!("{name:<32} {was:>9} {now:>9.1}  {verdict}");
    }
    for &(name, other) in SAME {
        let (count, expected) = measure_same(&measured, (name, other), scratch.path())?;
        let is_same = (count - expected).abs() < SAME_WITHIN;
        is_well &= is_same;
        let verdict = if is_same { "as" } else { "NOT as" };
        println!("{name:<32} {expected:>9.1} {count:>9.1}  {verdict} {other}");
    }
    if !is_well {
        let (was, now) = (recorded.compiler(), measured.compiler());
        println!(
            "the record was made by rustc {was}, this is {now}; \
             `cargo bench --bench instructions -- --record` makes it anew"
        );
    }
    Ok(is_well)
}

/// Counts of two scenarios that should be equal; measured anew if they are not.
fn measure_same(
    measured: &Record,
    names: (&str, &str),
    scratch: &Path,
) -> Result<(f64, f64), Box<dyn Error>> {
    let again = |name: &str| {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
        measure(scenario.ok_or("no such scenario")?, scratch)
    };
    let known = |name: &str| measured.count(name).ok_or("no such scenario");
    let mut counts = (known(names.0)?, known(names.1)?);
    for _ in 1..SAME_TRIES {
        if (counts.0 - counts.1).abs() < SAME_WITHIN {
            break;
        }
        counts = (again(names.0)?, again(names.1)?);
    }
    Ok(counts)
}

/// Instructions per operation of a scenario.
fn measure(scenario: &Scenario, scratch: &Path) -> Result<f64, Box<dyn Error>> {
    let out = scratch.join(scenario.name);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_section*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--scenario", scenario.name])
        .env("GLIBC_TUNABLES", TUNABLES)
        .output()
        .map_err(|error| format!("valgrind, which this needs, does not start: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {text}", scenario.name).into());
    }
    let total = total(&std::fs::read_to_string(out)?);
    let total = total.ok_or_else(|| format!("callgrind counted nothing of {}", scenario.name))?;
    Ok(f64::from(total) / f64::from(COUNT))
}

/// The count in a file that callgrind wrote, if there is one that is not zero.
fn total(profile: &str) -> Option<u32> {
    let line = profile.lines().find_map(|line| {
        line.strip_prefix("summary:")
            .or_else(|| line.strip_prefix("totals:"))
    })?;
    line.trim().parse().ok().filter(|total| *total > 0)
}
