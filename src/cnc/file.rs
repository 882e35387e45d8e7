//! Views over a CnC file.

use super::layout::{Layout, Section};
use super::{CNC_VERSION, CncError, CncLengths, HEADER_LENGTH, SemanticVersion, header};
use crate::base::EpochMillis;
use crate::concurrent::{CountersManager, CountersReader, RingBuffer};
use crate::memory::AtomicBuffer;

/// What a driver tells about itself in the header. See [`Cnc`] for an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the file format has these fields"
)]
pub struct CncMetadata {
    /// A client silent for longer than this many nanoseconds is dead to the driver; a client that
    /// did not get to run for longer must close itself.
    pub client_liveness_timeout_ns: i64,
    /// When the driver started.
    pub start_timestamp: EpochMillis,
    /// Process id of the driver.
    pub pid: i64,
}

/// A CnC file: views over one buffer, whose lengths were checked once and are remembered, so that
/// nobody can change them later. Cloning gives another handle.
///
/// ```
/// use aileron::base::{CorrelationId, EpochMillis};
/// use aileron::cnc::{Cnc, CncLengths, CncMetadata};
/// use aileron::memory::AtomicBuffer;
///
/// // The driver's side.
/// let lengths = CncLengths { counter_values: 1 << 20, ..CncLengths::default() };
/// let buffer = AtomicBuffer::heap(lengths.total_length().unwrap());
/// let driver = Cnc::create(buffer.clone(), &lengths, &CncMetadata::default()).unwrap();
/// driver.to_driver().set_consumer_heartbeat(EpochMillis(1_700_000_000_000));
/// driver.signal_ready();
///
/// // A client's side.
/// let client = Cnc::attach(buffer).unwrap();
/// assert_eq!(client.to_driver().next_correlation_id(), CorrelationId(1));
/// ```
#[derive(Clone, Debug)]
pub struct Cnc {
    buffer: AtomicBuffer,
    layout: Layout,
    metadata: CncMetadata,
    to_driver: RingBuffer,
    counters: CountersReader,
}

impl Cnc {
    /// Lays out a file in a buffer of zeros: header and first correlation id. The file is not
    /// ready before [`Self::signal_ready`].
    ///
    /// The correlation counter is moved past 0 here, so that the first id handed out is 1.
    ///
    /// # Errors
    /// [`CncError`] when a length is one that its section cannot have, or the buffer is too short.
    pub fn create(
        buffer: AtomicBuffer,
        lengths: &CncLengths,
        metadata: &CncMetadata,
    ) -> Result<Self, CncError> {
        let needed = lengths.total_length()?;
        if buffer.len() < needed {
            return Err(CncError::Truncated {
                needed,
                available: buffer.len(),
            });
        }
        let layout = Layout::of(lengths)?;
        header::write(&buffer, &layout.to_wire(), metadata);
        let cnc = Self::over(buffer, layout, *metadata)?;
        let _zero = cnc.to_driver.next_correlation_id();
        Ok(cnc)
    }

    /// Publishes the file: stores the version, which clients wait for.
    pub fn signal_ready(&self) {
        header::store_version(&self.buffer, CNC_VERSION);
    }

    /// Attaches to a file that a driver made, or is just making. Nothing in it is trusted.
    ///
    /// # Errors
    /// [`CncError`]; those that [are retryable](CncError::is_retryable) may go away when the driver
    /// is just starting.
    pub fn attach(buffer: AtomicBuffer) -> Result<Self, CncError> {
        let available = buffer.len();
        if available < HEADER_LENGTH {
            return Err(CncError::Truncated {
                needed: HEADER_LENGTH,
                available,
            });
        }
        let version = header::load_version(&buffer);
        if version.to_wire() == 0 {
            return Err(CncError::NotReady);
        }
        if version.major() != CNC_VERSION.major() || version.minor() < CNC_VERSION.minor() {
            return Err(CncError::VersionMismatch { version });
        }
        let layout = Layout::from_wire(&header::read_lengths(&buffer))?;
        if available < layout.end() {
            return Err(CncError::Truncated {
                needed: layout.end(),
                available,
            });
        }
        let metadata = header::read_metadata(&buffer);
        Self::over(buffer, layout, metadata)
    }

    /// Whether the driver has signalled that the file is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.version().to_wire() != 0
    }

    /// Bytes of the whole file.
    #[must_use]
    #[inline]
    pub const fn length(&self) -> usize {
        self.buffer.len()
    }

    /// Version of the file's layout; 0.0.0 until it is ready.
    #[must_use]
    pub fn version(&self) -> SemanticVersion {
        header::load_version(&self.buffer)
    }

    /// The ring buffer of commands to the driver.
    #[must_use]
    pub fn to_driver(&self) -> RingBuffer {
        self.to_driver.clone()
    }

    /// The broadcast buffer of events to the clients.
    #[must_use]
    pub fn to_clients_buffer(&self) -> AtomicBuffer {
        self.section(Section::ToClients)
    }

    /// Types, keys and labels of the counters.
    #[must_use]
    pub fn counters_metadata_buffer(&self) -> AtomicBuffer {
        self.section(Section::CounterMetadata)
    }

    /// Values of the counters.
    #[must_use]
    pub fn counters_values_buffer(&self) -> AtomicBuffer {
        self.section(Section::CounterValues)
    }

    /// The distinct error log.
    #[must_use]
    pub fn error_log_buffer(&self) -> AtomicBuffer {
        self.section(Section::ErrorLog)
    }

    /// A view of all counters.
    #[must_use]
    pub fn counters(&self) -> CountersReader {
        self.counters.clone()
    }

    /// The allocator of the counters: for the driver, once.
    ///
    /// # Panics
    /// Never: the layout was checked to have room for a counter.
    #[must_use]
    pub fn counters_manager(&self, reuse_timeout_ms: i64) -> CountersManager {
        let (metadata, values) = (
            self.counters_metadata_buffer(),
            self.counters_values_buffer(),
        );
        CountersManager::new(metadata, values, reuse_timeout_ms)
            .expect("a layout has room for a counter")
    }

    /// Nanoseconds of silence after which a client is dead.
    #[must_use]
    pub fn client_liveness_timeout_ns(&self) -> i64 {
        self.metadata.client_liveness_timeout_ns
    }

    /// When the driver started.
    #[must_use]
    pub fn start_timestamp(&self) -> EpochMillis {
        self.metadata.start_timestamp
    }

    /// Process id of the driver.
    #[must_use]
    pub fn pid(&self) -> i64 {
        self.metadata.pid
    }

    /// Page size of the driver's files, bytes.
    #[must_use]
    pub fn page_size(&self) -> usize {
        self.layout.page_size
    }

    fn over(buffer: AtomicBuffer, layout: Layout, metadata: CncMetadata) -> Result<Self, CncError> {
        let slice = |section| buffer.slice(layout.range(section));
        let invalid = |section: Section, length: usize| CncError::InvalidLength {
            section,
            length: i64::try_from(length).unwrap_or(i64::MAX),
        };
        let to_driver = RingBuffer::new(slice(Section::ToDriver))
            .map_err(|error| invalid(Section::ToDriver, error.length))?;
        let counters = CountersReader::new(
            slice(Section::CounterMetadata),
            slice(Section::CounterValues),
        )
        .map_err(|error| invalid(Section::CounterValues, error.length))?;
        Ok(Self {
            buffer,
            layout,
            metadata,
            to_driver,
            counters,
        })
    }

    fn section(&self, section: Section) -> AtomicBuffer {
        self.buffer.slice(self.layout.range(section))
    }
}
