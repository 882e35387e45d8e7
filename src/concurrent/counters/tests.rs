//! Tests of the counters: single behaviours, a model, garbage, and threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use super::*;
use crate::base::{CounterId, EpochMillis, RegistrationId, Rng};

const COUNT: usize = 8;
const REUSE_TIMEOUT_MS: i64 = 1000;

fn buffers(count: usize) -> (AtomicBuffer, AtomicBuffer) {
    let metadata = AtomicBuffer::heap(count * COUNTER_METADATA_LENGTH);
    (metadata, AtomicBuffer::heap(count * COUNTER_VALUE_LENGTH))
}

fn manager(count: usize) -> CountersManager {
    let (metadata, values) = buffers(count);
    CountersManager::new(metadata, values, REUSE_TIMEOUT_MS).expect("room for counters")
}

fn spec(label: &str) -> CounterSpec<'_> {
    CounterSpec {
        type_id: 7,
        label,
        ..CounterSpec::default()
    }
}

#[test]
fn a_counter_lies_where_peers_expect_it() {
    let (metadata, values) = buffers(COUNT);
    let mut manager =
        CountersManager::new(metadata.clone(), values.clone(), 0).expect("room for counters");
    manager
        .allocate(&spec("first"), EpochMillis(0))
        .expect("room");
    let spec = CounterSpec {
        type_id: 1001,
        key: &[1, 2, 3],
        label: "label",
        registration_id: RegistrationId(11),
        owner_id: 12,
        reference_id: 13,
        initial_value: 14,
    };
    let counter = manager.allocate(&spec, EpochMillis(0)).expect("room");
    assert_eq!(counter.id(), CounterId(1));
    let integers = [0, 8, 16, 24, 32].map(|at| values.load_i64_relaxed(128 + at));
    assert_eq!(integers, [14, 11, 12, 13, 0]);
    assert_eq!(metadata.load_i32_relaxed(512), 1, "state");
    assert_eq!(metadata.load_i32_relaxed(512 + 4), 1001, "type");
    assert_eq!(metadata.load_i64_relaxed(512 + 8), i64::MAX, "deadline");
    let mut key = [0; 4];
    metadata.read_bytes(512 + 16, &mut key);
    assert_eq!(key, [1, 2, 3, 0]);
    assert_eq!(metadata.load_i32_relaxed(512 + 128), 5, "label length");
    let mut label = [0; 6];
    metadata.read_bytes(512 + 132, &mut label);
    assert_eq!(&label, b"label\0");
}

#[test]
fn a_record_tells_all_that_was_asked_for() {
    let mut manager = manager(COUNT);
    let spec = CounterSpec {
        type_id: 3,
        key: &[9; KEY_LENGTH_MAX],
        label: "a label",
        registration_id: RegistrationId(-4),
        owner_id: STATIC_OWNER_ID,
        reference_id: 5,
        initial_value: i64::MIN,
    };
    let id = manager.allocate(&spec, EpochMillis(0)).expect("room").id();
    let reader = manager.reader();
    let record = reader.record(id).expect("allocated");
    assert_eq!(
        record,
        CounterRecord {
            id,
            type_id: 3,
            value: i64::MIN,
            registration_id: RegistrationId(-4),
            owner_id: -1,
            reference_id: 5,
            key: [9; KEY_LENGTH_MAX],
            label: "a label".to_owned(),
            state: CounterState::Allocated,
        }
    );
    assert_eq!(reader.type_id(id), Some(record.type_id));
    assert_eq!(reader.value(id), Some(record.value));
    assert_eq!(reader.registration_id(id), Some(record.registration_id));
    assert_eq!(reader.owner_id(id), Some(record.owner_id));
    assert_eq!(reader.key(id), Some(record.key));
    assert_eq!(reader.label(id), Some(record.label));
}

#[test]
fn ids_out_of_range_are_no_counters() {
    let mut manager = manager(COUNT);
    let reader = manager.reader();
    assert_eq!(reader.max_id(), CounterId(7));
    for id in [-1, 8, i32::MIN, i32::MAX].map(CounterId) {
        assert_eq!(reader.state(id), CounterState::Unused);
        assert!(reader.record(id).is_none() && reader.counter(id).is_none());
        assert!(reader.value(id).is_none() && reader.label(id).is_none());
        assert!(!reader.append_label(id, "x"));
        assert!(!manager.free(id, EpochMillis(0)));
        manager.update_label(id, "x");
        manager.append_label(id, "x");
        manager.set_key(id, &[1]);
    }
    assert!(
        !manager.free(CounterId(3), EpochMillis(0)),
        "never allocated"
    );
}

