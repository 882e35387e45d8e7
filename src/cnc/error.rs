//! What can be wrong with a CnC file.

use std::error::Error;
use std::fmt;

use super::SemanticVersion;
use super::layout::Section;

/// Why a CnC file could not be made or attached to.
///
/// ```
/// use aileron::cnc::{Cnc, CncError};
/// use aileron::memory::AtomicBuffer;
/// let error = Cnc::attach(AtomicBuffer::heap(4096)).unwrap_err();
/// assert_eq!(error, CncError::NotReady);
/// assert!(error.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CncError {
    /// The driver has not finished initialising the file.
    NotReady,
    /// The file has another layout.
    VersionMismatch {
        /// The file's version.
        version: SemanticVersion,
    },
    /// The buffer is shorter than the lengths in the header demand.
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
    /// A section has a length that it cannot have.
    InvalidLength {
        /// Which section.
        section: Section,
        /// Its length, bytes.
        length: i64,
    },
    /// The page size is not a power of two from 4 KiB to 1 GiB.
    InvalidPageSize {
        /// The page size, bytes.
        page_size: i64,
    },
    /// The file would be longer than 2 GiB.
    TooLong {
        /// Bytes of all sections.
        length: u64,
    },
}

impl CncError {
    /// Whether a driver that is just starting may mend it, so that a client should look again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::NotReady | Self::Truncated { .. })
    }
}

impl fmt::Display for CncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("the CnC file is created but not initialised"),
            Self::VersionMismatch { version } => {
                write!(
                    f,
                    "the CnC file has version {version}, {} is supported",
                    super::CNC_VERSION
                )
            }
            Self::Truncated { needed, available } => {
                write!(f, "the CnC file has {available} bytes, {needed} are needed")
            }
            Self::InvalidLength { section, length } => {
                write!(
                    f,
                    "the CnC file's {section} cannot have a length of {length}"
                )
            }
            Self::InvalidPageSize { page_size } => {
                write!(f, "the CnC file cannot have a page size of {page_size}")
            }
            Self::TooLong { length } => {
                write!(f, "a CnC file of {length} bytes would be longer than 2 GiB")
            }
        }
    }
}

impl Error for CncError {}
