//! Clients, their counters, and commands that cannot be understood.

use crate::base::{CounterId, EpochMillis, NULL_VALUE, RegistrationId, SessionId, StreamId};
use crate::cnc::SystemCounter;
use crate::command::{
    AddCounter, AddStaticCounter, Command, ErrorCode, GetNextAvailableSessionId, RemoveCounter,
    TerminateDriver, command_id,
};
use crate::driver::config::{DriverConfig, TerminationValidator};
use crate::driver::testing::{Seen, World, image_among, small_config};

const STREAM: i32 = 1001;
const IPC: &str = "aeron:ipc";

fn add_counter(world: &mut World, label: &[u8]) -> (RegistrationId, CounterId) {
    let id = world.driver().send(|client_id, correlation_id| {
        let (type_id, key) = (7777, &b"key"[..]);
        Command::AddCounter(AddCounter {
            client_id,
            correlation_id,
            type_id,
            key,
            label,
        })
    });
    let events = world.answer(id);
    let ready = events.iter().find_map(|event| {
        let Seen::CounterReady { id: of, counter } = event else {
            return None;
        };
        (*of == id).then_some(*counter)
    });
    (id.into(), ready.expect("a counter"))
}

fn remove_counter(world: &mut World, registration_id: RegistrationId) -> Vec<Seen> {
    let id = world.driver().send(|client_id, correlation_id| {
        Command::RemoveCounter(RemoveCounter {
            client_id,
            correlation_id,
            registration_id,
        })
    });
    world.answer(id)
}

fn add_static(world: &mut World, type_id: i32, registration: i64) -> Vec<Seen> {
    let id = world.driver().send(|client_id, correlation_id| {
        Command::AddStaticCounter(AddStaticCounter {
            client_id,
            correlation_id,
            registration_id: RegistrationId(registration),
            type_id,
            key: b"",
            label: b"static",
        })
    });
    world.answer(id)
}

#[test]
fn silent_client_loses_everything() {
    let mut world = World::new(1, &small_config());
    let client = world.driver().client;
    world.add_publication(IPC, STREAM);
    let (_, events) = world.add_subscription(IPC, STREAM);
    let image = image_among(&events).expect("an image");
    let (counter, counter_id) = add_counter(&mut world, b"mine");
    let heartbeat = world.driver().counter_of_type(11).expect("a heartbeat").id;
    world.driver().beats = false;
    world.run_ms(12_000);
    let events = world.driver().take_events();
    let expected = [
        Seen::ClientTimeout(client),
        Seen::CounterGone {
            id: RegistrationId(client.get()),
            counter: heartbeat,
        },
        Seen::CounterGone {
            id: counter,
            counter: counter_id,
        },
    ];
    assert_eq!(events, expected);
    assert_eq!(world.driver().system(SystemCounter::ClientTimeouts), 1);
    assert!(image.position != heartbeat);
    world.run_ms(2_000);
    assert_eq!(world.driver().take_events(), []);
    assert_eq!(world.driver().counters(), []);
    assert_eq!(world.driver().extra_labels(), Vec::<String>::new());
    assert_eq!(world.driver().store.paths(), Vec::<String>::new());
}

#[test]
fn steps_of_the_wall_clock_neither_kill_clients_nor_keep_dead_ones() {
    const HOUR_MS: i64 = 3_600_000;
    for step in [HOUR_MS, -HOUR_MS] {
        let mut world = World::new(1, &small_config());
        let client = world.driver().client;
        world.add_publication(IPC, STREAM);
        world.run_ms(500);
        // Those of the client's heart stop right before the step.
        world.driver().beats = false;
        world.step_wall_clock(step);
        world.run_ms(5_000);
        world.driver().beats = true;
        world.run_ms(15_000);
        assert_eq!(world.driver().take_events(), []);
        world.step_wall_clock(step);
        world.driver().beats = false;
        world.run_ms(12_000);
        let events = world.driver().take_events();
        assert_eq!(events.first(), Some(&Seen::ClientTimeout(client)));
    }
}

#[test]
fn client_that_says_goodbye_does_not_time_out() {
    let mut world = World::new(1, &small_config());
    let client = world.driver().client;
    world.add_publication(IPC, STREAM);
    world.driver().send_close();
    world.run_ms(1_100);
    let events = world.driver().take_events();
    assert!(
        matches!(&events[..], [Seen::CounterGone { id, .. }] if id.get() == client.get()),
        "{events:?}"
    );
    assert_eq!(world.driver().system(SystemCounter::ClientTimeouts), 0);
    world.run_ms(3_000);
    assert_eq!(world.driver().counters(), []);
    world.add_publication(IPC, STREAM);
    assert!(
        world.driver().counter_of_type(11).is_some(),
        "known again under the same id"
    );
}

