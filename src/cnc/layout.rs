//! Where the sections of the file lie.

use std::fmt;
use std::ops::Range;

use super::CncError;
use crate::base::align_usize;
use crate::concurrent::{
    BROADCAST_TRAILER_LENGTH, COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH, RING_TRAILER_LENGTH,
};

/// Bytes of the header, of which 52 are in use.
pub const HEADER_LENGTH: usize = 128;
/// Page size unless configured otherwise, and of files whose header does not tell.
pub const DEFAULT_PAGE_SIZE: usize = 4096;
/// Smallest page size.
pub const PAGE_SIZE_MIN: usize = 4096;
/// Largest page size.
pub const PAGE_SIZE_MAX: usize = 1 << 30;

/// Metadata bytes for each value byte.
const METADATA_FACTOR: usize = COUNTER_METADATA_LENGTH / COUNTER_VALUE_LENGTH;

/// A part of the CnC file, in the order of the file.
///
/// ```
/// use aileron::cnc::Section;
/// assert_eq!(Section::ErrorLog.to_string(), "error log");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the file format has these five")]
pub enum Section {
    /// Ring buffer of commands.
    ToDriver,
    /// Broadcast buffer of events.
    ToClients,
    /// Types, keys and labels of counters.
    CounterMetadata,
    /// Values of counters.
    CounterValues,
    /// Distinct error log.
    ErrorLog,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ToDriver => "to-driver buffer",
            Self::ToClients => "to-clients buffer",
            Self::CounterMetadata => "counter metadata buffer",
            Self::CounterValues => "counter values buffer",
            Self::ErrorLog => "error log",
        })
    }
}

/// Lengths of a CnC file to be made, in bytes.
///
/// ```
/// use aileron::cnc::CncLengths;
/// assert_eq!(CncLengths::default().total_length(), Ok(48_238_592));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the file format has these sections"
)]
pub struct CncLengths {
    /// Ring buffer of commands: a power of two and 768.
    pub to_driver: usize,
    /// Broadcast buffer of events: a power of two and 128.
    pub to_clients: usize,
    /// Values of counters: a multiple of 128, of which each counter takes as many.
    pub counter_values: usize,
    /// Distinct error log: a multiple of 8.
    pub error_log: usize,
    /// The file's length is rounded up to this power of two, 4 KiB to 1 GiB.
    pub page_size: usize,
}

impl Default for CncLengths {
    fn default() -> Self {
        Self {
            to_driver: (1 << 20) + RING_TRAILER_LENGTH,
            to_clients: (1 << 20) + BROADCAST_TRAILER_LENGTH,
            counter_values: 8 << 20,
            error_log: 4 << 20,
            page_size: DEFAULT_PAGE_SIZE,
        }
    }
}

impl CncLengths {
    /// Bytes of the whole file.
    ///
    /// # Errors
    /// [`CncError`] when a length is one that its section cannot have, or all exceed 2 GiB.
    pub fn total_length(&self) -> Result<usize, CncError> {
        let layout = Layout::of(self)?;
        let length = align_usize(layout.end(), self.page_size);
        if i32::try_from(length).is_err() {
            return Err(CncError::TooLong {
                length: length as u64,
            });
        }
        Ok(length)
    }
}

/// Where the sections lie: checked, so that slicing a buffer of [`Layout::end`] bytes cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    to_driver: usize,
    to_clients: usize,
    counter_metadata: usize,
    counter_values: usize,
    error_log: usize,
    pub(super) page_size: usize,
}

impl Layout {
    /// Layout of a file to be made.
    pub(super) fn of(lengths: &CncLengths) -> Result<Self, CncError> {
        let wire = |section, length: usize| {
            i32::try_from(length).map_err(|_| invalid(section, length as u64))
        };
        let values = wire(Section::CounterValues, lengths.counter_values)?;
        if !lengths.counter_values.is_multiple_of(COUNTER_VALUE_LENGTH) {
            return Err(invalid(
                Section::CounterValues,
                lengths.counter_values as u64,
            ));
        }
        let page_size = i32::try_from(lengths.page_size)
            .ok()
            .filter(|size| *size != 0)
            .ok_or(CncError::InvalidPageSize {
                page_size: clamped(lengths.page_size as u64),
            })?;
        let metadata = values
            .checked_mul(4)
            .ok_or_else(|| invalid(Section::CounterValues, lengths.counter_values as u64))?;
        Self::from_wire(&WireLengths {
            to_driver: wire(Section::ToDriver, lengths.to_driver)?,
            to_clients: wire(Section::ToClients, lengths.to_clients)?,
            counter_metadata: metadata,
            counter_values: values,
            error_log: wire(Section::ErrorLog, lengths.error_log)?,
            page_size,
        })
    }