#[test]
fn handles_write_and_read_one_value() {
    let mut manager = manager(COUNT);
    let counter = manager.allocate(&spec("c"), EpochMillis(0)).expect("room");
    let other = manager.reader().counter(counter.id()).expect("allocated");
    counter.set(5);
    assert_eq!((other.get(), other.get_relaxed()), (5, 5));
    assert_eq!(other.add(-7), 5);
    other.increment_single_writer();
    other.add_single_writer(10);
    assert_eq!(counter.get(), 9);
    assert!(counter.propose_max(10) && !counter.propose_max(10) && !counter.propose_max(-1));
    assert_eq!(manager.reader().value(counter.id()), Some(10));
    counter.set(i64::MAX);
    counter.increment_single_writer();
    assert_eq!(counter.get(), i64::MIN, "wraps");
    assert_eq!(AtomicCounter::detached(3).id(), CounterId::NONE);
}

#[test]
fn ids_are_given_out_until_there_are_no_more() {
    let mut manager = manager(COUNT);
    for id in 0..8 {
        let counter = manager.allocate(&spec("c"), EpochMillis(0)).expect("room");
        assert_eq!(counter.id(), CounterId(id));
    }
    let full = manager
        .allocate(&spec("c"), EpochMillis(0))
        .expect_err("full");
    assert_eq!(
        full.to_string(),
        "unable to allocate counter, buffer is full: maxCounterId=7"
    );
    assert!(manager.free(CounterId(4), EpochMillis(0)));
    assert!(
        manager
            .allocate(&spec("c"), EpochMillis(REUSE_TIMEOUT_MS - 1))
            .is_err()
    );
    let again = manager
        .allocate(&spec("c"), EpochMillis(REUSE_TIMEOUT_MS))
        .expect("reuse");
    assert_eq!(again.id(), CounterId(4));
}

#[test]
fn freeing_wipes_the_key_and_leaves_the_rest() {
    let (metadata, values) = buffers(COUNT);
    let mut manager =
        CountersManager::new(metadata.clone(), values, REUSE_TIMEOUT_MS).expect("room");
    let spec = CounterSpec {
        key: &[5; 112],
        registration_id: RegistrationId(3),
        ..spec("kept")
    };
    let counter = manager.allocate(&spec, EpochMillis(0)).expect("room");
    counter.set(8);
    assert!(manager.free(counter.id(), EpochMillis(50)));
    assert!(!manager.free(counter.id(), EpochMillis(50)), "only once");
    let record = manager
        .reader()
        .record(counter.id())
        .expect("still visible");
    assert_eq!(record.state, CounterState::Reclaimed);
    assert_eq!(record.key, [0; 112]);
    assert_eq!((record.label.as_str(), record.value), ("kept", 8));
    assert_eq!(record.registration_id, RegistrationId(3));
    assert_eq!(metadata.load_i32_relaxed(0), -1);
    assert_eq!(metadata.load_i64_relaxed(8), 50 + REUSE_TIMEOUT_MS);
    let reader = manager.reader();
    assert!(reader.counter(counter.id()).is_none() && reader.value(counter.id()).is_none());
}

#[test]
fn the_first_freed_id_that_is_due_is_reused_before_a_new_one() {
    let mut manager = manager(COUNT);
    for _ in 0..4 {
        manager.allocate(&spec("c"), EpochMillis(0)).expect("room");
    }
    manager.free(CounterId(2), EpochMillis(500));
    manager.free(CounterId(1), EpochMillis(100));
    let mut allocate = |now| {
        let spec = CounterSpec {
            key: &[1],
            ..spec("again")
        };
        manager
            .allocate(&spec, EpochMillis(now))
            .expect("room")
            .id()
            .get()
    };
    assert_eq!(allocate(1000), 4, "nothing is due");
    assert_eq!(allocate(1100), 1, "the second in the list is due");
    assert_eq!(allocate(9000), 2);
    assert_eq!(allocate(9000), 5);
}

#[test]
fn a_reused_record_shows_nothing_of_its_past() {
    let mut manager = manager(1);
    let first = CounterSpec {
        type_id: 1,
        key: &[1; 112],
        label: "a long label of the first",
        registration_id: RegistrationId(1),
        owner_id: 1,
        reference_id: 1,
        initial_value: 1,
    };
    let id = manager.allocate(&first, EpochMillis(0)).expect("room").id();
    manager.free(id, EpochMillis(0));
    manager
        .allocate(&spec("short"), EpochMillis(REUSE_TIMEOUT_MS))
        .expect("due");
    let record = manager.reader().record(id).expect("allocated");
    assert_eq!(
        (record.type_id, record.label.as_str(), record.key),
        (7, "short", [0; 112])
    );
    assert_eq!(
        (
            record.registration_id.get(),
            record.owner_id,
            record.reference_id
        ),
        (0, 0, 0)
    );
    assert_eq!(record.value, 0);
}

