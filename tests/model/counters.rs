//! Counters that are freed and used again while somebody reads them.

use std::sync::Mutex;

use aileron::base::{CounterId, EpochMillis, RegistrationId};
use aileron::concurrent::{CounterSpec, CounterState, CountersManager, CountersReader};
use aileron::memory::AtomicBuffer;
use aileron::memory::model::Explorer;

use super::explore;

fn spec(number: u8) -> CounterSpec<'static> {
    CounterSpec {
        type_id: i32::from(number),
        key: if number == 1 { &[1; 8] } else { &[2; 8] },
        label: "l",
        registration_id: RegistrationId(i64::from(number)),
        ..CounterSpec::default()
    }
}

#[test]
fn a_record_that_shows_as_allocated_is_one_that_was() {
    let setup = || {
        let buffers = (AtomicBuffer::heap(1024), AtomicBuffer::heap(256));
        let mut manager = CountersManager::new(buffers.0, buffers.1, 0).expect("lengths");
        manager.allocate(&spec(1), EpochMillis(0)).expect("room");
        let reader = manager.reader();
        (Mutex::new(manager), reader)
    };
    let read = |(_, reader): &(Mutex<CountersManager>, CountersReader)| {
        let Some(record) = reader.record(CounterId(0)) else {
            return;
        };
        if record.state == CounterState::Allocated && record.key[0] != 0 {
            assert!(record.key[..8] == [1; 8] || record.key[..8] == [2; 8]);
        }
    };
    let explorer = Explorer {
        preemptions: 1,
        old_values: 1,
        runs_max: 4_000,
        ..Explorer::default()
    };
    explore(
        "counters, freed",
        &explorer,
        setup,
        &[
            &|(manager, _)| {
                let mut manager = manager.lock().expect("no panic");
                assert!(manager.free(CounterId(0), EpochMillis(0)));
            },
            &read,
        ],
        |_| {},
    );
}
