//! Where logs live: what creates them for a driver and opens them for a client.
//!
//! The driver's resource agent holds a [`LogStore`], a client a [`LogOpener`]. Production maps
//! files (`runtime`); [`HeapLogStore`] keeps logs in memory, for tests and the simulator.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory::AtomicBuffer;

use super::geometry::log_length;
use super::log::{LogBuffer, LogBufferError};
use super::spec::LogSpec;

/// Which of the two folders a log belongs to.
///
/// ```
/// use aileron::logbuffer::LogFileKind;
/// assert_eq!(LogFileKind::Image.directory(), "images");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the two folders of the driver's directory"
)]
pub enum LogFileKind {
    /// A network or IPC publication.
    Publication,
    /// An image of a network publication.
    Image,
}

impl LogFileKind {
    /// Name of the folder below the driver's directory.
    #[must_use]
    pub const fn directory(self) -> &'static str {
        match self {
            Self::Publication => "publications",
            Self::Image => "images",
        }
    }
}

/// Names a log within a driver. Displays as the path below the driver's directory.
///
/// ```
/// use aileron::logbuffer::{LogFileKind, LogName};
/// let name = LogName { kind: LogFileKind::Publication, id: 42 };
/// assert_eq!(name.to_string(), "publications/42.logbuffer");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a file name has these two parts")]
pub struct LogName {
    /// Its folder.
    pub kind: LogFileKind,
    /// Registration id of the publication, or correlation id of the image.
    pub id: i64,
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.logbuffer", self.kind.directory(), self.id)
    }
}

/// A log could not be created or deleted.
///
/// ```
/// use aileron::logbuffer::StoreError;
/// let error = StoreError::NoSpace { needed: 4096, available: 100 };
/// assert_eq!(error.to_string(), "log needs 4096 bytes of storage, 100 are usable");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The storage has not enough usable space.
    NoSpace {
        /// Bytes the log needs.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// A log of that name exists.
    Exists(String),
    /// There is no log at that path.
    NotFound(String),
    /// The spec is not legal.
    Spec(LogBufferError),
    /// The operating system refused.
    Io {
        /// Of which file.
        path: String,
        /// What it answered.
        source: io::Error,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSpace { needed, available } => {
                write!(
                    f,
                    "log needs {needed} bytes of storage, {available} are usable"
                )
            }
            Self::Exists(path) => write!(f, "log already exists: {path}"),
            Self::NotFound(path) => write!(f, "log does not exist: {path}"),
            Self::Spec(error) => error.fmt(f),
            Self::Io { path, .. } => write!(f, "cannot access log file {path}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Spec(source) => Some(source),
            Self::NoSpace { .. } | Self::Exists(_) | Self::NotFound(_) => None,
        }
    }
}

impl From<LogBufferError> for StoreError {
    fn from(error: LogBufferError) -> Self {
        Self::Spec(error)
    }
}

/// A log could not be opened.
///
/// ```
/// use aileron::logbuffer::{HeapLogStore, LogOpener};
/// let error = HeapLogStore::default().open("heap/images/1.logbuffer").unwrap_err();
/// assert_eq!(error.to_string(), "log does not exist: heap/images/1.logbuffer");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no log at that path.
    NotFound(String),
    /// The file is not a log.
    Invalid {
        /// Its path.
        path: String,
        /// What is wrong with it.
        source: LogBufferError,
    },
    /// The operating system refused.
    Io {
        /// Of which file.
        path: String,
        /// What it answered.
        source: io::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) => write!(f, "log does not exist: {path}"),
            Self::Invalid { path, .. } => write!(f, "file is not a log: {path}"),
            Self::Io { path, .. } => write!(f, "cannot access log file {path}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotFound(_) => None,
            Self::Invalid { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
        }
    }
}

/// Creates and deletes logs; the driver's side. Calls may block.
pub trait LogStore: Send {
    /// Creates a log, initialised, and returns it with the path to announce to clients.
    ///
    /// # Errors
    /// There is no space, the name is taken, the spec is not legal, or the storage fails; nothing
    /// is left behind then.
    fn create(&mut self, name: &LogName, spec: &LogSpec)
    -> Result<(LogBuffer, String), StoreError>;

    /// Deletes the log that was announced as `path`. Whoever has it open keeps its memory.
    ///
    /// # Errors
    /// It does not exist, or the storage fails; a later call may succeed.
    fn delete(&mut self, path: &str) -> Result<(), StoreError>;

