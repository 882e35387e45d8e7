//! A process for each measurement: it starts afresh, with the environment of its scenario, from
//! which the C implementation takes its settings.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::Failure;
use crate::figures::Latencies;
use crate::measure;
use crate::outcome::Outcome;
use crate::scenario::{Scenario, System, find};
use crate::settings::Settings;

/// What a measurement may take besides its own time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Make one measurement and print it as JSON (what `compare` calls).
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Name of the scenario
    #[arg(long)]
    scenario: String,

    /// Who is measured
    #[arg(long, value_enum)]
    system: System,

    /// Where to write the histogram of latencies
    #[arg(long)]
    histogram: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// In the process that measures.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let scenario = find(&arguments.scenario)?;
    let (outcome, latencies) = measure::measure(&scenario, arguments.system, &arguments.settings)?;
    if let (Some(path), Some(latencies)) = (&arguments.histogram, latencies) {
        std::fs::write(path, latencies.serialize()?)?;
    }
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// Lets a process of its own measure `system` in `scenario`.
pub(crate) fn measure_apart(
    scenario: &Scenario,
    system: System,
    settings: &Settings,
    histogram: &Path,
) -> Result<(Outcome, Option<Latencies>), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["worker", "--scenario", &scenario.name, "--system"])
        .arg(system.argument())
        .arg("--histogram")
        .arg(histogram)
        .args(settings.arguments())
        .envs(settings.environment(scenario))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let patience = PATIENCE + Duration::try_from_secs_f64(settings.duration + settings.warm_up)?;
    let text = output_of(&mut command, patience)?;
    let line = text.lines().last().unwrap_or_default();
    let outcome = serde_json::from_str(line)?;
    let latencies = match std::fs::read(histogram) {
        Ok(bytes) => Some(Latencies::deserialize(&bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    Ok((outcome, latencies))
}

/// What a child printed, which must end well and in time. Nothing polls while it works: that would
/// take time from it.
fn output_of(command: &mut Command, patience: Duration) -> Result<String, Failure> {
    let mut child = command.spawn()?;
    let mut output = child.stdout.take().ok_or("the child has no output")?;
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let outcome = output.read_to_string(&mut text).map(|_| text);
        // Nobody listens any more if it took too long.
        let _ = tell.send(outcome);
    });
    let text = told.recv_timeout(patience);
    if text.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    reader.join().map_err(|_| "the reading thread panicked")?;
    let text = text.map_err(|_| format!("did not end within {} s", patience.as_secs()))??;
    if !status.success() {
        return Err(format!("ended with {status}").into());
    }
    Ok(text)
}
