//! The states of a session, in every order of events.

use super::*;

const STREAM: StreamId = StreamId(1001);
const SESSION: SessionId = SessionId(-5);
const OTHER: SessionId = SessionId(77);
const IMAGE: CorrelationId = CorrelationId(42);
const SLOT: ImageSlot = ImageSlot(3);

fn wildcard() -> Dispatcher {
    let mut dispatcher = Dispatcher::new(i32::MAX);
    dispatcher.add_subscription(STREAM, None);
    dispatcher
}

fn only(session_id: SessionId) -> Dispatcher {
    let mut dispatcher = Dispatcher::new(i32::MAX);
    dispatcher.add_subscription(STREAM, Some(session_id));
    dispatcher
}

fn active() -> Dispatcher {
    let mut dispatcher = wildcard();
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Create);
    assert!(dispatcher.add_image(STREAM, SESSION, IMAGE, SLOT));
    dispatcher
}

#[test]
fn frames_of_unknown_streams_are_dropped_and_leave_no_trace() {
    let mut dispatcher = Dispatcher::new(i32::MAX);
    assert_eq!(dispatcher.on_data(STREAM, SESSION, false), DataAction::Drop);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Drop);
    assert!(dispatcher.states.is_empty());
    assert!(!dispatcher.has_interest());
}

#[test]
fn data_of_an_unknown_session_elicits_a_setup_once() {
    let mut dispatcher = wildcard();
    assert_eq!(
        dispatcher.on_data(STREAM, SESSION, false),
        DataAction::Elicit
    );
    assert_eq!(dispatcher.on_data(STREAM, SESSION, false), DataAction::Drop);
    dispatcher.remove_pending_setup(STREAM, SESSION);
    assert_eq!(
        dispatcher.on_data(STREAM, SESSION, false),
        DataAction::Elicit
    );
}

#[test]
fn a_stream_that_ended_is_not_elicited() {
    let mut dispatcher = wildcard();
    assert_eq!(dispatcher.on_data(STREAM, SESSION, true), DataAction::Drop);
    assert!(dispatcher.states.is_empty());
}

#[test]
fn setup_creates_an_image_whether_elicited_or_not() {
    let mut elicited = wildcard();
    let _ = elicited.on_data(STREAM, SESSION, false);
    assert_eq!(elicited.on_setup(STREAM, SESSION), SetupAction::Create);
    assert_eq!(elicited.pending_sessions, 0);
    let mut unasked = wildcard();
    assert_eq!(unasked.on_setup(STREAM, SESSION), SetupAction::Create);
}

#[test]
fn sessions_that_are_wanted_and_silent_come_in_order() {
    let mut dispatcher = active();
    let (lowest, highest) = (StreamId(i32::MIN), StreamId(i32::MAX));
    let wanted = [
        (lowest, SESSION),
        (STREAM, SessionId(i32::MIN)),
        (STREAM, SESSION),
        (STREAM, OTHER),
        (STREAM, SessionId(i32::MAX)),
        (highest, OTHER),
    ];
    for (stream_id, session_id) in wanted {
        dispatcher.add_subscription(stream_id, Some(session_id));
    }
    let _ = dispatcher.on_data(highest, OTHER, false);
    let silent = |dispatcher: &Dispatcher| {
        let first = dispatcher.next_silent(None);
        std::iter::successors(first, |last| dispatcher.next_silent(Some(*last))).collect::<Vec<_>>()
    };
    assert_eq!(
        silent(&dispatcher),
        [wanted[0], wanted[1], wanted[3], wanted[4]]
    );
    dispatcher.remove_pending_setup(highest, OTHER);
    assert_eq!(silent(&dispatcher).last(), Some(&wanted[5]));
}

#[test]
fn nothing_happens_while_an_image_is_being_created() {
    let mut dispatcher = wildcard();
    let _ = dispatcher.on_setup(STREAM, SESSION);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Drop);
    assert_eq!(dispatcher.on_data(STREAM, SESSION, false), DataAction::Drop);
    dispatcher.remove_pending_setup(STREAM, SESSION);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Drop);
    dispatcher.remove_init_in_progress(STREAM, SESSION);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Create);
}

