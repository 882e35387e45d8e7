//! CnC files to a client.

use aileron::cnc::Cnc;
use aileron::memory::AtomicBuffer;

use crate::fake_driver::{FakeDriver, exercise, new_log};
use crate::patch::patch;
use crate::script::steps;

/// Changes words of a CnC file, or cuts it off, and hands it to a client.
///
/// ```
/// aileron_fuzz::targets::cnc(&[0, 8, 0, 0, 0, 0, 0, 255, 255, 255, 255]);
/// ```
pub fn cnc(data: &[u8]) {
    let driver = FakeDriver::new(new_log());
    let buffer = driver.cnc.clone();
    let mut end = buffer.len();
    let mut late = Vec::new();
    for step in steps(data) {
        match step.control & 3 {
            // The header, where the lengths of all else are.
            0 => patch(&buffer.slice(0..128), 0, step.bytes),
            1 => patch(&buffer, 0, step.bytes),
            2 => late.push(step.bytes),
            _ => {
                let length = step
                    .bytes
                    .first_chunk::<4>()
                    .map_or(0, |b| u32::from_le_bytes(*b));
                end = usize::try_from(length).unwrap_or(0) % (buffer.len() + 1);
            }
        }
    }
    look(&driver, &buffer.slice(0..end), &late);
}

fn look(driver: &FakeDriver, bytes: &AtomicBuffer, late: &[&[u8]]) {
    let cnc = match Cnc::attach(bytes.clone()) {
        Ok(cnc) => cnc,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "refused without words");
            return;
        }
    };
    let _ = (cnc.pid(), cnc.start_timestamp(), cnc.page_size());
    aileron::concurrent::read_error_log(
        &cnc.error_log_buffer(),
        aileron::base::EpochMillis(0),
        |observation| {
            let _ = observation.text.len();
        },
    );
    if let Ok((client, mut invoker)) = driver.connect_to(cnc) {
        exercise(&client, &mut invoker);
        for patched in late {
            patch(bytes, 0, patched);
            invoker.do_work();
        }
        exercise(&client, &mut invoker);
    }
}
