//! RES: names and addresses that drivers gossip, several entries in one frame.
//!
//! | Offset in the entry | Length | Field |
//! |---|---|---|
//! | 0 | 1 | type: 1 IPv4, 2 IPv6 |
//! | 1 | 1 | flags |
//! | 2 | 2 | UDP port, little-endian |
//! | 4 | 4 | age in milliseconds |
//! | 8 | 4 or 16 | address, network order |
//! | 12 or 24 | 2 | length of the name, 1 to 512 |
//! | 14 or 26 | … | name, then padding to a multiple of 8 |
//!
//! Entries follow the common header (type 7) back to back, up to the end of the *datagram*. Each is
//! judged by the bytes that remain; the first bad one ends the walk.

use std::fmt;
use std::iter::FusedIterator;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::header::{FrameHeader, HEADER_LENGTH, expect_control};
use super::{FrameError, FrameType};
use crate::base::align_usize;
use crate::base::bytes::{read_i32, read_u16, write_i32};

/// Fewest bytes of a resolution datagram: the header and an IPv4 entry up to its name.
pub const MIN_LENGTH: usize = HEADER_LENGTH + ENTRY_LENGTH_IPV4;
/// Most bytes of a name.
pub const NAME_LENGTH_MAX: usize = 512;

/// Bits of an entry's flags field.
pub mod flags {
    /// The entry describes the driver that sent the frame.
    pub const SELF: u8 = 0x80;
}

const TYPE_IPV4: u8 = 1;
const TYPE_IPV6: u8 = 2;
/// Bytes of an IPv4 entry before its name.
const ENTRY_LENGTH_IPV4: usize = 14;
const ENTRY_ALIGNMENT: usize = 8;

mod field {
    pub(crate) const PORT: usize = 2;
    pub(crate) const AGE_MS: usize = 4;
    pub(crate) const ADDRESS: usize = 8;
}

/// A resolution frame whose entries are yet to be checked, one by one.
///
/// ```
/// use aileron::protocol::{FrameError, ResolutionFrame};
/// let no_entry = [8, 0, 0, 0, 0, 0, 7, 0];
/// assert_eq!(ResolutionFrame::parse(&no_entry).unwrap_err(), FrameError::Truncated);
/// ```
#[derive(Clone, Copy)]
pub struct ResolutionFrame<'a> {
    entries: &'a [u8],
}

impl<'a> ResolutionFrame<'a> {
    /// Checks a datagram that must be a resolution frame, without its entries.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, or too few bytes for any entry.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        expect_control::<MIN_LENGTH>(datagram, FrameType::Resolution)?;
        Ok(Self {
            entries: datagram.get(HEADER_LENGTH..).unwrap_or_default(),
        })
    }

    /// The entries in order. The first bad one is yielded as an error and is the last item.
    #[must_use]
    pub const fn entries(&self) -> ResolutionEntries<'a> {
        ResolutionEntries { rest: self.entries }
    }
}

impl fmt::Debug for ResolutionFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries()).finish()
    }
}

impl fmt::Display for ResolutionFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RES")?;
        for entry in self.entries() {
            match entry {
                Ok(entry) => write!(f, " {entry}")?,
                Err(error) => write!(f, " ({error})")?,
            }
        }
        Ok(())
    }
}

/// Walks the entries of a [`ResolutionFrame`].
///
/// ```
/// use aileron::protocol::ResolutionFrame;
/// # let datagram = [0x20, 0, 0, 0, 0, 0, 7, 0, 1, 0x80, 0x72, 0x1f, 0, 0, 0, 0,
/// #     0xc0, 0xa8, 1, 10, 8, 0, 0x64, 0x72, 0x69, 0x76, 0x65, 0x72, 0x2d, 0x61, 0, 0];
/// let frame = ResolutionFrame::parse(&datagram).unwrap();
/// assert_eq!(frame.entries().count(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct ResolutionEntries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ResolutionEntries<'a> {
    type Item = Result<ResolutionEntry<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = ResolutionEntry::parse(self.rest);
        self.rest = match &parsed {
            Ok(entry) => self.rest.get(entry.encoded_length()..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(parsed)
    }
}

impl FusedIterator for ResolutionEntries<'_> {}

/// One name and its address.
///
/// ```
/// use aileron::protocol::{Frame, ResolutionEntry, ResolutionWriter};
///
/// let entry = ResolutionEntry {
///     is_self: true,
///     address: [192, 168, 1, 10].into(),
///     port: 8050,
///     age_ms: 0,
///     name: b"driver-a",
/// };
/// let mut datagram = Vec::new();
/// let mut frame = ResolutionWriter::new(&mut datagram, 1408);
/// frame.push(&entry).unwrap();
/// let Ok(Frame::Resolution(frame)) = Frame::parse(&datagram) else { panic!("not a RES") };
/// assert_eq!(frame.entries().next(), Some(Ok(entry)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolutionEntry<'a> {
    /// Whether the entry describes the driver that sent the frame.
    pub is_self: bool,
    /// The driver's address; all zero in a self entry means "where this datagram came from".
    pub address: IpAddr,
    /// The driver's UDP port.
    pub port: u16,
    /// Milliseconds since the driver was last heard; unchecked.
    pub age_ms: i32,
    /// The driver's name, 1 to 512 bytes.
    pub name: &'a [u8],
}

