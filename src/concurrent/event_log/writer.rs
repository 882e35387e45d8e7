//! Making a file of events, and writing into its lanes.

use std::sync::Arc;

use super::layout::{
    EVENT_SLOT_LENGTH, EVENT_TEXT_LENGTH_MAX, EVENT_VALUES_MAX, MAGIC, VERSION, complete_stamp,
    file_length, header, lane, lane_length, slot,
};
use super::{EventKind, EventSet};
use crate::base::{EpochMillis, Nanos};
use crate::concurrent::InvalidCapacity;
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// A file of events that is being written, with a lane for each agent.
///
/// ```
/// use aileron::base::{EpochMillis, Nanos};
/// use aileron::concurrent::{EventFile, EventKind, EventReader, EventSet};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(EventFile::length(2, 16));
/// let start = (Nanos(0), EpochMillis(1_700_000_000_000));
/// let file = EventFile::create(buffer.clone(), &["sender", "receiver"], start, 7)?;
/// let sender = file.writer(0, EventSet::all());
/// sender.emit(Nanos(5), EventKind::NakReceived, &[11, 1001, 3, 64, 128], "");
/// let event = EventReader::attach(buffer)?.next_event().unwrap();
/// assert_eq!((event.agent(), event.value("stream-id")), ("sender", Some(1001)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventFile {
    buffer: AtomicBuffer,
    lanes: usize,
    slots: usize,
    start: (Nanos, EpochMillis),
}

impl EventFile {
    /// Bytes of a file with so many lanes of so many slots.
    #[must_use]
    pub const fn length(lanes: usize, slots: usize) -> usize {
        file_length(lanes, slots)
    }

    /// Makes a buffer of zeros a file with a lane for each of `agents`. `start` is one moment on
    /// both clocks, by which readers turn the times of events into those of the day.
    ///
    /// # Errors
    /// The buffer's length is not [`Self::length`] for these lanes and a power of two of slots.
    pub fn create(
        buffer: AtomicBuffer,
        agents: &[&str],
        start: (Nanos, EpochMillis),
        pid: i64,
    ) -> Result<Self, InvalidCapacity> {
        let lanes = agents.len();
        let invalid = InvalidCapacity {
            length: buffer.len(),
            trailer_length: file_length(lanes, 0),
        };
        let rest = buffer.len().checked_sub(file_length(lanes, 0));
        let slots = rest.and_then(|rest| rest.checked_div(lanes * EVENT_SLOT_LENGTH));
        let slots = slots
            .filter(|slots| slots.is_power_of_two())
            .ok_or(invalid)?;
        if file_length(lanes, slots) != buffer.len() {
            return Err(invalid);
        }
        let int = |value: usize| i32::try_from(value).map_err(|_| invalid);
        buffer.store_i32_relaxed(header::VERSION, VERSION);
        buffer.store_i32_relaxed(header::LANES, int(lanes)?);
        buffer.store_i32_relaxed(header::SLOTS, int(slots)?);
        buffer.store_i32_relaxed(header::SLOT_LENGTH, int(EVENT_SLOT_LENGTH)?);
        buffer.store_i64_relaxed(header::START_NS, start.0.get());
        buffer.store_i64_relaxed(header::START_EPOCH_MS, start.1.get());
        buffer.store_i64_relaxed(header::PID, pid);
        for (index, agent) in agents.iter().enumerate() {
            let at = header::LENGTH + index * lane_length(slots) + lane::AGENT;
            write_text(&buffer, at, agent, lane::AGENT_LENGTH_MAX);
        }
        // PUBLISH(event-file): pairs with EventReader::attach. The header becomes visible first.
        buffer.store_i64_release(header::MAGIC, MAGIC);
        Ok(Self {
            buffer,
            lanes,
            slots,
            start,
        })
    }

    /// The writer of a lane, for one thread at a time; it writes the kinds in `wanted` alone.
    ///
    /// # Panics
    /// There is no such lane.
    #[must_use]
    pub fn writer(&self, lane: usize, wanted: EventSet) -> EventWriter {
        assert!(lane < self.lanes, "lane {lane} of {}", self.lanes);
        if wanted.is_empty() {
            return EventWriter::off();
        }
        let begin = header::LENGTH + lane * lane_length(self.slots);
        EventWriter(Some(Arc::new(Lane {
            buffer: self.buffer.slice(begin..begin + lane_length(self.slots)),
            mask: self.slots - 1,
            wanted,
            start: self.start,
        })))
    }
}

