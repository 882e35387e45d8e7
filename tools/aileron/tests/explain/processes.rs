//! A driver in a process of its own is stopped, and killed.

use std::time::Duration;

use aileron::{DriverConfig, MediaDriver};
use aileron_cli::Directory;
use aileron_cli::explain::{Cause, Since};

use crate::patience::{PATIENCE, expect, explain, lasts_from, wait_until};
use crate::support::child::{Child, Part, linger, part, say};
use crate::support::{aeron_dir, place};

/// What the child process runs; does nothing in the process that tests.
#[test]
fn role() {
    if let Some(part) = part() {
        drive(&part);
    }
}

fn drive(part: &Part) {
    let config = DriverConfig::builder().dir(&part.directory);
    let driver = MediaDriver::launch(config.build().expect("legal")).expect("a driver");
    say("ready");
    linger();
    driver.close();
}

#[test]
fn a_driver_that_is_stopped_and_one_that_died() {
    let place = place();
    let child = Child::start("processes::role", "driver", &aeron_dir(&place), &[]);
    child.await_words("ready");
    let directory = Directory::open(&aeron_dir(&place), PATIENCE).expect("its files");
    let party = format!("the driver with pid {}", child.id());
    wait_until("a driver that runs", || !explain(&directory).has_stall());
    child.signal("-STOP");
    // Its heart beats once a second.
    let silent = lasts_from(Duration::from_millis(1_500));
    let finding = expect(&directory, Cause::DriverStopped, &party, silent);
    assert!(finding.is_stall && matches!(finding.since, Since::At(_)));
    let advice = format!("kill -CONT {}", child.id());
    assert!(finding.advice.contains(&advice), "{}", finding.advice);
    child.signal("-CONT");
    wait_until("a driver that runs", || !explain(&directory).has_stall());
    child.kill();
    let silent = lasts_from(Duration::from_millis(2_500));
    let finding = expect(&directory, Cause::DriverGone, &party, silent);
    assert!(finding.is_stall && matches!(finding.since, Since::At(_)));
    assert!(finding.what.contains("died"), "{}", finding.what);
}
