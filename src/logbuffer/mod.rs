//! Log buffers: the shared files that carry a stream's frames between publishers, drivers and
//! subscribers.
//!
//! A log is three *terms* of equal length used in turn, followed by a page of metadata. Publishers
//! append frames to the active term (`appender`, `exclusive`); when it is full they rotate to the
//! next. The driver's sender takes committed frames out as datagrams (`scanner`), its receiver puts
//! datagrams into the log of an image (`rebuilder`, `image_writer`) where the conductor looks for
//! holes (`gap`), consumers read frames in place (`reader`), and the conductor zeroes what everyone
//! is done with in the log of a publication (`cleaner`) and pads over claims whose owner died
//! (`unblocker`).
//!
//! ```text
//!  offer ──► frame_length < 0 ──► payload ──► frame_length > 0 ──► poll / scan ──► clean ──► 0
//!            (claimed)                        (PUBLISH(frame-length))
//! ```
//!
//! A frame starts at a multiple of 32 bytes, and its first 32-bit word tells its state: zero is
//! nothing yet, negative is claimed, positive is committed. That word is only ever accessed
//! atomically and 32 bits wide while others may look. Everything else in a frame is plain memory,
//! ordered by it. The promises that make this sound are `LOG-1` to `LOG-7` of
//! `docs/memory-invariants.md`.
//!
//! Other processes map the same file, so nothing read from it is trusted: lengths are checked
//! against the end of the term before use, and what does not fit is reported as [`Corruption`].

mod appender;
mod claim;
mod cleaner;
mod exclusive;
mod frame;
mod frame_watch;
mod gap;
mod geometry;
mod header;
mod image_writer;
mod log;
mod metadata;
mod payload;
pub mod reader;
mod rebuilder;
mod scanner;
mod spec;
mod stamp;
mod store;
mod unblocker;

#[cfg(test)]
mod tests;

pub use appender::AppendError;
pub use claim::Claim;
pub use exclusive::ExclusiveAppender;
pub use frame::Corruption;
pub(crate) use frame_watch::FrameWatch;
pub use gap::{Gap, GapScan};
pub use geometry::{
    InvalidLength, PARTITION_COUNT, TERM_LENGTH_MAX, TERM_LENGTH_MIN, TermGeometry,
    check_page_size, check_term_length, framed_length, log_length, max_message_length,
};
pub use header::Header;
pub(crate) use image_writer::ImageWriter;
pub use log::{LogBuffer, LogBufferError};
pub use metadata::{METADATA_LENGTH, Metadata};
pub use scanner::{Run, RunLimits, Scan};
pub use spec::{LogKind, LogSpec};
pub use store::{HeapLogStore, LogFileKind, LogName, LogOpener, LogStore, OpenError, StoreError};
