//! Calls of the C client that its binding offers in raw form only.

use std::time::Duration;

use rusteron_media_driver::bindings::{
    aeron_async_add_counter_poll, aeron_async_add_static_counter, aeron_async_next_session_id,
    aeron_async_next_session_id_poll, aeron_counter_close,
};
use rusteron_media_driver::{Aeron, AeronCounter, AeronPublicationErrorValues};

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
        return Err(last_refusal());
    }
    Ok(session_id)
}

/// Adds a static counter, or finds it. The client frees the handle that comes with it.
pub(super) fn add_static_counter(
    client: &Aeron,
    type_id: i32,
    key: &[u8],
    label: &str,
    registration_id: i64,
) -> Result<AeronCounter, Refusal> {
    let mut command = std::ptr::null_mut();
    // SAFETY: the client lives, key and label have the lengths said, and the library writes the
    // command's address.
    let asked = unsafe {
        aeron_async_add_static_counter(
            &mut command,
            client.get_inner(),
            type_id,
            key.as_ptr(),
            key.len(),
            label.as_ptr().cast(),
            label.len(),
            registration_id,
        )
    };
    let mut counter = std::ptr::null_mut();
    let mut outcome = asked;
    while outcome == 0 {
        std::thread::sleep(Duration::from_micros(100));
        // SAFETY: the command is there until it is answered, which ends the loop.
        outcome = unsafe { aeron_async_add_counter_poll(&mut counter, command) };
    }
    if outcome < 0 {
        return Err(last_refusal());
    }
    Ok(AeronCounter::from(counter))
}

/// Closes the handle of a static counter, which frees it.
pub(super) fn close_counter(counter: &AeronCounter) {
    // SAFETY: the handle is closed once, by the facade's counter that owns it.
    let closed = unsafe { aeron_counter_close(counter.get_inner(), None, std::ptr::null_mut()) };
    assert_eq!(closed, 0, "{}", Aeron::errmsg());
}

fn last_refusal() -> Refusal {
    let code = Aeron::errcode().unwrap_or_else(|error| error.code);
    Refusal {
        code: (-code).max(code::OF_CLIENT),
        text: Aeron::errmsg().to_owned(),
    }
}

/// The words of an error frame, which follow its fields.
pub(super) fn error_text(error: &AeronPublicationErrorValues) -> String {
    let length = usize::try_from(error.error_message_length()).unwrap_or(0);
    // SAFETY: the pointer is that of a live frame; only an address is taken.
    let start = unsafe { &raw const (*error.get_inner()).error_message };
    // SAFETY: in the handler the frame is whole: the message has the length that is said.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) };
    String::from_utf8_lossy(bytes).into_owned()
}
