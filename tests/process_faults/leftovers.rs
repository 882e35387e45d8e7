//! What clients leave behind that are killed at any moment: nothing.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aileron::MediaDriver;
use aileron::base::Rng;
use aileron::cnc::SystemCounter;

use super::roles::start;
use super::support::stream::Stream;
use super::support::{aeron_dir, connect, launch, place, system_counter, wait_until};

const ROUNDS: usize = 3;
const ROLES: [&str; 4] = ["claimer", "publisher", "subscriber", "command-claimer"];
const LAST_CHILD: usize = 2 * ROLES.len() - 1;
/// Longest life of a child, from before it has connected until it is in full swing.
const LIFE_MAX_MS: u64 = 150;

/// Counters in use, by id and registration, and log files.
fn possessions(driver: &MediaDriver, dir: &Path) -> (Vec<(i32, i64)>, Vec<String>) {
    let mut counters = Vec::new();
    driver.cnc().counters().for_each(|record| {
        counters.push((record.id.get(), record.registration_id.get()));
    });
    let mut logs = Vec::new();
    for folder in ["publications", "images"] {
        let entries = fs::read_dir(dir.join(folder)).expect("a folder");
        logs.extend(entries.map(|entry| {
            let entry = entry.expect("an entry");
            format!("{folder}/{}", entry.file_name().to_string_lossy())
        }));
    }
    logs.sort();
    (counters, logs)
}

#[test]
fn clients_killed_at_any_moment_leave_nothing_behind() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let network = format!(
        "aeron:udp?endpoint=127.0.0.1:{}",
        super::support::free_port()
    );
    let mut streams = [
        Stream::open(&client, "aeron:ipc", 1),
        Stream::open(&client, &network, 1),
    ];
    let before = possessions(&driver, &dir);
    let mut rng = Rng::new(7);
    for _ in 0..ROUNDS {
        let children: Vec<_> = ROLES
            .iter()
            .flat_map(|role| [(role, "aeron:ipc"), (role, &*network)])
            .map(|(role, channel)| start(role, &dir, &[channel, "1002"]))
            .collect();
        for (number, child) in children.into_iter().enumerate() {
            if number == LAST_CHILD {
                // On a machine that has other work they may all be dead before they have begun.
                wait_until("a client of these to connect", || {
                    streams.iter_mut().for_each(Stream::step);
                    possessions(&driver, &dir) != before
                });
            }
            let life = Duration::from_millis(rng.below(LIFE_MAX_MS));
            let born = Instant::now();
            while born.elapsed() < life {
                streams.iter_mut().for_each(Stream::step);
            }
            child.kill();
        }
    }
    wait_until("the dead clients' counters and logs to go", || {
        streams.iter_mut().for_each(Stream::step);
        possessions(&driver, &dir) == before
    });
    assert!(system_counter(driver.cnc(), SystemCounter::ClientTimeouts) > 0);
    for stream in &mut streams {
        stream.pass(1000);
    }
    assert!(!client.is_closed());
    assert!(!driver.has_failed());
}
