//! Reading a file of events, in the order of time, while it is being written or long afterwards.
//!
//! Nothing in the file is trusted: a header that makes no sense is refused, and whatever a lane
//! says leads to slots of that lane and to text that is text.

use std::fmt;

use super::EventKind;
use super::layout::{
    EVENT_SLOT_LENGTH, EVENT_TEXT_LENGTH_MAX, EVENT_VALUES_MAX, LANES_MAX, MAGIC, SLOTS_MAX,
    VERSION, complete_stamp, file_length, header, lane, lane_length, slot,
};
use super::writer::slot_index;
use crate::base::{EpochMillis, Nanos};
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// Why a buffer is no file of events.
///
/// ```
/// use aileron::concurrent::{EventReader, InvalidEventFile};
/// use aileron::memory::AtomicBuffer;
/// let error = EventReader::attach(AtomicBuffer::heap(4096)).unwrap_err();
/// assert_eq!(error, InvalidEventFile::Magic(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidEventFile {
    /// It does not begin as such a file does.
    Magic(i64),
    /// It is of a version that is not known.
    Version(i32),
    /// It is not as long as its header says, or its header says what cannot be.
    Geometry {
        /// As the header says.
        lanes: i32,
        /// As the header says.
        slots: i32,
        /// As the header says.
        slot_length: i32,
        /// The buffer's length in bytes.
        length: usize,
    },
}

impl fmt::Display for InvalidEventFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(found) => write!(f, "not a file of events: it begins with {found:#018x}"),
            Self::Version(found) => write!(
                f,
                "a file of events of version {found}; this program knows version {VERSION}"
            ),
            Self::Geometry {
                lanes,
                slots,
                slot_length,
                length,
            } => write!(
                f,
                "a damaged file of events: {lanes} lanes of {slots} slots of {slot_length} bytes \
                 in {length} bytes"
            ),
        }
    }
}

impl std::error::Error for InvalidEventFile {}

/// One event.
///
/// ```
/// use aileron::base::{EpochMillis, Nanos};
/// use aileron::concurrent::{EventFile, EventKind, EventReader, EventSet};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(EventFile::length(1, 2));
/// let file = EventFile::create(buffer.clone(), &["conductor"], (Nanos(0), EpochMillis(5)), 7)?;
/// file.writer(0, EventSet::all()).emit(Nanos(1_000_000), EventKind::CmdOutError, &[3, 2], "no");
/// let event = EventReader::attach(buffer)?.next_event().unwrap();
/// assert_eq!(event.to_string(), "conductor CMD_OUT_ERROR correlation-id=3 error-code=2 error=no");
/// assert_eq!(event.epoch_ns(), 6_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    agent: Box<str>,
    number: i64,
    time: Nanos,
    epoch_ns: i64,
    code: i32,
    values: [i64; EVENT_VALUES_MAX],
    text: String,
    is_cut: bool,
}

impl EventRecord {
    /// The agent that wrote it.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Its number among the events of its agent, from 0.
    #[must_use]
    pub const fn number(&self) -> i64 {
        self.number
    }

    /// When, on the clock of the driver.
    #[must_use]
    pub const fn time(&self) -> Nanos {
        self.time
    }

    /// When, in nanoseconds since the epoch, as the clock of the day was when the driver started.
    #[must_use]
    pub const fn epoch_ns(&self) -> i64 {
        self.epoch_ns
    }

    /// What happened; `None` if the driver is newer than this program and knows more kinds.
    #[must_use]
    pub fn kind(&self) -> Option<EventKind> {
        EventKind::from_code(self.code)
    }

    /// The number of what happened.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.code
    }

    /// Its name: that of its kind, or `EVENT_` and its number.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = self.kind();
        kind.map_or_else(
            || format!("EVENT_{}", self.code),
            |kind| kind.name().to_owned(),
        )
    }

    /// Its values with their names.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        const UNKNOWN: [&str; EVENT_VALUES_MAX] = ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"];
        let names = self.kind().map_or(&UNKNOWN[..], EventKind::value_names);
        names.iter().copied().zip(self.values)
    }

    /// The value of a name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<i64> {
        self.values()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The name of its text, if it has any.
    #[must_use]
    pub fn text_name(&self) -> Option<&'static str> {
        let name = self.kind().map_or("text", EventKind::text_name);
        (!name.is_empty() && !self.text.is_empty()).then_some(name)
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the text was longer.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

