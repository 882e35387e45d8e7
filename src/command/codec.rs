//! Walking a payload field by field, and appending one.

use super::MessageFault;
use crate::base::bytes::{read_i32, read_i64, read_u16, write_i32};
use crate::base::{
    ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId, align_usize,
};

/// Byte strings followed by another field are padded to this alignment.
const FIELD_ALIGNMENT: usize = 4;

/// Takes fields from the front of a payload; fails where it ends.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Length of the whole payload.
    pub(super) const fn length(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn u16(&mut self) -> Result<u16, MessageFault> {
        let value = read_u16(self.bytes, self.at).ok_or(MessageFault::Truncated)?;
        self.at += 2;
        Ok(value)
    }

    pub(super) fn i32(&mut self) -> Result<i32, MessageFault> {
        let value = read_i32(self.bytes, self.at).ok_or(MessageFault::Truncated)?;
        self.at += 4;
        Ok(value)
    }

    pub(super) fn i64(&mut self) -> Result<i64, MessageFault> {
        let value = read_i64(self.bytes, self.at).ok_or(MessageFault::Truncated)?;
        self.at += 8;
        Ok(value)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], MessageFault> {
        let rest = self.bytes.get(self.at..).ok_or(MessageFault::Truncated)?;
        let value = rest.first_chunk().ok_or(MessageFault::Truncated)?;
        self.at += N;
        Ok(*value)
    }

    /// A length and that many bytes.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], MessageFault> {
        let length = self.i32()?;
        let length = usize::try_from(length).map_err(|_| MessageFault::NegativeLength)?;
        let rest = self.bytes.get(self.at..).ok_or(MessageFault::Truncated)?;
        let value = rest.get(..length).ok_or(MessageFault::Truncated)?;
        self.at += length;
        Ok(value)
    }

    /// [`Self::bytes`] and the padding after them, which may be missing where nothing follows.
    pub(super) fn padded_bytes(&mut self) -> Result<&'a [u8], MessageFault> {
        let value = self.bytes()?;
        self.at = align_usize(self.at, FIELD_ALIGNMENT);
        Ok(value)
    }

    /// [`Self::bytes`] that must be UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str, MessageFault> {
        str::from_utf8(self.bytes()?).map_err(|_| MessageFault::Text)
    }

    /// [`Self::padded_bytes`] that must be UTF-8.
    pub(super) fn padded_text(&mut self) -> Result<&'a str, MessageFault> {
        str::from_utf8(self.padded_bytes()?).map_err(|_| MessageFault::Text)
    }

    pub(super) fn client_id(&mut self) -> Result<ClientId, MessageFault> {
        self.i64().map(ClientId)
    }

    pub(super) fn correlation_id(&mut self) -> Result<CorrelationId, MessageFault> {
        self.i64().map(CorrelationId)
    }

    pub(super) fn registration_id(&mut self) -> Result<RegistrationId, MessageFault> {
        self.i64().map(RegistrationId)
    }

    pub(super) fn position(&mut self) -> Result<Position, MessageFault> {
        self.i64().map(Position)
    }

    pub(super) fn session_id(&mut self) -> Result<SessionId, MessageFault> {
        self.i32().map(SessionId)
    }

    pub(super) fn stream_id(&mut self) -> Result<StreamId, MessageFault> {
        self.i32().map(StreamId)
    }

    pub(super) fn counter_id(&mut self) -> Result<CounterId, MessageFault> {
        self.i32().map(CounterId)
    }
}

/// Appends the fields of one payload to a vector that may already hold other things.
pub(super) struct Writer<'v> {
    out: &'v mut Vec<u8>,
    start: usize,
}

impl<'v> Writer<'v> {
    pub(super) const fn new(out: &'v mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// A length and that many bytes. No buffer takes a message near 2 GiB, so what a length cannot
    /// count is cut off here.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let at = self.out.len();
        self.i32(i32::MAX);
        match i32::try_from(bytes.len()) {
            Ok(length) => {
                write_i32(self.out, at, length);
                self.raw(bytes)
            }
            Err(_) => self.raw(&bytes[..0x7FFF_FFFF]),
        }
    }

    /// [`Self::bytes`], then zeroes up to the alignment of the next field.
    pub(super) fn padded_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes(bytes);
        let length = align_usize(self.length(), FIELD_ALIGNMENT);
        self.pad_to(length)
    }

    /// Zeroes up to a payload length of at least `length`.
    pub(super) fn pad_to(&mut self, length: usize) -> &mut Self {
        if self.length() < length {
            self.out.resize(self.start + length, 0);
        }
        self
    }

    const fn length(&self) -> usize {
        self.out.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_padded_relative_to_their_own_message() {
        let mut out = vec![0xAA];
        Writer::new(&mut out).padded_bytes(b"abcde").i32(7);
        assert_eq!(out, b"\xAA\x05\0\0\0abcde\0\0\0\x07\0\0\0");
        let mut reader = Reader::new(&out[1..]);
        assert_eq!(reader.padded_bytes(), Ok(&b"abcde"[..]));
        assert_eq!(reader.i32(), Ok(7));
        assert_eq!(reader.u16(), Err(MessageFault::Truncated));
    }

    #[test]
    fn lengths_are_not_believed() {
        let negative = (-1i32).to_le_bytes();
        assert_eq!(
            Reader::new(&negative).bytes(),
            Err(MessageFault::NegativeLength)
        );
        let huge = i32::MAX.to_le_bytes();
        assert_eq!(Reader::new(&huge).bytes(), Err(MessageFault::Truncated));
        assert_eq!(
            Reader::new(b"\x01\0\0\0\xFF").text(),
            Err(MessageFault::Text)
        );
    }

    #[test]
    fn padding_beyond_the_end_is_not_missed_where_nothing_follows() {
        let mut reader = Reader::new(b"\x01\0\0\0x");
        assert_eq!(reader.padded_bytes(), Ok(&b"x"[..]));
        assert_eq!(reader.i32(), Err(MessageFault::Truncated));
        assert_eq!(reader.bytes(), Err(MessageFault::Truncated));
        assert_eq!(reader.array::<1>(), Err(MessageFault::Truncated));
    }
}
