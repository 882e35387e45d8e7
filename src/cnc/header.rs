//! The header's fields.

use super::layout::WireLengths;
use super::{CncMetadata, HEADER_LENGTH, SemanticVersion};
use crate::base::EpochMillis;
use crate::memory::AtomicBuffer;

/// Offsets of the fields.
mod field {
    /// `i32`: 0 until the file is ready; stored last.
    pub(super) const VERSION: usize = 0;
    /// `i32`, trailer included.
    pub(super) const TO_DRIVER_LENGTH: usize = 4;
    /// `i32`, trailer included.
    pub(super) const TO_CLIENTS_LENGTH: usize = 8;
    /// `i32`: four times the values.
    pub(super) const COUNTER_METADATA_LENGTH: usize = 12;
    /// `i32`.
    pub(super) const COUNTER_VALUES_LENGTH: usize = 16;
    /// `i32`.
    pub(super) const ERROR_LOG_LENGTH: usize = 20;
    /// `i64` nanoseconds: a client silent for longer is dead, and one that did not run for longer
    /// must close.
    pub(super) const CLIENT_LIVENESS_TIMEOUT: usize = 24;
    /// `i64` epoch milliseconds: start of the driver.
    pub(super) const START_TIMESTAMP: usize = 32;
    /// `i64`: process id of the driver.
    pub(super) const PID: usize = 40;
    /// `i32`: page size of all files; 0 from old drivers.
    pub(super) const PAGE_SIZE: usize = 48;
}

const _: () = assert!(field::PAGE_SIZE + 4 == 52 && HEADER_LENGTH >= 52);

/// Writes everything but the version.
pub(super) fn write(buffer: &AtomicBuffer, lengths: &WireLengths, metadata: &CncMetadata) {
    buffer.store_i32_relaxed(field::TO_DRIVER_LENGTH, lengths.to_driver);
    buffer.store_i32_relaxed(field::TO_CLIENTS_LENGTH, lengths.to_clients);
    buffer.store_i32_relaxed(field::COUNTER_METADATA_LENGTH, lengths.counter_metadata);
    buffer.store_i32_relaxed(field::COUNTER_VALUES_LENGTH, lengths.counter_values);
    buffer.store_i32_relaxed(field::ERROR_LOG_LENGTH, lengths.error_log);
    buffer.store_i64_relaxed(
        field::CLIENT_LIVENESS_TIMEOUT,
        metadata.client_liveness_timeout_ns,
    );
    buffer.store_i64_relaxed(field::START_TIMESTAMP, metadata.start_timestamp.get());
    buffer.store_i64_relaxed(field::PID, metadata.pid);
    buffer.store_i32_relaxed(field::PAGE_SIZE, lengths.page_size);
}

/// Publishes the file.
pub(super) fn store_version(buffer: &AtomicBuffer, version: SemanticVersion) {
    // PUBLISH(cnc-version): pairs with load_version. All of the file becomes visible before it.
    buffer.store_i32_release(field::VERSION, version.to_wire());
}

/// The file's version; 0 until it is ready.
pub(super) fn load_version(buffer: &AtomicBuffer) -> SemanticVersion {
    // Pairs with PUBLISH(cnc-version).
    SemanticVersion::from_wire(buffer.load_i32_acquire(field::VERSION))
}

/// The lengths, unchecked.
pub(super) fn read_lengths(buffer: &AtomicBuffer) -> WireLengths {
    WireLengths {
        to_driver: buffer.load_i32_relaxed(field::TO_DRIVER_LENGTH),
        to_clients: buffer.load_i32_relaxed(field::TO_CLIENTS_LENGTH),
        counter_metadata: buffer.load_i32_relaxed(field::COUNTER_METADATA_LENGTH),
        counter_values: buffer.load_i32_relaxed(field::COUNTER_VALUES_LENGTH),
        error_log: buffer.load_i32_relaxed(field::ERROR_LOG_LENGTH),
        page_size: buffer.load_i32_relaxed(field::PAGE_SIZE),
    }
}

/// What the driver tells about itself.
pub(super) fn read_metadata(buffer: &AtomicBuffer) -> CncMetadata {
    CncMetadata {
        client_liveness_timeout_ns: buffer.load_i64_relaxed(field::CLIENT_LIVENESS_TIMEOUT),
        start_timestamp: EpochMillis(buffer.load_i64_relaxed(field::START_TIMESTAMP)),
        pid: buffer.load_i64_relaxed(field::PID),
    }
}
