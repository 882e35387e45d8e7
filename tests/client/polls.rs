//! Every way to read an image.

use std::panic::{AssertUnwindSafe, catch_unwind};

use aileron::base::{Position, RegistrationId};
use aileron::client::{Action, ExclusivePublication, Subscription};

use crate::driver::{IPC, STREAM, Session, World};

/// A subscription with one image per publication.
fn streams(
    world: &World,
    session: &mut Session,
    count: usize,
) -> (Vec<ExclusivePublication>, Subscription) {
    let subscription = session.client.add_subscription(IPC, STREAM).expect("added");
    let publications: Vec<_> = (0..count)
        .map(|_| {
            let publication = session
                .client
                .add_exclusive_publication(IPC, STREAM)
                .expect("added");
            let (from, to) = (
                publication.registration_id(),
                subscription.registration_id(),
            );
            world.driver().connect_at(from, to, Position(0));
            publication
        })
        .collect();
    world.settle(session);
    assert_eq!(subscription.image_count(), count);
    (publications, subscription)
}

/// One image with messages `0..count`, each of which takes 64 bytes.
fn numbered(
    world: &World,
    session: &mut Session,
    count: u8,
) -> (ExclusivePublication, Subscription) {
    let (mut publications, subscription) = streams(world, session, 1);
    let mut publication = publications.remove(0);
    for number in 0..count {
        publication.offer(&[number]).expect("room");
    }
    (publication, subscription)
}

fn position(subscription: &Subscription) -> i64 {
    subscription.image_at(0).expect("an image").position().get()
}

#[test]
fn polls_begin_with_the_next_image_each_time() {
    let world = World::new();
    let mut session = world.client();
    let (mut publications, mut subscription) = streams(&world, &mut session, 3);
    for publication in &mut publications {
        for _ in 0..9 {
            publication.offer(b"x").expect("room");
        }
    }
    let sessions: Vec<_> = publications
        .iter()
        .map(ExclusivePublication::session_id)
        .collect();
    let mut order = Vec::new();
    for _ in 0..7 {
        let fragments = subscription.poll(1, |_, header| order.push(header.session_id()));
        assert_eq!(fragments, 1);
    }
    let [a, b, c] = sessions[..] else {
        panic!("three sessions")
    };
    assert_eq!(order, [a, b, c, a, b, c, a]);
    order.clear();
    assert_eq!(
        subscription.poll(8, |_, header| order.push(header.session_id())),
        8
    );
    assert_eq!(
        order,
        [b, b, b, b, b, b, b, c],
        "with what is left of the limit for each"
    );
    assert_eq!(subscription.poll(100, |_, _| {}), 12);
}

#[test]
fn a_poll_stops_at_its_limit_and_stores_the_position() {
    let world = World::new();
    let mut session = world.client();
    let (_publication, mut subscription) = numbered(&world, &mut session, 5);
    let mut seen = Vec::new();
    assert_eq!(subscription.poll(3, |payload, _| seen.push(payload[0])), 3);
    assert_eq!(position(&subscription), 3 * 64);
    assert_eq!(subscription.poll(0, |_, _| panic!("limit 0")), 0);
    assert_eq!(subscription.poll(10, |payload, _| seen.push(payload[0])), 2);
    assert_eq!(
        (seen, position(&subscription)),
        (vec![0, 1, 2, 3, 4], 5 * 64)
    );
}

#[test]
fn actions_of_a_controlled_poll_do_as_they_say() {
    let world = World::new();
    let mut session = world.client();
    let (_publication, mut subscription) = numbered(&world, &mut session, 6);
    let image = subscription.image_at(0).expect("an image");
    let mut seen = Vec::new();
    let mut stored = Vec::new();
    let fragments = subscription.controlled_poll(10, |payload, _| {
        seen.push(payload[0]);
        stored.push(image.position().get());
        match payload[0] {
            0 => Action::Continue,
            1 => Action::Commit,
            2 => Action::Continue,
            _ => Action::Abort,
        }
    });
    assert_eq!((fragments, image.position()), (3, Position(3 * 64)));
    assert_eq!(stored, [0, 0, 128, 128]);
    let fragments = subscription.controlled_poll(10, |payload, _| {
        seen.push(payload[0]);
        if payload[0] == 4 {
            Action::Break
        } else {
            Action::Continue
        }
    });
    assert_eq!((fragments, image.position()), (2, Position(5 * 64)));
    assert_eq!(seen, [0, 1, 2, 3, 3, 4]);
}

