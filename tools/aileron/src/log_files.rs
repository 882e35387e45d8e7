//! The log buffers of a driver, mapped for reading once and kept as long as they exist.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use aileron::logbuffer::LogBuffer;
use aileron::memory::{AtomicBuffer, map_file_read_only};

/// The folder of a log buffer.
///
/// ```
/// assert_eq!(aileron_cli::LogFolder::Images.name(), "images");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "a driver has these two")]
pub enum LogFolder {
    /// Logs of publications.
    Publications,
    /// Logs of images.
    Images,
}

impl LogFolder {
    /// Its name in the directory.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publications => "publications",
            Self::Images => "images",
        }
    }
}

/// A log buffer, mapped for reading only.
#[derive(Clone, Debug)]
pub struct LogFile {
    bytes: AtomicBuffer,
    log: LogBuffer,
}

/// What the metadata of a log tells about its stream. Lengths are in bytes; 0 where the driver left
/// it open.
///
/// ```
/// assert_eq!(aileron_cli::LogFacts::default().term_length, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built field by field in tests")]
pub struct LogFacts {
    /// Whether a publication has a live consumer.
    pub is_connected: bool,
    /// Transports an image was lately heard on.
    pub active_transport_count: i32,
    /// Longest frame.
    pub mtu_length: i32,
    /// Length of a term.
    pub term_length: i32,
    /// Length of the whole file.
    pub file_length: i64,
    /// The publisher's flow-control window.
    pub publication_window_length: i32,
    /// Initial window of the receiver.
    pub receiver_window_length: i32,
    /// Requested `SO_SNDBUF`.
    pub socket_sndbuf_length: i32,
    /// Requested `SO_RCVBUF`.
    pub socket_rcvbuf_length: i32,
    /// `SO_RCVBUF` of a fresh socket.
    pub os_default_socket_rcvbuf_length: i32,
    /// Largest `SO_RCVBUF`.
    pub os_max_socket_rcvbuf_length: i32,
    /// Where the stream ends; `i64::MAX` until it is known.
    pub end_of_stream_position: i64,
    /// Up to where the log is claimed.
    pub producer_position: i64,
    /// When an untethered subscriber counts as too slow, nanoseconds.
    pub untethered_window_limit_timeout_ns: i64,
    /// How long an untethered subscriber rests, nanoseconds.
    pub untethered_resting_timeout_ns: i64,
    /// Whether spies count as subscribers.
    pub spies_simulate_connection: bool,
    /// Whether the image asks for what it lost.
    pub is_reliable: bool,
    /// Whether the publisher took the stream back.
    pub is_revoked: bool,
}

impl LogFacts {
    /// The initial window of the receiver as it is in force: what is asked for, or half a term.
    ///
    /// ```
    /// use aileron_cli::LogFacts;
    /// let mut facts = LogFacts::default();
    /// (facts.receiver_window_length, facts.term_length) = (131_072, 65_536);
    /// assert_eq!(facts.receiver_window(), 32_768);
    /// ```
    #[must_use]
    pub fn receiver_window(&self) -> i64 {
        i64::from(self.receiver_window_length.min(self.term_length / 2))
    }
}

impl LogFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// It cannot be mapped, or is not a log buffer.
    pub fn open(path: &Path) -> Result<Self, std::io::Error> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let bytes = map_file_read_only(&file, length)?;
        let log = LogBuffer::attach(bytes.clone()).map_err(std::io::Error::other)?;
        Ok(Self { bytes, log })
    }

    /// The log: for its getters only, as nothing can be stored through it.
    #[must_use]
    pub const fn log(&self) -> &LogBuffer {
        &self.log
    }

    /// All bytes of the file: three terms and the metadata.
    #[must_use]
    pub const fn bytes(&self) -> &AtomicBuffer {
        &self.bytes
    }

    /// Where a position of the stream lies among [`Self::bytes`], whatever term is there now.
    #[must_use]
    pub fn offset_of(&self, position: i64) -> Option<usize> {
        let term_length = i64::from(self.log.metadata().term_length());
        let position = u64::try_from(position).ok()?;
        let whole = u64::try_from(term_length.checked_mul(3)?).ok()?;
        usize::try_from(position.checked_rem(whole)?).ok()
    }

    /// The length field of the frame that starts at a position: 0 where nothing was begun, negative
    /// where a frame was claimed and is not committed.
    #[must_use]
    pub fn frame_length_at(&self, position: i64) -> Option<i32> {
        let offset = self.offset_of(position)?;
        let is_frame = offset.is_multiple_of(32) && offset + 4 <= self.bytes.len();
        is_frame.then(|| self.bytes.load_i32_acquire(offset))
    }

    /// What the metadata says.
    #[must_use]
    pub fn facts(&self) -> LogFacts {
        let metadata = self.log.metadata();
        LogFacts {
            is_connected: metadata.is_connected(),
            active_transport_count: metadata.active_transport_count(),
            mtu_length: metadata.mtu_length(),
            term_length: metadata.term_length(),
            file_length: i64::try_from(self.bytes.len()).unwrap_or(i64::MAX),
            publication_window_length: metadata.publication_window_length(),
            receiver_window_length: metadata.receiver_window_length(),
            socket_sndbuf_length: metadata.socket_sndbuf_length(),
            socket_rcvbuf_length: metadata.socket_rcvbuf_length(),
            os_default_socket_rcvbuf_length: metadata.os_default_socket_rcvbuf_length(),
            os_max_socket_rcvbuf_length: metadata.os_max_socket_rcvbuf_length(),
            end_of_stream_position: metadata.end_of_stream_position().get(),
            producer_position: self.log.producer_position().get(),
            untethered_window_limit_timeout_ns: metadata.untethered_window_limit_timeout_ns(),
            untethered_resting_timeout_ns: metadata.untethered_resting_timeout_ns(),
            spies_simulate_connection: metadata.spies_simulate_connection(),
            is_reliable: metadata.reliable(),
            is_revoked: metadata.is_publication_revoked(),
        }
    }
}

/// The logs that were looked at so far.
#[derive(Debug)]
pub(crate) struct LogFiles {
    directory: PathBuf,
    files: BTreeMap<(LogFolder, i64), (u64, LogFile)>,
    round: u64,
}

impl LogFiles {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            files: BTreeMap::new(),
            round: 0,
        }
    }

    /// The log with this id, mapped at the first call.
    pub(crate) fn get(&mut self, folder: LogFolder, id: i64) -> Option<&LogFile> {
        let path = || {
            let folder = self.directory.join(folder.name());
            folder.join(format!("{id}.logbuffer"))
        };
        let entry = match self.files.entry((folder, id)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((0, LogFile::open(&path()).ok()?))
            }
        };
        entry.0 = self.round;
        Some(&entry.1)
    }

    /// Lets go of the logs that nobody asked for since the last call.
    pub(crate) fn forget_unused(&mut self) {
        let round = self.round;
        self.files.retain(|_, (used, _)| *used == round);
        self.round += 1;
    }
}
