//! Offering, claiming, and what a publication tells of itself.

use std::sync::Arc;

use aileron::base::RegistrationId;
use aileron::base::{CounterId, Position, TermOffset};
use aileron::client::{ChannelStatus, OfferError};
use aileron::cnc::counter_types::{LOCAL_SOCKADDR_TYPE_ID, LocalAddressKey};

use crate::driver::{INITIAL_TERM_ID, IPC, STREAM, World};

#[test]
fn an_offer_names_its_outcome() {
    let world = World::new();
    let mut session = world.client();
    let publication = session.client.add_publication(IPC, STREAM).expect("added");
    assert_eq!(publication.offer(b"x"), Err(OfferError::NotConnected));
    let stream = world.driver().streams[&publication.registration_id()].clone();
    stream.log.set_connected(true);
    assert!(publication.is_connected());
    assert_eq!(publication.offer(b"x"), Err(OfferError::BackPressured));
    stream.limit.set(1 << 20);
    assert_eq!(publication.offer(b"hello"), Ok(Position(64)));
    assert_eq!(
        publication.offer_vectored(&[b"a", b"", b"b"]),
        Ok(Position(128))
    );
    assert_eq!(publication.offer_with(b"x", |_| 9), Ok(Position(192)));
    let max = publication.max_message_length();
    assert_eq!(
        publication.offer(&vec![0; max + 1]),
        Err(OfferError::TooLong {
            length: max + 1,
            max
        })
    );
    assert_eq!(publication.position(), Some(Position(192)));
    assert_eq!(publication.available_window(), Some((1 << 20) - 192));

    publication.close();
    assert_eq!(publication.offer(b"x"), Err(OfferError::Closed));
    assert_eq!(
        publication.offer(&vec![0; max + 1]),
        Err(OfferError::Closed)
    );
    assert_eq!(
        publication.try_claim(usize::MAX).err(),
        Some(OfferError::Closed)
    );
    assert_eq!(
        (publication.position(), publication.position_limit()),
        (None, None)
    );
    assert!(!publication.is_connected());
    assert_eq!(publication.channel_status(), ChannelStatus::Errored);
    world.settle(&mut session);
}

#[test]
fn a_full_term_says_so_once_and_then_goes_on() {
    let world = World::new();
    let mut session = world.client();
    let mut exclusive = session
        .client
        .add_exclusive_publication(IPC, STREAM)
        .expect("added");
    let shared = session.client.add_publication(IPC, STREAM).expect("added");
    for id in [exclusive.registration_id(), shared.registration_id()] {
        world.driver().streams[&id].limit.set(1 << 20);
    }
    let message = [0; 1024 - 32];
    for _ in 0..64 {
        shared.offer(&message).expect("room");
        exclusive.offer(&message).expect("room");
    }
    assert_eq!(shared.offer(b"x"), Err(OfferError::AdminAction));
    assert_eq!(shared.offer(b"x"), Ok(Position(65536 + 64)));
    assert_eq!(exclusive.offer(b"x"), Err(OfferError::AdminAction));
    assert_eq!(exclusive.offer(b"x"), Ok(Position(65536 + 64)));
    assert_eq!(exclusive.term_id(), INITIAL_TERM_ID.plus(1));
    assert_eq!(exclusive.term_offset(), TermOffset(64));
    assert_eq!(exclusive.position(), Some(Position(65536 + 64)));
    assert_eq!(
        exclusive.append_padding(100),
        Ok(Position(65536 + 64 + 160))
    );
    assert_eq!(exclusive.offer_block(&[0; 64]), Err(OfferError::BadBlock));
    exclusive.close();
    assert_eq!(exclusive.offer(b"x"), Err(OfferError::Closed));
    assert_eq!(exclusive.append_padding(1), Err(OfferError::Closed));
    assert_eq!(exclusive.position(), None);
    world.settle(&mut session);
}

