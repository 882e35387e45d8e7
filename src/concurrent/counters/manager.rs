//! Allocating and freeing counters.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;

use super::reader::CounterState;
use super::{
    AtomicCounter, CountersReader, KEY_LENGTH_MAX, append_label, metadata, value, write_label,
};
use crate::base::{CounterId, EpochMillis, RegistrationId};
use crate::concurrent::InvalidCapacity;
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// What a new counter is to be.
///
/// ```
/// use aileron::concurrent::CounterSpec;
/// use aileron::base::RegistrationId;
/// let spec = CounterSpec {
///     type_id: 1001,
///     label: "orders",
///     registration_id: RegistrationId(7),
///     ..CounterSpec::default()
/// };
/// assert!(spec.key.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built field by field in every place of use"
)]
pub struct CounterSpec<'a> {
    /// What kind of counter.
    pub type_id: i32,
    /// Bytes whose meaning follows from the type; cut off after 112.
    pub key: &'a [u8],
    /// Text for people; cut off after 380 bytes.
    pub label: &'a str,
    /// What the counter belongs to.
    pub registration_id: RegistrationId,
    /// Client id, 0 for none, −1 ([`STATIC_OWNER_ID`](super::STATIC_OWNER_ID)) for the driver.
    pub owner_id: i64,
    /// A second resource, such as the image of a subscriber position; 0 for none.
    pub reference_id: i64,
    /// The value before anybody sets it.
    pub initial_value: i64,
}

impl Default for CounterSpec<'_> {
    fn default() -> Self {
        Self {
            type_id: 0,
            key: &[],
            label: "",
            registration_id: RegistrationId(0),
            owner_id: 0,
            reference_id: 0,
            initial_value: 0,
        }
    }
}

/// All counter ids are in use.
///
/// ```
/// use aileron::concurrent::{CounterSpec, CountersManager};
/// use aileron::base::{CounterId, EpochMillis};
/// use aileron::memory::AtomicBuffer;
/// let mut counters =
///     CountersManager::new(AtomicBuffer::heap(512), AtomicBuffer::heap(128), 1000).unwrap();
/// counters.allocate(&CounterSpec::default(), EpochMillis(0)).unwrap();
/// let full = counters.allocate(&CounterSpec::default(), EpochMillis(0)).unwrap_err();
/// assert_eq!(full.max_id, CounterId(0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CountersFull {
    /// Highest id that a counter can have.
    pub max_id: CounterId,
}

impl fmt::Display for CountersFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unable to allocate counter, buffer is full: maxCounterId={}",
            self.max_id
        )
    }
}

impl Error for CountersFull {}

/// The one allocator of the counters in a pair of buffers. See [`CounterSpec`] and
/// [`CountersFull`] for examples.
///
/// It remembers which ids are in use and when the others may be used again; what other processes
/// write into the records has no effect on that.
#[derive(Debug)]
pub struct CountersManager {
    reader: CountersReader,
    /// For each id that was ever used, whether it is in use.
    is_allocated: Vec<bool>,
    /// Freed ids in the order in which they were freed, each with the time of its reuse.
    free_list: VecDeque<(CounterId, EpochMillis)>,
    reuse_timeout_ms: i64,
}

impl CountersManager {
    /// An allocator on two buffers of zeros; a freed id is not reused for `reuse_timeout_ms`.
    ///
    /// # Errors
    /// [`InvalidCapacity`] when there is no room for a single counter.
    pub fn new(
        metadata: AtomicBuffer,
        values: AtomicBuffer,
        reuse_timeout_ms: i64,
    ) -> Result<Self, InvalidCapacity> {
        let reader = CountersReader::new(metadata, values)?;
        let free_list = VecDeque::new();
        Ok(Self {
            reader,
            is_allocated: Vec::new(),
            free_list,
            reuse_timeout_ms,
        })
    }

    /// A handle for looking at the counters.
    #[must_use]
    pub fn reader(&self) -> CountersReader {
        self.reader.clone()
    }

