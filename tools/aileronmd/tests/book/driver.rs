//! `aileronmd`: each line starts a driver that passes a message on and is interrupted.

use std::path::Path;
use std::process::Command;

use aileron::runtime::{is_driver_active, open_events};
use aileron::{Context, StreamId};

use crate::lines::Line;
use crate::process::{Ended, Process, WATCHDOG, command, succeed, text, wait_until};
use crate::shell::Shell;

/// The status after SIGINT.
const INTERRUPTED: i32 = 2;
/// Where the kernel's limits were not raised.
const SMALL_WINDOWS: [&str; 3] = [
    "-Daeron.rcv.initial.window.length=128k",
    "-Daeron.socket.so_rcvbuf=128k",
    "-Daeron.socket.so_sndbuf=128k",
];

pub(crate) fn run(shell: &mut Shell, line: &Line) -> Result<(), String> {
    let mut program = command(program(shell, line)?);
    program.current_dir(shell.work());
    program.envs(line.environment.iter().map(|(name, value)| (name, value)));
    program.args(line.arguments.iter().map(|word| on_this_machine(word)));
    // Whichever directory the line names, there may be a driver in it.
    program.env("AERON_DIR", shell.aeron_dir());
    if line.arguments.iter().any(|word| word == "--print-config") {
        return print(&mut program, line);
    }
    if line.arguments.iter().any(|word| word == "throughput") && socket_buffer_max() < 2 << 20 {
        shell.skip(
            line,
            "with its windows, which the kernel's limits are too small for",
        );
        program.args(SMALL_WINDOWS);
    }
    let driver = start(&mut program, &shell.aeron_dir())?;
    let is_logging = line.arguments.iter().any(|word| word.contains("event"));
    if is_logging {
        let events = open_events(&shell.aeron_dir()).map_err(|error| error.to_string())?;
        drop(events);
    }
    let prints_events = line.arguments.iter().any(|word| word == "--events");
    let end_check = move |ended: Ended| expect_end(&ended, INTERRUPTED, prints_events);
    if line.is_background {
        shell.leave(line, driver, |_| Ok(()), end_check);
        return Ok(());
    }
    end_check(driver.interrupt()?)
}

/// The driver that a page had built or installed, or else this one's.
fn program(shell: &Shell, line: &Line) -> Result<std::path::PathBuf, String> {
    if line.program.contains('/') {
        return shell.of_build(&line.program).map(Path::to_owned);
    }
    let installed = shell.root("/usr/bin/aileronmd");
    let own = || env!("CARGO_BIN_EXE_aileronmd").into();
    Ok(Some(installed)
        .filter(|path| path.exists())
        .unwrap_or_else(own))
}

/// A driver that has passed on a message.
pub(crate) fn start(program: &mut Command, directory: &Path) -> Result<Process, String> {
    let mut driver = Process::start(program)?;
    driver.wait_until("the driver", || is_driver_active(directory, WATCHDOG))?;
    use_it(directory)?;
    Ok(driver)
}

fn use_it(directory: &Path) -> Result<(), String> {
    let client = Context::new().dir(directory).connect();
    let client = client.map_err(|error| error.to_string())?;
    let channel = "aeron:ipc?term-length=64k";
    let subscription = client.add_subscription(channel, StreamId(1));
    let mut subscription = subscription.map_err(|error| error.to_string())?;
    let publication = client.add_publication(channel, StreamId(1));
    let publication = publication.map_err(|error| error.to_string())?;
    wait_until("an offer", || Ok(publication.offer(b"hello").is_ok()))?;
    wait_until("the message", || {
        Ok(subscription.poll(1, |bytes, _| assert_eq!(bytes, b"hello")) == 1)
    })
}

/// Looks at how a driver ended, and what it said.
pub(crate) fn expect_end(ended: &Ended, status: i32, prints_events: bool) -> Result<(), String> {
    let is_event = |line: &String| line.starts_with('{') && line.ends_with('}');
    let is_well = ended.status.code() == Some(status)
        && ended.output == ["Shutting down driver..."]
        && ended.errors.is_empty() != prints_events
        && ended.errors.iter().all(is_event);
    is_well.then_some(()).ok_or_else(|| {
        let Ended {
            status,
            output,
            errors,
        } = ended;
        format!("{status}: {output:?} {errors:?}")
    })
}

/// A driver that prints what it would start with: all settings, some of them from the preset.
fn print(program: &mut Command, line: &Line) -> Result<(), String> {
    let printed = text(&succeed(program)?.stdout);
    let mut preset = line.arguments.iter().skip_while(|word| *word != "--preset");
    let mark = preset.nth(1).map(|name| format!("preset {name}"));
    let is_marked = mark.is_none_or(|mark| printed.contains(&mark));
    let settings = printed.lines().filter(|line| line.starts_with("aeron."));
    (settings.count() > 50 && is_marked)
        .then_some(())
        .ok_or(printed)
}

/// A word of a line, with CPUs that this process may use.
fn on_this_machine(word: &str) -> String {
    match word.split_once(".cpu.affinity=") {
        Some((name, _)) => format!("{name}.cpu.affinity={}", own_cpu()),
        None => word.to_owned(),
    }
}

fn socket_buffer_max() -> u64 {
    let limit = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/core/{name}"));
        text.ok().and_then(|text| text.trim().parse().ok())
    };
    let limits = ["rmem_max", "wmem_max"].map(|name| limit(name).unwrap_or(u64::MAX));
    limits.into_iter().min().unwrap_or(u64::MAX)
}

fn own_cpu() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let first = list.map(|list| list.trim().split([',', '-']).next().unwrap_or_default());
    first.and_then(|cpu| cpu.parse().ok()).unwrap_or(0)
}
