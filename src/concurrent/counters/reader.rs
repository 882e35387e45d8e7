//! Looking at counters.

use super::{
    AtomicCounter, COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH, KEY_LENGTH_MAX, LABEL_LENGTH_MAX,
    append_label, label_length, metadata, value, write_label,
};
use crate::base::{CounterId, RegistrationId};
use crate::concurrent::InvalidCapacity;
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// What a counter's record is used for at the moment.
///
/// ```
/// use aileron::concurrent::CounterState;
/// assert_eq!(CounterState::from_wire(1), CounterState::Allocated);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the file format has these three")]
pub enum CounterState {
    /// Never used; so are all with higher ids.
    Unused,
    /// In use.
    Allocated,
    /// Freed, to be used again later.
    Reclaimed,
}

impl CounterState {
    /// The state that a number in shared memory stands for; those that no allocator writes count
    /// as reclaimed, which is skipped.
    #[must_use]
    pub const fn from_wire(state: i32) -> Self {
        match state {
            0 => Self::Unused,
            1 => Self::Allocated,
            _ => Self::Reclaimed,
        }
    }

    pub(super) const fn to_wire(self) -> i32 {
        match self {
            Self::Unused => 0,
            Self::Allocated => 1,
            Self::Reclaimed => -1,
        }
    }
}

/// A copy of all there is to know about one counter.
///
/// ```
/// use aileron::concurrent::{CounterSpec, CountersManager};
/// use aileron::base::EpochMillis;
/// use aileron::memory::AtomicBuffer;
/// let mut counters =
///     CountersManager::new(AtomicBuffer::heap(4096), AtomicBuffer::heap(1024), 1000).unwrap();
/// let spec = CounterSpec { type_id: 1001, label: "orders", ..CounterSpec::default() };
/// let counter = counters.allocate(&spec, EpochMillis(0)).unwrap();
/// counter.set(3);
/// let record = counters.reader().record(counter.id()).unwrap();
/// assert_eq!((record.label.as_str(), record.value), ("orders", 3));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CounterRecord {
    /// Which counter.
    pub id: CounterId,
    /// What kind of counter.
    pub type_id: i32,
    /// Its value.
    pub value: i64,
    /// What it belongs to.
    pub registration_id: RegistrationId,
    /// Client id, 0 for none, −1 for as long as the driver lives.
    pub owner_id: i64,
    /// A second resource, such as the image of a subscriber position; 0 for none.
    pub reference_id: i64,
    /// Bytes whose meaning follows from the type.
    pub key: [u8; KEY_LENGTH_MAX],
    /// Text for people; what is not UTF-8 is replaced.
    pub label: String,
    /// Whether it was in use once all of the above had been copied.
    pub state: CounterState,
}

/// Reads the counters of a driver; cloning gives another handle.
///
/// See [`CounterRecord`] for an example.
#[derive(Clone, Debug)]
pub struct CountersReader {
    metadata: AtomicBuffer,
    values: AtomicBuffer,
    max_id: i32,
}

impl CountersReader {
    /// A reader of the counters in two buffers, as many as both have room for.
    ///
    /// # Errors
    /// [`InvalidCapacity`] when there is no room for a single one.
    pub fn new(metadata: AtomicBuffer, values: AtomicBuffer) -> Result<Self, InvalidCapacity> {
        let count =
            (metadata.len() / COUNTER_METADATA_LENGTH).min(values.len() / COUNTER_VALUE_LENGTH);
        if count == 0 {
            return Err(InvalidCapacity {
                length: values.len().min(metadata.len()),
                trailer_length: 0,
            });
        }
        let max_id = i32::try_from(count - 1).unwrap_or(i32::MAX);
        Ok(Self {
            metadata,
            values,
            max_id,
        })
    }

    /// Highest id that a counter can have.
    #[must_use]
    pub fn max_id(&self) -> CounterId {
        CounterId(self.max_id)
    }

