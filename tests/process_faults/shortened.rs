//! Files that somebody shortens while they are mapped. There is no error to report then: whoever
//! touches what is gone is ended by the operating system, at once and by a signal that says so
//! (`docs/memory-invariants.md`, MEM-3). Nobody else suffers, and a new driver can start.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use libc::SIGBUS;

use super::roles::start;
use super::support::stream::Stream;
use super::support::{aeron_dir, builder, connect, context, place, wait_for};

const STREAM: i32 = 1001;
const IPC: &str = "aeron:ipc";

/// Cuts a file to nothing.
fn shorten(path: &PathBuf) {
    let file = File::options().write(true).open(path).expect("a file");
    file.set_len(0).expect("shortened");
}

#[test]
fn whoever_uses_a_log_that_is_shortened_is_ended() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = start("driver", &dir, &[]);
    driver.await_words("ready");
    let (sender, errors) = std::sync::mpsc::channel();
    let bystander = context(&dir)
        .driver_timeout(std::time::Duration::from_secs(2))
        .on_error(move |error| {
            let _ = sender.send(error.to_string());
        })
        .connect()
        .expect("a client");
    let subscriber = start("subscriber", &dir, &[IPC, "1001"]);
    subscriber.await_words("subscribed");
    let publisher = start("publisher", &dir, &[IPC, "1001"]);
    subscriber.await_words("receiving");

    let logs = fs::read_dir(dir.join("publications")).expect("a folder");
    for log in logs {
        shorten(&log.expect("a log").path());
    }
    for victim in [publisher, subscriber, driver] {
        assert_eq!(victim.ended().signal(), Some(SIGBUS));
    }

    let error = errors
        .recv_timeout(super::support::WATCHDOG)
        .expect("an error");
    assert!(error.contains("driver"), "{error}");
    drop(bystander);
    let _driver = wait_for("a new driver", || {
        let config = builder(&dir).build().expect("valid settings");
        aileron::MediaDriver::launch(config).ok()
    });
    Stream::open(&connect(&dir), IPC, STREAM).pass(100);
}

#[test]
fn whoever_uses_a_cnc_file_that_is_shortened_is_ended() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = start("driver", &dir, &[]);
    driver.await_words("ready");
    let subscriber = start("subscriber", &dir, &[IPC, "1001"]);
    subscriber.await_words("subscribed");
    shorten(&dir.join("cnc.dat"));
    for victim in [subscriber, driver] {
        assert_eq!(victim.ended().signal(), Some(SIGBUS));
    }
}
