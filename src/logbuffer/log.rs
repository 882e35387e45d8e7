//! A log in memory: three terms, the metadata, and what was checked when it was opened.

use std::fmt;
use std::sync::Arc;

use crate::base::{Position, SessionId, StreamId, TermId, TermOffset};
use crate::memory::AtomicBuffer;
use crate::protocol::data::MAX_DATAGRAM_LENGTH;

use super::frame::{FRAME_ALIGNMENT, FrameIds, HEADER_LENGTH, size};
use super::geometry::{
    PARTITION_COUNT, TermGeometry, check_page_size, check_term_length, log_length,
};
use super::metadata::{METADATA_LENGTH, Metadata, Tail};
use super::spec::{LogKind, LogSpec};

/// Bytes that are not a log.
///
/// ```
/// use aileron::logbuffer::LogBuffer;
/// use aileron::memory::AtomicBuffer;
/// let error = LogBuffer::attach(AtomicBuffer::heap(8192)).unwrap_err();
/// assert_eq!(error.to_string(), "log buffer has an illegal term length of 0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogBufferError {
    /// It has not the length, in bytes, that its terms and metadata need.
    Length {
        /// Bytes there are.
        actual: u64,
        /// Bytes it needs.
        needed: u64,
    },
    /// The term length is not a power of two between 64 KiB and 1 GiB.
    TermLength(i32),
    /// The page size is not a power of two between 4 KiB and 1 GiB.
    PageSize(i32),
    /// The MTU is not a multiple of 32 between 64 and 65504.
    MtuLength(i32),
    /// Frame headers are not 32 bytes long.
    HeaderLength(i32),
    /// The start lies before the initial term, beyond the end of its term, or is not aligned.
    Start(TermId, TermOffset),
}

impl fmt::Display for LogBufferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { actual, needed } => {
                write!(
                    f,
                    "log buffer has {actual} bytes, not the {needed} it needs"
                )
            }
            Self::TermLength(n) => write!(f, "log buffer has an illegal term length of {n}"),
            Self::PageSize(n) => write!(f, "log buffer has an illegal page size of {n}"),
            Self::MtuLength(n) => write!(f, "log buffer has an illegal MTU of {n}"),
            Self::HeaderLength(n) => write!(f, "log buffer has frame headers of {n} bytes"),
            Self::Start(id, offset) => {
                write!(
                    f,
                    "log buffer has an illegal start at term {id}, offset {offset}"
                )
            }
        }
    }
}

impl std::error::Error for LogBufferError {}

/// A log that publishers append to and consumers read from. Cloning gives a handle on the same log;
/// the memory lives as long as any handle.
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader};
/// use aileron::memory::AtomicBuffer;
/// let memory = AtomicBuffer::heap(200_704);
/// let publisher = LogBuffer::initialise(memory.clone(), &LogSpec::default())?;
/// let subscriber = LogBuffer::attach(memory)?;
///
/// let limit = Position(32 * 1024);
/// publisher.offer(limit, b"hello")?;
/// let polled = reader::poll(&subscriber, Position(0), 10, |payload, header| {
///     assert_eq!(payload, b"hello");
///     assert_eq!(header.position(), Position(64));
/// });
/// assert_eq!((polled.fragments, polled.position), (1, Position(64)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogBuffer {
    inner: Arc<Inner>,
}

/// What a handle points to. Everything but the bytes behind `terms` and `metadata` is fixed: it was
/// read once and checked (`LOG-1`), so a peer that rewrites the metadata later changes nothing.
#[derive(Debug)]
struct Inner {
    terms: [AtomicBuffer; PARTITION_COUNT],
    geometry: TermGeometry,
    max_payload_length: i32,
    session_id: SessionId,
    stream_id: StreamId,
    metadata: Metadata,
    length: usize,
}

