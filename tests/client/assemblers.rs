//! Joining fragments, over real streams and over frames made up to be out of order.

use aileron::base::{Position, SessionId, TermId};
use aileron::client::{
    Action, ControlledFragmentAssembler, ControlledImageFragmentAssembler, FragmentAssembler,
    Header, ImageFragmentAssembler,
};
use aileron::logbuffer::{self, TermGeometry};

use crate::driver::{INITIAL_TERM_ID, World};

const BEGIN: u8 = 0x80;
const MIDDLE: u8 = 0;
const END: u8 = 0x40;
const WHOLE: u8 = 0xC0;

/// A fragment at a place in a term.
struct Fragment {
    frame: [u8; 32],
    payload: Vec<u8>,
}

fn fragment(session: i32, offset: i32, flags: u8, payload: &[u8]) -> Fragment {
    let mut frame = [0; 32];
    let length = i32::try_from(payload.len()).expect("short") + 32;
    frame[0..4].copy_from_slice(&length.to_le_bytes());
    frame[5] = flags;
    frame[6] = 1;
    frame[8..12].copy_from_slice(&offset.to_le_bytes());
    frame[12..16].copy_from_slice(&session.to_le_bytes());
    frame[20..24].copy_from_slice(&INITIAL_TERM_ID.get().to_le_bytes());
    frame[24..32].copy_from_slice(&i64::from(offset).to_le_bytes());
    Fragment {
        frame,
        payload: payload.to_vec(),
    }
}

impl Fragment {
    fn header(&self) -> Header<'_> {
        let geometry = TermGeometry::new(TermId(7), 65536).expect("legal");
        Header::new(logbuffer::Header::new(&self.frame, geometry), None)
    }
}

/// What the plain assembler makes of fragments.
fn assembled(fragments: &[Fragment]) -> Vec<Vec<u8>> {
    let mut assembler = FragmentAssembler::new();
    let mut messages = Vec::new();
    for fragment in fragments {
        assembler.on_fragment(&fragment.payload, &fragment.header(), |message, _| {
            messages.push(message.to_vec());
        });
    }
    messages
}

#[test]
fn sessions_are_joined_apart_and_whole_messages_pass_between() {
    let messages = assembled(&[
        fragment(1, 0, BEGIN, b"a1"),
        fragment(2, 0, BEGIN, b"b1"),
        fragment(1, 64, WHOLE, b"whole"),
        fragment(2, 64, END, b"b2"),
        fragment(1, 64, MIDDLE, b"a2"),
        fragment(1, 128, END, b"a3"),
    ]);
    assert_eq!(messages, [&b"whole"[..], b"b1b2", b"a1a2a3"]);
}

#[test]
fn what_does_not_follow_drops_the_message() {
    // A fragment is missing.
    assert!(assembled(&[fragment(1, 0, BEGIN, b"1"), fragment(1, 128, END, b"3")]).is_empty());
    // The rest of it is then ignored, up to the next begin.
    let messages = assembled(&[
        fragment(1, 0, BEGIN, b"1"),
        fragment(1, 128, MIDDLE, b"3"),
        fragment(1, 192, END, b"4"),
        fragment(1, 256, BEGIN, b"5"),
        fragment(1, 320, END, b"6"),
    ]);
    assert_eq!(messages, [b"56"]);
    // Joined in the middle of a message.
    assert!(assembled(&[fragment(1, 64, MIDDLE, b"2"), fragment(1, 128, END, b"3")]).is_empty());
    // A begin starts anew.
    let messages = assembled(&[
        fragment(1, 0, BEGIN, b"1"),
        fragment(1, 64, BEGIN, b"2"),
        fragment(1, 128, END, b"3"),
    ]);
    assert_eq!(messages, [b"23"]);
    // A message ends once.
    let messages = assembled(&[
        fragment(1, 0, BEGIN, b"1"),
        fragment(1, 64, END, b"2"),
        fragment(1, 128, END, b"3"),
    ]);
    assert_eq!(messages, [b"12"]);
}

#[test]
fn the_header_of_a_message_is_the_first_s_with_total_length_and_last_position() {
    let fragments = [
        fragment(1, 64, BEGIN, &[1; 32]),
        fragment(1, 128, MIDDLE, &[2; 32]),
        fragment(1, 192, END | 0x10, &[3; 5]),
    ];
    let mut assembler = ImageFragmentAssembler::new();
    let mut delivered = 0;
    for fragment in &fragments {
        assembler.on_fragment(&fragment.payload, &fragment.header(), |message, header| {
            delivered += 1;
            assert_eq!(message.len(), 69);
            assert_eq!(header.frame_length(), 32 + 69);
            assert_eq!(header.flags(), WHOLE | 0x10);
            assert_eq!(header.term_offset().get(), 64);
            assert_eq!(header.reserved_value(), 64);
            assert_eq!(header.fragmented_frame_length(), Some(2 * 64 + 64));
            assert_eq!(header.position(), Position(256));
            assert_eq!(header.session_id(), SessionId(1));
        });
    }
    assert_eq!(delivered, 1);
}

