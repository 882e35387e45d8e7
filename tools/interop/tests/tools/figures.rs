//! Every subcommand on the directory of a C driver, against what the C reader lists.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::driver::{CDriver, wait_until};

/// Counters by id, as the C implementation reads them: type, registration, value, label.
fn c_counters(driver: &CDriver) -> BTreeMap<i64, (i64, i64, i64, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aeron-peer"));
    let output = command
        .arg("counters")
        .arg("--dir")
        .arg(driver.path())
        .output();
    let output = output.expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let rows = text.lines().filter_map(|line| {
        let mut fields = line.strip_prefix("COUNTER ")?.splitn(7, '\t');
        let id = fields.next()?.parse().ok()?;
        let type_id = fields.next()?.parse().ok()?;
        let registration = fields.next()?.parse().ok()?;
        let value = fields.nth(2)?.parse().ok()?;
        Some((
            id,
            (type_id, registration, value, fields.next()?.to_owned()),
        ))
    });
    rows.collect()
}

#[test]
fn every_subcommand_reads_a_c_driver_with_the_figures_of_the_c_reader() {
    let driver = CDriver::launch(&[]);
    let (publication, _subscription) = driver.flow();
    let position = publication.position().expect("open").get();
    let json = |arguments: &[&str]| -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        serde_json::from_str(&driver.text(&all)).expect("JSON")
    };
    // Nothing moves any more, so positions have to be equal; heartbeats and traffic go on.
    wait_until("the last sample", || {
        json(&["streams"])["publications"][0]["pub_pos"] == position
    });
    let theirs = c_counters(&driver);
    let ours = json(&["counters"]);
    let ours = ours["counters"].as_array().expect("counters");
    assert!(theirs.len() > 55, "{theirs:?}");
    assert_eq!(ours.len(), theirs.len());
    for counter in ours {
        let (type_id, registration, value, label) = &theirs[&counter["id"].as_i64().expect("id")];
        assert_eq!(counter["type"], *type_id);
        assert_eq!(counter["registration_id"], *registration);
        assert_eq!(counter["label"], label.as_str());
        if (1..=12).contains(type_id) && *type_id != 11 {
            assert_eq!(counter["value"], *value, "{label}");
        }
    }
    let streams = json(&["streams"]);
    let (sent, image) = (&streams["publications"][0], &streams["images"][0]);
    for figure in [
        &sent["snd_pos"],
        &image["rcv_hwm"],
        &image["rcv_pos"],
        &image["subscribers"][0]["sub_pos"],
    ] {
        assert_eq!(*figure, position, "{streams}");
    }
    assert_eq!(sent["is_connected"], true);
    let backlog = json(&["backlog"]);
    assert_eq!(
        backlog["images"][0]["subscribers"][0]["backlog"], 0,
        "{backlog}"
    );
    assert_eq!(backlog["publications"][0]["to_send"], 0);
    let stat = driver.text(&["stat", "--once"]);
    assert!(
        stat.contains("rcv-pos") && stat.contains("Aeron software"),
        "{stat}"
    );
    assert!(driver.text(&["streams"]).contains("streamId=1001"));
    assert!(
        driver
            .text(&["backlog"])
            .contains("bytes before back-pressure")
    );
    assert!(driver.text(&["loss"]).contains("0 loss entries"));
    assert!(driver.text(&["errors"]).contains("0 distinct errors"));
    let id = publication.registration_id().get().to_string();
    let log = json(&["log", &id, "-n", "3"]);
    assert_eq!(log["position"], position);
    assert_eq!(log["terms"][0]["stretches"][2]["length"], 532);
    let all = json(&["drivers"]);
    let path = driver.path().to_str().expect("a path");
    let all = all["drivers"].as_array().expect("drivers");
    assert!(
        all.iter()
            .any(|found| found["dir"] == path && found["is_aileron"] == false)
    );
    // Those of Aeron's tools have no like of these.
    let top = json(&["top", "--looks", "1"]);
    let rows = top["streams"].as_array().expect("streams");
    assert!(rows.len() == 2 && rows.iter().all(|row| row["position"] == position));
    let screen = driver.text(&["top", "--once", "--looks", "1"]);
    assert!(screen.contains("2 streams"), "{screen}");
    let page = driver.text(&["metrics", "--once"]);
    assert!(
        page.contains("aileron_up 1") && page.ends_with("# EOF\n"),
        "{page}"
    );
    assert!(json(&["metrics"]).is_object());
    let events = driver.tool(&["events"]);
    let why = String::from_utf8_lossy(&events.stderr).into_owned();
    assert!(
        events.status.code() == Some(1) && why.contains("aeron.event.log"),
        "{why}"
    );
    let explained = json(&["explain"]);
    assert_eq!(explained["has_stall"], false, "{explained}");
    assert!(
        driver
            .text(&["explain"])
            .contains("keeps Aeron's counters alone")
    );
}

#[test]
fn a_c_driver_that_allows_it_is_terminated() {
    let driver = CDriver::launch(&["aeron.driver.termination.validator=allow"]);
    let text = driver.text(&["terminate"]);
    assert!(text.contains("has shut down"), "{text}");
}
