//! What the rows do with streams: open both ends, pass messages, check what comes.

use crate::peer::{Client, HeaderView, Offered, Publication, Refusal, Subscription, code};
use crate::world::{IPC, STREAM, await_connection, multicast, udp, wait_for, wait_until};

/// Unicast, multicast and shared memory.
pub(crate) fn all_channels() -> [String; 3] {
    [udp(), multicast(), IPC.to_owned()]
}

/// Unicast and shared memory.
pub(crate) fn udp_and_ipc() -> [String; 2] {
    [udp(), IPC.to_owned()]
}

/// Both ends of a stream, connected.
pub(crate) fn open(
    client: &Client,
    is_exclusive: bool,
    channel: &str,
) -> (Publication, Subscription) {
    let subscription = patiently(|| client.add_subscription(channel, STREAM));
    let publication = patiently(|| client.add_publication_of(is_exclusive, channel, STREAM));
    await_connection(&publication, &subscription);
    (publication, subscription)
}

/// Adds, and tries again while the endpoint of those before is being closed.
fn patiently<T>(add: impl Fn() -> Result<T, Refusal>) -> T {
    wait_for("an endpoint that is not closing", || match add() {
        Ok(added) => Some(added),
        Err(refusal) if refusal.code == code::RESOURCE_TEMPORARILY_UNAVAILABLE => None,
        Err(refusal) => panic!("{refusal:?}"),
    })
}

/// Offers and polls until all messages went through, `batch` at a time; panics unless they come
/// whole, each once and in order. Returns how many fragments that took.
pub(crate) fn exchange(
    publication: &Publication,
    subscription: &Subscription,
    messages: &[Vec<u8>],
    batch: usize,
) -> usize {
    let (mut sent, mut received, mut fragments) = (0, 0, 0);
    wait_until("the messages", || {
        for _ in 0..batch {
            let Some(message) = messages.get(sent) else {
                break;
            };
            match publication.offer(message) {
                Offered::Position(_) => sent += 1,
                other => {
                    assert!(other.is_retryable(), "message {sent}: {other:?}");
                    break;
                }
            }
        }
        fragments += subscription.poll_assembled(batch.max(10), |bytes, header| {
            assert_eq!(bytes, messages[received], "message {received}");
            assert_eq!(header.session_id, publication.session_id());
            received += 1;
        });
        received == messages.len()
    });
    fragments
}

/// Polls fragments until there are `count`; panics if there are more.
pub(crate) fn fragments(subscription: &Subscription, count: usize) -> Vec<(Vec<u8>, HeaderView)> {
    let mut all = Vec::new();
    wait_until(&format!("{count} fragments"), || {
        subscription.poll(10, |bytes, header| all.push((bytes.to_vec(), *header)));
        all.len() >= count
    });
    assert_eq!(all.len(), count);
    all
}

/// `count` messages of `length` bytes that differ.
pub(crate) fn messages(count: usize, length: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| message(number, length)).collect()
}

/// A message of `length` bytes that depend on its number.
pub(crate) fn message(number: usize, length: usize) -> Vec<u8> {
    let mut state = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Offers until flow control stops it; returns how many went in. The subscriber must be there.
pub(crate) fn fill(publication: &Publication, message: &[u8]) -> usize {
    let mut count = 0;
    let mut refused = 0;
    // A sender that lags behind its limit stops the publication for a moment only.
    while refused < 20 {
        match publication.offer(message) {
            Offered::Position(_) => (count, refused) = (count + 1, 0),
            Offered::AdminAction => {}
            Offered::BackPressured => {
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            other => panic!("message {count}: {other:?}"),
        }
    }
    count
}