impl LogBuffer {
    /// Makes a fresh log of zeroed memory. For the driver, before it announces the log.
    ///
    /// # Errors
    /// A length in `spec` is not legal, or `buffer` has not exactly the length they call for.
    pub fn initialise(buffer: AtomicBuffer, spec: &LogSpec) -> Result<Self, LogBufferError> {
        spec.check()?;
        let actual = buffer.len() as u64;
        let needed = log_length(spec.term_length, spec.page_size);
        if actual != needed {
            return Err(LogBufferError::Length { actual, needed });
        }
        Metadata::new(buffer.slice(buffer.len() - METADATA_LENGTH..buffer.len())).write(spec);
        Self::attach(buffer)
    }

    /// Opens a log that a driver announced. The bytes may be anything.
    ///
    /// # Errors
    /// A length in the metadata is not legal, or the terms would not fit the buffer.
    pub fn attach(buffer: AtomicBuffer) -> Result<Self, LogBufferError> {
        let length = buffer.len();
        // A length that is no whole number of pages would misalign the metadata.
        if length < METADATA_LENGTH || !length.is_multiple_of(METADATA_LENGTH) {
            let needed = (length as u64)
                .max(1)
                .next_multiple_of(METADATA_LENGTH as u64);
            return Err(LogBufferError::Length {
                actual: length as u64,
                needed,
            });
        }
        let metadata = Metadata::new(buffer.slice(length - METADATA_LENGTH..length));
        let term_length = metadata.term_length();
        let mtu_length = metadata.mtu_length();
        check_lengths(term_length, metadata.page_size(), mtu_length)?;
        let header_length = metadata.default_frame_header_length();
        if header_length != HEADER_LENGTH {
            return Err(LogBufferError::HeaderLength(header_length));
        }
        let term = size(term_length);
        let needed = (PARTITION_COUNT * term + METADATA_LENGTH) as u64;
        if (length as u64) < needed {
            return Err(LogBufferError::Length {
                actual: length as u64,
                needed,
            });
        }
        let geometry = TermGeometry::new(metadata.initial_term_id(), term_length)
            .ok_or(LogBufferError::TermLength(term_length))?;
        let inner = Inner {
            terms: std::array::from_fn(|index| buffer.slice(index * term..(index + 1) * term)),
            geometry,
            max_payload_length: mtu_length - HEADER_LENGTH,
            session_id: metadata.session_id(),
            stream_id: metadata.stream_id(),
            metadata,
            length,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Initial term id and term length.
    #[must_use]
    #[inline]
    pub fn geometry(&self) -> TermGeometry {
        self.inner.geometry
    }

    /// Length of the whole log in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.inner.length
    }

    /// The metadata page.
    #[must_use]
    #[inline]
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// Whose log it is; `None` if a foreign driver wrote an unknown kind.
    #[must_use]
    pub fn kind(&self) -> Option<LogKind> {
        self.inner.metadata.kind()
    }

    /// Session of the stream.
    #[must_use]
    #[inline]
    pub fn session_id(&self) -> SessionId {
        self.inner.session_id
    }

    /// Stream within the channel.
    #[must_use]
    #[inline]
    pub fn stream_id(&self) -> StreamId {
        self.inner.stream_id
    }

    /// Longest frame, in bytes.
    #[must_use]
    #[inline]
    pub fn mtu_length(&self) -> i32 {
        self.inner.max_payload_length + HEADER_LENGTH
    }

    /// Payload of a full frame, in bytes: longer messages are fragmented.
    #[must_use]
    #[inline]
    pub fn max_payload_length(&self) -> i32 {
        self.inner.max_payload_length
    }

    /// Longest message, in bytes of payload.
    #[must_use]
    #[inline]
    pub fn max_message_length(&self) -> i32 {
        self.inner.geometry.max_message_length()
    }

    /// Whether a publication has a live consumer.
    #[must_use]
    #[inline]
    pub fn is_connected(&self) -> bool {
        self.inner.metadata.is_connected()
    }

    /// See [`Metadata::set_connected`].
    pub fn set_connected(&self, is_connected: bool) {
        self.inner.metadata.set_connected(is_connected);
    }

    /// See [`Metadata::end_of_stream_position`].
    #[must_use]
    #[inline]
    pub fn end_of_stream_position(&self) -> Position {
        self.inner.metadata.end_of_stream_position()
    }

    /// See [`Metadata::set_end_of_stream_position`].
    pub fn set_end_of_stream_position(&self, position: Position) {
        self.inner.metadata.set_end_of_stream_position(position);
    }

    /// See [`Metadata::is_publication_revoked`].
    #[must_use]
    #[inline]
    pub fn is_publication_revoked(&self) -> bool {
        self.inner.metadata.is_publication_revoked()
    }

    /// See [`Metadata::set_publication_revoked`].
    pub fn set_publication_revoked(&self, is_revoked: bool) {
        self.inner.metadata.set_publication_revoked(is_revoked);
    }

    /// See [`Metadata::active_transport_count`].
    #[must_use]
    #[inline]
    pub fn active_transport_count(&self) -> i32 {
        self.inner.metadata.active_transport_count()
    }

    /// See [`Metadata::set_active_transport_count`].
    pub fn set_active_transport_count(&self, count: i32) {
        self.inner.metadata.set_active_transport_count(count);
    }

    /// How many terms precede the active one.
    #[must_use]
    #[inline]
    pub fn active_term_count(&self) -> i32 {
        self.inner.metadata.active_term_count()
    }

    /// See [`Metadata::raw_tail`].
    ///
    /// # Panics
    /// When `index` is not 0, 1 or 2.
    #[must_use]
    #[inline]
    pub fn raw_tail(&self, index: usize) -> i64 {
        self.inner.metadata.raw_tail(index)
    }

    /// End of what publishers have reserved, at most the end of the active term. Never negative,
    /// whatever the metadata holds.
    #[must_use]
    pub fn producer_position(&self) -> Position {
        let geometry = self.inner.geometry;
        let index = TermGeometry::index_of_count(self.active_term_count());
        let tail = Tail::unpack(self.raw_tail(index));
        let offset = TermOffset(tail.offset(geometry.term_length()));
        geometry.position(tail.term_id, offset).max(Position::ZERO)
    }

    /// The term buffer of a partition, `0..=2`.
    #[inline]
    pub(super) fn term(&self, index: usize) -> &AtomicBuffer {
        &self.inner.terms[index]
    }

    /// What all frame headers of a term have in common.
    #[inline]
    pub(super) fn frame_ids(&self, term_id: TermId) -> FrameIds {
        FrameIds {
            session_id: self.inner.session_id,
            stream_id: self.inner.stream_id,
            term_id,
        }
    }
}

fn check_lengths(term_length: i32, page_size: i32, mtu_length: i32) -> Result<(), LogBufferError> {
    if check_term_length(term_length).is_err() {
        return Err(LogBufferError::TermLength(term_length));
    }
    if check_page_size(page_size).is_err() {
        return Err(LogBufferError::PageSize(page_size));
    }
    let is_legal = mtu_length > HEADER_LENGTH
        && size(mtu_length) <= MAX_DATAGRAM_LENGTH
        && mtu_length % FRAME_ALIGNMENT == 0;
    if !is_legal {
        return Err(LogBufferError::MtuLength(mtu_length));
    }
    Ok(())
}

impl LogSpec {
    /// Checks what [`LogBuffer::initialise`] demands, so that a file need not be created first.
    ///
    /// # Errors
    /// A length or the start is not legal.
    pub fn check(&self) -> Result<(), LogBufferError> {
        check_lengths(self.term_length, self.page_size, self.mtu_length)?;
        let Some((term_id, offset)) = self.start else {
            return Ok(());
        };
        let is_legal = term_id.count_since(self.initial_term_id) >= 0
            && (0..=self.term_length).contains(&offset.0)
            && offset.0 % FRAME_ALIGNMENT == 0;
        if is_legal {
            Ok(())
        } else {
            Err(LogBufferError::Start(term_id, offset))
        }
    }
}
