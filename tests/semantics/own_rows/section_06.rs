//! Publish and receive, by what only aileron's client offers: raw polls, assemblers of images, and
//! handles that threads share.

use std::io::{Read as _, Seek as _, SeekFrom};

use aileron::client::{
    Action, ControlledImageFragmentAssembler, Header, ImageFragmentAssembler, OfferError,
};
use aileron::logbuffer::{LogBuffer, LogKind};
use aileron::{Client, FragmentAssembler, Publication, SessionId, StreamId, Subscription};

use crate::world::{IPC, STREAM, World, multicast, udp, wait_for, wait_until};

fn open(client: &Client, channel: &str) -> (Publication, Subscription) {
    let subscription = client
        .add_subscription(channel, StreamId(STREAM))
        .expect("added");
    let publication = client
        .add_publication(channel, StreamId(STREAM))
        .expect("added");
    await_image(&publication, &subscription);
    (publication, subscription)
}

fn await_image(publication: &Publication, subscription: &Subscription) {
    wait_until("a connection", || {
        publication.is_connected()
            && subscription
                .image_by_session(publication.session_id())
                .is_some()
    });
}

#[test]
fn row_6_3_a_message_in_the_logs_file() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in [udp(), multicast(), IPC.to_owned()] {
        let (publication, mut subscription) = open(client.own(), &channel);
        wait_for("room", || publication.offer(b"four").ok());
        let mut calls = 0;
        let polled = wait_for("the block", || {
            let polled = subscription.raw_poll(4096, |block| {
                calls += 1;
                assert_eq!(block.file_offset, 0, "{channel}");
                assert_eq!(block.length, 64, "{channel}");
                assert_eq!(block.session_id, publication.session_id(), "{channel}");
                assert_eq!(block.term_id, publication.initial_term_id(), "{channel}");
                let mut file = std::fs::File::open(block.path).expect("the log");
                let mut bytes = vec![0; block.length];
                file.seek(SeekFrom::Start(block.file_offset))
                    .expect("there");
                file.read_exact(&mut bytes).expect("that long");
                assert_eq!(bytes, block.bytes, "{channel}");
                assert_eq!(&bytes[32..36], b"four", "{channel}");
            });
            (polled > 0).then_some(polled)
        });
        assert_eq!((polled, calls), (64, 1), "{channel}");
    }
}

/// What a header says: length, flags, offset, position.
fn said(header: &Header<'_>) -> (i32, u8, i32, i64) {
    (
        header.frame_length(),
        header.flags(),
        header.term_offset().get(),
        header.position().get(),
    )
}

#[test]
fn row_6_10_header_of_a_message_assembled_for_an_image() {
    let world = World::start(&[]);
    let client = world.client();
    for controlled in [false, true] {
        let (publication, subscription) = open(client.own(), IPC);
        let message = vec![7; 3000];
        let end = publication.offer(&message).expect("sent").get();
        let image = subscription.images()[0].clone();
        let mut poller = image.poller().expect("nobody else polls");
        let mut seen = Vec::new();
        let mut plain = ImageFragmentAssembler::new();
        let mut careful = ControlledImageFragmentAssembler::new();
        wait_until("the message", || {
            if controlled {
                poller.controlled_poll(10, |bytes, header| {
                    careful.on_fragment(bytes, header, |bytes, header| {
                        seen.push((bytes.to_vec(), said(header)));
                        Action::Continue
                    })
                });
            } else {
                poller.poll(10, |bytes, header| {
                    plain.on_fragment(bytes, header, |bytes, header| {
                        seen.push((bytes.to_vec(), said(header)));
                    });
                });
            }
            !seen.is_empty()
        });
        assert!(seen == [(message, (3032, 0xC0, 0, end))], "{:?}", seen[0].1);
        drop(poller);
    }
}

#[test]
fn row_6_11_an_aborted_message_is_assembled_again_for_an_image() {
    let world = World::start(&[]);
    let client = world.client();
    let (publication, subscription) = open(client.own(), IPC);
    let message = vec![11; 4000];
    publication.offer(&message).expect("sent");
    let image = subscription.images()[0].clone();
    let mut poller = image.poller().expect("nobody else polls");
    let mut assembler = ControlledImageFragmentAssembler::new();
    let mut seen = Vec::new();
    wait_until("two deliveries", || {
        poller.controlled_poll(10, |bytes, header| {
            assembler.on_fragment(bytes, header, |bytes, header| {
                seen.push((bytes.to_vec(), said(header)));
                if seen.len() == 1 {
                    Action::Abort
                } else {
                    Action::Continue
                }
            })
        });
        seen.len() >= 2
    });
    assert_eq!(seen.len(), 2);
    assert!(seen[0].0 == message && seen[0] == seen[1]);
}

