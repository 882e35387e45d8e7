//! What was published, and whether a subscriber got it: the oracle of order and completeness.
//!
//! A [`Ledger`] belongs to one publication and notes each message where it lies in the stream. The
//! publisher tells it of every append, so the ranges of a ledger are known to be disjoint and
//! ascending. A [`Reading`] follows one image along the ledger: what arrives must be the next
//! message of the ledger, byte for byte. Between messages there may be padding, and claims that
//! were given up; nothing else may be passed over, unless the stream is not reliable.

use std::fmt;

use super::payload::{self, Tag};
use crate::base::{Position, SessionId, StreamId};
use crate::logbuffer::{Header, LogBuffer};

const FRAME_HEADER: i64 = 32;
const FRAME_ALIGNMENT: i64 = 32;
const FLAG_BEGIN: u8 = 0x80;
const FLAG_END: u8 = 0x40;

/// Bytes of log that a frame with `length` bytes of payload takes.
const fn framed(length: i64) -> i64 {
    (length + FRAME_HEADER + FRAME_ALIGNMENT - 1) / FRAME_ALIGNMENT * FRAME_ALIGNMENT
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageState {
    Committed,
    /// Claimed, and not written yet.
    Claimed,
    /// Given up, by its publisher or by its publisher's end: nobody may see it.
    Void,
}

/// A message in its stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) begin: i64,
    pub(super) end: i64,
    pub(super) length: i64,
    pub(super) tag: Tag,
    pub(super) state: MessageState,
}

/// How a stream broke its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(super) enum Breach {
    /// A message was appended below where the stream had got to.
    Overlap { begin: i64, published: i64 },
    /// Something arrived that had been consumed already.
    Again { begin: i64, at: i64 },
    /// A message, or a part of one, was passed over.
    Missing { tag: Tag, begin: i64, next: i64 },
    /// Something arrived where nothing was published.
    Unknown { begin: i64 },
    /// A claim arrived that was never committed.
    Uncommitted { tag: Tag, begin: i64 },
    /// The message at a place does not have what was published there.
    Changed {
        tag: Tag,
        begin: i64,
        what: &'static str,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |tag: &Tag| format!("message {} of publisher {}", tag.sequence, tag.publisher);
        match self {
            Self::Overlap { begin, published } => {
                write!(f, "appended at {begin}, which is below {published}")
            }
            Self::Again { begin, at } => {
                write!(f, "got what lies at {begin} again: {at} had been reached")
            }
            Self::Missing { tag, begin, next } => {
                write!(f, "{} at {begin} passed over: next was {next}", name(tag))
            }
            Self::Unknown { begin } => write!(f, "nothing was published at {begin}"),
            Self::Uncommitted { tag, begin } => {
                write!(f, "{} at {begin} was never committed", name(tag))
            }
            Self::Changed { tag, begin, what } => {
                write!(f, "{} at {begin} has another {what}", name(tag))
            }
        }
    }
}

/// The messages of one publication, in order.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The driver that the publication is on: its index, and how many there were before it.
    pub(super) driver: (usize, usize),
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) registration_id: i64,
    pub(super) log: LogBuffer,
    /// Handles that may still append.
    pub(super) handles: usize,
    max_payload_length: i64,
    messages: Vec<Message>,
    published: i64,
}

impl Ledger {
    pub(super) fn new(driver: (usize, usize), registration_id: i64, log: LogBuffer) -> Self {
        Self {
            driver,
            session_id: log.session_id(),
            stream_id: log.stream_id(),
            registration_id,
            handles: 0,
            max_payload_length: i64::from(log.max_payload_length()),
            messages: Vec::new(),
            published: log.producer_position().get(),
            log,
        }
    }

    /// Notes a message of `length` bytes that ends at `end`; returns its number.
    pub(super) fn append(
        &mut self,
        end: Position,
        length: usize,
        tag: Tag,
        state: MessageState,
    ) -> Result<usize, Breach> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let begin = end.get() - self.occupied(length);
        if begin < self.published {
            let published = self.published;
            return Err(Breach::Overlap { begin, published });
        }
        self.published = end.get();
        self.messages.push(Message {
            begin,
            end: end.get(),
            length,
            tag,
            state,
        });
        Ok(self.messages.len() - 1)
    }

    /// Says what became of a claim.
    pub(super) fn settle(&mut self, number: usize, state: MessageState) {
        self.messages[number].state = state;
    }

    /// How many messages were noted.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Where the last message ends that was committed.
    pub(super) fn committed_position(&self) -> i64 {
        let mut messages = self.messages.iter().rev();
        let last = messages.find(|message| message.state != MessageState::Void);
        last.map_or(0, |message| message.end)
    }

    /// Up to where the publication was appended to, all its publishers taken together.
    pub(super) fn producer_position(&self) -> i64 {
        self.log.producer_position().get()
    }

    fn occupied(&self, length: i64) -> i64 {
        let full = self.max_payload_length;
        if length <= full {
            return framed(length);
        }
        let rest = length % full;
        let last = if rest > 0 { framed(rest) } else { 0 };
        length / full * framed(full) + last
    }
}

/// How far a subscriber has got along a ledger.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// All below was consumed, or lies before the join.
    at: i64,
    /// The first message that does not end at or before `at`.
    next: usize,
    is_reliable: bool,
    /// Whether fragments are gathered: then what was consumed is handed out a message at a time.
    is_assembled: bool,
    /// Whether a time may stand where the reserved value was.
    is_stamped: bool,
}

/// No time that was written into a message is before.
const FIRST_STAMP: i64 = 1_600_000_000_000_000_000;

