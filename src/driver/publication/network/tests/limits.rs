//! How far publishers may write, and what is cleaned behind them.

use super::*;

const TERM: i64 = TERM_LENGTH as i64;

/// Publishes, sends and consumes up to `position` and lets the conductor follow.
fn advance(stream: &mut Stream, position: i64) {
    while stream.sender_position() < position {
        stream.offer_full_frames(1);
        let at = stream.sender_position();
        stream.status(at, WINDOW);
        stream.send_until_idle();
        stream.update_limit();
    }
    stream.take_sent();
}

#[test]
fn nobody_may_publish_before_somebody_listens() {
    let mut stream = Stream::new();
    assert!(!stream.conductor.update_limit());
    assert_eq!(stream.counters.publisher_limit.get(), 0);
}

#[test]
fn the_limit_is_a_window_ahead_of_the_sender() {
    let mut stream = Stream::connected(WINDOW);
    assert!(stream.conductor.update_limit());
    assert_eq!(stream.counters.publisher_limit.get(), i64::from(WINDOW));
    assert!(!stream.conductor.update_limit(), "nothing changed");
    stream.offer(100);
    stream.send();
    assert_eq!(stream.update_limit(), i64::from(WINDOW) + 160);
    assert_eq!(stream.counters.publisher_position.get(), 160);
}

#[test]
fn the_limit_returns_to_the_sender_when_the_last_receiver_goes() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer(100);
    stream.send();
    stream.update_limit();
    stream.status_eos(5);
    assert_eq!(stream.update_limit(), 160);
    assert!(!stream.log.is_connected());
    assert!(!stream.conductor.update_limit());
}

#[test]
fn a_spy_holds_publishers_back_but_not_the_sender() {
    let mut stream = Stream::connected(WINDOW);
    let spy = stream.add_spy(1, true);
    stream.offer(100);
    stream.send();
    assert_eq!(stream.sender_position(), 160);
    assert_eq!(stream.update_limit(), i64::from(WINDOW));
    spy.set(96);
    assert_eq!(stream.update_limit(), i64::from(WINDOW) + 96);
    spy.set(100_000);
    assert_eq!(
        stream.update_limit(),
        i64::from(WINDOW) + 160,
        "the sender counts too"
    );
}

#[test]
fn a_spy_alone_connects_only_when_it_may_simulate() {
    let mut stream = Stream::new();
    stream.add_spy(1, true);
    assert!(!stream.log.is_connected());
    assert_eq!(stream.update_limit(), 0);

    let mut stream = Stream::of(NetworkPublicationParams {
        spies_simulate_connection: true,
        ..params()
    });
    stream.add_spy(1, true);
    assert!(stream.log.is_connected());
    assert_eq!(stream.update_limit(), i64::from(WINDOW));
    assert!(stream.conductor.remove_spy(LinkId(1)).is_some());
    assert!(!stream.log.is_connected());
    assert!(stream.conductor.remove_spy(LinkId(1)).is_none());
}

#[test]
fn a_term_is_clean_before_publishers_reach_it() {
    let mut stream = Stream::connected(WINDOW);
    while stream.sender_position() < 7 * TERM {
        let reach = stream.sender_position() + 3 * FRAME_LENGTH;
        advance(&mut stream, reach);
        let geometry = stream.log.geometry();
        let producer = stream.log.producer_position().get();
        let limit = stream.counters.publisher_limit.get();
        let mut at = producer;
        while at < limit {
            let scan = stream.log.scan(Position(at), MTU_LENGTH);
            assert_eq!(
                (scan.available, scan.is_corrupt),
                (0, false),
                "dirty at {at}"
            );
            at += 32;
        }
        assert!(limit <= geometry.max_possible_position().get());
    }
}

#[test]
fn a_dirty_term_holds_the_limit_back() {
    let mut stream = Stream::connected(WINDOW);
    advance(&mut stream, 2 * TERM);
    // Everything was cleaned on the way. Now a publication that did not clean for two terms.
    let log = stream.log.clone();
    let behind = NetworkPublicationParams { log, ..params() };
    let mut stale = Stream::of(behind);
    stale.sender.position = Position(2 * TERM);
    stale.sender.shared.set_sender_position(Position(2 * TERM));
    stale.status(2 * TERM, WINDOW);
    assert!(stale.conductor.update_limit(), "it cleans one term");
    assert_eq!(
        stale.counters.publisher_limit.get(),
        2 * TERM + i64::from(WINDOW)
    );

    let mut staler = Stream::of(NetworkPublicationParams {
        log: stream.log.clone(),
        ..params()
    });
    staler.sender.position = Position(3 * TERM);
    staler.sender.shared.set_sender_position(Position(3 * TERM));
    staler.status(3 * TERM, WINDOW);
    assert!(staler.conductor.update_limit(), "it cleans one term");
    assert_eq!(
        staler.counters.publisher_limit.get(),
        0,
        "but the next one is dirty"
    );
    assert!(staler.conductor.update_limit());
    assert_eq!(
        staler.counters.publisher_limit.get(),
        3 * TERM + i64::from(WINDOW)
    );
}

#[test]
fn cleaning_stays_clear_of_what_may_be_resent() {
    let mut stream = Stream::connected(WINDOW);
    advance(&mut stream, 4 * TERM);
    let at = stream.sender_position();
    let geometry = stream.log.geometry();
    let oldest = at - TERM / 2 - i64::from(geometry.max_message_length());
    stream.nak(
        geometry.term_id_at(Position(at - TERM / 2)),
        // A frame begins at every multiple of the MTU until the padding.
        geometry.term_offset_at(Position(at - TERM / 2)).get() / MTU_LENGTH * MTU_LENGTH,
        MTU_LENGTH,
    );
    assert!(oldest < at);
    assert_eq!(stream.take_sent().len(), 1);
}

#[test]
fn scribbled_counters_move_nothing() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer(100);
    stream.send();
    stream.counters.sender_position.set(1 << 50);
    stream.counters.sender_limit.set(1 << 50);
    assert_eq!(stream.update_limit(), i64::from(WINDOW) + 160);
    stream.offer_full_frames(30);
    stream.send_until_idle();
    assert!(stream.sender_position() <= i64::from(WINDOW));
}

#[test]
fn the_limit_may_lie_beyond_the_last_term() {
    let params = params_before_the_end(4096);
    let start = params.position.get();
    let mut stream = Stream::of(params);
    stream.send();
    stream.status(start, WINDOW);
    assert_eq!(stream.update_limit(), start + i64::from(WINDOW));
}
