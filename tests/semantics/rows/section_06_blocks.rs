//! Publish and receive: frames that are already laid out.

use super::streams::{fragments, message, open};
use crate::peer::{Offered, UNFRAGMENTED};
use crate::world::{IPC, STREAM, World, await_connection, send};

/// Length of a frame's header.
const HEADER: usize = 32;
/// Length of a term of the driver's default.
const TERM: usize = 64 * 1024;

/// Frames of the whole of `publication`'s first term, `count` of them, as its log would have them.
fn term_of_frames(session_id: i32, term_id: i32, count: usize) -> Vec<u8> {
    let mut block = Vec::new();
    let length = TERM / count;
    for number in 0..count {
        let offset = block.len();
        block.extend(length_i32(length).to_le_bytes());
        block.extend([0, UNFRAGMENTED]);
        block.extend(1_u16.to_le_bytes());
        block.extend(length_i32(offset).to_le_bytes());
        block.extend(session_id.to_le_bytes());
        block.extend(STREAM.to_le_bytes());
        block.extend(term_id.to_le_bytes());
        block.extend(0_i64.to_le_bytes());
        block.extend(message(number, length - HEADER));
    }
    block
}

#[test]
fn row_6_16_blocks_that_do_not_continue_the_stream() {
    let world = World::start(&[]);
    let client = world.client();
    let (publication, subscription) = open(&client, true, IPC);
    let session = publication.session_id();
    let right = term_of_frames(session, publication.initial_term_id(), 64);
    let is_refused = |block: &[u8]| matches!(publication.offer_block(block), Offered::Invalid(_));
    let mut longer = right.clone();
    longer.extend_from_slice(&right[..1024]);
    assert!(is_refused(&longer), "longer than the term");
    // Offset, session, stream and term id of the first frame; and its type.
    for field in [8, 12, 16, 20, 6] {
        let mut block = right[..1024].to_vec();
        block[field] ^= 2;
        assert!(is_refused(&block), "another value at {field}");
    }
    assert_eq!(publication.position(), 0);
    assert_eq!(
        publication.offer_block(&right[..1024]),
        Offered::Position(1024)
    );
    assert_eq!(fragments(&subscription, 1)[0].0, message(0, 1024 - HEADER));
}

#[test]
fn row_6_17_a_block_of_a_whole_term() {
    let world = World::start(&[]);
    let client = world.client();
    let (publication, subscription) = open(&client, true, IPC);
    let block = term_of_frames(publication.session_id(), publication.initial_term_id(), 64);
    let offered = publication.offer_block(&block);
    assert_eq!(offered, Offered::Position(length_i64(TERM)));
    let mut received = Vec::new();
    let polled = subscription.block_poll(TERM, |bytes, session_id, term_id| {
        assert_eq!(session_id, publication.session_id());
        assert_eq!(term_id, publication.initial_term_id());
        received.push(bytes.to_vec());
    });
    assert_eq!((polled, received), (TERM, vec![block]));
    assert_eq!(send(&publication, b"next"), length_i64(TERM + 64));
    let (_, header) = fragments(&subscription, 1)[0];
    assert_eq!(header.term_offset, 0);
}

#[test]
fn row_6_18_a_block_without_a_window() {
    let world = World::start(&[]);
    let client = world.client();
    let publication = client
        .add_exclusive_publication(IPC, STREAM)
        .expect("added");
    let block = term_of_frames(publication.session_id(), publication.initial_term_id(), 64);
    assert_eq!(publication.offer_block(&block), Offered::NotConnected);
    let subscription = client.add_subscription(IPC, STREAM).expect("added");
    await_connection(&publication, &subscription);
    let offered = publication.offer_block(&block);
    assert_eq!(offered, Offered::Position(length_i64(TERM)));
    let next = publication.initial_term_id().wrapping_add(1);
    let block = term_of_frames(publication.session_id(), next, 64);
    assert_eq!(publication.offer_block(&block), Offered::BackPressured);
}

fn length_i32(length: usize) -> i32 {
    i32::try_from(length).expect("a length")
}

fn length_i64(length: usize) -> i64 {
    i64::try_from(length).expect("a length")
}
