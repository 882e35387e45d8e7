//! Publish and receive.

use crate::peer::UNFRAGMENTED;
use crate::world::{IPC, STREAM, World, await_connection, multicast, send, udp, wait_until};

/// The channels of the checklist's matrix.
fn channels() -> [String; 3] {
    [udp(), multicast(), IPC.to_owned()]
}

#[test]
fn row_6_1_one_small_message() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in channels() {
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publication = client.add_publication(&channel, STREAM).expect("added");
        await_connection(&publication, &subscription);

        let message = b"a small message";
        let position = send(&publication, message);
        let mut received = Vec::new();
        wait_until("the message", || {
            subscription.poll(10, |bytes, header| received.push((bytes.to_vec(), *header)));
            !received.is_empty()
        });
        let [(bytes, header)] = received.as_slice() else {
            panic!("{channel}: {received:?}");
        };
        assert_eq!(bytes, message, "{channel}");
        assert_eq!(header.frame_length, 32 + 15, "{channel}");
        assert_eq!(header.flags, UNFRAGMENTED, "{channel}");
        assert_eq!(header.term_offset, 0, "{channel}");
        assert_eq!(header.term_id, publication.initial_term_id(), "{channel}");
        assert_eq!(header.session_id, publication.session_id(), "{channel}");
        assert_eq!(header.stream_id, STREAM, "{channel}");
        assert_eq!(header.position, position, "{channel}");
        let image = subscription
            .image_by_session(publication.session_id())
            .expect("the image");
        assert_eq!(image.position(), position, "{channel}");
    }
}