/// The lane of one agent. Clones share it and belong to the same agent: with two threads writing at
/// once events would be mixed up, though no memory would be harmed.
///
/// ```
/// use aileron::base::Nanos;
/// use aileron::concurrent::{EventKind, EventWriter};
/// let events = EventWriter::off();
/// events.emit(Nanos(1), EventKind::ClientAdded, &[7], "");
/// assert!(!events.is_on());
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventWriter(Option<Arc<Lane>>);

#[derive(Debug)]
struct Lane {
    buffer: AtomicBuffer,
    /// Slots less one.
    mask: usize,
    wanted: EventSet,
    start: (Nanos, EpochMillis),
}

impl EventWriter {
    /// A writer that writes nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether anything is written at all: where to leave out what only an event needs.
    #[must_use]
    #[inline]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether events of a kind are written.
    #[must_use]
    #[inline]
    pub fn wants(&self, kind: EventKind) -> bool {
        self.0
            .as_ref()
            .is_some_and(|lane| lane.wanted.contains(kind))
    }

    /// Writes an event, with values in the order of [`EventKind::value_names`] and the text that
    /// its kind has. A text that is too long is cut.
    #[inline]
    pub fn emit(&self, now: Nanos, kind: EventKind, values: &[i64], text: &str) {
        if let Some(lane) = &self.0 {
            lane.emit(now, kind, values, text);
        }
    }

    /// As [`Self::emit`], for those who know only the time of day.
    #[inline]
    pub fn emit_at(&self, epoch: EpochMillis, kind: EventKind, values: &[i64], text: &str) {
        if let Some(lane) = &self.0 {
            let (start_ns, start_epoch) = lane.start;
            let since_ns = epoch.since(start_epoch).saturating_mul(1_000_000);
            lane.emit(start_ns.plus_ns(since_ns), kind, values, text);
        }
    }
}

impl Lane {
    #[cold]
    #[inline(never)]
    fn emit(&self, now: Nanos, kind: EventKind, values: &[i64], text: &str) {
        if !self.wanted.contains(kind) {
            return;
        }
        debug_assert_eq!(values.len(), kind.value_names().len(), "{kind:?}");
        let buffer = &self.buffer;
        // Relaxed: only this thread writes it. Whatever is read leads to a slot of this lane.
        let number = buffer.load_i64_relaxed(lane::COUNT);
        let at = lane::SLOTS + (slot_index(number) & self.mask) * EVENT_SLOT_LENGTH;
        let complete = complete_stamp(number);
        buffer.store_i64_relaxed(at + slot::STAMP, complete.wrapping_sub(1));
        // PUBLISH(event-begin): pairs with the fence in EventReader. Whoever sees a new word below
        // sees the new stamp as well.
        fence(Ordering::Release);
        buffer.store_i64_relaxed(at + slot::TIME_NS, now.get());
        for (index, value) in values.iter().take(EVENT_VALUES_MAX).enumerate() {
            buffer.store_i64_relaxed(at + slot::VALUES + 8 * index, *value);
        }
        let length = write_text(buffer, at + slot::TEXT, text, EVENT_TEXT_LENGTH_MAX);
        let mut meta = u64::from(kind.code().cast_unsigned()) | (length as u64) << 32;
        if length < text.len() {
            meta |= 1 << 63;
        }
        buffer.store_i64_relaxed(at + slot::CODE_AND_LENGTH, meta.cast_signed());
        // PUBLISH(event-end): pairs with the first load of the stamp in EventReader.
        buffer.store_i64_release(at + slot::STAMP, complete);
        // PUBLISH(event-count): pairs with EventReader::published.
        buffer.store_i64_release(lane::COUNT, number.wrapping_add(1));
    }
}

/// The low bits of an event's number, which say where its slot is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only the low bits matter"
)]
pub(super) const fn slot_index(number: i64) -> usize {
    number as usize
}

/// Writes text in words of eight bytes, the last one padded with zeros; returns how much fitted.
fn write_text(buffer: &AtomicBuffer, at: usize, text: &str, length_max: usize) -> usize {
    let length = text.floor_char_boundary(length_max);
    let bytes = text.as_bytes().get(..length).unwrap_or_default();
    for (index, chunk) in bytes.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        buffer.store_i64_relaxed(at + 8 * index, i64::from_le_bytes(word));
    }
    length
}
