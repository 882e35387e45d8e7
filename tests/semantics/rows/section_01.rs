//! Client and driver life.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aileron::MediaDriver;
use aileron::cnc::{SystemCounter, counter_types as types};

use super::streams::{exchange, messages, open};
use super::traffic::with;
use crate::peer::{Client, ClientOptions, CounterEvent, FaultKind, code};
use crate::support::child::{Child, Part, linger, say};
use crate::world::{
    IPC, ROLE, STREAM, THREADING_MODES, World, await_connection, config, start_role, udp, wait_for,
    wait_until,
};

/// Names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the tasks");
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        let name = std::fs::read_to_string(task.ok()?.path().join("comm")).ok()?;
        Some(name.trim_end().to_owned())
    };
    let mut names: Vec<_> = tasks.filter_map(name).collect();
    names.sort();
    names
}

/// In a process of its own: starts and closes everything, and looks at what is left.
pub(super) fn play_start_and_stop(part: &Part) {
    let before = threads();
    for mode in THREADING_MODES {
        let mut world = World::start(&[("aeron.threading.mode", mode)]);
        let dir = world.dir().to_owned();
        world.client().close();
        world.close_driver();
        let maps = std::fs::read_to_string("/proc/self/maps").expect("the mappings");
        assert!(!maps.contains(&dir.display().to_string()), "{mode}: {maps}");
        wait_until("the threads' end", || threads() == before);
    }
    say(&part.role);
}

#[test]
fn row_1_1_start_and_close_at_once_leaves_nothing() {
    let place = crate::support::place();
    let child = start_role("start and stop", place.path(), &[]);
    child.await_words("start and stop");
    assert!(child.dismiss().success());
}

#[test]
fn row_1_2_a_client_sees_another_come_and_go() {
    let world = World::start(&[]);
    let watcher = world.client();
    let comer = world.client();
    let id = comer.id();
    let events = || {
        let mut events = watcher.counter_events();
        events.retain(|event| event.registration_id == id);
        events
    };
    // The driver learns of a client by its first command.
    let counter = comer.add_counter(1001, b"key", "label").expect("added");
    let came = wait_for("the heartbeat", || events().first().copied());
    assert!(came.is_available);
    let views = watcher.counters();
    let heartbeat = views
        .iter()
        .find(|view| view.id == came.counter_id)
        .expect("a counter");
    assert_eq!(heartbeat.type_id, types::CLIENT_HEARTBEAT_TYPE_ID);
    assert_eq!(heartbeat.key_i64(0), id);
    drop(counter);
    comer.close();
    let gone = wait_for("the heartbeat's end", || events().get(1).copied());
    assert_eq!(
        gone,
        CounterEvent {
            is_available: false,
            ..came
        }
    );
}

#[test]
fn row_1_3_a_directory_without_a_file_is_no_obstacle() {
    let place = crate::support::place();
    std::fs::create_dir(crate::support::aeron_dir(&place)).expect("a directory");
    let world = World::start_in(place, &[]);
    let client = world.client();
    assert!(world.dir().join("cnc.dat").exists());
    let (publication, subscription) = open(&client, false, IPC);
    exchange(&publication, &subscription, &messages(3, 10), 1);
}

/// In a process that has mounted a file system of a few megabytes: logs that do not fit.
pub(super) fn play_small_storage(part: &Part) {
    const FILE_SYSTEM_MAX: u64 = 64 << 20;
    let space = aileron::sys::usable_space(&part.directory).expect("a file system");
    assert!(space < FILE_SYSTEM_MAX, "not the small file system");
    say("mounted");
    let with_checks = part.arguments[0] == "checks";
    let dir = part.directory.join("aeron");
    let checks = (
        "aeron.perform.storage.checks",
        if with_checks { "true" } else { "false" },
    );
    let driver = MediaDriver::launch(config(&dir, &[checks])).expect("a driver");
    let client = Client::connect(&dir);
    let logs = || std::fs::read_dir(dir.join("publications")).expect("a folder");
    let refused = client
        .add_publication("aeron:ipc?term-length=16m|sparse=false", STREAM)
        .err()
        .expect("refused");
    assert_eq!(refused.code, code::STORAGE_SPACE, "{refused:?}");
    assert_eq!(logs().count(), 0, "a log that was refused is left");
    if !with_checks {
        let publication = client
            .add_publication("aeron:ipc?term-length=1g|sparse=true", STREAM)
            .expect("added");
        let log = logs().next().expect("a log").expect("an entry");
        assert_eq!(log.metadata().expect("its length").len(), 3_221_229_568);
        publication.close();
    }
    client.close();
    driver.close();
}

