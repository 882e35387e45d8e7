//! `aileron check`: does this machine suit a configuration?

use std::path::PathBuf;

use aileron::DriverConfig;
use aileron::driver::config::Preset;
use aileron::net::UdpNetwork;
use aileron::port::Network as _;
use aileron_check::{Machine, Plan, PlannedStream, Report};
use serde_json::{Value, json};

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome, failed};

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Property files of the driver, later ones win
    #[arg(short, long, value_name = "PROPERTIES_FILE")]
    config: Vec<PathBuf>,

    /// A property of the driver, such as -Daeron.threading.mode=SHARED
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,

    /// The preset of the driver: low-latency, throughput or ipc
    #[arg(long, value_name = "NAME", value_parser = parse_preset)]
    preset: Option<Preset>,

    /// The channel of a publication that is planned; may be repeated
    #[arg(long, value_name = "CHANNEL")]
    publication: Vec<String>,

    /// The channel of a subscription that is planned; may be repeated
    #[arg(long, value_name = "CHANNEL")]
    subscription: Vec<String>,

    /// How many of each of these are planned
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1)]
    count: usize,

    /// Take /proc and /sys from below this directory
    #[arg(long, value_name = "PATH", hide = true)]
    root: Option<PathBuf>,
}

fn parse_preset(name: &str) -> Result<Preset, String> {
    Preset::parse(name).ok_or_else(|| "known presets: low-latency, throughput, ipc".to_owned())
}

/// Checks and prints.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let config = configure(common, arguments)?;
    let machine = arguments
        .root
        .as_ref()
        .map_or_else(Machine::this, Machine::planted);
    let report = aileron_check::check(&config, &plan(arguments)?, &machine);
    if common.json {
        print_json(&report_json(&report))?;
    } else {
        print(&report.text())?;
    }
    Ok(if report.is_fatal() {
        Outcome::Trouble
    } else {
        Outcome::Fine
    })
}

fn plan(arguments: &Arguments) -> Result<Plan, Box<dyn std::error::Error>> {
    let mut streams = Vec::new();
    for (is_publication, channels) in [
        (true, &arguments.publication),
        (false, &arguments.subscription),
    ] {
        for channel in channels {
            let stream = PlannedStream::new(is_publication, channel)?;
            streams.extend(std::iter::repeat_n(stream, arguments.count));
        }
    }
    Ok(Plan { streams })
}

/// The settings as the driver itself would have them.
fn configure(
    common: &Common,
    arguments: &Arguments,
) -> Result<DriverConfig, Box<dyn std::error::Error>> {
    let mut builder = DriverConfig::builder()
        .default_dir(common.directory())
        .buffer_limits(UdpNetwork::new().buffer_limits())
        .environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }));
    if let Some(preset) = arguments.preset {
        builder = builder.preset(preset);
    }
    for define in &arguments.define {
        builder = builder.define(define);
    }
    for path in &arguments.config {
        let text = std::fs::read_to_string(path).map_err(|error| failed(path, &error))?;
        builder = builder.properties(&path.to_string_lossy(), &text);
    }
    if let Some(dir) = &common.dir {
        builder = builder.dir(dir);
    }
    builder.build().map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        all.join("\n").into()
    })
}

fn report_json(report: &Report) -> Value {
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|problem| {
            json!({
                "kind": problem.kind.name(),
                "is_fatal": problem.is_fatal,
                "what": problem.what,
                "why": problem.why,
                "fix": problem.fix,
            })
        })
        .collect();
    json!({ "is_fatal": report.is_fatal(), "problems": problems })
}
