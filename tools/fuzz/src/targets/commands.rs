//! Records in the command ring of a driver.

use aileron::StreamId;
use aileron::cnc::SystemCounter;

use crate::rig::{MS, RING_LENGTH, Rig};
use crate::script::steps;

/// Where producers of the ring have got to, behind its records.
const TAIL_OFFSET: usize = 128;
/// Seconds in which a claim that nobody finishes is surely given up.
const GIVE_UP_STEPS: usize = 60;

/// Has each step of the script happen to the command ring: a record of a type and some bytes, or a
/// claim whose words are whatever the script says, or a word changed anywhere.
///
/// An honest client of the driver is answered afterwards, and its stream goes on, unless it was
/// told that it is gone.
///
/// ```
/// aileron_fuzz::targets::commands(&[4, 3, 0, 1, 2, 3]);
/// ```
pub fn commands(data: &[u8]) {
    let mut rig = Rig::new(|config| config);
    let mut honest = rig.honest_stream(9);
    let mut is_wrecked = false;
    for step in steps(data) {
        match step.control {
            // A raw claim, or a raw word: what a client can do that does not play by the rules.
            250..=252 => put_raw(&rig, step.bytes),
            253..=255 => is_wrecked |= store_word(&rig, step.bytes),
            type_id => {
                // A ring that is full, or a record that is too long, is refused.
                let _ = rig.ring().write(i32::from(type_id), step.bytes);
            }
        }
        rig.step(if step.control % 2 == 0 { MS } else { 20 * MS });
    }
    // Claims that nobody finishes are given up one after the other; each may hide a claim in each
    // of its words.
    let ring = rig.ring();
    let mut seen = ring.consumer_position();
    let mut patience = GIVE_UP_STEPS;
    while seen != ring.producer_position() && patience > 0 {
        rig.step(1_000 * MS);
        let position = ring.consumer_position();
        patience = if position == seen {
            patience - 1
        } else {
            GIVE_UP_STEPS
        };
        seen = position;
    }
    let _ = rig.system(SystemCounter::Errors);
    // Words all over may make what honest clients write unreadable: then only staying alive counts.
    if is_wrecked {
        return;
    }
    let pending = rig.client.next_session_id_async(StreamId(1));
    let answer = rig.answer(pending);
    assert!(answer.is_some() || rig.client.is_closed(), "no answer");
    rig.check_honest(&mut honest);
}

/// Claims as many bytes as the first byte says and fills in words, the first of them last.
fn put_raw(rig: &Rig, bytes: &[u8]) {
    let Some((&length, rest)) = bytes.split_first() else {
        return;
    };
    let ring = rig.ring_bytes();
    let length = (i64::from(length) + 1) * 8;
    let tail = ring.fetch_add_i64_seq_cst(RING_LENGTH + TAIL_OFFSET, length);
    let index = usize::try_from(tail).unwrap_or(0) & (RING_LENGTH - 1);
    let words = rest
        .chunks_exact(4)
        .map(|word| [word[0], word[1], word[2], word[3]]);
    let words: Vec<i32> = words.map(i32::from_le_bytes).collect();
    for (number, word) in words.iter().enumerate().skip(1) {
        let at = index + number * 4;
        if at + 4 <= RING_LENGTH {
            ring.store_i32_relaxed(at, *word);
        }
    }
    ring.store_i32_release(index, words.first().copied().unwrap_or(0));
}

/// Stores a word somewhere in the ring or its trailer; whether it did.
fn store_word(rig: &Rig, bytes: &[u8]) -> bool {
    let Some((at, rest)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    let Some((value, _)) = rest.split_first_chunk::<8>() else {
        return false;
    };
    let ring = rig.ring_bytes();
    let at = usize::try_from(u32::from_le_bytes(*at)).unwrap_or(0) % ring.len();
    let value = i64::from_le_bytes(*value);
    if at >= RING_LENGTH {
        ring.store_i64_release(at & !7, value);
    } else {
        let low = value & i64::from(u32::MAX);
        ring.store_i32_release(
            at & !3,
            i32::from_le_bytes(low.to_le_bytes()[..4].try_into().unwrap_or_default()),
        );
    }
    true
}
