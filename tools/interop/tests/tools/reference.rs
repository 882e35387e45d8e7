//! The reference tools themselves, built from the sources that come with the C implementation, and
//! ours beside them on the directory of a C driver: the figures that both print are equal.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::driver::{CDriver, LOOPBACK, STREAM, resolved, wait_until};

/// What it is linked from, below a build.
const LIBRARY: &str = "lib/libaeron_driver_static.a";

/// The tools, built at the first call: `aeron_stat`, `error_stat`, `loss_stat`, `driver_tool`.
fn tools() -> &'static Path {
    static TOOLS: OnceLock<TempDir> = OnceLock::new();
    let build = || {
        let place = tempfile::tempdir().expect("a directory");
        for tool in ["aeron_stat", "error_stat", "loss_stat", "driver_tool"] {
            compile(tool, place.path());
        }
        place
    };
    TOOLS.get_or_init(build).path()
}

fn compile(tool: &str, place: &Path) {
    let build = build();
    let sources = sources(&build);
    let mut command = Command::new("clang");
    command.args(["-O1", "-D_GNU_SOURCE", "-o"]);
    command.arg(place.join(tool));
    for part in ["aeron-client", "aeron-driver"] {
        command.arg("-I").arg(sources.join(part).join("src/main/c"));
    }
    let samples = sources.join("aeron-samples/src/main/c");
    command.arg(samples.join(tool).with_extension("c"));
    command.arg(build.join(LIBRARY));
    command.args(["-lbsd", "-luuid", "-lm", "-lpthread", "-ldl"]);
    let output = command.output().expect("clang runs");
    assert!(output.status.success(), "{tool}: {output:?}");
}

/// Where the C implementation was built that the peer of these tests is linked with.
fn build() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_aeron-peer"));
    let entries = std::fs::read_dir(program.with_file_name("build")).expect("builds");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path().join("out/build"))
        .filter(|path| path.join(LIBRARY).exists())
        .collect();
    found.sort_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    found.pop().expect("the library was built")
}

/// The sources that it was built from, as its build tells.
fn sources(build: &Path) -> PathBuf {
    let cache = std::fs::read_to_string(build.join("CMakeCache.txt")).expect("text");
    let home = |line: &str| Some(line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL=")?.into());
    cache.lines().find_map(home).expect("it tells")
}

/// What a reference tool prints about a driver.
fn theirs(driver: &CDriver, tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tools().join(tool))
        .arg("-d")
        .arg(driver.path())
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{tool}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Lines without the blanks that only place their words.
fn words(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|words| !words.is_empty())
        .map(|words| words.join(" "))
        .collect()
}

/// The lines of counters that stand still when nothing moves: positions, limits and the like.
fn still(text: &str) -> Vec<String> {
    let moves = [
        "heartbeat",
        "Bytes ",
        "messages",
        "Conductor",
        "max cycle",
        "pid ",
    ];
    let counters = words(text).into_iter().filter(|line| {
        let id = line.split(':').next().unwrap_or_default();
        id.parse::<u32>().is_ok()
    });
    counters
        .filter(|line| moves.iter().all(|word| !line.contains(word)))
        .collect()
}

#[test]
fn stat_prints_the_counters_that_aeron_stat_prints() {
    let driver = CDriver::launch(&[]);
    let _stream = driver.flow();
    wait_until("equal counters", || {
        let ours = still(&driver.text(&["stat", "--once"]));
        let theirs = still(&theirs(&driver, "aeron_stat", &["-w", "false"]));
        let has = |name: &str| theirs.iter().any(|line| line.contains(name));
        ours == theirs && ours.len() > 40 && has("snd-pos") && has("sub-pos")
    });
}

#[test]
fn errors_are_those_of_error_stat() {
    let driver = CDriver::launch(&[]);
    for _ in 0..3 {
        let unknown = "aeron:udp?endpoint=no-such-host.invalid:40123";
        let refused = driver.client.add_publication(unknown, STREAM);
        refused.expect_err("it cannot resolve");
    }
    let (ours, theirs) = (
        words(&driver.text(&["errors"])),
        words(&theirs(&driver, "error_stat", &[])),
    );
    // C sets errors apart by stars, Java by an empty line.
    let without = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line != "***").collect()
    };
    let (ours, theirs) = (without(ours), without(theirs));
    assert!(theirs.len() > 2, "{theirs:?}");
    assert_eq!(ours, theirs);
}

#[test]
fn losses_are_those_of_loss_stat() {
    let driver = CDriver::launch(&[
        "aeron.udp.channel.incoming.interceptors=loss",
        "aeron.udp.channel.transport.bindings.loss.args=rate=0.1|seed=7|recv-msg-mask=0x2",
    ]);
    let mut subscription = driver.subscribe(LOOPBACK);
    let publication = driver.publish(&resolved(&subscription));
    wait_until("a connection", || {
        publication.is_connected() && subscription.is_connected()
    });
    let (mut sent, mut read) = (0, 0);
    wait_until("all messages", || {
        sent += usize::from(sent < 2_000 && publication.offer(&[1; 1_000]).is_ok());
        read += subscription.poll(10, |_, _| {});
        read == 2_000
    });
    // Nothing is lost any more.
    let theirs = words(&theirs(&driver, "loss_stat", &[]));
    let ours = words(&driver.text(&["loss"]));
    assert!(
        theirs.iter().any(|line| line.contains("127.0.0.1")),
        "{theirs:?}"
    );
    let entries = |lines: &[String]| -> Vec<String> {
        let rows = lines.iter().filter(|line| line.contains("127.0.0.1"));
        rows.cloned().collect()
    };
    assert_eq!(entries(&ours), entries(&theirs));
}

#[test]
fn the_driver_is_the_one_that_driver_tool_finds() {
    let driver = CDriver::launch(&["aeron.driver.termination.validator=allow"]);
    let pid = theirs(&driver, "driver_tool", &["-P"]);
    let text = driver.text(&["drivers", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let path = driver.path().to_str().expect("a path");
    let mut all = found["drivers"].as_array().expect("drivers").iter();
    let own = all.find(|found| found["dir"] == path).expect("found");
    assert_eq!(own["pid"].to_string(), pid.trim());
}
