//! The standalone media driver: arguments, signals, nothing else.
//!
//! A drop-in for `aeronmd`: the same properties and environment variables, property files as
//! positional arguments, the same exit codes. Standard error stays empty as long as nothing is
//! wrong.
#![forbid(unsafe_code)]

mod events;
mod supervisor;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aileron::driver::config::{DriverConfig, Preset};
use aileron::net::UdpNetwork;
use aileron::port::Network as _;
use aileron::{MediaDriver, runtime};
use aileron_check::{Machine, Plan};
use clap::{CommandFactory as _, Parser};
use events::{EventOutput, EventPrinter};
use signal_hook::consts::{SIGINT, SIGTERM};
use supervisor::Supervisor;

/// Between looks at whether it is time to stop.
const STOP_POLL_PERIOD: Duration = Duration::from_millis(20);

/// Standalone media driver: reliable ordered streams over UDP and shared memory for the clients of
/// one machine.
///
/// Settings come from property files, -D, and the environment (AERON_DIR and so on), in this order
/// of precedence, then from the preset and the defaults.
#[derive(Debug, Parser)]
#[command(name = "aileronmd", disable_version_flag = true)]
#[command(
    after_help = "Exit status: 0 after a termination request, the signal's number after \
SIGINT or SIGTERM, 1 when a setting is wrong or the driver cannot start, 2 when --check finds that \
the machine does not suit the settings."
)]
struct Arguments {
    /// Sets a property, such as -Daeron.dir=/dev/shm/aeron-me; may be repeated
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,

    /// Print the effective settings, each with its source, and exit
    #[arg(long)]
    print_config: bool,

    /// Check whether this machine suits the settings, and exit: 0 if it does, 2 if not
    #[arg(long)]
    check: bool,

    /// Print the reference of all options (docs/configuration.md) as Markdown, and exit
    #[arg(long)]
    print_options: bool,

    /// Print the manual page, and exit
    #[arg(long)]
    print_man: bool,

    /// Print the completion script of a shell, and exit
    #[arg(long, value_name = "SHELL")]
    print_completions: Option<clap_complete::Shell>,

    /// Start from settings made for a purpose: low-latency, throughput or ipc
    #[arg(long, value_name = "NAME", value_parser = parse_preset)]
    preset: Option<Preset>,

    /// Write events down (-Daeron.event.log=LIST, or all) and print them on standard error: text,
    /// json, or either with a list, such as json:nak,error
    #[arg(long, value_name = "FORMAT[:LIST]", value_parser = EventOutput::parse)]
    events: Option<EventOutput>,

    /// Serve OpenMetrics over HTTP on this address, such as 127.0.0.1:9464
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDRESS")]
    metrics: Option<std::net::SocketAddr>,

    /// Print the version and exit
    #[arg(short = 'v', long = "version")]
    version: bool,

    /// Property files (name=value lines), later ones win
    #[arg(value_name = "PROPERTIES_FILE")]
    files: Vec<String>,
}

fn parse_preset(name: &str) -> Result<Preset, String> {
    Preset::parse(name).ok_or_else(|| "known presets: low-latency, throughput, ipc".to_owned())
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(1)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    if arguments.version {
        print_version();
        return ExitCode::SUCCESS;
    }
    if arguments.print_options {
        say(runtime::configuration_reference().trim_end());
        return ExitCode::SUCCESS;
    }
    if arguments.print_man {
        return print_man();
    }
    if let Some(shell) = arguments.print_completions {
        print_completions(shell);
        return ExitCode::SUCCESS;
    }
    let config = match configure(&arguments) {
        Ok(config) => config,
        Err(problems) => return fail(&problems),
    };
    for warning in config.warnings() {
        complain(&format!("WARNING: {warning}"));
    }
    if arguments.print_config {
        print_settings(&config);
        return ExitCode::SUCCESS;
    }
    if arguments.check {
        return preflight(&config);
    }
    run(config, &arguments)
}

/// `aileron check` can do the same for planned streams.
fn preflight(config: &DriverConfig) -> ExitCode {
    let report = aileron_check::check(config, &Plan::default(), &Machine::this());
    say(report.text().trim_end());
    ExitCode::from(if report.is_fatal() { 2 } else { 0 })
}

fn print_man() -> ExitCode {
    let page = clap_mangen::Man::new(Arguments::command()).section("8");
    match page.render(&mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&[format!("cannot print the manual page: {error}")]),
    }
}