#[test]
fn an_image_gets_data_and_further_setups() {
    let mut dispatcher = active();
    assert_eq!(
        dispatcher.on_data(STREAM, SESSION, false),
        DataAction::Insert(SLOT)
    );
    assert_eq!(
        dispatcher.on_data(STREAM, SESSION, true),
        DataAction::Insert(SLOT)
    );
    assert_eq!(
        dispatcher.on_setup(STREAM, SESSION),
        SetupAction::Connect(SLOT)
    );
    assert_eq!(dispatcher.image(STREAM, SESSION), Some(SLOT));
    assert_eq!(dispatcher.image(STREAM, OTHER), None);
}

#[test]
fn a_dead_image_cools_down_until_told_otherwise() {
    let mut dispatcher = active();
    dispatcher.remove_image(STREAM, SESSION, IMAGE, false);
    assert_eq!(dispatcher.on_data(STREAM, SESSION, false), DataAction::Drop);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Drop);
    dispatcher.remove_init_in_progress(STREAM, SESSION);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Drop);
    dispatcher.remove_cool_down(STREAM, SESSION, IMAGE);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Create);
}

#[test]
fn the_end_of_an_older_image_does_not_lift_the_cool_down() {
    let mut dispatcher = active();
    dispatcher.remove_image(STREAM, SESSION, IMAGE, false);
    dispatcher.remove_cool_down(STREAM, SESSION, CorrelationId(41));
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Drop);
}

#[test]
fn an_image_that_ended_needs_no_cool_down() {
    let mut dispatcher = active();
    dispatcher.remove_image(STREAM, SESSION, IMAGE, true);
    assert_eq!(
        dispatcher.on_data(STREAM, SESSION, false),
        DataAction::Elicit
    );
}

#[test]
fn removing_an_older_image_leaves_its_successor_alone() {
    let mut dispatcher = active();
    dispatcher.remove_image(STREAM, SESSION, CorrelationId(41), false);
    assert_eq!(
        dispatcher.on_data(STREAM, SESSION, false),
        DataAction::Insert(SLOT)
    );
}

#[test]
fn cool_down_is_not_lifted_from_an_active_image() {
    let mut dispatcher = active();
    dispatcher.remove_cool_down(STREAM, SESSION, IMAGE);
    dispatcher.remove_init_in_progress(STREAM, SESSION);
    dispatcher.remove_pending_setup(STREAM, SESSION);
    assert_eq!(dispatcher.image(STREAM, SESSION), Some(SLOT));
}

#[test]
fn sessions_nobody_wants_are_remembered_until_somebody_does() {
    let mut dispatcher = only(SESSION);
    assert_eq!(dispatcher.on_data(STREAM, OTHER, false), DataAction::Drop);
    assert_eq!(dispatcher.unwanted_sessions, 1);
    assert_eq!(dispatcher.on_setup(STREAM, OTHER), SetupAction::Drop);
    dispatcher.add_subscription(STREAM, Some(OTHER));
    assert_eq!(dispatcher.unwanted_sessions, 0);
    assert_eq!(dispatcher.on_data(STREAM, OTHER, false), DataAction::Elicit);
}

#[test]
fn wanting_all_sessions_forgets_who_was_unwanted() {
    let mut dispatcher = only(SESSION);
    assert_eq!(dispatcher.on_setup(STREAM, OTHER), SetupAction::Drop);
    assert_eq!(dispatcher.unwanted_sessions, 1);
    dispatcher.add_subscription(STREAM, None);
    assert_eq!(dispatcher.on_setup(STREAM, OTHER), SetupAction::Create);
}

#[test]
fn unsubscribing_a_stream_drops_its_images() {
    let mut dispatcher = active();
    assert_eq!(dispatcher.remove_subscription(STREAM, None), Ok(vec![SLOT]));
    assert!(!dispatcher.has_interest());
    assert!(dispatcher.states.is_empty());
    assert_eq!(dispatcher.on_data(STREAM, SESSION, false), DataAction::Drop);
    dispatcher.remove_image(STREAM, SESSION, IMAGE, false);
    assert!(dispatcher.states.is_empty());
}

#[test]
fn unsubscribing_a_stream_keeps_sessions_wanted_by_name() {
    let mut dispatcher = active();
    dispatcher.add_subscription(STREAM, Some(SESSION));
    let _ = dispatcher.on_setup(STREAM, OTHER);
    assert_eq!(dispatcher.remove_subscription(STREAM, None), Ok(vec![]));
    assert_eq!(dispatcher.image(STREAM, SESSION), Some(SLOT));
    assert_eq!(dispatcher.on_setup(STREAM, OTHER), SetupAction::Drop);
    assert_eq!(
        dispatcher.remove_subscription(STREAM, Some(SESSION)),
        Ok(vec![SLOT])
    );
    assert!(!dispatcher.has_interest());
}

