//! What fates look at in a datagram.

/// Where the fields of a frame are.
mod field {
    pub(super) const LENGTH: usize = 0;
    pub(super) const TYPE: usize = 6;
    pub(super) const TERM_OFFSET: usize = 8;
    pub(super) const TERM_ID: usize = 20;
}

/// Length of the header of a frame of data, and what frames are aligned to.
pub(crate) const HEADER_LENGTH: usize = 32;

const TYPE_PAD: u16 = 0;
const TYPE_DATA: u16 = 1;
const TYPE_NAK: u16 = 2;

/// A frame of data or padding within a datagram.
pub(crate) struct Frame {
    pub(crate) length: usize,
    pub(crate) term_id: i32,
    pub(crate) term_offset: i32,
    pub(crate) is_padding: bool,
}

impl Frame {
    /// The frame that `bytes` begin with, if it is one of data or padding.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_LENGTH)?;
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&header[at..at + 4]);
            i32::from_le_bytes(word)
        };
        let frame_type = type_of(bytes)?;
        let length = usize::try_from(word(field::LENGTH)).ok()?;
        // Heartbeats have a length of 0.
        let is_data = matches!(frame_type, TYPE_PAD | TYPE_DATA) && length >= HEADER_LENGTH;
        is_data.then(|| Self {
            length,
            term_id: word(field::TERM_ID),
            term_offset: word(field::TERM_OFFSET),
            is_padding: frame_type == TYPE_PAD,
        })
    }
}

/// Whether a datagram is a request to send again.
pub(crate) fn is_nak(bytes: &[u8]) -> bool {
    type_of(bytes) == Some(TYPE_NAK)
}

fn type_of(bytes: &[u8]) -> Option<u16> {
    let low = bytes.get(field::TYPE)?;
    let high = bytes.get(field::TYPE + 1)?;
    Some(u16::from_le_bytes([*low, *high]))
}
