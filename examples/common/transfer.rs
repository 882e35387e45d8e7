//! The messages of the file transfer examples, little-endian:
//!
//! ```text
//!  start  u8 = 1, u64 transfer, u64 length, file name in UTF-8
//!  chunk  u8 = 2, u64 transfer, u64 offset, bytes
//!  end    u8 = 3, u64 transfer, u32 CRC-32 of the whole file
//! ```
#![allow(
    clippy::allow_attributes,
    dead_code,
    reason = "the sender writes what the receiver reads"
)]

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// A file begins.
    Start {
        transfer: u64,
        length: u64,
        name: &'a str,
    },
    /// A part of it.
    Chunk {
        transfer: u64,
        offset: u64,
        bytes: &'a [u8],
    },
    /// It is complete.
    End { transfer: u64, checksum: u32 },
}

/// Bytes of a chunk message before the file's bytes.
pub(crate) const CHUNK_HEADER_LENGTH: usize = 17;

impl<'a> Message<'a> {
    /// Reads a message; `None` if it is not one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (transfer, rest) = take_u64(rest)?;
        match kind {
            1 => {
                let (length, name) = take_u64(rest)?;
                let name = std::str::from_utf8(name).ok()?;
                Some(Self::Start {
                    transfer,
                    length,
                    name,
                })
            }
            2 => {
                let (offset, bytes) = take_u64(rest)?;
                Some(Self::Chunk {
                    transfer,
                    offset,
                    bytes,
                })
            }
            3 => {
                let checksum = u32::from_le_bytes(rest.try_into().ok()?);
                Some(Self::End { transfer, checksum })
            }
            _ => None,
        }
    }

    /// Writes the message over `buffer`.
    pub(crate) fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        match self {
            Self::Start {
                transfer,
                length,
                name,
            } => {
                buffer.push(1);
                buffer.extend(transfer.to_le_bytes());
                buffer.extend(length.to_le_bytes());
                buffer.extend(name.as_bytes());
            }
            Self::Chunk {
                transfer,
                offset,
                bytes,
            } => {
                buffer.push(2);
                buffer.extend(transfer.to_le_bytes());
                buffer.extend(offset.to_le_bytes());
                buffer.extend(*bytes);
            }
            Self::End { transfer, checksum } => {
                buffer.push(3);
                buffer.extend(transfer.to_le_bytes());
                buffer.extend(checksum.to_le_bytes());
            }
        }
    }
}

fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*head), rest))
}