impl Reading {
    pub(super) const fn new(join: Position, is_reliable: bool, is_assembled: bool) -> Self {
        Self {
            is_stamped: false,
            at: join.get(),
            next: 0,
            is_reliable,
            is_assembled,
        }
    }

    /// The same, where times are written into messages.
    pub(super) const fn stamped(self, is_stamped: bool) -> Self {
        Self { is_stamped, ..self }
    }

    pub(super) const fn position(&self) -> i64 {
        self.at
    }

    /// A fragment was consumed.
    pub(super) fn on_fragment(
        &mut self,
        ledger: &Ledger,
        payload: &[u8],
        header: &Header<'_>,
    ) -> Result<(), Breach> {
        let end = header.position().get();
        let begin = end - framed(i64::from(header.frame_length()) - FRAME_HEADER);
        let message = *self.find(ledger, begin)?;
        let Message { tag, length, .. } = message;
        let changed = |what| Err(Breach::Changed { tag, begin, what });
        if self.is_reliable && begin != message.begin.max(self.at) {
            let next = begin;
            return Err(Breach::Missing {
                tag,
                begin: self.at.max(message.begin),
                next,
            });
        }
        let full = ledger.max_payload_length;
        let index = (begin - message.begin) / framed(full);
        let offset = index * full;
        if message.begin + index * framed(full) != begin || (length <= full && index > 0) {
            return Err(Breach::Unknown { begin });
        }
        let expected_length = full.min(length - offset);
        if i64::try_from(payload.len()) != Ok(expected_length) {
            return changed("length");
        }
        let first = if index == 0 { FLAG_BEGIN } else { 0 };
        let last = if offset + expected_length == length {
            FLAG_END
        } else {
            0
        };
        if header.flags() != first | last {
            return changed("flags byte");
        }
        self.check_ids(ledger, header, tag, begin)?;
        if !payload::matches(tag, usize::try_from(offset).unwrap_or(0), payload) {
            return changed("payload");
        }
        self.advance(ledger, end);
        Ok(())
    }

    /// An assembled message was consumed.
    pub(super) fn on_message(
        &mut self,
        ledger: &Ledger,
        payload: &[u8],
        header: &Header<'_>,
    ) -> Result<(), Breach> {
        let end = header.position().get();
        let length = i64::try_from(payload.len()).unwrap_or(i64::MAX);
        let begin = end - ledger.occupied(length);
        let message = *self.find(ledger, begin)?;
        let tag = message.tag;
        let changed = |what| Err(Breach::Changed { tag, begin, what });
        if message.begin != begin || message.length != length {
            return changed("length");
        }
        if header.flags() != FLAG_BEGIN | FLAG_END {
            return changed("flags byte");
        }
        self.check_ids(ledger, header, tag, begin)?;
        if !payload::matches(tag, 0, payload) {
            return changed("payload");
        }
        self.advance(ledger, end);
        Ok(())
    }

    /// The image says that it has been consumed up to `position`. What of the ledger lies between
    /// there and what was handed out was swallowed, unless it is still being gathered.
    pub(super) fn on_position(&mut self, ledger: &Ledger, position: i64) -> Result<(), Breach> {
        if position < self.at {
            return Err(Breach::Again {
                begin: position,
                at: self.at,
            });
        }
        self.advance(ledger, self.at);
        if self.is_reliable {
            let rest = ledger.messages[self.next..].iter();
            let swallowed = rest
                .take_while(|message| message.begin < position)
                .find(|message| {
                    let is_all_gone = message.begin >= self.at && message.end <= position;
                    let is_part_gone = message.begin.max(self.at) < message.end.min(position);
                    let is_gone = if self.is_assembled {
                        is_all_gone
                    } else {
                        is_part_gone
                    };
                    message.state == MessageState::Committed && is_gone
                });
            if let Some(message) = swallowed {
                return Err(Breach::Missing {
                    tag: message.tag,
                    begin: message.begin,
                    next: position,
                });
            }
        }
        if !self.is_assembled {
            self.advance(ledger, position);
        }
        Ok(())
    }

    /// The message that holds the frame at `begin`, if this is one that may come now.
    fn find<'a>(&mut self, ledger: &'a Ledger, begin: i64) -> Result<&'a Message, Breach> {
        self.advance(ledger, self.at);
        if begin < self.at {
            return Err(Breach::Again { begin, at: self.at });
        }
        for message in &ledger.messages[self.next..] {
            let tag = message.tag;
            if message.end <= begin {
                // A message that was joined in its midst is none that an assembler can hand out.
                let is_due = !self.is_assembled || message.begin >= self.at;
                if self.is_reliable && message.state == MessageState::Committed && is_due {
                    return Err(Breach::Missing {
                        tag,
                        begin: message.begin,
                        next: begin,
                    });
                }
                continue;
            }
            if begin < message.begin {
                break;
            }
            if message.state != MessageState::Committed {
                return Err(Breach::Uncommitted { tag, begin });
            }
            return Ok(message);
        }
        Err(Breach::Unknown { begin })
    }

    fn check_ids(
        &self,
        ledger: &Ledger,
        header: &Header<'_>,
        tag: Tag,
        begin: i64,
    ) -> Result<(), Breach> {
        let changed = |what| Err(Breach::Changed { tag, begin, what });
        let reserved = header.reserved_value();
        let is_stamp = self.is_stamped && reserved >= FIRST_STAMP;
        if reserved != tag.reserved_value() && !is_stamp {
            return changed("reserved value");
        }
        if header.session_id() != ledger.session_id || header.stream_id() != ledger.stream_id {
            return changed("session or stream");
        }
        Ok(())
    }

    fn advance(&mut self, ledger: &Ledger, at: i64) {
        self.at = at;
        while ledger
            .messages
            .get(self.next)
            .is_some_and(|message| message.end <= at)
        {
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests;