#[test]
fn unsubscribing_a_session_keeps_its_image_while_all_are_wanted() {
    let mut dispatcher = active();
    dispatcher.add_subscription(STREAM, Some(SESSION));
    assert_eq!(
        dispatcher.remove_subscription(STREAM, Some(SESSION)),
        Ok(vec![])
    );
    assert_eq!(dispatcher.image(STREAM, SESSION), Some(SLOT));
}

#[test]
fn unsubscribing_what_was_never_subscribed_is_an_error() {
    let mut dispatcher = wildcard();
    assert_eq!(
        dispatcher.remove_subscription(StreamId(2), None),
        Err(UnknownSubscription)
    );
    let by_name = dispatcher.remove_subscription(STREAM, Some(SESSION));
    assert_eq!(by_name, Err(UnknownSubscription));
}

#[test]
fn an_image_for_a_stream_no_longer_wanted_is_not_registered() {
    let mut dispatcher = wildcard();
    let _ = dispatcher.on_setup(STREAM, SESSION);
    let _ = dispatcher.remove_subscription(STREAM, None);
    assert!(!dispatcher.add_image(STREAM, SESSION, IMAGE, SLOT));
    assert!(dispatcher.states.is_empty());
}

#[test]
fn the_session_limit_comes_before_everything_else() {
    let mut dispatcher = Dispatcher::new(1);
    dispatcher.add_subscription(STREAM, None);
    assert_eq!(dispatcher.on_setup(STREAM, SESSION), SetupAction::Create);
    assert!(dispatcher.add_image(STREAM, SESSION, IMAGE, SLOT));
    assert_eq!(
        dispatcher.on_setup(STREAM, OTHER),
        SetupAction::LimitExceeded
    );
    assert_eq!(
        dispatcher.on_setup(STREAM, SESSION),
        SetupAction::LimitExceeded
    );
    dispatcher.remove_image(STREAM, SESSION, IMAGE, true);
    assert_eq!(dispatcher.on_setup(STREAM, OTHER), SetupAction::Create);
}

#[test]
fn datagrams_cannot_make_the_maps_grow_without_bound() {
    let mut dispatcher = wildcard();
    dispatcher.add_subscription(StreamId(2), Some(SESSION));
    for session in 0..10_000 {
        let _ = dispatcher.on_data(STREAM, SessionId(session), false);
        let _ = dispatcher.on_data(StreamId(2), SessionId(session), false);
        let _ = dispatcher.on_setup(StreamId(2), SessionId(session));
    }
    assert_eq!(
        dispatcher.states.len(),
        PENDING_SESSIONS_MAX + UNWANTED_SESSIONS_MAX
    );
    assert_eq!(
        dispatcher.on_setup(STREAM, SessionId(20_000)),
        SetupAction::Create
    );
    for session in 0..10_000 {
        dispatcher.remove_pending_setup(STREAM, SessionId(session));
    }
    assert_eq!(dispatcher.pending_sessions, 0);
    assert_eq!(
        dispatcher.on_data(STREAM, SessionId(9_999), false),
        DataAction::Elicit
    );
}

#[test]
fn sessions_on_cool_down_are_bounded() {
    let mut dispatcher = wildcard();
    let mut die = |session: usize| {
        let session = SessionId(i32::try_from(session).expect("small"));
        assert_eq!(dispatcher.on_setup(STREAM, session), SetupAction::Create);
        let (image, slot) = (CorrelationId(1), ImageSlot(0));
        assert!(dispatcher.add_image(STREAM, session, image, slot));
        dispatcher.remove_image(STREAM, session, image, false)
    };
    assert!((0..COOLING_SESSIONS_MAX).all(&mut die));
    let one_more = COOLING_SESSIONS_MAX;
    assert!(!die(one_more));
    assert!(!die(one_more), "it is not remembered, so it came back");
    dispatcher.remove_cool_down(STREAM, SessionId(0), CorrelationId(1));
    let one_more = SessionId(i32::try_from(one_more).expect("small"));
    let action = dispatcher.on_setup(STREAM, one_more);
    assert_eq!(action, SetupAction::Create);
    assert!(dispatcher.add_image(STREAM, one_more, CorrelationId(1), ImageSlot(0)));
    assert!(dispatcher.remove_image(STREAM, one_more, CorrelationId(1), false));
}
