//! Offsets and lengths of the file of events; the picture is in the module above.

/// Values that an event can have.
pub const EVENT_VALUES_MAX: usize = 8;
/// Bytes of one event in the file.
pub const EVENT_SLOT_LENGTH: usize = 512;
/// Bytes of text that an event can have; what is longer is cut.
pub const EVENT_TEXT_LENGTH_MAX: usize = EVENT_SLOT_LENGTH - slot::TEXT;

/// `AILEVENT`.
pub(super) const MAGIC: i64 = i64::from_le_bytes(*b"AILEVENT");
pub(super) const VERSION: i32 = 1;

/// Offsets in the file's header.
pub(super) mod header {
    pub(in super::super) const MAGIC: usize = 0;
    pub(in super::super) const VERSION: usize = 8;
    pub(in super::super) const LANES: usize = 12;
    pub(in super::super) const SLOTS: usize = 16;
    pub(in super::super) const SLOT_LENGTH: usize = 20;
    pub(in super::super) const START_NS: usize = 24;
    pub(in super::super) const START_EPOCH_MS: usize = 32;
    pub(in super::super) const PID: usize = 40;
    pub(in super::super) const LENGTH: usize = 256;
}

/// Offsets in a lane.
pub(super) mod lane {
    pub(in super::super) const COUNT: usize = 0;
    pub(in super::super) const AGENT: usize = 8;
    pub(in super::super) const AGENT_LENGTH_MAX: usize = 16;
    pub(in super::super) const SLOTS: usize = 128;
}

/// Offsets in a slot.
pub(super) mod slot {
    pub(in super::super) const STAMP: usize = 0;
    pub(in super::super) const TIME_NS: usize = 8;
    pub(in super::super) const CODE_AND_LENGTH: usize = 16;
    pub(in super::super) const VALUES: usize = 24;
    pub(in super::super) const TEXT: usize = 88;
}

const _: () = assert!(slot::TEXT == slot::VALUES + 8 * EVENT_VALUES_MAX);
const _: () = assert!(EVENT_SLOT_LENGTH.is_multiple_of(64));
const _: () = assert!(EVENT_TEXT_LENGTH_MAX.is_multiple_of(8));

/// Lanes and slots that a reader accepts at most.
pub(super) const LANES_MAX: usize = 64;
pub(super) const SLOTS_MAX: usize = 1 << 24;

/// The length of a lane.
pub(super) const fn lane_length(slots: usize) -> usize {
    lane::SLOTS + slots * EVENT_SLOT_LENGTH
}

/// The length of a file.
pub(super) const fn file_length(lanes: usize, slots: usize) -> usize {
    header::LENGTH + lanes * lane_length(slots)
}

/// The stamp of event `number` when it is complete; one less while it is written.
pub(super) const fn complete_stamp(number: i64) -> i64 {
    number.wrapping_mul(2).wrapping_add(2)
}