    /// What the record of a counter is used for; unused if there is no such id.
    #[must_use]
    pub fn state(&self, id: CounterId) -> CounterState {
        let Some(index) = self.index_of(id) else {
            return CounterState::Unused;
        };
        let at = index * COUNTER_METADATA_LENGTH + metadata::STATE;
        // Pairs with PUBLISH(counter-state).
        CounterState::from_wire(self.metadata.load_i32_acquire(at))
    }

    /// The value of a counter that is in use (acquire).
    #[must_use]
    pub fn value(&self, id: CounterId) -> Option<i64> {
        self.counter(id).map(|counter| counter.get())
    }

    /// The type of a counter that is in use.
    #[must_use]
    pub fn type_id(&self, id: CounterId) -> Option<i32> {
        let index = self.allocated_index(id)?;
        let at = index * COUNTER_METADATA_LENGTH + metadata::TYPE_ID;
        Some(self.metadata.load_i32_relaxed(at))
    }

    /// What a counter that is in use belongs to.
    #[must_use]
    pub fn registration_id(&self, id: CounterId) -> Option<RegistrationId> {
        let index = self.allocated_index(id)?;
        let at = index * COUNTER_VALUE_LENGTH + value::REGISTRATION_ID;
        // Pairs with PUBLISH(counter-registration).
        Some(RegistrationId(self.values.load_i64_acquire(at)))
    }

    /// The owner of a counter that is in use: a client, 0 for none, −1 for the driver.
    #[must_use]
    pub fn owner_id(&self, id: CounterId) -> Option<i64> {
        let index = self.allocated_index(id)?;
        let at = index * COUNTER_VALUE_LENGTH + value::OWNER_ID;
        Some(self.values.load_i64_relaxed(at))
    }

    /// The second resource that a counter in use belongs to; 0 for none.
    #[must_use]
    pub fn reference_id(&self, id: CounterId) -> Option<i64> {
        let index = self.allocated_index(id)?;
        let at = index * COUNTER_VALUE_LENGTH + value::REFERENCE_ID;
        Some(self.values.load_i64_relaxed(at))
    }

    /// The key of a counter that is in use.
    #[must_use]
    pub fn key(&self, id: CounterId) -> Option<[u8; KEY_LENGTH_MAX]> {
        Some(key_of(&self.allocated(id)?))
    }

    /// The label of a counter that is in use; what is not UTF-8 is replaced.
    #[must_use]
    pub fn label(&self, id: CounterId) -> Option<String> {
        Some(label_of(&self.allocated(id)?))
    }

    /// A handle on the value of a counter that is in use. It stays valid memory for ever, but once
    /// the counter is freed its value means nothing, or something else.
    #[must_use]
    pub fn counter(&self, id: CounterId) -> Option<AtomicCounter> {
        self.allocated(id)?;
        Some(AtomicCounter::new(self.value_of(id)?, id))
    }

    /// A copy of a counter that is in use or was freed and not used again since.
    #[must_use]
    pub fn record(&self, id: CounterId) -> Option<CounterRecord> {
        let metadata = self.metadata_of(id)?;
        if state_of(&metadata) == CounterState::Unused {
            return None;
        }
        let values = self.value_of(id)?;
        let type_id = metadata.load_i32_relaxed(metadata::TYPE_ID);
        let key = key_of(&metadata);
        let label = label_of(&metadata);
        // Pairs with PUBLISH(counter-value).
        let current = values.load_i64_acquire(value::VALUE);
        // Pairs with PUBLISH(counter-registration).
        let registration_id = RegistrationId(values.load_i64_acquire(value::REGISTRATION_ID));
        let owner_id = values.load_i64_relaxed(value::OWNER_ID);
        let reference_id = values.load_i64_relaxed(value::REFERENCE_ID);
        // The key is wiped when the counter is freed, so the state is looked at once more.
        fence(Ordering::Acquire);
        let state = state_of(&metadata);
        Some(CounterRecord {
            id,
            type_id,
            value: current,
            registration_id,
            owner_id,
            reference_id,
            key,
            label,
            state,
        })
    }

