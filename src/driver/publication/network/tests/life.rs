//! The conductor's state machine.

use super::*;
use crate::driver::publication::network::NetworkState;
use crate::driver::untethered::UntetheredEvent;

fn is_release(effects: &[NetworkEffect]) -> bool {
    matches!(effects, [NetworkEffect::Release])
}

#[test]
fn a_drained_publication_lingers_and_is_released() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer(100);
    stream.send();
    stream.update_limit();
    stream.conductor.remove_reference();
    assert_eq!(stream.conductor.state(), NetworkState::Draining);
    assert_eq!(stream.counters.publisher_limit.get(), 160);
    assert_eq!(stream.log.end_of_stream_position(), Position(160));

    stream.now = SECOND;
    assert!(stream.timer().is_empty());
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
    stream.now = 6 * SECOND;
    assert!(stream.timer().is_empty(), "not longer than the timeout yet");
    stream.now = 6 * SECOND + 1;
    assert!(is_release(&stream.timer()));
    assert_eq!(stream.conductor.state(), NetworkState::Done);
    assert!(stream.timer().is_empty());
}

#[test]
fn draining_waits_for_the_sender_while_a_receiver_lives() {
    let mut stream = Stream::connected(64);
    stream.offer(100);
    stream.conductor.remove_reference();
    stream.timer();
    assert_eq!(stream.conductor.state(), NetworkState::Draining);
    stream.status(0, WINDOW);
    stream.send();
    stream.timer();
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
}

#[test]
fn without_receivers_what_is_left_is_given_up() {
    let mut stream = Stream::new();
    stream.offer(100);
    stream.conductor.remove_reference();
    stream.timer();
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
    stream.sender.has_initial_connection = true;
    stream.now = SECOND;
    stream.take_sent();
    stream.send();
    let heartbeat = stream.take_sent().remove(0);
    assert_eq!(heartbeat[5], 0xc0, "the stream has no end that was reached");
}

#[test]
fn draining_waits_for_spies_and_unlinks_them() {
    let mut stream = Stream::connected(WINDOW);
    let spy = stream.add_spy(1, true);
    stream.offer(100);
    stream.conductor.remove_reference();
    assert!(
        stream.conductor.is_accepting_subscriptions(),
        "there is something left to see"
    );
    stream.send();
    assert!(!stream.conductor.is_accepting_subscriptions());
    assert!(stream.timer().is_empty());
    assert_eq!(stream.conductor.state(), NetworkState::Draining);
    spy.set(160);
    let effects = stream.timer();
    let [NetworkEffect::SpiesUnlinked { links, counters }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(links, &[(LinkId(1), RegistrationId(200))]);
    assert_eq!(counters.len(), 1);
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
}

#[test]
fn spies_pass_an_abandoned_claim_that_the_sender_does_not_reach() {
    let mut stream = Stream::new();
    let spy = stream.add_spy(1, true);
    stream.offer(100);
    let log = stream.log.clone();
    let _held = std::mem::ManuallyDrop::new(log.claim(Position(1024), 32).expect("room"));
    stream.conductor.remove_reference();
    spy.set(160);
    let effects = stream.timer();
    assert!(matches!(
        effects.as_slice(),
        [NetworkEffect::CountUnblocked]
    ));
    spy.set(224);
    stream.timer();
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
}

#[test]
fn a_farewell_of_the_only_receiver_shortens_the_linger() {
    let mut stream = Stream::connected(WINDOW);
    stream.conductor.remove_reference();
    stream.timer();
    stream.status_eos(5);
    stream.now = 1;
    assert!(is_release(&stream.timer()));
}

#[test]
fn a_farewell_in_a_group_does_not() {
    let mut stream = Stream::of(NetworkPublicationParams {
        is_multicast: true,
        ..params()
    });
    stream.connect(WINDOW);
    stream.conductor.remove_reference();
    stream.timer();
    stream.status_eos(5);
    stream.now = 1;
    assert!(stream.timer().is_empty());
}

#[test]
fn revoking_skips_draining_and_lingers_from_then_on() {
    let mut stream = Stream::connected(WINDOW);
    stream.add_spy(1, true);
    stream.offer(100);
    stream.update_limit();
    stream.now = 100 * SECOND;
    stream.conductor.revoke();
    stream.conductor.remove_reference();
    assert_eq!(
        stream.conductor.state(),
        NetworkState::Active,
        "until the timer"
    );
    let effects = stream.timer();
    assert!(matches!(
        effects.as_slice(),
        [
            NetworkEffect::SpiesUnlinked { .. },
            NetworkEffect::CountRevoked
        ]
    ));
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
    assert_eq!(stream.counters.publisher_limit.get(), 160);
    assert_eq!(stream.log.end_of_stream_position(), Position(160));
    assert!(!stream.log.is_connected());
    assert!(
        stream.timer().is_empty(),
        "it lingers from the revocation on"
    );
    stream.now = 105 * SECOND + 1;
    assert!(is_release(&stream.timer()));
}

#[test]
fn a_revoked_publication_stays_while_others_use_it() {
    let mut stream = Stream::connected(WINDOW);
    stream.conductor.add_reference();
    stream.conductor.revoke();
    stream.conductor.remove_reference();
    stream.timer();
    stream.now = 100 * SECOND;
    assert!(stream.timer().is_empty());
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
    stream.conductor.remove_reference();
    assert_eq!(stream.conductor.state(), NetworkState::Linger);
    assert!(is_release(&stream.timer()));
}

#[test]
fn the_last_user_ends_the_stream_and_no_other() {
    let mut stream = Stream::connected(WINDOW);
    stream.conductor.add_reference();
    stream.conductor.remove_reference();
    assert_eq!(stream.conductor.state(), NetworkState::Active);
    stream.conductor.remove_reference();
    assert_eq!(stream.conductor.state(), NetworkState::Draining);
    assert!(
        !stream.conductor.update_limit(),
        "the limit stays at the end"
    );
}

/// A publisher claims and dies: the claim is neither committed nor aborted.
fn block(stream: &Stream) {
    let claim = stream.log.claim(Position(i64::MAX), 100).expect("no limit");
    let _never_dropped = std::mem::ManuallyDrop::new(claim);
}

#[test]
fn a_blocked_publication_is_unblocked_after_the_timeout() {
    let mut stream = Stream::connected(WINDOW);
    block(&stream);
    stream.offer(100);
    stream.now = SECOND;
    assert!(stream.timer().is_empty());
    stream.now = 15 * SECOND;
    assert!(stream.timer().is_empty());
    stream.now = 15 * SECOND + 1;
    let effects = stream.timer();
    assert!(
        matches!(effects.as_slice(), [NetworkEffect::CountUnblocked]),
        "{effects:?}"
    );
    stream.send_until_idle();
    assert_eq!(stream.sender_position(), 160 + 160);
}

#[test]
fn spies_are_unblocked_where_the_sender_does_not_come() {
    let mut stream = Stream::new();
    let spy = stream.add_spy(1, true);
    stream.offer(100);
    let log = stream.log.clone();
    let _held = std::mem::ManuallyDrop::new(log.claim(Position(1024), 32).expect("room"));
    spy.set(160);
    stream.timer();
    stream.now = 15 * SECOND + 1;
    let effects = stream.timer();
    assert!(matches!(
        effects.as_slice(),
        [NetworkEffect::CountUnblocked]
    ));
}

#[test]
fn progress_restarts_the_unblock_timeout() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer(100);
    stream.now = 10 * SECOND;
    stream.send();
    block(&stream);
    assert!(stream.timer().is_empty());
    stream.now = 20 * SECOND;
    assert!(stream.timer().is_empty());
    stream.now = 25 * SECOND + 1;
    assert_eq!(stream.timer().len(), 1);
}