/// Runs [`play_small_storage`]; returns whether this machine let a test mount.
fn on_small_storage(argument: &str) -> bool {
    let place = crate::support::place();
    let own = std::env::current_exe().expect("the path of this executable");
    let mount = format!(
        "mount -t tmpfs -o size=24m tmpfs {} && exec \"$@\"",
        place.path().display()
    );
    for flags in ["-m", "-Urm"] {
        let wrapper = ["unshare", flags, "--", "sh", "-c", &mount, "sh"];
        let (dir, role) = (place.path(), "small storage");
        let child = Child::start_through(&wrapper, &own, ROLE, role, dir, &[argument]);
        if child.next_words().as_deref() == Some("mounted") {
            assert!(child.ended().success(), "{argument}");
            return true;
        }
    }
    eprintln!("not tested, since this machine does not let tests mount");
    false
}

#[test]
fn row_1_4_a_sparse_log_may_be_larger_than_its_storage() {
    on_small_storage("no checks");
}

#[test]
fn row_1_5_an_allocated_log_may_not_be_larger_than_its_storage() {
    on_small_storage("checks");
}

#[test]
fn row_1_6_the_page_size_is_told() {
    for (text, length) in [("4k", 4 << 10), ("64k", 64 << 10), ("2m", 2 << 20)] {
        let world = World::start(&[("aeron.file.page.size", text)]);
        let client = world.client();
        assert_eq!(world.cnc().page_size(), length);
        let (publication, subscription) = open(&client, false, IPC);
        exchange(&publication, &subscription, &messages(3, 10), 1);
    }
}

#[test]
fn row_1_7_labels_tell_thresholds_and_the_mode() {
    for mode in THREADING_MODES {
        let world = World::start(&[
            ("aeron.threading.mode", mode),
            ("aeron.driver.conductor.cycle.threshold", "7200s"),
            ("aeron.driver.sender.cycle.threshold", "321us"),
            ("aeron.driver.receiver.cycle.threshold", "250ms"),
            ("aeron.name.resolver.threshold", "15s"),
        ]);
        let client = world.client();
        let label = |counter: SystemCounter| {
            let views = client.counters();
            let view = views.iter().find(|view| view.id == counter.id());
            view.expect("a system counter").label.clone()
        };
        for (counter, end) in [
            (SystemCounter::ConductorMaxCycleTime, format!(": {mode}")),
            (SystemCounter::SenderMaxCycleTime, format!(": {mode}")),
            (SystemCounter::ReceiverMaxCycleTime, format!(": {mode}")),
            (
                SystemCounter::ConductorCycleTimeThresholdExceeded,
                format!(": threshold=7200s {mode}"),
            ),
            (
                SystemCounter::SenderCycleTimeThresholdExceeded,
                format!(": threshold=321us {mode}"),
            ),
            (
                SystemCounter::ReceiverCycleTimeThresholdExceeded,
                format!(": threshold=250ms {mode}"),
            ),
            (
                SystemCounter::NameResolverTimeThresholdExceeded,
                ": threshold=15s".to_owned(),
            ),
        ] {
            assert!(
                label(counter).ends_with(&end),
                "{:?} and {end:?}",
                label(counter)
            );
        }
    }
}