impl<'a> ResolutionEntry<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let &[entry_type, entry_flags, ..] = bytes else {
            return Err(FrameError::Truncated);
        };
        let truncated = FrameError::Truncated;
        let (_, from_address) = bytes.split_at_checked(field::ADDRESS).ok_or(truncated)?;
        let (address, from_length): (IpAddr, &[u8]) = match entry_type {
            TYPE_IPV4 => {
                let (octets, rest) = from_address.split_first_chunk::<4>().ok_or(truncated)?;
                (Ipv4Addr::from(*octets).into(), rest)
            }
            TYPE_IPV6 => {
                let (octets, rest) = from_address.split_first_chunk::<16>().ok_or(truncated)?;
                (Ipv6Addr::from(*octets).into(), rest)
            }
            _ => return Err(FrameError::ResolutionType),
        };
        let (length, from_name) = from_length.split_first_chunk::<2>().ok_or(truncated)?;
        let name_length = usize::try_from(i16::from_le_bytes(*length)).unwrap_or_default();
        if !(1..=NAME_LENGTH_MAX).contains(&name_length) {
            return Err(FrameError::NameLength);
        }
        Ok(Self {
            is_self: entry_flags & flags::SELF != 0,
            address,
            port: read_u16(bytes, field::PORT).ok_or(truncated)?,
            age_ms: read_i32(bytes, field::AGE_MS).ok_or(truncated)?,
            name: from_name.get(..name_length).ok_or(FrameError::NameLength)?,
        })
    }

    /// Bytes the entry takes in a frame, padding included.
    #[must_use]
    pub const fn encoded_length(&self) -> usize {
        let address_length = match self.address {
            IpAddr::V4(_) => 4,
            IpAddr::V6(_) => 16,
        };
        align_usize(
            field::ADDRESS + address_length + 2 + self.name.len(),
            ENTRY_ALIGNMENT,
        )
    }

    fn append_to(&self, out: &mut Vec<u8>, name_length: i16) {
        let end = out.len() + self.encoded_length();
        out.push(if self.address.is_ipv4() {
            TYPE_IPV4
        } else {
            TYPE_IPV6
        });
        out.push(if self.is_self { flags::SELF } else { 0 });
        out.extend_from_slice(&self.port.to_le_bytes());
        out.extend_from_slice(&self.age_ms.to_le_bytes());
        match self.address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
        out.extend_from_slice(&name_length.to_le_bytes());
        out.extend_from_slice(self.name);
        out.resize(end, 0);
    }
}

impl fmt::Display for ResolutionEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marker = if self.is_self { "self:" } else { "" };
        write!(
            f,
            "[{marker}{}={}:{} age={}ms]",
            self.name.escape_ascii(),
            self.address,
            self.port,
            self.age_ms
        )
    }
}

/// Why an entry was not added to a frame.
///
/// ```
/// use aileron::protocol::EntryRefused;
/// assert_eq!(EntryRefused::Full.to_string(), "entry does not fit the rest of the frame");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryRefused {
    /// It would make the frame longer than allowed; it belongs in the next one.
    Full,
    /// Its name is empty or longer than 512 bytes.
    Name,
}

impl fmt::Display for EntryRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "entry does not fit the rest of the frame",
            Self::Name => "name is empty or too long",
        })
    }
}

impl std::error::Error for EntryRefused {}

/// Packs entries into one frame. The buffer holds a well-formed frame after each call; a frame
/// without entries is not worth sending.
///
/// ```
/// use aileron::protocol::ResolutionWriter;
/// let mut datagram = Vec::new();
/// assert!(ResolutionWriter::new(&mut datagram, 1408).is_empty());
/// assert_eq!(datagram, [8, 0, 0, 0, 0, 0, 7, 0]);
/// ```
#[derive(Debug)]
pub struct ResolutionWriter<'v> {
    out: &'v mut Vec<u8>,
    length_max: usize,
}

impl<'v> ResolutionWriter<'v> {
    /// Begins a frame of at most `length_max` bytes, the driver's MTU; clears `out`.
    #[must_use]
    pub fn new(out: &'v mut Vec<u8>, length_max: usize) -> Self {
        let mut header = [0; HEADER_LENGTH];
        FrameHeader {
            frame_length: 8,
            flags: 0,
            frame_type: FrameType::Resolution,
        }
        .write(&mut header);
        out.clear();
        out.extend_from_slice(&header);
        Self { out, length_max }
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// [`EntryRefused`], leaving the frame as it was.
    pub fn push(&mut self, entry: &ResolutionEntry<'_>) -> Result<(), EntryRefused> {
        let name_length = i16::try_from(entry.name.len()).map_err(|_| EntryRefused::Name)?;
        if !(1..=NAME_LENGTH_MAX).contains(&entry.name.len()) {
            return Err(EntryRefused::Name);
        }
        let length = self.out.len() + entry.encoded_length();
        let frame_length = i32::try_from(length).map_err(|_| EntryRefused::Full)?;
        if length > self.length_max {
            return Err(EntryRefused::Full);
        }
        entry.append_to(self.out, name_length);
        write_i32(self.out, 0, frame_length);
        Ok(())
    }

    /// Whether no entry has been appended yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.len() == HEADER_LENGTH
    }
}
