//! Storage that is full: on a file system of a few megabytes that a child process mounts for
//! itself. Where the machine does not permit that, the tests say so and pass.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aileron::client::AddError;
use aileron::cnc::SystemCounter;
use aileron::command::ErrorCode;
use aileron::driver::config::DriverConfigBuilder;
use aileron::{Client, MediaDriver, StreamId};

use super::support::child::{Child, Part, say};
use super::support::stream::{Stream, resolved};
use super::support::{builder, connect, error_texts, place, system_counter, wait_for, wait_until};

const STREAM: i32 = 1001;
/// Bytes of the file system.
const SIZE: u64 = 24 << 20;

/// Runs a case of [`play`] in a process that has mounted a small file system.
fn on_a_small_file_system(case: &str) {
    let place = place();
    let own = std::env::current_exe().expect("the path of this executable");
    let mount = format!(
        "mount -t tmpfs -o size={SIZE} tmpfs {} && exec \"$@\"",
        place.path().display()
    );
    // First as whoever may mount, then as whoever may at least in a world of his own.
    for flags in ["-m", "-Urm"] {
        let wrapper = ["unshare", flags, "--", "sh", "-c", &mount, "sh"];
        let child = Child::start_through(&wrapper, &own, "role", "storage", place.path(), &[case]);
        if child.next_words().as_deref() == Some("mounted") {
            let status = child.ended();
            assert!(status.success(), "{case}: {status}");
            return;
        }
    }
    say(&format!(
        "{case}: not tested, since this machine does not let tests mount"
    ));
}

#[test]
fn a_driver_that_finds_no_room_for_its_files_says_so_and_leaves_nothing_behind() {
    on_a_small_file_system("files");
}

#[test]
fn sparse_logs_are_refused_before_they_could_take_more_than_there_is() {
    on_a_small_file_system("sparse logs");
}

#[test]
fn allocated_logs_are_refused_when_there_is_no_room() {
    on_a_small_file_system("allocated logs");
}

#[test]
fn an_image_without_room_is_made_once_there_is() {
    on_a_small_file_system("images");
}

/// The cases, in the child.
pub(crate) fn play(part: &Part) {
    let space = aileron::sys::usable_space(&part.directory).expect("a file system");
    assert!(space <= SIZE, "not the small file system");
    say("mounted");
    match part.arguments[0].as_str() {
        "files" => files_without_room(&part.directory),
        "sparse logs" => logs_without_room(&part.directory, true),
        "allocated logs" => logs_without_room(&part.directory, false),
        "images" => images_without_room(&part.directory),
        case => panic!("no such case: {case}"),
    }
}

/// Leaves `left` bytes usable below `parent`.
fn fill(parent: &Path, left: u64) {
    let space = aileron::sys::usable_space(parent).expect("a file system");
    let length = usize::try_from(space - left).expect("small");
    fs::write(parent.join("ballast"), vec![1; length]).expect("written");
}

fn launch_error(builder: DriverConfigBuilder) -> String {
    let config = builder.build().expect("valid settings");
    MediaDriver::launch(config)
        .expect_err("no room")
        .to_string()
}

fn files_without_room(parent: &Path) {
    let dir = parent.join("aeron");
    let default = builder(&dir).counters_buffer_length(8 << 20);
    let error = launch_error(default.clone());
    assert!(
        error.contains("cnc.dat") && error.contains("No space left"),
        "{error}"
    );
    assert!(!dir.exists());
    let report = builder(&dir).loss_report_buffer_length(20 << 20);
    let error = launch_error(report);
    assert!(
        error.contains("loss-report.dat") && error.contains("No space left"),
        "{error}"
    );
    assert!(!dir.exists());
    // Nothing half-made holds up the next driver.
    let start = Instant::now();
    super::support::launch(&dir).close();
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    fs::remove_dir_all(&dir).expect("removed");
    fill(parent, 0);
    let error = launch_error(builder(&dir));
    assert!(error.contains("No space left"), "{error}");
}

fn refusal(client: &Client, channel: &str) -> (ErrorCode, String) {
    match client.add_publication(channel, StreamId(99)) {
        Err(AddError::Registration(error)) => (error.code, error.message.clone()),
        other => panic!("no refusal: {other:?}"),
    }
}

/// Adds streams until there is no room, then lets each go through all of its log.
fn logs_without_room(parent: &Path, sparse: bool) {
    let dir = parent.join("aeron");
    let driver = super::support::launch(&dir);
    let client = connect(&dir);
    let channel = format!("aeron:ipc?term-length=1m|sparse={sparse}");
    let open = |stream| Stream::open(&client, &channel, stream);
    let log_length = (3 << 20) + 4096;
    let room = aileron::sys::usable_space(&dir).expect("a file system") / log_length;
    assert!(room >= 2, "room for {room} logs");
    let mut streams: Vec<_> = (1..)
        .take(usize::try_from(room).expect("few"))
        .map(open)
        .collect();
    let (code, text) = refusal(&client, &channel);
    assert_eq!(code, ErrorCode::StorageSpace);
    assert!(text.contains("bytes of storage"), "{text}");
    let texts = error_texts(driver.cnc());
    assert!(
        texts.iter().any(|text| text.contains("needs more storage")),
        "{texts:?}"
    );
    // 64 bytes a message: every page of every term is touched.
    for stream in &mut streams {
        stream.pass(3 * (1 << 20) / 64 + 1000);
    }
    assert!(!driver.has_failed());
    drop(streams.pop());
    wait_until("the room that a closed stream gives back", || {
        client.add_publication(&*channel, StreamId(99)).is_ok()
    });
}

fn images_without_room(parent: &Path) {
    const LOG_LENGTH: u64 = 3 * (256 << 10) + 4096;
    let dir = parent.join("aeron");
    let driver = super::support::launch(&dir);
    let client = connect(&dir);
    let mut other = Stream::open(&client, "aeron:udp?endpoint=127.0.0.1:0", 7);
    let subscription = client
        .add_subscription("aeron:udp?endpoint=127.0.0.1:0", StreamId(STREAM))
        .expect("a subscription");
    // What the logs of the other stream have yet to take counts as well.
    fill(parent, LOG_LENGTH + LOG_LENGTH / 2 + 2 * 3 * (64 << 10));
    let channel = format!("{}|term-length=256k", resolved(&subscription));
    let publication = client
        .add_publication(channel, StreamId(STREAM))
        .expect("room for one log");
    wait_for("an error about the image", || {
        let texts = error_texts(driver.cnc());
        texts
            .into_iter()
            .find(|text| text.contains("needs more storage"))
    });
    assert!(system_counter(driver.cnc(), SystemCounter::Errors) > 0);
    assert!(!publication.is_connected());
    other.pass(5000);
    fs::remove_file(parent.join("ballast")).expect("removed");
    wait_until("the image", || {
        publication.is_connected() && subscription.is_connected()
    });
    assert!(!driver.has_failed());
}