#[test]
fn break_and_abort_end_only_the_current_image() {
    let world = World::new();
    let mut session = world.client();
    let (mut publications, mut subscription) = streams(&world, &mut session, 2);
    for publication in &mut publications {
        publication.offer(b"1").expect("room");
        publication.offer(b"2").expect("room");
    }
    assert_eq!(subscription.controlled_poll(10, |_, _| Action::Break), 2);
    assert_eq!(subscription.controlled_poll(10, |_, _| Action::Abort), 0);
    assert_eq!(
        subscription.poll(10, |payload, _| assert_eq!(payload, b"2")),
        2
    );
}

#[test]
fn an_error_stops_a_poll_before_its_fragment() {
    let world = World::new();
    let mut session = world.client();
    let (_publication, mut subscription) = numbered(&world, &mut session, 3);
    let mut attempt = |bad: u8| {
        subscription.try_poll(
            10,
            |payload, _| if payload[0] == bad { Err(bad) } else { Ok(()) },
        )
    };
    assert_eq!(attempt(1), Err(1));
    assert_eq!(attempt(1), Err(1), "it comes again");
    assert_eq!(attempt(9), Ok(2));
    assert_eq!(position(&subscription), 3 * 64);
}

#[test]
fn a_panic_consumes_its_fragment() {
    let world = World::new();
    let mut session = world.client();
    let (_publication, mut subscription) = numbered(&world, &mut session, 3);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        subscription.poll(10, |payload, _| assert_ne!(payload[0], 1, "on purpose"));
    }));
    assert!(unwound.is_err());
    assert_eq!(position(&subscription), 2 * 64);
    assert_eq!(
        subscription.poll(10, |payload, _| assert_eq!(payload[0], 2)),
        1
    );
}

#[test]
fn a_bounded_poll_delivers_what_begins_before_its_limit() {
    let world = World::new();
    let mut session = world.client();
    let (_publication, subscription) = numbered(&world, &mut session, 5);
    let image = subscription.image_at(0).expect("an image");
    let mut poller = image.poller().expect("free");
    assert_eq!(poller.bounded_poll(Position(0), 10, |_, _| {}), 0);
    assert_eq!(poller.bounded_poll(Position(65), 10, |_, _| {}), 2);
    assert_eq!(image.position(), Position(128));
    let all = Position(i64::MAX);
    let action = |payload: &[u8], _: &aileron::client::Header<'_>| {
        if payload[0] == 4 {
            Action::Abort
        } else {
            Action::Commit
        }
    };
    assert_eq!(poller.bounded_controlled_poll(all, 10, action), 2);
    assert_eq!(poller.controlled_poll(10, action), 0);
    assert_eq!(poller.poll(10, |_, _| {}), 1);
    assert_eq!(poller.image().position(), Position(5 * 64));
}

#[test]
fn blocks_are_runs_of_whole_frames_and_padding_is_one_of_its_own() {
    let world = World::new();
    let mut session = world.client();
    let (mut publication, mut subscription) = numbered(&world, &mut session, 3);
    publication.append_padding(100).expect("room");
    publication.offer(b"x").expect("room");
    let mut lengths = Vec::new();
    for _ in 0..4 {
        subscription.block_poll(130, |block| lengths.push(block.bytes.len()));
    }
    assert_eq!(lengths, [128, 64, 160, 64]);
    assert_eq!(position(&subscription), 128 + 64 + 160 + 64);
    publication.offer(b"y").expect("room");
    let consumed = subscription.raw_poll(1000, |block| {
        assert!(block.path.ends_with(".logbuffer"), "{}", block.path);
        assert_eq!(
            (block.file_offset, block.length, block.bytes.len()),
            (416, 64, 64)
        );
        assert_eq!(block.session_id, publication.session_id());
    });
    assert_eq!(consumed, 64);
}