#[test]
fn client_that_said_goodbye_goes_even_if_its_heart_beats_on() {
    let mut world = World::new(1, &small_config());
    let client = world.driver().client;
    world.add_publication(IPC, STREAM);
    let heartbeat = world.driver().counter_of_type(11).expect("a heartbeat").id;
    world.driver().send_close();
    world.run_ms(10);
    // Another thread of the client had not noticed yet.
    world.driver().counter(heartbeat).set(i64::MAX);
    world.run_ms(1_100);
    let events = world.driver().take_events();
    assert!(
        matches!(&events[..], [Seen::CounterGone { id, .. }] if id.get() == client.get()),
        "{events:?}"
    );
}

#[test]
fn subscribers_of_a_dead_publisher_lose_its_image_after_draining() {
    let mut world = World::new(1, &small_config());
    world.add_publication(IPC, STREAM);
    world.driver().send_close();
    world.driver().become_new_client();
    let (subscription, events) = world.add_subscription(IPC, STREAM);
    assert!(image_among(&events).is_some());
    world.run_ms(3_000);
    let events = world.driver().take_events();
    let mut gone = events.iter().filter_map(|event| {
        let Seen::Unavailable { subscription, .. } = event else {
            return None;
        };
        Some(*subscription)
    });
    assert!(gone.any(|of| of == subscription), "{events:?}");
}

#[test]
fn counter_is_gone_after_its_removal_was_answered() {
    let mut world = World::new(1, &small_config());
    let (registration, counter) = add_counter(&mut world, b"orders");
    let record = world
        .driver()
        .cnc
        .counters()
        .record(counter)
        .expect("allocated");
    assert_eq!((record.type_id, &*record.label), (7777, "orders"));
    assert_eq!(record.registration_id, registration);
    assert_eq!(record.owner_id, world.driver().client.get());
    assert!(record.key.starts_with(b"key\0"));
    let events = remove_counter(&mut world, registration);
    let [Seen::Success(_), gone] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        *gone,
        Seen::CounterGone {
            id: registration,
            counter
        }
    );
    let events = remove_counter(&mut world, registration);
    assert!(
        matches!(
            &events[..],
            [Seen::Error {
                code: ErrorCode::UnknownCounter,
                ..
            }]
        ),
        "{events:?}"
    );
}

#[test]
fn counter_of_another_client_cannot_be_removed() {
    let mut world = World::new(1, &small_config());
    let (registration, _) = add_counter(&mut world, b"orders");
    world.driver().become_new_client();
    let events = remove_counter(&mut world, registration);
    assert!(
        matches!(
            &events[..],
            [Seen::Error {
                code: ErrorCode::UnknownCounter,
                ..
            }]
        ),
        "{events:?}"
    );
}

#[test]
fn static_counter_outlives_its_client_and_is_found_again() {
    let mut world = World::new(1, &small_config());
    let events = add_static(&mut world, 5000, 42);
    let [
        Seen::CounterReady { .. },
        Seen::StaticCounter { counter, .. },
    ] = events[..]
    else {
        panic!("{events:?}");
    };
    world.driver().send_close();
    world.run_ms(2_000);
    world.driver().become_new_client();
    world.driver().take_events();
    let events = add_static(&mut world, 5000, 42);
    let [
        Seen::CounterReady { .. },
        Seen::StaticCounter { counter: again, .. },
    ] = events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(again, counter);
    let record = world
        .driver()
        .cnc
        .counters()
        .record(counter)
        .expect("allocated");
    assert_eq!(
        (record.owner_id, record.registration_id),
        (NULL_VALUE, RegistrationId(42))
    );
    let events = add_static(&mut world, 0, 5);
    assert!(
        matches!(
            events[..],
            [Seen::StaticCounter {
                counter: CounterId(5),
                ..
            }]
        ),
        "system counters are static: {events:?}"
    );
}

#[test]
fn static_counter_does_not_take_the_place_of_another() {
    let mut world = World::new(1, &small_config());
    let (registration, _) = add_counter(&mut world, b"orders");
    let events = add_static(&mut world, 7777, registration.get());
    assert!(
        matches!(
            &events[..],
            [Seen::Error {
                code: ErrorCode::GenericError,
                ..
            }]
        ),
        "{events:?}"
    );
}

#[test]
fn exhausted_counters_fail_the_command_and_leave_nothing_behind() {
    let mut world = World::new(1, &small_config());
    let mut added = 0;
    loop {
        let id = world.driver().send(|client_id, correlation_id| {
            let (type_id, key, label) = (7777, &b""[..], &b"filler"[..]);
            Command::AddCounter(AddCounter {
                client_id,
                correlation_id,
                type_id,
                key,
                label,
            })
        });
        let events = world.answer(id);
        if let Some(Seen::Error { code, .. }) = events.last() {
            assert_eq!(*code, ErrorCode::GenericError);
            break;
        }
        added += 1;
    }
    assert!(added > 100);
    let id = world.driver().send_add_publication(IPC, STREAM, false);
    assert_eq!(world.error(id).0, ErrorCode::GenericError);
    world.run_ms(10);
    assert_eq!(world.driver().store.paths(), Vec::<String>::new());
}

