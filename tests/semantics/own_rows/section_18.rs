//! Counters read from within their handlers.

use std::sync::{Arc, Mutex};

use aileron::base::CounterId;
use aileron::concurrent::{AtomicCounter, CounterState, CountersReader};

use crate::support::context;
use crate::world::{World, wait_for, wait_until};

const TYPE: i32 = 2021;

/// What a handler keeps of a counter that came.
type Kept = Option<(CountersReader, CounterId, AtomicCounter)>;

#[test]
fn row_18_2_a_counter_is_read_from_within_its_handler() {
    let world = World::start(&[]);
    let owner = world.client();
    let kept = Arc::new(Mutex::new(Kept::None));
    let (keep, gone) = (Arc::clone(&kept), Arc::new(Mutex::new(false)));
    let (goes, known) = (Arc::clone(&gone), Arc::clone(&kept));
    let reader = context(world.dir())
        .configure(|config| {
            config
                .on_available_counter(move |event| {
                    let (counters, id) = (event.counters, event.counter_id);
                    if counters.type_id(id) == Some(TYPE) {
                        assert_eq!(counters.label(id).as_deref(), Some("plums"));
                        assert_eq!(counters.registration_id(id), Some(event.registration_id));
                        let counter = counters.counter(id).expect("a counter");
                        *keep.lock().expect("no panic") = Some((counters.clone(), id, counter));
                    }
                })
                .on_unavailable_counter(move |event| {
                    let came = known.lock().expect("no panic");
                    if came
                        .as_ref()
                        .is_some_and(|(_, id, _)| *id == event.counter_id)
                    {
                        *goes.lock().expect("no panic") = true;
                    }
                })
        })
        .connect()
        .expect("a client");
    let counter = owner.add_counter(TYPE, &[1], "plums").expect("added");
    let (counters, id, mirror) = wait_for("the handler", || kept.lock().expect("no panic").clone());
    assert_eq!(id.get(), counter.id());
    for value in [1, -5, i64::MAX] {
        counter.set(value);
        assert_eq!(mirror.get(), value);
    }
    assert_eq!(counters.state(id), CounterState::Allocated);
    counter.close();
    wait_until("the handler", || *gone.lock().expect("no panic"));
    wait_until("it to be closed", || {
        counters.state(id) == CounterState::Reclaimed
    });
    drop(reader);
}
