//! Publish and receive: what goes in and what comes out.

use aileron::cnc::SystemCounter;

use super::streams::{
    all_channels, exchange, fill, fragments, message, messages, open, udp_and_ipc,
};
use super::traffic::with;
use crate::peer::{Action, BEGIN, Client, END, HeaderView, UNFRAGMENTED};
use crate::world::{IPC, STREAM, World, send, udp, wait_until};

/// Length of a frame's header.
const HEADER: usize = 32;
/// Length of a term of the driver's default.
const TERM: usize = 64 * 1024;

#[test]
fn row_6_1_one_small_message() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        let message = b"a small message";
        let position = send(&publication, message);
        let received = fragments(&subscription, 1);
        let (bytes, header) = &received[0];
        assert_eq!(bytes, message, "{channel}");
        assert_eq!(header.frame_length, 32 + 15, "{channel}");
        assert_eq!(header.flags, UNFRAGMENTED, "{channel}");
        assert_eq!(header.term_offset, 0, "{channel}");
        assert_eq!(header.term_id, publication.initial_term_id(), "{channel}");
        assert_eq!(header.session_id, publication.session_id(), "{channel}");
        assert_eq!(header.stream_id, STREAM, "{channel}");
        assert_eq!(header.position, position, "{channel}");
        assert_eq!(subscription.images()[0].position(), position, "{channel}");
    }
}

#[test]
fn row_6_2_payloads_up_to_the_mtu() {
    let world = World::start(&[]);
    let client = world.client();
    for mtu in [1408, 128] {
        for channel in all_channels() {
            let channel = with(&channel, &format!("mtu={mtu}"));
            let (publication, subscription) = open(&client, false, &channel);
            assert_eq!(publication.max_payload_length(), mtu - HEADER);
            for length in [1, 33, mtu / 2, mtu - HEADER] {
                let position = send(&publication, &message(length, length));
                let (bytes, header) = &fragments(&subscription, 1)[0];
                assert_eq!(*bytes, message(length, length), "{channel}");
                assert_eq!(
                    header.frame_length,
                    length_i32(HEADER + length),
                    "{channel}"
                );
                assert_eq!(header.flags, UNFRAGMENTED, "{channel}");
                assert_eq!(header.position, position, "{channel}");
                assert_eq!(subscription.images()[0].position(), position, "{channel}");
            }
        }
    }
}

#[test]
fn row_6_4_more_than_a_term_of_messages_that_divide_it() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        for batch in [1, 10] {
            let messages = messages(100, TERM / 64 - HEADER);
            let count = exchange(&publication, &subscription, &messages, batch);
            assert_eq!(count, messages.len(), "{channel}");
        }
        assert_eq!(
            publication.position(),
            200 * length_i64(TERM / 64),
            "{channel}"
        );
    }
}

#[test]
fn row_6_5_padding_at_the_end_of_a_term_is_never_delivered() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        for batch in [1, 10] {
            let messages = messages(150, 1000);
            let count = exchange(&publication, &subscription, &messages, batch);
            assert_eq!(count, messages.len(), "{channel}");
        }
        let without_padding = 300 * 1056;
        assert!(publication.position() > without_padding, "{channel}");
    }
}

#[test]
fn row_6_6_the_last_gap_of_a_term_is_one_header() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        let mut first = messages(63, 1024 - HEADER);
        first.push(message(63, 992 - HEADER));
        exchange(&publication, &subscription, &first, 5);
        assert_eq!(
            publication.position(),
            length_i64(TERM - HEADER),
            "{channel}"
        );

        let position = send(&publication, b"next");
        assert_eq!(position, length_i64(TERM + 64), "{channel}");
        let (bytes, header) = &fragments(&subscription, 1)[0];
        assert_eq!(bytes, b"next", "{channel}");
        assert_eq!(header.term_offset, 0, "{channel}");
        let next_term = publication.initial_term_id().wrapping_add(1);
        assert_eq!(header.term_id, next_term, "{channel}");
    }
}

#[test]
fn row_6_7_what_fits_without_a_consumer_comes_out_afterwards() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        let offered = fill(&publication, &message(1, 100));
        assert!(offered > 10, "{channel}: {offered}");
        let received = fragments(&subscription, offered);
        assert!(received.iter().all(|(bytes, _)| *bytes == message(1, 100)));
        assert_eq!(
            subscription.images()[0].position(),
            publication.position(),
            "{channel}"
        );
    }
}

#[test]
fn row_6_8_two_full_payloads_are_two_fragments() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        let max = publication.max_payload_length();
        let message = message(8, 2 * max);
        send(&publication, &message);
        send(&publication, &message);
        let received = fragments(&subscription, 4);
        let flags: Vec<_> = received.iter().map(|(_, header)| header.flags).collect();
        assert_eq!(flags, [BEGIN, END, BEGIN, END], "{channel}");
        let bytes: Vec<_> = received.into_iter().map(|(bytes, _)| bytes).collect();
        assert_eq!(bytes[..2].concat(), message, "{channel}");
        assert_eq!(bytes[2..].concat(), message, "{channel}");
    }
}

