//! Asking the driver of a directory to stop.
#![forbid(unsafe_code)]

use std::path::Path;

use super::directory::{MapCncError, map_cnc};
use crate::base::{ClientId, CorrelationId, NULL_VALUE};
use crate::command::{Command, TerminateDriver};

/// Asks the driver in `directory` to stop. Its termination validator decides, by default against
/// it, and may look at `token`; nobody is answered. Returns whether the request was written:
/// `false` when the ring to the driver is full or the token does not fit it.
///
/// # Errors
/// There is no CnC file of a driver that is, or was, ready.
///
/// ```
/// use aileron::{DriverConfig, MediaDriver, runtime::request_driver_termination};
/// let driver = MediaDriver::launch_embedded(DriverConfig::default())?;
/// assert!(request_driver_termination(driver.directory(), b"please")?);
/// assert!(!driver.is_termination_requested()); // the validator denies
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn request_driver_termination(directory: &Path, token: &[u8]) -> Result<bool, MapCncError> {
    let ring = map_cnc(directory, false)?.to_driver();
    let request = Command::TerminateDriver(TerminateDriver {
        client_id: ClientId(ring.next_correlation_id().0),
        correlation_id: CorrelationId(NULL_VALUE),
        token,
    });
    let mut payload = Vec::new();
    let type_id = request.encode(&mut payload);
    Ok(ring.write(type_id, &payload).is_ok())
}