/// Agent, name, values, text: everything but the time. Control characters are escaped.
impl fmt::Display for EventRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.agent, self.name())?;
        for (name, value) in self.values() {
            write!(f, " {name}={value}")?;
        }
        if let Some(name) = self.text_name() {
            write!(f, " {name}=")?;
            for c in self.text.chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    write!(f, "{c}")?;
                }
            }
            if self.is_cut {
                f.write_str("...")?;
            }
        }
        Ok(())
    }
}

/// A reader of a file of events, at its own pace.
///
/// See [`super::EventFile`] for an example.
///
/// ```
/// # use aileron::base::{EpochMillis, Nanos};
/// # use aileron::concurrent::{EventFile, EventReader};
/// # use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(EventFile::length(1, 2));
/// let file = EventFile::create(buffer.clone(), &["conductor"], (Nanos(0), EpochMillis(5)), 7)?;
/// let mut reader = EventReader::attach(buffer)?;
/// assert_eq!((reader.pid(), reader.next_event(), reader.lost()), (7, None, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EventReader {
    lanes: Vec<Cursor>,
    pid: i64,
    start: (Nanos, EpochMillis),
    lost: u64,
}

/// A reader's place in a lane.
#[derive(Debug)]
struct Cursor {
    buffer: AtomicBuffer,
    agent: Box<str>,
    slots: usize,
    /// The next event to be read.
    number: i64,
    /// That event, if it has been read and is not the oldest of all lanes yet.
    head: Option<EventRecord>,
}

impl EventReader {
    /// Reads from the oldest event on.
    ///
    /// # Errors
    /// The buffer holds no file of events, or one that is damaged.
    pub fn attach(buffer: AtomicBuffer) -> Result<Self, InvalidEventFile> {
        if buffer.len() < header::LENGTH {
            return Err(InvalidEventFile::Magic(0));
        }
        // PUBLISH(event-file): pairs with `EventFile::create`.
        let magic = buffer.load_i64_acquire(header::MAGIC);
        if magic != MAGIC {
            return Err(InvalidEventFile::Magic(magic));
        }
        let version = buffer.load_i32_relaxed(header::VERSION);
        if version != VERSION {
            return Err(InvalidEventFile::Version(version));
        }
        let lanes = buffer.load_i32_relaxed(header::LANES);
        let slots = buffer.load_i32_relaxed(header::SLOTS);
        let slot_length = buffer.load_i32_relaxed(header::SLOT_LENGTH);
        let invalid = InvalidEventFile::Geometry {
            lanes,
            slots,
            slot_length,
            length: buffer.len(),
        };
        let bounded = |value: i32, max| usize::try_from(value).ok().filter(|value| *value <= max);
        let lanes = bounded(lanes, LANES_MAX).ok_or(invalid)?;
        let slots = bounded(slots, SLOTS_MAX).ok_or(invalid)?;
        let fits = slots.is_power_of_two() && buffer.len() >= file_length(lanes, slots);
        if !fits || usize::try_from(slot_length) != Ok(EVENT_SLOT_LENGTH) {
            return Err(invalid);
        }
        let cursors = (0..lanes).map(|index| {
            let begin = header::LENGTH + index * lane_length(slots);
            Cursor::new(buffer.slice(begin..begin + lane_length(slots)), slots)
        });
        Ok(Self {
            lanes: cursors.collect(),
            pid: buffer.load_i64_relaxed(header::PID),
            start: (
                Nanos(buffer.load_i64_relaxed(header::START_NS)),
                EpochMillis(buffer.load_i64_relaxed(header::START_EPOCH_MS)),
            ),
            lost: 0,
        })
    }

    /// The oldest event that has not been read; `None` if there is none at present. Events of one
    /// agent come in their order, those of several by their time as far as they are there.
    pub fn next_event(&mut self) -> Option<EventRecord> {
        let (mut oldest, start) = (None, self.start);
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            self.lost = self.lost.saturating_add(lane.fill(start));
            let Some(head) = &lane.head else { continue };
            if oldest.is_none_or(|(_, time)| head.time.since(time) < 0) {
                oldest = Some((index, head.time));
            }
        }
        let (index, _) = oldest?;
        self.lanes.get_mut(index)?.head.take()
    }

    /// Goes to the end: only what happens from now on will be read.
    pub fn skip_to_end(&mut self) {
        for lane in &mut self.lanes {
            lane.head = None;
            lane.number = lane.published();
        }
    }

    /// Events that were written over before they could be read.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// The driver's process.
    #[must_use]
    pub const fn pid(&self) -> i64 {
        self.pid
    }

    /// When the driver started.
    #[must_use]
    pub const fn start(&self) -> EpochMillis {
        self.start.1
    }
}