/// In a process of its own: the names of the threads that a driver adds.
pub(super) fn play_thread_names(part: &Part) {
    for (naming, mode, expected) in [
        (
            "new",
            "DEDICATED",
            &["aeron-md-cnd", "aeron-md-rcv", "aeron-md-snd"][..],
        ),
        ("new", "SHARED_NETWORK", &["aeron-md-cnd", "aeron-md-net"]),
        ("new", "SHARED", &["aeron-md-shd"]),
        ("classic", "DEDICATED", &["conductor", "receiver", "sender"]),
        // The kernel keeps fifteen characters.
        (
            "classic",
            "SHARED_NETWORK",
            &["[sender, receiv", "conductor"],
        ),
        ("classic", "SHARED", &["[conductor, sen"]),
    ] {
        let before: BTreeSet<_> = threads().into_iter().collect();
        let world = World::start(&[
            ("aeron.threading.mode", mode),
            ("aeron.thread.naming", naming),
        ]);
        let names = || {
            let mut names = threads();
            names.retain(|name| !before.contains(name) && name != "aeron-md-nra");
            names
        };
        wait_until(&format!("{expected:?} of {mode}"), || names() == expected);
        drop(world);
    }
    say(&part.role);
}

#[test]
fn row_1_8_threads_have_their_names() {
    let place = crate::support::place();
    let child = start_role("thread names", place.path(), &[]);
    child.await_words("thread names");
    assert!(child.dismiss().success());
}

#[test]
fn row_1_9_system_counters_are_what_they_are_called() {
    let world = World::start(&[]);
    let client = world.client();
    let mut counters = client.counters();
    counters.retain(|it| it.type_id == types::SYSTEM_TYPE_ID);
    let ids: Vec<_> = counters.iter().map(|it| it.id).collect();
    let expected: Vec<_> = SystemCounter::ALL.iter().map(|it| it.id()).collect();
    assert_eq!(ids, expected);
    for counter in &counters {
        assert_eq!(counter.key_i32(0), counter.id, "{counter:?}");
        assert_eq!(
            counter.registration_id,
            i64::from(counter.id),
            "{counter:?}"
        );
        assert_eq!(counter.owner_id, -1, "{counter:?}");
    }
    for (counter, begin) in [
        (SystemCounter::BytesSent, "Bytes sent"),
        (SystemCounter::NaksReceived, "NAKs received"),
        (SystemCounter::Errors, "Errors: "),
        (SystemCounter::ClientTimeouts, "Client liveness timeouts"),
        (SystemCounter::AeronVersion, "Aeron software: version="),
        (SystemCounter::ImagesRejected, "Images rejected"),
    ] {
        let label = &counters[usize::try_from(counter.id()).expect("an index")].label;
        assert!(label.starts_with(begin), "{label}");
    }
}

#[test]
fn row_1_10_the_control_protocol_has_a_version() {
    let world = World::start(&[]);
    let client = world.client();
    let id = SystemCounter::ControlProtocolVersion.id();
    // 1.0.0.
    assert_eq!(client.counter_value(id), Some(1 << 16));
}

#[test]
fn row_1_11_correlation_ids_count_up_for_all() {
    let world = World::start(&[]);
    let ring = world.cnc().to_driver();
    let first = ring.next_correlation_id().get();
    assert_eq!(ring.next_correlation_id().get(), first + 1);
    let client = world.client();
    let by_client = client.next_correlation_id();
    assert!(by_client > first + 1);
    assert_eq!(ring.next_correlation_id().get(), by_client + 1);
}

#[test]
fn row_1_12_bytes_are_counted() {
    for transports in [1, 2, 5] {
        let world = World::start(&[]);
        let client = world.client();
        let mut total = 0;
        let mut ends = Vec::new();
        for _ in 0..transports {
            // In one term: of padding only the header is sent.
            let channel = udp();
            let subscription = client.add_subscription(&channel, STREAM).expect("added");
            let publication = client
                .add_publication(&with(&channel, "term-length=1m"), STREAM)
                .expect("added");
            await_connection(&publication, &subscription);
            exchange(&publication, &subscription, &messages(100, 1000), 10);
            total += publication.position();
            ends.push((publication, subscription));
        }
        for counter in [SystemCounter::BytesSent, SystemCounter::BytesReceived] {
            wait_until("the bytes", || world.system_counter(counter) >= total);
        }
    }
}

