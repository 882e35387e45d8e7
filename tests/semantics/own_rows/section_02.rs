//! Client context, callbacks, errors.

use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};

use aileron::client::{AddError, Client, ClientError};
use aileron::{Context, StreamId};

use crate::world::{IPC, STREAM, World, wait_until};

#[test]
fn row_2_7_a_handlers_error_leaves_the_poll() {
    let world = World::start(&[]);
    let client = world.client();
    let publication = client.add_publication(IPC, STREAM).expect("added");
    let mut subscription = client
        .own()
        .add_subscription(IPC, StreamId(STREAM))
        .expect("added");
    wait_until("a connection", || {
        publication.is_connected() && subscription.is_connected()
    });
    for message in [b"first", b"other"] {
        assert!(publication.offer(message).position().is_some());
    }
    let polled = subscription.try_poll(10, |_, _| Err("no"));
    assert_eq!(polled, Err("no"));
    // What failed was not consumed, and the client's error handler knows nothing of it.
    let mut rest = Vec::new();
    wait_until("the rest", || {
        subscription.poll(10, |bytes, _| rest.push(bytes.to_vec()));
        rest.len() == 2
    });
    assert_eq!(rest, [b"first", b"other"]);
    assert!(client.faults().is_empty());
}

#[test]
fn row_2_8_a_call_from_within_a_handler_is_refused() {
    let world = World::start(&[]);
    let shared: Arc<OnceLock<Client>> = Arc::default();
    let (tell, told) = channel();
    let inside = Arc::clone(&shared);
    let client = Context::new()
        .dir(world.dir())
        .on_available_image(move |_| {
            let client = inside.get().expect("connected long ago");
            let added = client.add_publication(IPC, StreamId(STREAM + 1));
            tell.send(added.map(|_| ())).expect("told");
        })
        .connect()
        .expect("a client");
    let client = shared.get_or_init(|| client);
    let subscription = client
        .add_subscription(IPC, StreamId(STREAM))
        .expect("added");
    let publication = client
        .add_publication(IPC, StreamId(STREAM))
        .expect("added");
    wait_until("an image", || subscription.is_connected());
    let refused = told.recv().expect("told");
    assert!(
        matches!(refused, Err(AddError::Client(ClientError::Reentrant))),
        "{refused:?}"
    );
    assert!(!client.is_closed());
    let again = client.add_publication(IPC, StreamId(STREAM + 1));
    assert!(again.is_ok());
    wait_until("a connection", || publication.is_connected());
    client.close();
}
