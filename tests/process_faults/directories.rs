//! Aeron directories that vanish, or hold what a dead driver left.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use aileron::cnc::SystemCounter;
use aileron::{MediaDriver, StreamId};

use super::support::stream::{Flow, Stream};
use super::support::{
    QUICK_DRIVER_TIMEOUT, aeron_dir, builder, connect, context, error_texts, launch, place,
    system_counter,
};

const STREAM: i32 = 1001;
const NETWORK: &str = "aeron:udp?endpoint=127.0.0.1:0";

#[test]
fn what_is_mapped_goes_on_when_the_directory_is_removed_and_the_rest_is_refused() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let flows =
        ["aeron:ipc", NETWORK].map(|channel| Flow::start(Stream::open(&client, channel, STREAM)));
    fs::remove_dir_all(&dir).expect("removed");

    for channel in ["aeron:ipc", "aeron:udp?endpoint=127.0.0.1:40999"] {
        let error = client
            .add_publication(channel, StreamId(9))
            .expect_err("no place for a log");
        assert!(
            error.to_string().contains("cannot access log file"),
            "{error}"
        );
        assert!(error.to_string().contains("No such file"), "{error}");
    }
    assert!(system_counter(driver.cnc(), SystemCounter::Errors) >= 2);
    let texts = error_texts(driver.cnc());
    assert!(
        texts.iter().any(|text| text.contains("No such file")),
        "{texts:?}"
    );
    let late = context(&dir)
        .driver_timeout(Duration::from_millis(100))
        .connect();
    let late = late.expect_err("nothing to connect to").to_string();
    assert!(late.contains("CnC file not created"), "{late}");

    for flow in flows {
        flow.stop().pass(1000);
    }
    assert!(!driver.has_failed());
    driver.close();
    assert!(!dir.exists());
}

#[test]
fn a_driver_that_lost_its_directory_spares_that_of_its_successor() {
    let place = place();
    let dir = aeron_dir(&place);
    let config = builder(&dir)
        .dir_delete_on_shutdown(true)
        .build()
        .expect("valid settings");
    let first = MediaDriver::launch(config.clone()).expect("a driver");
    fs::remove_dir_all(&dir).expect("removed");
    let second = MediaDriver::launch(config).expect("a driver in its place");
    first.close();
    let client = connect(&dir);
    Stream::open(&client, "aeron:ipc", STREAM).pass(100);
    drop(client);
    second.close();
    assert!(!dir.exists());
}

/// Leaves the directory of a driver that died before its CnC file was ready.
fn leave_unready(dir: &Path, length: u64, modified: SystemTime) {
    fs::create_dir_all(dir).expect("a directory");
    let file = File::create(dir.join("cnc.dat")).expect("a file");
    file.set_len(length).expect("its length");
    file.set_modified(modified).expect("its time");
}

#[test]
fn a_driver_that_died_while_starting_does_not_strand_its_directory() {
    for length in [0, 100, 128, 12_000_000] {
        let place = place();
        let dir = aeron_dir(&place);
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        leave_unready(&dir, length, long_ago);
        let start = Instant::now();
        launch(&dir).close();
        assert!(
            start.elapsed() < QUICK_DRIVER_TIMEOUT,
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_file_that_may_still_become_ready_is_waited_for() {
    let place = place();
    let dir = aeron_dir(&place);
    leave_unready(&dir, 4096, SystemTime::now());
    let start = Instant::now();
    launch(&dir).close();
    assert!(
        start.elapsed() >= QUICK_DRIVER_TIMEOUT / 2,
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_file_of_another_major_version_is_refused_unless_it_may_be_deleted() {
    let place = place();
    let dir = aeron_dir(&place);
    fs::create_dir_all(&dir).expect("a directory");
    let mut bytes = vec![0; 4096];
    bytes[..4].copy_from_slice(&(7_i32 << 16).to_le_bytes());
    fs::write(dir.join("cnc.dat"), bytes).expect("written");
    let config = builder(&dir).build().expect("valid settings");
    let error = MediaDriver::launch(config)
        .expect_err("incompatible")
        .to_string();
    assert!(error.contains("7.0.0"), "{error}");
    assert!(error.contains("aeron.dir.delete.on.start"), "{error}");
    assert!(dir.join("cnc.dat").exists());
    let config = builder(&dir)
        .dir_delete_on_start(true)
        .build()
        .expect("valid settings");
    MediaDriver::launch(config).expect("a driver").close();
}
