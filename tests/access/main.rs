//! What another user of the machine can and cannot do to a driver: with a process that gives up
//! root for a user of its own. Where the tests do not run as root they say so, and pass.
//!
//! What is shown here is what `docs/security.md` says.

#[path = "../support/mod.rs"]
mod support;

mod garbage;
mod stranger;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use aileron::{MediaDriver, StreamId};
use support::child::Child;
use support::stream::Stream;
use support::{aeron_dir, builder, connect, launch, place};

/// What the child processes run; does nothing in the process that tests.
#[test]
fn role() {
    if let Some(part) = support::child::part() {
        match part.role.as_str() {
            "stranger" => stranger::play(&part),
            "scribbler" => garbage::play(&part),
            role => panic!("no such role: {role}"),
        }
    }
}

/// Mode of a file or directory.
fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("it exists");
    metadata.permissions().mode() & 0o777
}

/// All below an aeron directory, and itself.
fn everything(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(path) = all.get(at) {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let found: Vec<_> = entries.map(|entry| entry.path()).collect();
        all.extend(found);
        at += 1;
    }
    all
}

fn private_driver(dir: &Path) -> MediaDriver {
    let builder = builder(dir).define("aileron.dir.private=true");
    MediaDriver::launch(builder.build().expect("valid settings")).expect("a driver")
}

/// What a stranger reports about a driver's directory; `None` where that cannot be tried.
fn report_of_a_stranger(dir: &Path, test: &str) -> Option<Vec<String>> {
    match stranger::start(dir) {
        Ok(child) => Some(words(&child)),
        Err(why) => {
            let line = format!("\nSKIPPED {test}: no process of another user: {why}\n");
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
            None
        }
    }
}

/// All that a child says until it is done.
fn words(child: &Child) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        match child.next_words() {
            Some(said) if said == "done" => return words,
            Some(said) => words.push(said),
            None => panic!("the stranger ended early: {words:?}"),
        }
    }
}

/// A directory that everybody may go through, as `/dev/shm` is.
fn open_place() -> tempfile::TempDir {
    let place = place();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777))
        .expect("permitted");
    place
}

#[test]
fn everything_that_a_private_driver_makes_is_its_own_users() {
    let place = open_place();
    let dir = aeron_dir(&place);
    let driver = private_driver(&dir);
    let client = connect(&dir);
    for channel in ["aeron:ipc", "aeron:udp?endpoint=127.0.0.1:0"] {
        Stream::open(&client, channel, 1001).pass(100);
    }
    let _publication = client
        .add_publication("aeron:ipc", StreamId(7))
        .expect("a publication");
    let all = everything(&dir);
    // The directory, its two folders, the CnC file, the loss report, and at least one log.
    assert!(all.len() >= 6, "{all:?}");
    for path in all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    driver.close();
}

#[test]
fn another_user_sees_nothing_of_a_private_driver() {
    let place = open_place();
    let dir = aeron_dir(&place);
    let _driver = private_driver(&dir);
    let client = connect(&dir);
    let mut stream = Stream::open(&client, "aeron:ipc", 1001);
    let Some(report) = report_of_a_stranger(&dir, "a private driver") else {
        return;
    };
    let expected = [
        "list directory: denied",
        "read cnc.dat: denied",
        "write cnc.dat: denied",
        "read log: denied",
        "write log: denied",
        "create in directory: denied",
        "delete cnc.dat: denied",
        "connect: refused",
    ];
    assert_eq!(report, expected);
    stream.pass(1000);
}

#[test]
fn another_user_may_look_at_a_driver_of_an_ordinary_umask_and_not_touch_it() {
    let place = open_place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    if mode(&dir) != 0o755 {
        let line = format!("\nSKIPPED: the umask leaves {:o}\n", mode(&dir));
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
        return;
    }
    let client = connect(&dir);
    let mut stream = Stream::open(&client, "aeron:ipc", 1001);
    let Some(report) = report_of_a_stranger(&dir, "a driver of an ordinary umask") else {
        return;
    };
    assert_eq!(
        report,
        [
            "list directory: permitted",
            "read cnc.dat: permitted",
            "write cnc.dat: denied",
            "read log: permitted",
            "write log: denied",
            "create in directory: denied",
            "delete cnc.dat: denied",
            "connect: refused",
        ]
    );
    stream.pass(1000);
    assert!(!driver.has_failed());
}

#[test]
fn a_directory_that_is_somebody_elses_is_not_taken() {
    let place = open_place();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o1777))
        .expect("permitted");
    let dir = aeron_dir(&place);
    // What is at the driver's place is a link to where somebody would like it to delete.
    let victim = place.path().join("victim");
    std::fs::create_dir(&victim).expect("a directory");
    std::fs::write(victim.join("precious"), "data").expect("written");
    std::os::unix::fs::symlink(&victim, &dir).expect("linked");
    let launched = MediaDriver::launch(builder(&dir).build().expect("valid settings"));
    // A link of its own user is replaced, and never followed.
    assert!(dir.symlink_metadata().expect("there").is_dir());
    drop(launched.expect("a driver"));
    assert!(victim.join("precious").exists());
}