#[test]
fn freeing_and_clearing_drop_what_was_gathered() {
    let begin = fragment(1, 0, BEGIN, b"1");
    let end = fragment(1, 64, END, b"2");
    let mut assembler = FragmentAssembler::new();
    assembler.on_fragment(b"1", &begin.header(), |_, _| {});
    assert!(assembler.free_session_buffer(SessionId(1)));
    assert!(!assembler.free_session_buffer(SessionId(1)));
    assembler.on_fragment(b"2", &end.header(), |_, _| panic!("freed"));
    assembler.on_fragment(b"1", &begin.header(), |_, _| {});
    assembler.clear();
    assembler.on_fragment(b"2", &end.header(), |_, _| panic!("cleared"));

    let mut assembler = ImageFragmentAssembler::new();
    assembler.on_fragment(b"1", &begin.header(), |_, _| {});
    assembler.clear();
    assembler.on_fragment(b"2", &end.header(), |_, _| panic!("cleared"));
}

#[test]
fn an_aborted_message_is_completed_again_by_its_last_fragment() {
    let fragments = [
        fragment(1, 0, BEGIN, &[1; 32]),
        fragment(1, 64, MIDDLE, &[2; 32]),
        fragment(1, 128, END, b"x"),
    ];
    let mut by_session = ControlledFragmentAssembler::new();
    let mut by_image = ControlledImageFragmentAssembler::new();
    let mut positions = Vec::new();
    let mut deliver = |fragment: &Fragment, action| {
        let header = fragment.header();
        let first = by_session.on_fragment(&fragment.payload, &header, |message, header| {
            positions.push((
                message.len(),
                header.frame_length(),
                header.position().get(),
            ));
            action
        });
        let second = by_image.on_fragment(&fragment.payload, &header, |message, _| {
            assert_eq!(message.len(), 65);
            action
        });
        assert_eq!(first, second);
        first
    };
    assert_eq!(deliver(&fragments[0], Action::Break), Action::Continue);
    assert_eq!(deliver(&fragments[1], Action::Break), Action::Continue);
    assert_eq!(deliver(&fragments[2], Action::Abort), Action::Abort);
    assert_eq!(deliver(&fragments[2], Action::Abort), Action::Abort);
    assert_eq!(deliver(&fragments[2], Action::Commit), Action::Commit);
    assert_eq!(
        deliver(&fragments[2], Action::Commit),
        Action::Continue,
        "it is done"
    );
    assert_eq!(positions, [(65, 97, 192); 3]);
    let whole = fragment(1, 512, WHOLE, b"whole");
    let mut direct = ControlledFragmentAssembler::new();
    let action = direct.on_fragment(b"whole", &whole.header(), |_, _| Action::Break);
    assert_eq!(action, Action::Break);
}

#[test]
fn a_handler_that_panics_leaves_the_assembler_usable() {
    let mut assembler = FragmentAssembler::new();
    let begin = fragment(1, 0, BEGIN, b"1");
    let end = fragment(1, 64, END, b"2");
    assembler.on_fragment(b"1", &begin.header(), |_, _| {});
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        assembler.on_fragment(b"2", &end.header(), |_, _| panic!("on purpose"));
    }));
    assert!(unwound.is_err());
    assembler.on_fragment(b"1", &begin.header(), |_, _| {});
    let mut length = 0;
    assembler.on_fragment(b"2", &end.header(), |message, _| length = message.len());
    assert_eq!(length, 2);
}

#[test]
fn long_messages_arrive_whole_over_a_subscription() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    let long: Vec<u8> = (0..5000u32)
        .map(|i| u8::try_from(i % 251).expect("small"))
        .collect();
    publication.offer(b"short").expect("room");
    publication.offer(&long).expect("room");
    publication.offer(&long[..1376]).expect("room");

    let mut assembler = FragmentAssembler::new();
    let mut messages = Vec::new();
    let mut last = None;
    let fragments = subscription.poll_assembled(&mut assembler, 100, |message, header| {
        assert!(header.image().is_some());
        messages.push(message.to_vec());
        last = Some(header.position());
    });
    assert_eq!(fragments, 1 + 4 + 1);
    assert_eq!(messages, [b"short", &long[..], &long[..1376]]);
    assert_eq!(last, publication.position());
}

#[test]
fn a_controlled_assembled_poll_redelivers_after_an_abort() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    publication.offer(&[7; 3000]).expect("room");
    let mut assembler = ControlledFragmentAssembler::new();
    let mut attempts = 0;
    for _ in 0..3 {
        subscription.controlled_poll_assembled(&mut assembler, 10, |message, header| {
            attempts += 1;
            assert_eq!(
                (message, Some(header.position())),
                (&[7; 3000][..], publication.position())
            );
            if attempts < 2 {
                Action::Abort
            } else {
                Action::Continue
            }
        });
    }
    assert_eq!(attempts, 2);
    let image = subscription.image_at(0).expect("an image");
    assert_eq!(Some(image.position()), publication.position());
}

#[test]
fn a_stream_that_goes_away_leaves_nothing_in_the_assembler() {
    let world = World::new();
    let mut session = world.client();
    let (publication, mut subscription) = world.stream(&mut session);
    publication.offer(&[7; 3000]).expect("room");
    let mut assembler = FragmentAssembler::new();
    subscription.poll_assembled(&mut assembler, 1, |_, _| panic!("incomplete"));
    let (from, to) = (
        publication.registration_id(),
        subscription.registration_id(),
    );
    world.driver().disconnect(from, to);
    world.settle(&mut session);
    subscription.poll_assembled(&mut assembler, 10, |_, _| {});
    assert!(
        !assembler.free_session_buffer(publication.session_id()),
        "freed already"
    );
}
