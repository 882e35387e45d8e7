//! Each subcommand on the directory of a running driver with a stream: what it prints, and how it
//! exits.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use aileron::client::{Publication, Subscription};
use aileron::{Client, Context, DriverConfig, MediaDriver, StreamId};
use serde_json::Value;

const MESSAGE: &[u8] = b"hello, inspector";

/// A driver with an IPC stream of three messages, of which two were read.
struct Scene {
    driver: MediaDriver,
    _client: Client,
    publication: Publication,
    _subscription: Subscription,
}

impl Scene {
    fn new() -> Self {
        let driver = MediaDriver::launch_embedded(DriverConfig::default()).expect("a driver");
        let context = Context::new().dir(driver.directory()).client_name("tester");
        let client = context.connect().expect("a client");
        let mut subscription = client
            .add_subscription("aeron:ipc", StreamId(9))
            .expect("added");
        let publication = client
            .add_publication("aeron:ipc", StreamId(9))
            .expect("added");
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut sent = 0;
        let mut read = 0;
        while sent < 3 || read < 2 {
            assert!(Instant::now() < deadline, "sent {sent}, read {read}");
            sent += usize::from(sent < 3 && publication.offer(MESSAGE).is_ok());
            if sent == 3 && read < 2 {
                read += subscription.poll(2 - read, |_, _| {});
            }
        }
        Self {
            driver,
            _client: client,
            publication,
            _subscription: subscription,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        aileron(self.driver.directory(), arguments)
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        serde_json::from_str(&self.text(&all)).expect("JSON")
    }
}

fn aileron(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aileron"));
    command
        .arg("--dir")
        .arg(directory)
        .args(["--timeout", "0"])
        .args(arguments);
    command.output().expect("it runs")
}

#[test]
fn the_classic_subcommands_show_the_stream() {
    let scene = Scene::new();
    let position = i64::from(3 * (32 + 32));
    let stat = scene.text(&["stat", "--once"]);
    assert!(
        stat.contains("pub-pos (concurrent)") && stat.contains("heartbeat age"),
        "{stat}"
    );
    let streams = scene.text(&["streams"]);
    assert!(
        streams.contains("streamId=9 channel=aeron:ipc : "),
        "{streams}"
    );
    let backlog = scene.json(&["backlog"]);
    let publication = &backlog["publications"][0];
    // The position of a publication is a sample, the subscriber's own is exact.
    assert_eq!(
        scene.json(&["streams"])["publications"][0]["subscribers"][0]["sub_pos"],
        128
    );
    assert!(
        publication["position"]
            .as_i64()
            .is_some_and(|p| p <= position),
        "{publication}"
    );
    assert!(scene.text(&["loss"]).ends_with("0 loss entries\n"));
    assert!(
        scene
            .text(&["errors"])
            .ends_with("0 distinct errors observed.\n")
    );
    // A client gives its name with its first keepalive.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let counters = scene.json(&["counters", "--type", "11"]);
        let label = counters["counters"][0]["label"].as_str().expect("a label");
        if label.contains("name=tester") {
            break;
        }
        assert!(Instant::now() < deadline, "{label}");
    }
}

#[test]
fn a_log_is_shown_frame_by_frame() {
    let scene = Scene::new();
    let id = scene.publication.registration_id().get().to_string();
    let text = scene.text(&["log", &id, "--format", "ascii", "--term", "0"]);
    assert_eq!(text.matches("hello, inspector").count(), 3, "{text}");
    let log = scene.json(&["log", &id]);
    assert_eq!(log["position"], 192);
    let frames = log["terms"][0]["stretches"].as_array().expect("stretches");
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[2]["term_offset"], 128);
    assert_eq!(frames[2]["body"], "68656C6C6F2C20696E73706563746F72");
    let missing = scene.run(&["log", "12345"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no log with id 12345"));
}

#[test]
fn drivers_are_found_and_terminated_if_they_allow_it() {
    let scene = Scene::new();
    let directory = scene
        .driver
        .directory()
        .to_str()
        .expect("a path")
        .to_owned();
    let found = scene.json(&["drivers"]);
    let found = found["drivers"].as_array().expect("drivers");
    let own = found
        .iter()
        .find(|d| d["dir"] == directory.as_str())
        .expect("found");
    assert_eq!(
        (&own["is_alive"], &own["publications"]),
        (&Value::Bool(true), &1.into())
    );
    let refused = scene.run(&["terminate", "--wait", "50"]);
    assert_eq!(refused.status.code(), Some(1));
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(reason.contains("termination.validator"), "{reason}");
}

#[test]
fn a_directory_without_a_driver_is_an_error_that_helps() {
    let nowhere = tempfile::tempdir().expect("a directory");
    for subcommand in [
        "stat",
        "streams",
        "backlog",
        "loss",
        "errors",
        "counters",
        "terminate",
    ] {
        let output = aileron(nowhere.path(), &[subcommand]);
        assert_eq!(output.status.code(), Some(1), "{subcommand}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            text.contains("no media driver in") && text.contains("--dir"),
            "{text}"
        );
    }
    let usage = aileron(nowhere.path(), &["stat", "--no-such-option"]);
    assert_eq!(usage.status.code(), Some(1));
}

#[test]
fn every_help_is_for_people_at_a_terminal() {
    let nowhere = Path::new("/nowhere");
    let command = aileron_cli::cli::command();
    let names = command.get_subcommands().map(|sub| vec![sub.get_name()]);
    for mut arguments in names.chain([Vec::new()]) {
        arguments.push("--help");
        let output = aileron(nowhere, &arguments);
        assert!(output.status.success(), "{arguments:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        let is_of_code = text.contains("```") || text.contains("assert") || text.contains("[`");
        assert!(!is_of_code && text.contains("Common options:"), "{text}");
    }
    let version = aileron(nowhere, &["stat", "--version"]);
    let version = String::from_utf8(version.stdout).expect("text");
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn completions_and_manual_pages_are_generated() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages = directory.path().join("man");
    let output = aileron(
        directory.path(),
        &["man", "--out", pages.to_str().expect("a path")],
    );
    assert!(output.status.success(), "{output:?}");
    let page = std::fs::read_to_string(pages.join("aileron-streams.1")).expect("a page");
    assert!(page.contains("\\fBaileron"), "{page}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = aileron(directory.path(), &["completions", shell]);
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("backlog"),
            "{shell}"
        );
    }
}

#[test]
fn a_machine_that_does_not_suit_exits_with_two() {
    let root = tempfile::tempdir().expect("a directory");
    let core = root.path().join("proc/sys/net/core");
    std::fs::create_dir_all(&core).expect("made");
    std::fs::write(core.join("rmem_max"), "4096").expect("written");
    let planted = root.path().to_str().expect("a path");
    let output = aileron(root.path(), &["check", "--root", planted, "--json"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        report["problems"][0]["kind"], "receive-buffer-limit",
        "{report}"
    );
    let stream = [
        "--subscription",
        "aeron:udp?endpoint=127.0.0.1:9",
        "--count",
        "3",
    ];
    let output = aileron(root.path(), &[&["check"][..], &stream[..]].concat());
    assert!(
        matches!(output.status.code(), Some(0 | 2)),
        "of this very machine: {output:?}"
    );
    let wrong = aileron(root.path(), &["check", "-Daeron.mtu.length=7"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("aeron.mtu.length"));
}
