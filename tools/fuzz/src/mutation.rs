//! Random changes of an input, for the searches that no compiler guides.

use aileron::base::Rng;

/// Values at which arithmetic goes wrong.
const EDGES: [i64; 16] = [
    0,
    1,
    -1,
    7,
    31,
    32,
    33,
    4095,
    65_536,
    1 << 30,
    i32::MAX as i64,
    i32::MIN as i64,
    -32,
    i64::MAX,
    i64::MIN,
    1 << 40,
];
/// Longest input that a change makes.
const LENGTH_MAX: usize = 8192;

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound.max(1) as u64)).unwrap_or(0)
}

/// Changes an input in a few places; `other` is another one to take parts from.
pub fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..=rng.below(4) {
        change(rng, bytes, other);
    }
    bytes.truncate(LENGTH_MAX);
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = below(rng, bytes.len());
    let random = rng.next_u64().to_le_bytes();
    match rng.below(10) {
        0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
        2 if !bytes.is_empty() => bytes[at] = random[0],
        3 | 4 => {
            let width = [1, 2, 4, 8][below(rng, 4)];
            let value = EDGES[below(rng, EDGES.len())].to_le_bytes();
            if let Some(target) = bytes.get_mut(at..at + width) {
                target.copy_from_slice(&value[..width]);
            }
        }
        5 => bytes.truncate(at),
        6 => bytes.extend(&random[..below(rng, 9)]),
        7 => {
            let end = at + below(rng, 64);
            bytes.drain(at..end.min(bytes.len()));
        }
        8 => {
            let from = below(rng, other.len());
            let part = &other[from..(from + below(rng, 256)).min(other.len())];
            bytes.splice(at..at, part.iter().copied());
        }
        _ => {
            let end = (at + below(rng, 256)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            let to = below(rng, bytes.len() + 1);
            bytes.splice(to..to, part);
        }
    }
}
