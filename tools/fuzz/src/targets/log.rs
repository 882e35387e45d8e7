//! Logs to a client.

use std::sync::OnceLock;

use aileron::client::{FragmentAssembler, OfferError, Subscription};
use aileron::memory::AtomicBuffer;

use crate::fake_driver::{FakeDriver, STREAM, TERM_LENGTH, drive, new_log};
use crate::patch::patch;
use crate::script::steps;

/// Where the metadata of a log begins.
pub(crate) const METADATA: usize = 3 * 64 * 1024;
/// Fragments that a log may hold at most: its three terms full of the shortest frames.
const FRAGMENTS_MAX: usize = 3 * 64 * 1024 / 32;

/// Changes words of a log with messages in it before a client maps it, and others afterwards, while
/// the client polls and publishes in all ways there are.
///
/// The first byte of a step says what it does: change a frame, change the metadata, poll, offer,
/// begin an image, end it.
///
/// ```
/// aileron_fuzz::targets::log(&[0, 8, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
/// ```
pub fn log(data: &[u8]) {
    let buffer = used_log();
    let driver = FakeDriver::new(buffer.clone());
    let (client, mut invoker) = driver.connect().expect("nothing is wrong with the driver");
    let mut subscription = client
        .add_subscription("aeron:ipc", STREAM)
        .expect("answered");
    let (mut shared, mut exclusive) = (None, None);
    let mut assembler = FragmentAssembler::new();
    for step in steps(data) {
        match step.control & 7 {
            0 => patch(&buffer, 0, step.bytes),
            1 => patch(&buffer, METADATA, step.bytes),
            2 => {
                driver.remove_image(subscription.registration_id());
                let position = step
                    .bytes
                    .first_chunk::<8>()
                    .map(|b| i64::from_le_bytes(*b));
                driver.add_image(subscription.registration_id(), position.unwrap_or(0));
            }
            3 => poll(&mut subscription, &mut assembler, step.control >> 3),
            4 => shared = client.add_publication("aeron:ipc", STREAM).ok(),
            5 => exclusive = client.add_exclusive_publication("aeron:ipc", STREAM).ok(),
            6 => {
                if let Some(publication) = &shared {
                    let outcome = publication.offer(step.bytes);
                    assert_ne!(outcome, Err(OfferError::Closed));
                    if let Ok(claim) = publication.try_claim(step.bytes.len()) {
                        claim.abort();
                    }
                    let _ = (publication.position(), publication.available_window());
                }
            }
            _ => {
                if let Some(publication) = &mut exclusive {
                    let outcome = publication.offer(step.bytes);
                    assert_ne!(outcome, Err(OfferError::Closed));
                    let _ = publication.append_padding(step.bytes.len());
                    let _ = publication.offer_block(step.bytes);
                    let _ = publication.position();
                }
            }
        }
        for _ in 0..4 {
            invoker.do_work();
        }
    }
    driver.remove_image(subscription.registration_id());
    drive(&mut invoker);
    assert!(subscription.has_no_images());
    assert!(!client.is_closed());
}

fn poll(subscription: &mut Subscription, assembler: &mut FragmentAssembler, how: u8) {
    let mut fragments = 0;
    for _ in 0..8 {
        fragments += match how % 3 {
            0 => subscription.poll(64, |payload, header| {
                let _ = (
                    payload.iter().map(|b| u64::from(*b)).sum::<u64>(),
                    header.position(),
                );
            }),
            1 => subscription.poll_assembled(assembler, 64, |payload, header| {
                let _ = (payload.last(), header.position());
            }),
            _ => {
                let block = |block: aileron::client::Block<'_>| {
                    assert!(i32::try_from(block.bytes.len()).is_ok_and(|l| l <= TERM_LENGTH));
                };
                subscription.block_poll(1 << 16, block) / 32
            }
        };
    }
    assert!(fragments <= FRAGMENTS_MAX);
}

/// A log with messages of all lengths in it.
fn used_log() -> AtomicBuffer {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| {
        let buffer = new_log();
        let driver = FakeDriver::new(buffer.clone());
        let (client, _invoker) = driver.connect().expect("a client");
        let publication = client
            .add_publication("aeron:ipc", STREAM)
            .expect("answered");
        for number in 0..60_usize {
            publication.offer(&vec![2; number * 7]).expect("room");
        }
        publication.offer(&[3; 5000]).expect("room");
        let mut bytes = vec![0; buffer.len()];
        buffer.read_bytes(0, &mut bytes);
        bytes
    });
    let buffer = AtomicBuffer::heap(bytes.len());
    for (at, word) in bytes.chunks_exact(8).enumerate() {
        let word = i64::from_le_bytes(word.try_into().unwrap_or_default());
        if word != 0 {
            buffer.store_i64_relaxed(at * 8, word);
        }
    }
    buffer
}
