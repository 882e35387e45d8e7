//! Calls of the C client that its binding offers in raw form only.

use std::time::Duration;

use rusteron_media_driver::bindings::{
    aeron_async_next_session_id, aeron_async_next_session_id_poll,
};
use rusteron_media_driver::{Aeron, AeronPublicationErrorValues};

use super::{Refusal, code};

/// Asks the driver for a session id.
pub(super) fn next_session_id(client: &Aeron, stream_id: i32) -> Result<i32, Refusal> {
    let mut command = std::ptr::null_mut();
    // SAFETY: the client lives, and the library writes the command's address.
    let asked = unsafe { aeron_async_next_session_id(&mut command, client.get_inner(), stream_id) };
    let mut session_id = 0;
    let mut outcome = asked;
    while outcome == 0 {
        std::thread::sleep(Duration::from_micros(100));
        // SAFETY: the command is there until it is answered, which ends the loop.
        outcome = unsafe { aeron_async_next_session_id_poll(&mut session_id, command) };
    }
    if outcome < 0 {
        let code = Aeron::errcode().unwrap_or(0);
        return Err(Refusal {
            code: (-code).max(code::OF_CLIENT),
            text: Aeron::errmsg().to_owned(),
        });
    }
    Ok(session_id)
}

/// The words of an error frame, which follow its fields.
pub(super) fn error_text(error: &AeronPublicationErrorValues) -> String {
    let length = usize::try_from(error.error_message_length()).unwrap_or(0);
    // SAFETY: in the handler the frame is whole: the message has the length that is said.
    let bytes = unsafe {
        let start = &raw const (*error.get_inner()).error_message;
        std::slice::from_raw_parts(start.cast::<u8>(), length)
    };
    String::from_utf8_lossy(bytes).into_owned()
}
