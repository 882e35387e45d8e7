//! The event log: what an agent did, in a ring that outlives it.
//!
//! A driver that logs events has a file `events.dat` in its directory, with a *lane* for each of
//! its agents. An agent is the only writer of its lane; whoever maps the file reads. A lane is a
//! ring of slots of equal length: when it is full the oldest event is written over, and a reader
//! that was too slow is told how many it missed.
//!
//! ```text
//!   0  "AILEVENT", written last     i64     a lane begins with         a slot
//!   8  version, 1                   i32     0  events written   i64    0  stamp             i64
//!  12  lanes                        i32     8  agent, 16 bytes         8  monotonic time    i64
//!  16  slots per lane, a power of 2 i32        of ASCII, zero        16  code | length<<32  i64
//!  20  length of a slot             i32        padded                24  values, 8 times    i64
//!  24  monotonic time of the start  i64   128  slots                 88  text, 53 times 8 bytes
//!  32  epoch time of the start, ms  i64
//!  40  process id                   i64   (bit 31 of the length: the text was cut)
//! 256  lanes
//! ```
//!
//! All words are little-endian and of one width each. Event *n* of a lane, counted from 0, lies in
//! slot *n* modulo the number of slots. Its stamp is `2n + 1` while it is written and `2n + 2` when
//! it is complete; the count of the lane follows. A reader believes a slot whose stamp is the same
//! before and after it looked. So a writer that is killed leaves at worst one event that is not
//! counted yet, and the file needs no repair.
//!
//! Writing takes no lock, allocates nothing and never waits. A writer that is off costs a branch.

mod kind;
mod layout;
mod reader;
mod writer;

pub use kind::{EventFamily, EventKind, EventSet};
pub use layout::{EVENT_SLOT_LENGTH, EVENT_TEXT_LENGTH_MAX, EVENT_VALUES_MAX};
pub use reader::{EventReader, EventRecord, InvalidEventFile};
pub use writer::{EventFile, EventWriter};

#[cfg(test)]
mod tests;
