//! Asynchronous commands.

use super::streams::{exchange, messages};
use super::traffic::dynamic;
use crate::peer::{ClientOptions, Pending, Refusal, code};
use crate::world::{IPC, STREAM, World, await_connection, udp, wait_for, wait_until};

/// Polls a command until there is an answer.
fn answer<T>(pending: &mut Pending<T>) -> Result<T, Refusal> {
    wait_for("an answer", || match pending.poll() {
        Ok(None) => None,
        Ok(Some(taken)) => Some(Ok(taken)),
        Err(refusal) => Some(Err(refusal)),
    })
}

#[test]
fn row_3_1_publications_are_added_while_the_application_drives_the_client() {
    let world = World::start(&[]);
    let client = world.client_with(&ClientOptions {
        invoked: true,
        ..ClientOptions::default()
    });
    let mut concurrent = client.add_publication_async(IPC, STREAM).expect("asked");
    let mut exclusive = client
        .add_exclusive_publication_async(IPC, STREAM)
        .expect("asked");
    let id = concurrent.registration_id();
    let (mut first, mut second) = (None, None);
    wait_until("both publications", || {
        client.do_work();
        if first.is_none() {
            first = concurrent.poll().expect("added");
        }
        if second.is_none() {
            second = exclusive.poll().expect("added");
        }
        first.is_some() && second.is_some()
    });
    let first = first.expect("a publication");
    assert_eq!(first.registration_id(), id);
    assert!(!first.is_exclusive());
    assert!(second.expect("a publication").is_exclusive());
    assert!(matches!(concurrent.poll(), Ok(None)), "taken twice");
}

#[test]
fn row_3_3_a_channel_of_no_scheme_is_refused() {
    let world = World::start(&[]);
    world.expect_error("invalid");
    let client = world.client();
    let uri = "invalid:channel?endpoint=localhost:1";
    let refusals = [
        answer(&mut client.add_publication_async(uri, STREAM).expect("asked")).err(),
        answer(
            &mut client
                .add_exclusive_publication_async(uri, STREAM)
                .expect("asked"),
        )
        .err(),
        answer(&mut client.add_subscription_async(uri, STREAM).expect("asked")).err(),
    ];
    for refusal in refusals {
        let refusal = refusal.expect("refused");
        assert_eq!(refusal.code, code::INVALID_CHANNEL, "{refusal:?}");
    }
}

#[test]
fn row_3_4_an_unknown_host_is_refused_by_name() {
    let world = World::start(&[]);
    world.expect_error("wibble.invalid");
    let client = world.client();
    let uri = "aeron:udp?endpoint=wibble.invalid:1234";
    let mut pending = client.add_publication_async(uri, STREAM).expect("asked");
    let refusal = answer(&mut pending).err().expect("refused");
    refusal.assert(code::UNKNOWN_HOST, &["wibble.invalid"]);
    let mut pending = client
        .add_exclusive_publication_async(uri, STREAM)
        .expect("asked");
    let refusal = answer(&mut pending).err().expect("refused");
    refusal.assert(code::UNKNOWN_HOST, &["wibble.invalid"]);
}

#[test]
fn row_3_5_a_subscription_that_is_asked_for_has_its_handlers() {
    let world = World::start(&[]);
    let client = world.client();
    let mut pending = client.add_subscription_async(IPC, STREAM).expect("asked");
    let id = pending.registration_id();
    let subscription = answer(&mut pending).expect("added");
    assert_eq!(subscription.registration_id(), id);
    let publication = client.add_publication(IPC, STREAM).expect("added");
    await_connection(&publication, &subscription);
    wait_until("the handler's call", || subscription.events().len() == 1);
    publication.close();
    wait_until("the other handler's call", || {
        subscription.events().len() == 2
    });
    let events = subscription.events();
    assert!(
        events[0].is_available && !events[1].is_available,
        "{events:?}"
    );
}

#[test]
fn row_3_6_destinations_are_added() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    let subscription = client.add_subscription("aeron:udp?control-mode=manual", STREAM);
    let subscription = subscription.expect("added");
    let publication = client.add_publication("aeron:udp?control-mode=manual", STREAM);
    let publication = publication.expect("added");
    answer(&mut subscription.add_destination_async(&channel).expect("asked")).expect("added");
    answer(&mut publication.add_destination_async(&channel).expect("asked")).expect("added");
    await_connection(&publication, &subscription);
    exchange(&publication, &subscription, &messages(10, 100), 2);
}

#[test]
fn row_3_7_destinations_are_removed() {
    let world = World::start(&[("aeron.publication.connection.timeout", "2s")]);
    let client = world.client();
    let channel = udp();
    let subscription = client.add_subscription(&channel, STREAM).expect("added");
    let publication = client.add_publication("aeron:udp?control-mode=manual", STREAM);
    let publication = publication.expect("added");
    publication.add_destination(&channel).expect("added");
    await_connection(&publication, &subscription);
    exchange(&publication, &subscription, &messages(10, 100), 2);
    let mut pending = publication
        .remove_destination_async(&channel)
        .expect("asked");
    answer(&mut pending).expect("removed");
    wait_until("the connection's end", || !publication.is_connected());

    let manual = client.add_subscription("aeron:udp?control-mode=manual", STREAM + 1);
    let manual = manual.expect("added");
    let channel = udp();
    manual.add_destination(&channel).expect("added");
    let publication = client.add_publication(&channel, STREAM + 1).expect("added");
    await_connection(&publication, &manual);
    let mut pending = manual.remove_destination_async(&channel).expect("asked");
    answer(&mut pending).expect("removed");
    wait_until("the image's end", || !manual.is_connected());
}

#[test]
fn row_3_8_adding_and_removing_at_once_harms_nobody() {
    let world = World::start(&[]);
    let client = world.client();
    let control = format!("{}|control=localhost:0", udp());
    for channel in [dynamic(), control, IPC.to_owned()] {
        for _ in 0..10 {
            drop(
                client
                    .add_exclusive_publication_async(&channel, STREAM)
                    .expect("asked"),
            );
        }
        // The commands are obeyed in order, so this one comes after all of them.
        let publication = client
            .add_exclusive_publication(&channel, STREAM + 1)
            .expect("added");
        publication.close();
        wait_until("the end of all publications", || {
            let counters = client.counters();
            !counters
                .iter()
                .any(|it| it.type_id == aileron::cnc::counter_types::PUBLISHER_LIMIT_TYPE_ID)
        });
    }
}