#[test]
fn row_6_15_two_exclusive_publications_on_two_threads() {
    const COUNT: u64 = 2000;
    let world = World::start(&[]);
    let client = world.client();
    for channel in [udp(), multicast(), IPC.to_owned()] {
        let own = client.own();
        let mut subscription = own
            .add_subscription(&channel, StreamId(STREAM))
            .expect("added");
        let publications = [0, 1].map(|_| {
            own.add_exclusive_publication(&channel, StreamId(STREAM))
                .expect("added")
        });
        let sessions = [publications[0].session_id(), publications[1].session_id()];
        assert_ne!(sessions[0], sessions[1]);
        wait_until("both images", || subscription.image_count() == 2);
        let mut next = [0_u64; 2];
        std::thread::scope(|scope| {
            for mut publication in publications {
                scope.spawn(move || {
                    for number in 0..COUNT {
                        wait_for("room", || publication.offer(&number.to_le_bytes()).ok());
                    }
                });
            }
            wait_until("all messages", || {
                subscription.poll(100, |bytes, header| {
                    let of: SessionId = header.session_id();
                    let of = sessions
                        .iter()
                        .position(|it| *it == of)
                        .expect("one of two");
                    assert_eq!(bytes, next[of].to_le_bytes(), "{channel}");
                    next[of] += 1;
                });
                next == [COUNT; 2]
            });
        });
    }
}

#[test]
fn row_6_16_a_block_for_a_closed_publication() {
    let world = World::start(&[]);
    let client = world.client();
    let mut publication = client
        .own()
        .add_exclusive_publication(IPC, StreamId(STREAM))
        .expect("added");
    publication.close();
    assert_eq!(publication.offer_block(&[0; 64]), Err(OfferError::Closed));
}

/// Three threads offer and claim on one publication, which begins near the end of a term.
fn threads_race_for_a_term(round: u64) {
    const COUNT: u64 = 2000;
    const THREADS: usize = 3;
    let world = World::start(&[("aeron.threading.mode", "DEDICATED")]);
    let client = world.client();
    let own = client.own();
    let channel = "aeron:ipc?term-length=64k|init-term-id=3|term-id=3|term-offset=48896";
    let mut subscription = own.add_subscription(IPC, StreamId(STREAM)).expect("added");
    let publication = own
        .add_publication(channel, StreamId(STREAM))
        .expect("added");
    await_image(&publication, &subscription);
    let message = |thread: usize, number: u64| {
        let length = if number.is_multiple_of(3) {
            3000
        } else {
            48 + usize::try_from(number % 7).unwrap_or(0)
        };
        let mut bytes = vec![number.to_le_bytes()[0] ^ 0xA5; length];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        bytes[8] = u8::try_from(thread).expect("few");
        bytes
    };
    let mut next = [0_u64; THREADS];
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let publication = &publication;
            scope.spawn(move || {
                for number in 0..COUNT {
                    let bytes = message(thread, number);
                    wait_for("room", || {
                        let sent = if number % 3 == 1 {
                            publication.try_claim(bytes.len()).map(|mut claim| {
                                claim.copy_from_slice(&bytes);
                                claim.commit()
                            })
                        } else {
                            publication.offer(&bytes)
                        };
                        match sent {
                            Ok(position) => Some(position),
                            Err(OfferError::AdminAction | OfferError::BackPressured) => {
                                std::thread::yield_now();
                                None
                            }
                            Err(other) => panic!("round {round}, message {number}: {other}"),
                        }
                    });
                }
            });
        }
        let mut assembler = FragmentAssembler::new();
        wait_until("all messages", || {
            for _ in 0..100 {
                subscription.poll_assembled(&mut assembler, 20, |bytes, _| {
                    let thread = usize::from(bytes[8]);
                    let expected = message(thread, next[thread]);
                    assert!(
                        bytes == expected,
                        "round {round}: {} of {thread}",
                        next[thread]
                    );
                    next[thread] += 1;
                });
            }
            next == [COUNT; THREADS]
        });
    });
}

#[test]
fn row_6_20_threads_race_for_the_end_of_a_term() {
    for round in 0..10 {
        threads_race_for_a_term(round);
    }
}

#[test]
fn row_6_32_logs_tell_what_they_are_of() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    let (concurrent, subscription) = open(client.own(), &channel);
    let exclusive = client
        .own()
        .add_exclusive_publication(&channel, StreamId(STREAM))
        .expect("added");
    let image = subscription.images()[0].clone();
    for (folder, id, kind) in [
        (
            "publications",
            concurrent.registration_id().get(),
            LogKind::Concurrent,
        ),
        (
            "publications",
            exclusive.registration_id().get(),
            LogKind::Exclusive,
        ),
        ("images", image.correlation_id().get(), LogKind::Image),
    ] {
        let path = world.dir().join(folder).join(format!("{id}.logbuffer"));
        let file = std::fs::File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("a log");
        let length = file.metadata().expect("its length").len();
        let length = usize::try_from(length).expect("a small file");
        let buffer = aileron::memory::map_file(&file, length).expect("a mapping");
        let log = LogBuffer::attach(buffer).expect("a valid log");
        assert_eq!(log.kind(), Some(kind));
    }
}