#[test]
fn keys_and_labels_are_cut_off_where_they_do_not_fit() {
    let mut manager = manager(COUNT);
    let long = "x".repeat(379) + "é and more";
    let spec = CounterSpec {
        key: &[7; 200],
        label: &long,
        ..CounterSpec::default()
    };
    let id = manager.allocate(&spec, EpochMillis(0)).expect("room").id();
    let reader = manager.reader();
    assert_eq!(reader.key(id), Some([7; 112]));
    assert_eq!(
        reader.label(id),
        Some("x".repeat(379)),
        "no half characters"
    );
    assert!(reader.append_label(id, "yz"));
    assert_eq!(reader.label(id), Some("x".repeat(379) + "y"));
    assert!(reader.append_label(id, "z"));
    manager.set_key(id, &[8]);
    assert_eq!(reader.key(id).map(|key| (key[0], key[1])), Some((8, 0)));
}

#[test]
fn labels_change_and_grow() {
    let mut manager = manager(COUNT);
    let id = manager
        .allocate(&spec("first"), EpochMillis(0))
        .expect("room")
        .id();
    manager.append_label(id, " and");
    assert!(manager.reader().append_label(id, " more"));
    assert_eq!(
        manager.reader().label(id).as_deref(),
        Some("first and more")
    );
    manager.update_label(id, "new");
    assert_eq!(manager.reader().label(id).as_deref(), Some("new"));
}

#[test]
fn looking_for_counters_passes_freed_ones_and_stops_at_unused_ones() {
    let (metadata, values) = buffers(COUNT);
    let mut manager = CountersManager::new(metadata.clone(), values, 0).expect("room");
    for registration in 0..5 {
        let spec = CounterSpec {
            type_id: registration % 2,
            key: &registration.to_le_bytes(),
            registration_id: RegistrationId(i64::from(registration / 2)),
            ..spec("c")
        };
        manager.allocate(&spec, EpochMillis(0)).expect("room");
    }
    let reader = manager.reader();
    let find = |type_id, registration| {
        reader.find_by_type_and_registration(type_id, RegistrationId(registration))
    };
    assert_eq!(find(1, 1), Some(CounterId(3)));
    assert_eq!(find(1, 2), None);
    assert_eq!(
        reader.find_by_type_and_key(0, &4i32.to_le_bytes()),
        Some(CounterId(4))
    );
    assert_eq!(reader.find_by_type_and_key(1, &4i32.to_le_bytes()), None);
    manager.free(CounterId(3), EpochMillis(0));
    assert_eq!(find(1, 1), None);
    let mut ids = Vec::new();
    reader.for_each(|record| ids.push(record.id.get()));
    assert_eq!(ids, [0, 1, 2, 4]);
    metadata.store_i32_relaxed(7 * 512, 1);
    assert_eq!(reader.state(CounterId(7)), CounterState::Allocated);
    assert_eq!(find(0, 0), Some(CounterId(0)));
    let mut count = 0;
    reader.for_each(|_| count += 1);
    assert_eq!(count, 4, "behind an unused record there is nothing");
}

#[test]
fn there_must_be_room_for_one() {
    assert!(CountersReader::new(AtomicBuffer::heap(511), AtomicBuffer::heap(128)).is_err());
    assert!(CountersManager::new(AtomicBuffer::heap(512), AtomicBuffer::heap(127), 0).is_err());
    let reader =
        CountersReader::new(AtomicBuffer::heap(2048), AtomicBuffer::heap(300)).expect("room");
    assert_eq!(
        reader.max_id(),
        CounterId(1),
        "as many as both have room for"
    );
}

#[test]
fn the_manager_behaves_as_a_map() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let mut manager = manager(COUNT);
        let mut model: BTreeMap<i32, (i64, String)> = BTreeMap::new();
        let mut freed_at: BTreeMap<i32, i64> = BTreeMap::new();
        let mut now = 0;
        for step in 0..300 {
            now += i64::try_from(rng.below(400)).expect("small");
            let id = i32::try_from(rng.below(COUNT as u64)).expect("small");
            match rng.below(4) {
                0 | 1 => {
                    let label = format!("label {step}");
                    let spec = CounterSpec {
                        registration_id: RegistrationId(step),
                        ..spec(&label)
                    };
                    match manager.allocate(&spec, EpochMillis(now)) {
                        Ok(counter) => {
                            let id = counter.id().get();
                            let reusable = freed_at.remove(&id).is_none_or(|at| now - at >= 1000);
                            assert!(reusable, "seed {seed} step {step}");
                            assert!(model.insert(id, (step, label)).is_none());
                        }
                        Err(_) => {
                            assert_eq!(model.len() + freed_at.len(), COUNT);
                            assert!(freed_at.values().all(|at| now - at < 1000));
                        }
                    }
                }
                2 => {
                    let was_there = model.remove(&id).is_some();
                    assert_eq!(manager.free(CounterId(id), EpochMillis(now)), was_there);
                    if was_there {
                        freed_at.insert(id, now);
                    }
                }
                _ => {
                    if let Some((_, label)) = model.get_mut(&id) {
                        label.push('+');
                        manager.append_label(CounterId(id), "+");
                    }
                }
            }
            let mut seen = BTreeMap::new();
            manager.reader().for_each(|record| {
                seen.insert(
                    record.id.get(),
                    (record.registration_id.get(), record.label.clone()),
                );
            });
            assert_eq!(seen, model, "seed {seed} step {step}");
        }
    }
}

