//! Random bytes, and valid bytes with a few changes.

use std::ops::Range;

use aileron::base::Rng;

/// Values at which arithmetic goes wrong.
const EDGES: [i32; 14] = [
    0,
    1,
    -1,
    7,
    31,
    32,
    33,
    4096,
    65_536,
    1 << 30,
    i32::MAX,
    i32::MIN,
    i32::MAX - 31,
    -32,
];
/// Most changes of one template.
const CHANGES_MAX: u64 = 4;

/// Valid input to be changed.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    /// What must stay as it is.
    pub(crate) kept: Range<usize>,
}

impl From<&[u8]> for Template {
    fn from(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            kept: 0..0,
        }
    }
}

/// `length_max` random bytes or fewer.
pub(crate) fn random(rng: &mut Rng, length_max: usize) -> Vec<u8> {
    let length = rng.below(length_max as u64 + 1);
    (0..length).map(|_| byte(rng)).collect()
}

/// A few changes to one of `templates`.
pub(crate) fn changed(rng: &mut Rng, templates: &[Template]) -> Vec<u8> {
    let Template { mut bytes, kept } = pick(rng, templates).clone();
    for _ in 0..=rng.below(CHANGES_MAX) {
        change(rng, &mut bytes, &kept);
    }
    bytes
}

/// One of `choices`.
pub(crate) fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[index(rng, choices.len())]
}

/// An index below `length`.
pub(crate) fn index(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).expect("below a length")
}

fn byte(rng: &mut Rng) -> u8 {
    rng.next_u64().to_le_bytes()[0]
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, kept: &Range<usize>) {
    if bytes.is_empty() {
        return;
    }
    let at = index(rng, bytes.len());
    if kept.contains(&at) {
        return;
    }
    match rng.below(8) {
        0 | 1 => bytes[at] ^= 1 << rng.below(8),
        2 => bytes[at] = byte(rng),
        3 | 4 => {
            // A field, since all have a multiple of four bytes.
            let field = at & !3;
            if kept.is_empty() || field + 4 <= kept.start || field >= kept.end {
                let value = pick(rng, &EDGES).to_le_bytes();
                if let Some(target) = bytes.get_mut(field..field + 4) {
                    target.copy_from_slice(&value);
                }
            }
        }
        5 if at >= kept.end => bytes.truncate(at),
        6 => bytes.extend(random(rng, 64)),
        _ => {
            let from = index(rng, bytes.len());
            bytes[at] = bytes[from];
        }
    }
}
