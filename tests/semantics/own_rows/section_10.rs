//! Images that cannot be rejected: the reference client checks less before it writes the command.

use aileron::client::AddError;
use aileron::{OfferError, StreamId};

use crate::world::{IPC, STREAM, World, udp, wait_for, wait_until};

#[test]
fn row_10_10_a_spy_rejects_nothing() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    let spy = client
        .add_subscription(&format!("aeron-spy:{channel}"), STREAM)
        .expect("added");
    let publication = client
        .add_publication(&format!("{channel}|ssc=true"), STREAM)
        .expect("added");
    let image = wait_for("an image", || spy.images().pop());
    let refusal = image.own().reject("no").expect_err("a spy's");
    assert!(matches!(
        refusal,
        AddError::InvalidArgument {
            argument: "image",
            ..
        }
    ));
    assert!(refusal.to_string().contains("spies"), "{refusal}");
    assert!(publication.is_connected());
    assert_eq!(client.error_frames(), []);
}

#[test]
fn row_10_13_a_reason_has_its_limit() {
    for channel in [IPC.to_owned(), udp()] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publication = client.add_publication(&channel, STREAM).expect("added");
        let image = wait_for("an image", || subscription.images().pop());
        for length in [1024, 1024 * 1024] {
            let refusal = image
                .own()
                .reject(&"x".repeat(length))
                .expect_err("too long");
            assert!(
                matches!(
                    refusal,
                    AddError::InvalidArgument {
                        argument: "reason",
                        ..
                    }
                ),
                "{refusal}"
            );
        }
        assert!(!image.is_closed());
        assert_eq!(client.error_frames(), []);
        drop(publication);
    }
}

#[test]
fn row_10_4_a_revoked_publication_is_closed() {
    for channel in [IPC.to_owned(), udp()] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let own = client.own();
        let mut publication = own
            .add_exclusive_publication(&channel, StreamId(STREAM))
            .expect("added");
        wait_until("a connection", || {
            publication.is_connected() && subscription.is_connected()
        });
        publication.revoke_on_close(true);
        publication.close();
        assert_eq!(publication.offer(&[1; 10]), Err(OfferError::Closed));
        wait_until("the image to go", || subscription.events().len() > 1);
        let event = subscription.events().pop().expect("an event");
        assert!(event.is_revoked, "{event:?}");
    }
}