#[test]
fn garbage_is_read_without_panic_and_does_not_reach_the_manager() {
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let (metadata, values) = buffers(COUNT);
        let mut manager = CountersManager::new(metadata.clone(), values.clone(), 0).expect("room");
        manager
            .allocate(&spec("mine"), EpochMillis(0))
            .expect("room");
        for at in (0..metadata.len()).step_by(4) {
            let word = if rng.chance(1, 2) { 1 } else { rng.next_i32() };
            metadata.store_i32_relaxed(at, word);
        }
        for at in (0..values.len()).step_by(8) {
            values.store_i64_relaxed(at, rng.next_u64().cast_signed());
        }
        for record in 0..COUNT {
            let lengths = [-1, i32::MIN, 380, 381, i32::MAX, rng.next_i32()];
            let length = lengths[usize::try_from(rng.below(6)).expect("small")];
            metadata.store_i32_relaxed(record * COUNTER_METADATA_LENGTH + 128, length);
        }
        let reader = manager.reader();
        let mut count = 0;
        reader.for_each(|record| {
            assert!(record.label.chars().count() <= LABEL_LENGTH_MAX);
            count += 1;
        });
        assert!(count <= COUNT);
        let _ = reader.find_by_type_and_registration(1, RegistrationId(1));
        let _ = reader.find_by_type_and_key(1, &[1]);
        for id in 0..8 {
            let _ = reader.append_label(CounterId(id), "label");
        }
        assert!(
            manager.free(CounterId(0), EpochMillis(0)),
            "remembered, whatever the file says"
        );
        assert_eq!(
            manager
                .allocate(&spec("c"), EpochMillis(0))
                .expect("room")
                .id(),
            CounterId(0)
        );
        assert_eq!(
            manager
                .allocate(&spec("c"), EpochMillis(0))
                .expect("room")
                .id(),
            CounterId(1)
        );
    }
}

#[test]
fn readers_see_whole_counters_while_others_come_and_go() {
    const MANY: usize = 512;
    let mut manager = manager(MANY);
    let reader = manager.reader();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    reader.for_each(|record| {
                        let number = record.registration_id.get();
                        let byte = number.to_le_bytes()[0] | 1;
                        assert_eq!(record.key, [byte; 112], "counter {number}");
                        assert_eq!(record.label, format!("label {number}"));
                        assert_eq!(record.value, number);
                    });
                }
            });
        }
        for number in 0..i64::try_from(MANY).expect("small") {
            let spec = CounterSpec {
                type_id: 1,
                key: &[number.to_le_bytes()[0] | 1; 112],
                label: &format!("label {number}"),
                registration_id: RegistrationId(number),
                initial_value: number,
                ..CounterSpec::default()
            };
            // Never due again: each id is used once, as within the reuse timeout in production.
            let id = manager.allocate(&spec, EpochMillis(0)).expect("room").id();
            if number % 2 == 0 {
                assert!(manager.free(id, EpochMillis(0)));
            }
        }
        is_done.store(true, Ordering::Release);
    });
}

#[test]
fn a_record_that_says_allocated_still_had_its_key() {
    const MANY: usize = 4096;
    const LAST: i32 = 4095;
    let mut manager = manager(MANY);
    let reader = manager.reader();
    let newest = AtomicI32::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let id = newest.load(Ordering::Relaxed);
                    if let Some(record) = reader.record(CounterId(id))
                        && record.state == CounterState::Allocated
                    {
                        assert_eq!(record.key, [7; 112], "counter {id}");
                    }
                    if id == LAST {
                        break;
                    }
                }
            });
        }
        for id in 0..=LAST {
            newest.store(id, Ordering::Relaxed);
            let spec = CounterSpec {
                key: &[7; 112],
                ..spec("short-lived")
            };
            let counter = manager.allocate(&spec, EpochMillis(0)).expect("room");
            assert!(manager.free(counter.id(), EpochMillis(0)));
        }
    });
}

#[test]
fn many_writers_add_without_loss() {
    let counter = AtomicCounter::detached(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    counter.add(1);
                }
            });
        }
    });
    assert_eq!(counter.get(), 40_000);
}