#[test]
fn row_1_15_a_driver_with_experiments_starts_and_stops() {
    let mut world = World::start(&[("aeron.enable.experimental.features", "true")]);
    let client = world.client();
    let (publication, subscription) = open(&client, false, IPC);
    exchange(&publication, &subscription, &messages(3, 10), 1);
    drop((publication, subscription, client));
    world.close_driver();
}

/// Waits until a client was told that its driver is gone, which it is after its resources closed.
fn await_news_of_the_end(client: &Client) {
    wait_until("the news of the driver's end", || {
        let faults = client.faults();
        faults.iter().any(|it| it.kind == FaultKind::DriverGone)
    });
}

/// A driver in a process of its own.
pub(super) fn play_driver(part: &Part) {
    let _driver = MediaDriver::launch(config(&part.directory, &[])).expect("a driver");
    say("ready");
    linger();
}

#[test]
fn row_1_16_the_driver_is_killed() {
    let place = crate::support::place();
    let dir = crate::support::aeron_dir(&place);
    let child = start_role("driver", &dir, &[]);
    child.await_words("ready");
    let client = Client::connect_with(
        &dir,
        &ClientOptions {
            driver_timeout: Some(Duration::from_secs(2)),
            ..ClientOptions::default()
        },
    );
    let (publication, subscription) = open(&client, false, IPC);
    child.kill();
    wait_until("the client's end", || {
        client.is_closed()
            || client
                .faults()
                .iter()
                .any(|it| it.kind == FaultKind::DriverGone)
    });
    wait_until("the publication's end", || publication.is_closed());
    assert_eq!(publication.offer(b"too late"), crate::peer::Offered::Closed);
    assert!(subscription.is_closed());
    await_news_of_the_end(&client);
    assert!(client.add_publication(IPC, STREAM).is_err());
}

#[test]
fn row_1_17_the_driver_is_closed() {
    let mut world = World::start(&[]);
    let client = world.client();
    let (publication, _subscription) = open(&client, false, IPC);
    let start = Instant::now();
    world.close_driver();
    wait_until("the publication's end", || publication.is_closed());
    // The driver timeout is thirty seconds.
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
    await_news_of_the_end(&client);
}

#[test]
fn row_1_18_a_client_that_stalls_loses_everything() {
    let world = World::start(&[("aeron.client.liveness.timeout", "2s")]);
    let stalled = world.client_with(&ClientOptions {
        invoked: true,
        ..ClientOptions::default()
    });
    let id = stalled.id();
    let wait = |pending: &mut dyn FnMut() -> bool| {
        wait_until("what was added", || {
            stalled.do_work();
            pending()
        });
    };
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    let mut pending = stalled
        .add_publication_async(&udp(), STREAM)
        .expect("asked");
    wait(&mut || {
        pending
            .poll()
            .expect("added")
            .map(|it| kept.push(Box::new(it)))
            .is_some()
    });
    let mut pending = stalled.add_subscription_async(IPC, STREAM).expect("asked");
    wait(&mut || {
        pending
            .poll()
            .expect("added")
            .map(|it| kept.push(Box::new(it)))
            .is_some()
    });

    let owned = || {
        let mut count = 0;
        world.cnc().counters().for_each(|record| {
            let is_used = record.state == aileron::concurrent::CounterState::Allocated;
            count += usize::from(is_used && record.owner_id == id);
        });
        count
    };
    assert!(owned() > 0);
    wait_until("the timeout", || {
        world.system_counter(SystemCounter::ClientTimeouts) == 1
    });
    wait_until("the end of what it had", || owned() == 0);
    wait_until("the stalled client's end", || {
        stalled.do_work();
        stalled.is_closed() || !stalled.faults().is_empty()
    });
    let faults = stalled.faults();
    let ends = [FaultKind::ServiceTimeout, FaultKind::ClientTimeout];
    assert!(
        faults.iter().any(|it| ends.contains(&it.kind)),
        "{faults:?}"
    );
}