#[test]
fn a_block_of_a_recording_can_be_offered_again() {
    let world = World::new();
    let mut session = world.client();
    let (mut publications, mut subscription) = streams(&world, &mut session, 1);
    let publication = &mut publications[0];
    publication.offer(b"one").expect("room");
    publication.offer(b"two").expect("room");
    let mut recording = Vec::new();
    subscription.block_poll(1000, |block| recording.extend_from_slice(block.bytes));
    // The same frames, as if they were the next of the stream.
    for (frame, offset) in [(0, 128i32), (64, 192)] {
        recording[frame + 8..frame + 12].copy_from_slice(&offset.to_le_bytes());
    }
    assert_eq!(publication.offer_block(&recording), Ok(Position(256)));
    let mut seen = Vec::new();
    subscription.poll(10, |payload, _| seen.push(payload.to_vec()));
    assert_eq!(seen, [b"one", b"two"]);
}

#[test]
fn peeking_consumes_nothing() {
    let world = World::new();
    let mut session = world.client();
    let (mut publication, subscription) = numbered(&world, &mut session, 2);
    publication.offer(&[9; 2000]).expect("room");
    let image = subscription.image_at(0).expect("an image");
    let mut poller = image.poller().expect("free");
    let all = Position(i64::MAX);
    let mut count = 0;
    let end = poller.peek(Position(0), all, |_, _| {
        count += 1;
        Action::Continue
    });
    assert_eq!((count, end), (4, publication.position()));
    assert_eq!(
        poller.peek(Position(64), Position(128), |_, _| Action::Continue),
        Some(Position(128))
    );
    // Half of the long message does not count.
    let half = Position(128 + 1408);
    assert_eq!(
        poller.peek(Position(128), half, |_, _| Action::Continue),
        Some(Position(128))
    );
    assert_eq!(poller.peek(Position(7), all, |_, _| Action::Continue), None);
    assert_eq!(
        poller.peek(Position(1 << 20), all, |_, _| Action::Continue),
        None
    );
    assert_eq!(image.position(), Position(0));
    poller.poll(1, |_, _| {});
    assert_eq!(
        poller.peek(Position(0), all, |_, _| Action::Continue),
        None,
        "consumed"
    );
}

#[test]
fn an_image_is_polled_by_one_party_at_a_time() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = numbered(&world, &mut session, 4);
    let image = subscription.image_at(0).expect("an image");
    let mut poller = image.poller().expect("free");
    assert!(image.poller().is_none());
    assert!(
        subscription
            .image_poller(publication.session_id())
            .is_none()
    );
    assert_eq!(subscription.poll(10, |_, _| {}), 0, "it is the poller's");
    assert_eq!(poller.poll(1, |_, _| {}), 1);
    drop(poller);
    assert_eq!(
        subscription.poll(1, |payload, _| assert_eq!(payload[0], 1)),
        1
    );
    assert!(image.poller().is_none(), "it is the subscription's");
    let mut poller = subscription
        .image_poller(publication.session_id())
        .expect("handed over");
    assert_eq!(subscription.poll(10, |_, _| {}), 0);
    assert_eq!(poller.poll(1, |payload, _| assert_eq!(payload[0], 2)), 1);
    drop(poller);
    assert_eq!(
        subscription.poll(10, |payload, _| assert_eq!(payload[0], 3)),
        1
    );
    subscription.close();
    assert!(image.poller().is_none());
}

#[test]
fn a_corrupt_frame_stops_its_image_and_is_reported_once() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = numbered(&world, &mut session, 1);
    world.settle(&mut session);
    let id: RegistrationId = publication.registration_id();
    // A position that is no frame's begin is as corrupt as a length that cannot be.
    let counter = subscription
        .image_at(0)
        .expect("an image")
        .subscriber_position_id();
    world
        .driver()
        .counters()
        .reader()
        .counter(counter)
        .expect("allocated")
        .set(7);
    for _ in 0..3 {
        assert_eq!(subscription.poll(10, |_, _| {}), 0);
    }
    world.settle(&mut session);
    let errors = session.errors.take();
    let [aileron::client::ClientError::CorruptLog { image }] = errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!(image, id.into());
}