    /// Bytes that logs may still take. Where that is more than `wanted`, the answer may be anything
    /// from there on: to know it exactly can take long.
    ///
    /// # Errors
    /// The storage fails.
    fn usable_space(&self, wanted: u64) -> Result<u64, StoreError>;
}

/// Opens announced logs; the client's side. May block.
pub trait LogOpener: Send + Sync {
    /// Opens the log that was announced as `path`.
    ///
    /// # Errors
    /// It does not exist, is not a log, or the storage fails.
    fn open(&self, path: &str) -> Result<LogBuffer, OpenError>;
}

/// Logs on the heap. Clones share them: give one to the driver and one to each client.
///
/// ```
/// use aileron::logbuffer::{HeapLogStore, LogFileKind, LogName, LogOpener, LogSpec, LogStore};
/// let mut store = HeapLogStore::default();
/// let name = LogName { kind: LogFileKind::Image, id: 7 };
/// let (_, path) = store.create(&name, &LogSpec::default())?;
/// let log = store.open(&path).unwrap();
/// store.delete(&path)?;
/// assert!(store.open(&path).is_err());
/// assert_eq!(log.length(), 200_704);
/// # Ok::<(), aileron::logbuffer::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeapLogStore {
    shared: Arc<Mutex<Heap>>,
}

#[derive(Debug)]
struct Heap {
    logs: BTreeMap<String, AtomicBuffer>,
    usable_space: u64,
    /// Whatever space there is, somebody else has it.
    is_full: bool,
}

impl Heap {
    const fn available(&self) -> u64 {
        if self.is_full { 0 } else { self.usable_space }
    }
}

impl HeapLogStore {
    /// A store whose logs take at most `space` bytes together.
    #[must_use]
    pub fn with_space(space: u64) -> Self {
        let heap = Heap {
            logs: BTreeMap::new(),
            usable_space: space,
            is_full: false,
        };
        Self {
            shared: Arc::new(Mutex::new(heap)),
        }
    }

    /// Has somebody else take all the space there is, or give it back: until then no log can be
    /// created.
    pub fn set_full(&self, is_full: bool) {
        self.heap().is_full = is_full;
    }

    /// Paths of the logs that exist, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.heap().logs.keys().cloned().collect()
    }

    /// The bytes of a log, for whoever plays a peer that breaks the rules. `None` if there is no
    /// such log.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<AtomicBuffer> {
        self.heap().logs.get(path).cloned()
    }

    /// A panic elsewhere leaves the map whole: every change of it is one call.
    fn heap(&self) -> MutexGuard<'_, Heap> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for HeapLogStore {
    /// A store without a limit.
    fn default() -> Self {
        Self::with_space(u64::MAX)
    }
}

impl LogStore for HeapLogStore {
    fn create(
        &mut self,
        name: &LogName,
        spec: &LogSpec,
    ) -> Result<(LogBuffer, String), StoreError> {
        let path = format!("heap/{name}");
        let mut heap = self.heap();
        if heap.logs.contains_key(&path) {
            return Err(StoreError::Exists(path));
        }
        spec.check()?;
        let needed = log_length(spec.term_length, spec.page_size);
        let available = heap.available();
        let no_space = StoreError::NoSpace { needed, available };
        let (Ok(length), true) = (usize::try_from(needed), needed <= available) else {
            return Err(no_space);
        };
        let buffer = AtomicBuffer::heap(length);
        let log = LogBuffer::initialise(buffer.clone(), spec)?;
        heap.usable_space -= needed;
        heap.logs.insert(path.clone(), buffer);
        Ok((log, path))
    }

    fn delete(&mut self, path: &str) -> Result<(), StoreError> {
        let mut heap = self.heap();
        let Some(buffer) = heap.logs.remove(path) else {
            return Err(StoreError::NotFound(path.to_owned()));
        };
        heap.usable_space = heap.usable_space.saturating_add(buffer.len() as u64);
        Ok(())
    }

    fn usable_space(&self, _wanted: u64) -> Result<u64, StoreError> {
        Ok(self.heap().available())
    }
}

impl LogOpener for HeapLogStore {
    fn open(&self, path: &str) -> Result<LogBuffer, OpenError> {
        let Some(buffer) = self.heap().logs.get(path).cloned() else {
            return Err(OpenError::NotFound(path.to_owned()));
        };
        LogBuffer::attach(buffer).map_err(|source| OpenError::Invalid {
            path: path.to_owned(),
            source,
        })
    }
}