#[test]
fn row_6_9_fragments_are_assembled_to_one_message() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        let message = message(9, 4 * publication.max_payload_length() + 10);
        send(&publication, &message);
        let mut received = Vec::new();
        let mut polled = 0;
        wait_until("the message", || {
            polled += subscription.poll_assembled(10, |bytes, header| {
                received.push((bytes.to_vec(), header.flags));
            });
            polled == 5
        });
        assert_eq!(received, [(message, UNFRAGMENTED)], "{channel}");
    }
}

/// Assembled messages by the plain and the controlled assembler.
fn assembled_header(channel: &str, controlled: bool) {
    let world = World::start(&[]);
    let client = world.client();
    let (publication, subscription) = open(&client, false, channel);
    let first = send(&publication, b"before");
    let length = 2 * publication.max_payload_length() + 100;
    let message = message(10, length);
    let mut end = None;
    wait_until("room", || {
        end = publication
            .offer_with_reserved_value(&message, 0x1234_5678_9ABC)
            .position();
        end.is_some()
    });
    let mut headers: Vec<HeaderView> = Vec::new();
    wait_until("the messages", || {
        if controlled {
            subscription.controlled_poll_assembled(10, |_, header| {
                headers.push(*header);
                Action::Continue
            });
        } else {
            subscription.poll_assembled(10, |_, header| headers.push(*header));
        }
        headers.len() == 2
    });
    let header = headers[1];
    assert_eq!(
        header.frame_length,
        length_i32(HEADER + length),
        "{header:?}"
    );
    assert_eq!(header.flags, UNFRAGMENTED, "{header:?}");
    assert_eq!(header.reserved_value, 0x1234_5678_9ABC, "{header:?}");
    assert_eq!(header.term_id, publication.initial_term_id(), "{header:?}");
    assert_eq!(i64::from(header.term_offset), first, "{header:?}");
    assert_eq!(Some(header.position), end, "{header:?}");
    assert_eq!(header.session_id, publication.session_id(), "{header:?}");
}

#[test]
fn row_6_10_header_of_an_assembled_message() {
    assembled_header(&udp(), false);
    assembled_header(IPC, false);
}

#[test]
fn row_6_10_header_of_a_message_assembled_under_control() {
    assembled_header(&udp(), true);
    assembled_header(IPC, true);
}

#[test]
fn row_6_11_an_aborted_message_is_assembled_again() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in udp_and_ipc() {
        let (publication, subscription) = open(&client, false, &channel);
        let message = message(11, 3 * publication.max_payload_length());
        send(&publication, &message);
        let mut deliveries = Vec::new();
        wait_until("two deliveries", || {
            subscription.controlled_poll_assembled(10, |bytes, header| {
                deliveries.push((bytes.to_vec(), *header));
                if deliveries.len() == 1 {
                    Action::Abort
                } else {
                    Action::Continue
                }
            });
            deliveries.len() >= 2
        });
        let [first, second] = deliveries.as_slice() else {
            panic!("{channel}: {} deliveries", deliveries.len());
        };
        assert_eq!(first.0, message, "{channel}");
        assert_eq!(first, second, "{channel}");
        assert_eq!(
            subscription.images()[0].position(),
            publication.position(),
            "{channel}"
        );
    }
}

#[test]
fn row_6_12_controlled_polls_accept_each_message_once() {
    let world = World::start(&[]);
    let client = world.client();
    for accept in [Action::Continue, Action::Commit, Action::Break] {
        let (publication, subscription) = open(&client, false, IPC);
        let sent = messages(20, 40);
        for message in &sent {
            send(&publication, message);
        }
        let (mut calls, mut accepted) = (0, Vec::new());
        wait_until("the messages", || {
            subscription.controlled_poll(7, |bytes, _| {
                calls += 1;
                if calls % 2 == 1 {
                    return Action::Abort;
                }
                accepted.push(bytes.to_vec());
                accept
            });
            accepted.len() >= sent.len()
        });
        assert_eq!(accepted, sent, "{accept:?}");
        assert_eq!(calls, 2 * sent.len(), "{accept:?}");
        assert_eq!(subscription.poll(10, |_, _| {}), 0, "{accept:?}");
    }
}

