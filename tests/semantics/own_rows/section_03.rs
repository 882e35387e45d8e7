//! Asynchronous commands, as only aileron's client tells of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aileron::base::CorrelationId;
use aileron::cnc::counter_types as types;
use aileron::{Context, StreamId};

use crate::world::{IPC, STREAM, World, wait_for, wait_until};

#[test]
fn row_3_1_a_command_is_active_until_its_answer() {
    let world = World::start(&[]);
    let (client, mut conductor) = Context::new()
        .dir(world.dir())
        .connect_invoked()
        .expect("a client");
    let mut concurrent = client
        .add_publication_async(IPC, StreamId(STREAM))
        .expect("asked");
    let mut exclusive = client
        .add_exclusive_publication_async(IPC, StreamId(STREAM))
        .expect("asked");
    let ids = [concurrent.registration_id(), exclusive.registration_id()];
    assert!(client.has_active_commands().expect("asked"));
    let (mut first, mut second) = (None, None);
    wait_until("both publications", || {
        conductor.do_work();
        first = first
            .take()
            .or_else(|| concurrent.try_get().expect("added"));
        second = second
            .take()
            .or_else(|| exclusive.try_get().expect("added"));
        first.is_some() && second.is_some()
    });
    for id in ids {
        let id = CorrelationId(id.get());
        assert!(!client.is_command_active(id).expect("asked"), "{id}");
    }
    assert!(!client.has_active_commands().expect("asked"));
    assert_eq!(first.expect("there").registration_id(), ids[0]);
    assert_eq!(second.expect("there").registration_id(), ids[1]);
}

/// What takes a command back here is to drop it.
#[test]
fn row_3_2_a_command_is_taken_back() {
    let world = World::start(&[]);
    let client = world.client();
    let own = client.own();
    let limits = || {
        let counters = client.counters();
        let limits = counters
            .iter()
            .filter(|it| it.type_id == types::PUBLISHER_LIMIT_TYPE_ID);
        limits.count()
    };
    let pending = own
        .add_publication_async(IPC, StreamId(STREAM))
        .expect("asked");
    let id = CorrelationId(pending.registration_id().get());
    drop(pending);
    // Commands are obeyed in order: once this one is answered, the other is taken back.
    let other = own
        .add_publication(IPC, StreamId(STREAM + 1))
        .expect("added");
    wait_until("the end of what was taken back", || limits() == 1);
    assert!(!own.is_command_active(id).expect("asked"));
    assert!(!other.is_closed());
}

#[test]
fn row_3_3_a_refused_command_is_no_longer_active() {
    let world = World::start(&[]);
    world.expect_error("invalid");
    let client = world.client();
    let own = client.own();
    let mut pending = own
        .add_publication_async("invalid:channel", StreamId(STREAM))
        .expect("asked");
    let id = CorrelationId(pending.registration_id().get());
    let refused = wait_for("the refusal", || pending.try_get().err());
    assert!(!refused.is_retryable());
    assert!(!own.is_command_active(id).expect("asked"));
    assert!(!own.has_active_commands().expect("asked"));
}

#[test]
fn row_3_5_handlers_of_the_call_take_the_place_of_those_of_the_client() {
    let world = World::start(&[]);
    let (of_client, of_call) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (client_count, call_count) = (Arc::clone(&of_client), Arc::clone(&of_call));
    let client = Context::new()
        .dir(world.dir())
        .on_available_image(move |_| {
            client_count.fetch_add(1, Ordering::Relaxed);
        })
        .connect()
        .expect("a client");
    let with = client
        .subscription(IPC, StreamId(STREAM))
        .on_available_image(move |_| {
            call_count.fetch_add(1, Ordering::Relaxed);
        })
        .add_async()
        .expect("asked")
        .wait()
        .expect("added");
    let _publication = client
        .add_publication(IPC, StreamId(STREAM))
        .expect("added");
    wait_until("an image", || with.is_connected());
    wait_until("the call's handler", || {
        of_call.load(Ordering::Relaxed) == 1
    });
    assert_eq!(of_client.load(Ordering::Relaxed), 0);
    let without = client
        .add_subscription_async(IPC, StreamId(STREAM))
        .expect("asked")
        .wait()
        .expect("added");
    wait_until("an image", || without.is_connected());
    wait_until("the client's handler", || {
        of_client.load(Ordering::Relaxed) == 1
    });
    assert_eq!(of_call.load(Ordering::Relaxed), 1);
}