#[test]
fn next_session_id_skips_those_in_use() {
    let mut world = World::new(1, &small_config());
    let ask = |world: &mut World| {
        let id = world.driver().send(|client_id, correlation_id| {
            let stream_id = StreamId(STREAM);
            let get = GetNextAvailableSessionId {
                client_id,
                correlation_id,
                stream_id,
            };
            Command::GetNextAvailableSessionId(get)
        });
        let events = world.answer(id);
        let [Seen::NextSessionId { session, .. }] = events[..] else {
            panic!("{events:?}")
        };
        session.get()
    };
    let first = ask(&mut world);
    assert_eq!(ask(&mut world), first.wrapping_add(1));
    let used = SessionId(first.wrapping_add(2));
    world.add_exclusive(&format!("aeron:ipc?session-id={used}"), STREAM);
    assert_eq!(ask(&mut world), first.wrapping_add(3));
}

#[test]
fn termination_is_granted_only_if_configured() {
    for (validator, is_granted) in [
        (TerminationValidator::Deny, false),
        (TerminationValidator::Allow, true),
    ] {
        let config = DriverConfig {
            termination_validator: validator,
            ..small_config()
        };
        let mut world = World::new(1, &config);
        world.driver().send(|client_id, correlation_id| {
            let token = b"please";
            Command::TerminateDriver(TerminateDriver {
                client_id,
                correlation_id,
                token,
            })
        });
        world.run_ms(10);
        assert_eq!(world.driver().termination.is_set(), is_granted);
        assert_eq!(world.driver().take_events(), []);
    }
}

#[test]
fn malformed_commands_are_answered_if_they_say_whom_to_answer() {
    let mut world = World::new(1, &small_config());
    world
        .driver()
        .send_raw(command_id::ADD_PUBLICATION, &[1, 0, 0]);
    world.run_ms(3);
    assert_eq!(world.driver().take_events(), []);
    let mut payload = [0; 20];
    payload[8] = 77;
    world
        .driver()
        .send_raw(command_id::ADD_PUBLICATION, &payload);
    let (code, _) = world.error(77.into());
    assert_eq!(code, ErrorCode::MalformedCommand);
    world.driver().send_raw(0x7777, &payload);
    let (code, _) = world.error(77.into());
    assert_eq!(code, ErrorCode::UnknownCommandTypeId);
    assert_eq!(world.driver().system(SystemCounter::Errors), 3);
    assert_eq!(world.driver().errors().len(), 3);
    world.add_publication(IPC, STREAM);
}

#[test]
fn ring_blocked_by_a_dead_client_is_unblocked() {
    let mut world = World::new(1, &small_config());
    world.add_publication(IPC, STREAM);
    let ring = world.driver().cnc.to_driver();
    // What a killed process leaves behind: a claim that is neither committed nor aborted.
    Box::leak(Box::new(
        ring.claim(command_id::CLIENT_KEEPALIVE, 16).expect("room"),
    ));
    let id = world.driver().send_add_publication(IPC, STREAM + 1, false);
    world.run_ms(10_000);
    assert_eq!(world.driver().take_events(), []);
    world.answer(id);
    assert_eq!(world.driver().system(SystemCounter::UnblockedCommands), 1);
}

#[test]
fn heartbeat_of_the_driver_beats_and_ends() {
    let mut world = World::new(1, &small_config());
    let ring = world.driver().cnc.to_driver();
    let before = ring.consumer_heartbeat();
    world.run_ms(1_500);
    assert_eq!(ring.consumer_heartbeat().since(before), 1_000);
    world.add_publication(IPC, STREAM);
    world.close();
    assert_eq!(ring.consumer_heartbeat(), EpochMillis(NULL_VALUE));
    assert_eq!(
        world.driver().store.paths(),
        Vec::<String>::new(),
        "logs are deleted"
    );
}

#[test]
fn a_driver_that_is_left_alone_rests_unless_it_has_streams() {
    let mut world = World::new(1, &small_config());
    world.run_ms(500);
    assert_eq!(world.driver().rest_ns(), 0, "somebody may be about to come");
    world.run_ms(600);
    let rest_ns = world.driver().rest_ns();
    assert!((1_000_000..=10_000_000).contains(&rest_ns), "{rest_ns}");
    let publication = world.add_publication(IPC, STREAM);
    assert_eq!(world.driver().rest_ns(), 0, "it was spoken to");
    world.run_ms(1_500);
    assert_eq!(
        world.driver().rest_ns(),
        0,
        "the stream may go on at any time"
    );
    let id = world
        .driver()
        .send_remove_publication(publication.registration, false);
    world.answer(id);
    // It lingers first.
    world.run_ms(10_000);
    assert_eq!(world.driver().rest_ns(), rest_ns);
}