    /// Layout of a file that somebody made; `lengths` may be anything.
    pub(super) fn from_wire(lengths: &WireLengths) -> Result<Self, CncError> {
        let layout = Self {
            to_driver: positive(Section::ToDriver, lengths.to_driver)?,
            to_clients: positive(Section::ToClients, lengths.to_clients)?,
            counter_metadata: positive(Section::CounterMetadata, lengths.counter_metadata)?,
            counter_values: positive(Section::CounterValues, lengths.counter_values)?,
            error_log: positive(Section::ErrorLog, lengths.error_log)?,
            page_size: checked_page_size(lengths.page_size)?,
        };
        layout.check_trailer(Section::ToDriver, RING_TRAILER_LENGTH)?;
        layout.check_trailer(Section::ToClients, BROADCAST_TRAILER_LENGTH)?;
        if layout.counter_values < COUNTER_VALUE_LENGTH || !layout.counter_values.is_multiple_of(8)
        {
            return Err(layout.invalid(Section::CounterValues));
        }
        if layout.counter_metadata / METADATA_FACTOR != layout.counter_values
            || !layout.counter_metadata.is_multiple_of(METADATA_FACTOR)
        {
            return Err(layout.invalid(Section::CounterMetadata));
        }
        if i32::try_from(layout.end()).is_err() {
            return Err(CncError::TooLong {
                length: layout.end() as u64,
            });
        }
        Ok(layout)
    }

    /// The lengths as the header holds them.
    pub(super) fn to_wire(self) -> WireLengths {
        let wire = |length: usize| i32::try_from(length).expect("a layout was made from i32");
        WireLengths {
            to_driver: wire(self.to_driver),
            to_clients: wire(self.to_clients),
            counter_metadata: wire(self.counter_metadata),
            counter_values: wire(self.counter_values),
            error_log: wire(self.error_log),
            page_size: wire(self.page_size),
        }
    }

    /// Bytes of a section in the file.
    pub(super) fn range(&self, section: Section) -> Range<usize> {
        let to_clients = HEADER_LENGTH + self.to_driver;
        let metadata = to_clients + self.to_clients;
        let values = metadata + self.counter_metadata;
        let error_log = values + self.counter_values;
        let start = match section {
            Section::ToDriver => HEADER_LENGTH,
            Section::ToClients => to_clients,
            Section::CounterMetadata => metadata,
            Section::CounterValues => values,
            Section::ErrorLog => error_log,
        };
        start..start + self.length(section)
    }

    /// Bytes up to the end of the last section.
    pub(super) fn end(&self) -> usize {
        self.range(Section::ErrorLog).end
    }

    fn length(&self, section: Section) -> usize {
        match section {
            Section::ToDriver => self.to_driver,
            Section::ToClients => self.to_clients,
            Section::CounterMetadata => self.counter_metadata,
            Section::CounterValues => self.counter_values,
            Section::ErrorLog => self.error_log,
        }
    }

    /// A data area is a power of two; below 64 bytes no useful record fits.
    fn check_trailer(&self, section: Section, trailer_length: usize) -> Result<(), CncError> {
        let capacity = self.length(section).checked_sub(trailer_length);
        match capacity {
            Some(capacity) if capacity >= 64 && capacity.is_power_of_two() => Ok(()),
            _ => Err(self.invalid(section)),
        }
    }

    fn invalid(&self, section: Section) -> CncError {
        invalid(section, self.length(section) as u64)
    }
}

/// Lengths as they stand in a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct WireLengths {
    pub(super) to_driver: i32,
    pub(super) to_clients: i32,
    pub(super) counter_metadata: i32,
    pub(super) counter_values: i32,
    pub(super) error_log: i32,
    pub(super) page_size: i32,
}

fn positive(section: Section, length: i32) -> Result<usize, CncError> {
    usize::try_from(length)
        .ok()
        .filter(|length| *length > 0)
        .ok_or(CncError::InvalidLength {
            section,
            length: length.into(),
        })
}

/// Old drivers leave the page size 0.
fn checked_page_size(page_size: i32) -> Result<usize, CncError> {
    if page_size == 0 {
        return Ok(DEFAULT_PAGE_SIZE);
    }
    usize::try_from(page_size)
        .ok()
        .filter(|size| size.is_power_of_two() && (PAGE_SIZE_MIN..=PAGE_SIZE_MAX).contains(size))
        .ok_or(CncError::InvalidPageSize {
            page_size: page_size.into(),
        })
}

fn invalid(section: Section, length: u64) -> CncError {
    CncError::InvalidLength {
        section,
        length: clamped(length),
    }
}

fn clamped(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