#[test]
fn row_6_13_claims_that_are_committed_and_aborted() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in udp_and_ipc() {
        for is_exclusive in [false, true] {
            let (publication, subscription) = open(&client, is_exclusive, &channel);
            send(&publication, b"offered first");
            let claimed = publication.claim(b"claimed", 0x0BAD_CAFE);
            assert!(claimed.position().is_some(), "{channel}: {claimed:?}");
            send(&publication, b"offered second");
            let aborted = publication.claim_and_abort(100);
            assert!(aborted.position().is_some(), "{channel}: {aborted:?}");
            send(&publication, b"offered third");
            let received = fragments(&subscription, 4);
            let bytes: Vec<_> = received.iter().map(|(bytes, _)| bytes.as_slice()).collect();
            let expected: [&[u8]; 4] = [
                b"offered first",
                b"claimed",
                b"offered second",
                b"offered third",
            ];
            assert_eq!(bytes, expected, "{channel}");
            let reserved: Vec<_> = received.iter().map(|(_, h)| h.reserved_value).collect();
            assert_eq!(reserved, [0, 0x0BAD_CAFE, 0, 0], "{channel}");
            publication.close();
            subscription.close();
        }
    }
}

#[test]
fn row_6_14_messages_of_two_parts() {
    let world = World::start(&[]);
    let client = world.client();
    for is_exclusive in [false, true] {
        let (publication, subscription) = open(&client, is_exclusive, IPC);
        for lengths in [(100, 50), (1000, 3000), (0, 77), (4000, 1)] {
            let parts = [message(1, lengths.0), message(2, lengths.1)];
            let parts_offered: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let offered = publication.offer_parts(&parts_offered);
            assert!(offered.position().is_some(), "{lengths:?}: {offered:?}");
            let received = crate::world::receive(&subscription, 1);
            assert_eq!(received, [parts.concat()], "{lengths:?}");
        }
        publication.close();
        subscription.close();
    }
}

/// A fast producer; the consumer, on a thread and a client of its own, looks at the first and the
/// last word of each message.
fn words_are_never_torn(channel: &str, is_exclusive: bool) {
    const COUNT: u64 = 15_000;
    const LENGTH: usize = 2000;
    let world = World::start(&[
        ("aeron.term.buffer.length", "1m"),
        ("aeron.ipc.term.buffer.length", "1m"),
        ("aeron.threading.mode", "DEDICATED"),
    ]);
    let client = world.client();
    let dir = world.dir().to_owned();
    let subscribed = channel.to_owned();
    let consumer = std::thread::spawn(move || {
        let client = Client::connect(&dir);
        let subscription = client.add_subscription(&subscribed, STREAM).expect("added");
        let mut expected = 0_u64;
        wait_until("all messages", || {
            // Looking again at once is what makes a race likely.
            for _ in 0..1000 {
                subscription.poll_assembled(10, |bytes, _| {
                    assert_eq!(bytes.len(), LENGTH);
                    assert_eq!(bytes[..8], expected.to_le_bytes(), "first word");
                    assert_eq!(bytes[LENGTH - 8..], expected.to_le_bytes(), "last word");
                    expected += 1;
                });
            }
            expected == COUNT
        });
    });
    let publication = client
        .add_publication_of(is_exclusive, channel, STREAM)
        .expect("added");
    let mut message = vec![0; LENGTH];
    for number in 0..COUNT {
        message[..8].copy_from_slice(&number.to_le_bytes());
        message[LENGTH - 8..].copy_from_slice(&number.to_le_bytes());
        loop {
            let offered = publication.offer(&message);
            if offered.position().is_some() {
                break;
            }
            assert!(offered.is_retryable(), "{offered:?}");
            assert!(!consumer.is_finished(), "the consumer gave up");
            std::thread::yield_now();
        }
    }
    consumer.join().expect("untorn words");
}

#[test]
fn row_6_19_words_are_never_torn() {
    for channel in udp_and_ipc() {
        for is_exclusive in [false, true] {
            words_are_never_torn(&channel, is_exclusive);
        }
    }
}

#[test]
fn row_6_21_a_claim_never_committed_is_unblocked() {
    let world = World::start(&[
        ("aeron.client.liveness.timeout", "3s"),
        ("aeron.publication.unblock.timeout", "3500ms"),
    ]);
    let client = world.client();
    for (number, channel) in udp_and_ipc().iter().enumerate() {
        let (publication, subscription) = open(&client, false, channel);
        let other = client.add_publication(channel, STREAM).expect("added");
        send(&publication, b"before");
        let claimed = publication.hold_claim(100, || {
            for message in messages(3, 50) {
                send(&other, &message);
            }
            let received = crate::world::receive(&subscription, 4);
            assert_eq!(received[0], b"before");
            assert_eq!(received[1..], messages(3, 50));
        });
        assert!(claimed.position().is_some(), "{claimed:?}");
        let unblocked = world.system_counter(SystemCounter::UnblockedPublications);
        assert_eq!(
            unblocked,
            i64::try_from(number + 1).expect("small"),
            "{channel}"
        );
    }
}

fn length_i32(length: usize) -> i32 {
    i32::try_from(length).expect("a length")
}

fn length_i64(length: usize) -> i64 {
    i64::try_from(length).expect("a length")
}