fn print_completions(shell: clap_complete::Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "aileronmd", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
}

fn print_version() {
    let version = env!("CARGO_PKG_VERSION");
    let part = |text: Option<&'static str>| text.unwrap_or("0");
    say(&format!(
        "aileronmd {version} major {} minor {} patch {} git {}",
        part(option_env!("CARGO_PKG_VERSION_MAJOR")),
        part(option_env!("CARGO_PKG_VERSION_MINOR")),
        part(option_env!("CARGO_PKG_VERSION_PATCH")),
        option_env!("AILERON_GIT_SHA").unwrap_or("unknown"),
    ));
}

/// All settings, or all problems, one line each.
fn configure(arguments: &Arguments) -> Result<DriverConfig, Vec<String>> {
    let mut problems = Vec::new();
    let mut builder = DriverConfig::builder()
        .default_dir(runtime::default_directory())
        .buffer_limits(UdpNetwork::new().buffer_limits())
        .environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }));
    if let Some(preset) = arguments.preset {
        builder = builder.preset(preset);
    }
    if let Some(events) = &arguments.events {
        builder = builder.define(&format!("aeron.event.log={}", events.list));
    }
    for define in &arguments.define {
        builder = builder.define(define);
    }
    for file in &arguments.files {
        let path = file.strip_prefix("file://").unwrap_or(file);
        match std::fs::read_to_string(path) {
            Ok(text) => builder = builder.properties(path, &text),
            Err(error) => problems.push(format!("cannot read property file {path}: {error}")),
        }
    }
    match builder.build() {
        Ok(config) if problems.is_empty() => Ok(config),
        Ok(_) => Err(problems),
        Err(errors) => {
            problems.extend(errors.iter().map(ToString::to_string));
            Err(problems)
        }
    }
}

fn print_settings(config: &DriverConfig) {
    for setting in config.settings() {
        say(&setting.to_string());
    }
}

fn run(config: DriverConfig, arguments: &Arguments) -> ExitCode {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGINT, SIGTERM] {
        let value = usize::try_from(number).unwrap_or(1);
        if let Err(error) = signal_hook::flag::register_usize(number, Arc::clone(&signal), value) {
            return fail(&[format!("cannot handle signal {number}: {error}")]);
        }
    }
    let driver = match MediaDriver::launch(config) {
        Ok(driver) => driver,
        Err(error) => return fail(&[error.to_string()]),
    };
    #[cfg(feature = "metrics")]
    let _metrics = match arguments.metrics {
        Some(address) => {
            let server = aileron_cli::metrics::MetricsServer::start(address, driver.directory());
            match server {
                Ok(server) => Some(server),
                Err(error) => return fail(&[error.to_string()]),
            }
        }
        None => None,
    };
    let events = arguments.events.as_ref();
    let mut printer = match events.map(|output| EventPrinter::open(driver.directory(), output)) {
        Some(Ok(printer)) => Some(printer),
        Some(Err(error)) => return fail(&[error.to_string()]),
        None => None,
    };
    let mut print_events = || {
        if let Some(printer) = &mut printer {
            printer.print(&mut std::io::stderr().lock());
        }
    };
    let mut supervisor = Supervisor::of_this_process();
    supervisor.ready();
    loop {
        supervisor.poll(&driver);
        print_events();
        let number = signal.load(Ordering::Relaxed);
        if number != 0 {
            return stop(driver, u8::try_from(number).unwrap_or(1), print_events);
        }
        if driver.is_termination_requested() {
            return stop(driver, 0, print_events);
        }
        if driver.has_failed() {
            drop(driver);
            print_events();
            return fail(&["an agent of the driver has panicked".to_owned()]);
        }
        std::thread::sleep(STOP_POLL_PERIOD);
    }
}

fn stop(driver: MediaDriver, status: u8, mut print_events: impl FnMut()) -> ExitCode {
    say("Shutting down driver...");
    Supervisor::stopping();
    driver.close();
    print_events();
    ExitCode::from(status)
}

fn fail(problems: &[String]) -> ExitCode {
    for problem in problems {
        complain(&format!("aileronmd: {problem}"));
    }
    ExitCode::from(1)
}

/// Where nobody listens any more, as behind `| head`, the words are lost and the driver goes on.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{text}");
    let _ = output.flush();
}

fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