    /// Hands a copy of each counter in use to `visit`, in the order of their ids.
    pub fn for_each(&self, mut visit: impl FnMut(&CounterRecord)) {
        for id in self.allocated_ids() {
            if let Some(record) = self.record(id)
                && record.state == CounterState::Allocated
            {
                visit(&record);
            }
        }
    }

    /// The first counter in use with this type and registration.
    #[must_use]
    pub fn find_by_type_and_registration(
        &self,
        type_id: i32,
        registration_id: RegistrationId,
    ) -> Option<CounterId> {
        self.allocated_ids().find(|id| {
            self.type_id(*id) == Some(type_id) && self.registration_id(*id) == Some(registration_id)
        })
    }

    /// The first counter in use with this type and a key that begins with `prefix`.
    #[must_use]
    pub fn find_by_type_and_key(&self, type_id: i32, prefix: &[u8]) -> Option<CounterId> {
        self.allocated_ids().find(|id| {
            self.type_id(*id) == Some(type_id)
                && self.key(*id).is_some_and(|key| key.starts_with(prefix))
                && self.state(*id) == CounterState::Allocated
        })
    }

    /// Appends to a label as far as it fits; returns whether the counter is in use. Only one process
    /// appends to one label: the client to that of its heartbeat.
    pub fn append_label(&self, id: CounterId, text: &str) -> bool {
        self.allocated(id).is_some_and(|record| {
            append_label(&record, text);
            true
        })
    }

    /// Replaces a label, as far as it fits; returns whether the counter is in use. Only one thread
    /// writes one label once the counter shows as allocated.
    pub fn replace_label(&self, id: CounterId, label: &str) -> bool {
        self.allocated(id).is_some_and(|record| {
            write_label(&record, label);
            true
        })
    }

    /// Ids in use, up to the first that was never used.
    fn allocated_ids(&self) -> impl Iterator<Item = CounterId> {
        (0..=self.max_id)
            .map(CounterId)
            .map(|id| (id, self.state(id)))
            .take_while(|(_, state)| *state != CounterState::Unused)
            .filter(|(_, state)| *state == CounterState::Allocated)
            .map(|(id, _)| id)
    }

    /// The index of a counter that is in use. Whoever wants a word of it and no window on it does
    /// not touch the count of its region's owners, which all readers share.
    fn allocated_index(&self, id: CounterId) -> Option<usize> {
        let is_allocated = self.state(id) == CounterState::Allocated;
        self.index_of(id).filter(|_| is_allocated)
    }

    fn allocated(&self, id: CounterId) -> Option<AtomicBuffer> {
        self.metadata_of(id)
            .filter(|record| state_of(record) == CounterState::Allocated)
    }

    pub(super) fn metadata_of(&self, id: CounterId) -> Option<AtomicBuffer> {
        let start = self.index_of(id)? * COUNTER_METADATA_LENGTH;
        Some(self.metadata.slice(start..start + COUNTER_METADATA_LENGTH))
    }

    pub(super) fn value_of(&self, id: CounterId) -> Option<AtomicBuffer> {
        let start = self.index_of(id)? * COUNTER_VALUE_LENGTH;
        Some(self.values.slice(start..start + COUNTER_VALUE_LENGTH))
    }

    fn index_of(&self, id: CounterId) -> Option<usize> {
        if id.get() > self.max_id {
            None
        } else {
            usize::try_from(id.get()).ok()
        }
    }
}

fn state_of(record: &AtomicBuffer) -> CounterState {
    // Pairs with PUBLISH(counter-state).
    CounterState::from_wire(record.load_i32_acquire(metadata::STATE))
}

fn key_of(record: &AtomicBuffer) -> [u8; KEY_LENGTH_MAX] {
    let mut key = [0; KEY_LENGTH_MAX];
    record.read_bytes(metadata::KEY, &mut key);
    key
}

fn label_of(record: &AtomicBuffer) -> String {
    let mut bytes = [0; LABEL_LENGTH_MAX];
    let bytes = &mut bytes[..label_length(record)];
    record.read_bytes(metadata::LABEL, bytes);
    String::from_utf8_lossy(bytes).into_owned()
}