impl Cursor {
    fn new(buffer: AtomicBuffer, slots: usize) -> Self {
        let mut name = [0; lane::AGENT_LENGTH_MAX];
        read_words(&buffer, lane::AGENT, &mut name);
        let end = name
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(name.len());
        let agent = String::from_utf8_lossy(&name[..end]).into_owned();
        let number = buffer.load_i64_acquire(lane::COUNT);
        let first = number.wrapping_sub(i64::try_from(slots).unwrap_or(i64::MAX));
        Self {
            buffer,
            agent: agent.into(),
            slots,
            number: if number < 0 { number } else { first.max(0) },
            head: None,
        }
    }

    /// How many events have been written.
    fn published(&self) -> i64 {
        // PUBLISH(event-count): pairs with the end of `Lane::emit`.
        self.buffer.load_i64_acquire(lane::COUNT)
    }

    /// Reads the next event if there is one and none waits; returns how many were lost on the way.
    fn fill(&mut self, start: (Nanos, EpochMillis)) -> u64 {
        let mut lost = 0;
        // A slot that is being written over was lost; no more of them than there are slots.
        for _ in 0..=self.slots {
            if self.head.is_some() {
                break;
            }
            let ahead = self.published().wrapping_sub(self.number);
            let slots = i64::try_from(self.slots).unwrap_or(i64::MAX);
            if ahead <= 0 {
                // A count that went back was tampered with: go on from where it is.
                self.number = self.number.wrapping_add(ahead);
                break;
            }
            if ahead > slots {
                lost = u64::saturating_add(lost, (ahead - slots).cast_unsigned());
                self.number = self.number.wrapping_add(ahead - slots);
            }
            self.head = self.read(start);
            if self.head.is_none() {
                lost = u64::saturating_add(lost, 1);
            }
            self.number = self.number.wrapping_add(1);
        }
        lost
    }

    /// The event at the cursor, unless its slot holds another one by now.
    fn read(&self, start: (Nanos, EpochMillis)) -> Option<EventRecord> {
        let buffer = &self.buffer;
        let index = slot_index(self.number) & (self.slots - 1);
        let at = lane::SLOTS + index * EVENT_SLOT_LENGTH;
        let stamp = complete_stamp(self.number);
        // PUBLISH(event-end): pairs with `Lane::emit`: the words of a complete event are there.
        if buffer.load_i64_acquire(at + slot::STAMP) != stamp {
            return None;
        }
        let time = Nanos(buffer.load_i64_relaxed(at + slot::TIME_NS));
        let meta = buffer
            .load_i64_relaxed(at + slot::CODE_AND_LENGTH)
            .cast_unsigned();
        let values =
            std::array::from_fn(|index| buffer.load_i64_relaxed(at + slot::VALUES + 8 * index));
        let length = usize::try_from(meta >> 32 & 0xFFFF).unwrap_or(0);
        let mut text = vec![0; length.min(EVENT_TEXT_LENGTH_MAX)];
        read_words(buffer, at + slot::TEXT, &mut text);
        // PUBLISH(event-begin): pairs with the fence in `Lane::emit`. If any word above was of a
        // newer event, the stamp is too.
        fence(Ordering::Acquire);
        if buffer.load_i64_relaxed(at + slot::STAMP) != stamp {
            return None;
        }
        let since_start_ns = time.since(start.0);
        let start_ns = start.1.get().saturating_mul(1_000_000);
        Some(EventRecord {
            agent: self.agent.clone(),
            number: self.number,
            time,
            epoch_ns: start_ns.saturating_add(since_start_ns),
            code: low_half(meta),
            values,
            text: String::from_utf8_lossy(&text).into_owned(),
            is_cut: meta >> 63 != 0,
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
const fn low_half(word: u64) -> i32 {
    (word as u32).cast_signed()
}

/// Reads bytes that were written in words of eight.
fn read_words(buffer: &AtomicBuffer, at: usize, into: &mut [u8]) {
    for (index, chunk) in into.chunks_mut(8).enumerate() {
        let word = buffer.load_i64_relaxed(at + 8 * index).to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}