#[test]
fn an_exclusive_publication_is_not_unblocked_while_it_is_in_use() {
    let mut stream = Stream::of(NetworkPublicationParams {
        is_exclusive: true,
        ..params()
    });
    stream.connect(WINDOW);
    block(&stream);
    stream.now = 100 * SECOND;
    assert!(stream.timer().is_empty());
    stream.conductor.remove_reference();
    let effects = stream.timer();
    assert!(matches!(
        effects.as_slice(),
        [NetworkEffect::CountUnblocked]
    ));
    assert_eq!(
        stream.conductor.state(),
        NetworkState::Draining,
        "unblocking ends the tick"
    );
}

#[test]
fn back_pressure_is_not_mistaken_for_a_dead_publisher() {
    let mut stream = Stream::connected(64);
    stream.offer(100);
    for second in 0..40 {
        stream.now = second * SECOND;
        stream.status(0, 64);
        assert!(stream.timer().is_empty());
    }
    assert_eq!(stream.sender_position(), 0);
}

#[test]
fn an_untethered_spy_that_falls_behind_is_let_go() {
    let mut stream = Stream::connected(WINDOW);
    let spy = stream.add_spy(1, false);
    for _ in 0..2 {
        stream.offer_full_frames(20);
        let at = stream.sender_position();
        stream.status(at, WINDOW);
        stream.send_until_idle();
    }
    stream.timer();
    stream.now = 5 * SECOND;
    let effects = stream.timer();
    assert!(matches!(
        effects.as_slice(),
        [NetworkEffect::Untethered(
            UntetheredEvent::Unavailable { .. }
        )]
    ));
    assert_eq!(
        stream.update_limit(),
        i64::from(WINDOW),
        "it still holds publishers back"
    );
    stream.now = 10 * SECOND;
    stream.timer();
    stream.status_of(5, stream.sender_position(), WINDOW, 0);
    let sender = stream.sender_position();
    assert_eq!(stream.update_limit(), sender + i64::from(WINDOW));
    stream.now = 20 * SECOND;
    let effects = stream.timer();
    assert!(matches!(
        effects.as_slice(),
        [NetworkEffect::Untethered(UntetheredEvent::Available { .. })]
    ));
    assert_eq!(spy.get(), sender, "it joins again where the sender is");
}

#[test]
fn a_spy_at_rest_does_not_stand_in_for_a_receiver() {
    let mut stream = Stream::of(NetworkPublicationParams {
        spies_simulate_connection: true,
        ..params()
    });
    stream.connect(WINDOW);
    stream.add_spy(1, false);
    for _ in 0..2 {
        stream.offer_full_frames(20);
        let at = stream.sender_position();
        stream.status(at, WINDOW);
        stream.send_until_idle();
    }
    stream.timer();
    stream.status_eos(5);
    stream.now = 5 * SECOND;
    stream.timer();
    assert!(stream.log.is_connected(), "the spy may still come back");
    stream.now = 10 * SECOND;
    stream.timer();
    assert!(!stream.log.is_connected(), "it rests");
    stream.now = 20 * SECOND;
    stream.timer();
    assert!(stream.log.is_connected(), "it is back");
}