    /// Makes a counter, on a freed id whose time has come or else on the next new one.
    ///
    /// The record is complete, ids and value included, before it shows as allocated.
    ///
    /// # Errors
    /// [`CountersFull`].
    pub fn allocate(
        &mut self,
        spec: &CounterSpec<'_>,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let full = CountersFull {
            max_id: self.reader.max_id(),
        };
        let id = self.next_id(now).ok_or(full)?;
        let record = self.reader.metadata_of(id).ok_or(full)?;
        let values = self.reader.value_of(id).ok_or(full)?;
        self.mark(id, true);

        // PUBLISH(counter-registration): pairs with CountersReader::registration_id.
        values.store_i64_release(value::REGISTRATION_ID, spec.registration_id.get());
        values.store_i64_relaxed(value::OWNER_ID, spec.owner_id);
        values.store_i64_relaxed(value::REFERENCE_ID, spec.reference_id);
        // PUBLISH(counter-value): pairs with AtomicCounter::get and CountersReader::value.
        values.store_i64_release(value::VALUE, spec.initial_value);

        record.store_i32_relaxed(metadata::TYPE_ID, spec.type_id);
        record.store_i64_relaxed(metadata::REUSE_DEADLINE, i64::MAX);
        write_key(&record, spec.key);
        write_label(&record, spec.label);
        // PUBLISH(counter-state): pairs with the reader's state_of. Departs from Aeron: there ids
        // and value follow after the state, and readers may see the record without them.
        record.store_i32_release(metadata::STATE, CounterState::Allocated.to_wire());
        Ok(AtomicCounter::new(values, id))
    }

    /// Gives an id back, to be reused once the timeout has passed; returns whether it was in use.
    pub fn free(&mut self, id: CounterId, now: EpochMillis) -> bool {
        let Some(record) = self.in_use(id) else {
            return false;
        };
        // PUBLISH(counter-state): pairs with the reader's state_of. Readers that see a wiped key
        // and look at the state again see that it is no longer allocated.
        record.store_i32_release(metadata::STATE, CounterState::Reclaimed.to_wire());
        fence(Ordering::Release);
        write_key(&record, &[]);
        let deadline = now.plus_ms(self.reuse_timeout_ms);
        record.store_i64_relaxed(metadata::REUSE_DEADLINE, deadline.get());
        self.free_list.push_back((id, deadline));
        self.mark(id, false);
        true
    }

    /// Replaces the label of a counter in use.
    pub fn update_label(&self, id: CounterId, label: &str) {
        if let Some(record) = self.in_use(id) {
            write_label(&record, label);
        }
    }

    /// Appends to the label of a counter in use, as far as it fits.
    pub fn append_label(&self, id: CounterId, text: &str) {
        if let Some(record) = self.in_use(id) {
            append_label(&record, text);
        }
    }

    /// Replaces the key of a counter in use.
    pub fn set_key(&self, id: CounterId, key: &[u8]) {
        if let Some(record) = self.in_use(id) {
            write_key(&record, key);
        }
    }

    fn next_id(&mut self, now: EpochMillis) -> Option<CounterId> {
        if let Some(at) = self
            .free_list
            .iter()
            .position(|(_, deadline)| now >= *deadline)
        {
            return self.free_list.remove(at).map(|(id, _)| id);
        }
        let id = CounterId(i32::try_from(self.is_allocated.len()).ok()?);
        (id <= self.reader.max_id()).then_some(id)
    }

    fn mark(&mut self, id: CounterId, is_allocated: bool) {
        let index = usize::try_from(id.get()).expect("ids handed out are not negative");
        if index == self.is_allocated.len() {
            self.is_allocated.push(is_allocated);
        } else {
            self.is_allocated[index] = is_allocated;
        }
    }

    fn in_use(&self, id: CounterId) -> Option<AtomicBuffer> {
        let index = usize::try_from(id.get()).ok()?;
        let is_allocated = self.is_allocated.get(index).copied().unwrap_or(false);
        if is_allocated {
            self.reader.metadata_of(id)
        } else {
            None
        }
    }
}

/// Writes the first 112 bytes of a key, and zeros behind it.
fn write_key(record: &AtomicBuffer, key: &[u8]) {
    let mut bytes = [0; KEY_LENGTH_MAX];
    let length = key.len().min(KEY_LENGTH_MAX);
    bytes[..length].copy_from_slice(&key[..length]);
    record.write_bytes(metadata::KEY, &bytes);
}