#[test]
fn a_claim_is_committed_or_skipped() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    drop(publication.try_claim(10).expect("room"));
    let mut claim = publication.try_claim(5).expect("room");
    claim.copy_from_slice(b"hello");
    claim.set_reserved_value(-3);
    assert_eq!(claim.position(), Position(128));
    assert_eq!(
        subscription.poll(10, |_, _| panic!("nothing is visible")),
        0
    );
    assert_eq!(claim.commit(), Position(128));
    publication.try_claim(1).expect("room").abort();
    let fragments = subscription.poll(10, |payload, header| {
        assert_eq!(payload, b"hello");
        assert_eq!(header.reserved_value(), -3);
        assert_eq!(header.position(), Position(128));
    });
    assert_eq!(fragments, 1);
    let max = publication.max_payload_length();
    assert_eq!(
        publication.try_claim(max + 1).err(),
        Some(OfferError::TooLong {
            length: max + 1,
            max
        })
    );
}

#[test]
fn channel_status_follows_its_counter() {
    let world = World::new();
    let session = world.client();
    let ipc = session.client.add_publication(IPC, STREAM).expect("added");
    assert_eq!(ipc.channel_status(), ChannelStatus::Active);
    let endpoint = RegistrationId(50);
    let status = world.driver().allocate(6, b"", "snd-channel", endpoint, 0);
    world.driver().channel_status = status.id();
    let channel = "aeron:udp?endpoint=localhost:0";
    let udp = session
        .client
        .add_subscription(channel, STREAM)
        .expect("added");
    assert_eq!(udp.channel_status(), ChannelStatus::Initializing);
    assert_eq!(
        (udp.resolved_channel(), udp.resolved_endpoint()),
        (None, None)
    );

    let key = LocalAddressKey {
        channel_status_id: status.id(),
        address: "127.0.0.1:40456".to_owned(),
    };
    let address = world
        .driver()
        .allocate(LOCAL_SOCKADDR_TYPE_ID, &key.encode(), "", endpoint, 0);
    address.set(1);
    assert_eq!(udp.local_socket_addresses(), []);
    status.set(1);
    assert_eq!(udp.channel_status(), ChannelStatus::Active);
    assert_eq!(
        udp.local_socket_addresses(),
        ["127.0.0.1:40456".parse().expect("an address")]
    );
    assert_eq!(
        udp.resolved_channel().as_deref(),
        Some("aeron:udp?endpoint=localhost:40456")
    );
    status.set(-1);
    assert_eq!(udp.channel_status(), ChannelStatus::Errored);
    world.driver().channel_status = CounterId(0);
    let unknown = session
        .client
        .add_subscription(channel, STREAM)
        .expect("added");
    assert_eq!(unknown.channel_status(), ChannelStatus::Initializing);
}

#[test]
fn publishers_on_many_threads_lose_nothing() {
    const MESSAGES: usize = 2000;
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    let stream = world.driver().streams[&publication.registration_id()].clone();
    let publication = Arc::new(publication);
    let threads: Vec<_> = (0..3u8)
        .map(|thread| {
            let publication = Arc::clone(&publication);
            std::thread::spawn(move || {
                for number in 0..MESSAGES {
                    let message = [[thread].as_slice(), &number.to_le_bytes()].concat();
                    while let Err(error) = publication.offer(&message) {
                        assert!(error.is_retryable(), "{error}");
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut next = [0usize; 3];
    let mut cleaned = Position(0);
    while next != [MESSAGES; 3] {
        subscription.poll(50, |payload, _| {
            let thread = usize::from(payload[0]);
            let number = usize::from_le_bytes(payload[1..9].try_into().expect("8 bytes"));
            assert_eq!(number, next[thread]);
            next[thread] += 1;
        });
        // The driver's part: to clean behind the subscriber, and to raise the limit.
        let position = subscription.images()[0].position();
        while cleaned < position {
            cleaned = stream.log.clean(cleaned, position);
        }
        stream.limit.set(position.get() + 32 * 1024);
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().expect("no panic"));
}
