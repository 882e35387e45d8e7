//! Connecting, and what a client is told.

use std::time::Duration;

use aileron::{AddError, Client, ClientError, Context};

use super::{ClientArgs, is_sabotaged, say};

/// Connects a client that says what it is told. `set` adds to its options.
pub(super) fn connect(
    args: &ClientArgs,
    set: impl FnOnce(Context) -> Context,
) -> Result<Client, String> {
    let is_mute = is_sabotaged("mute");
    let context = Context::new()
        .dir(&args.dir)
        .driver_timeout(Duration::from_millis(args.driver_timeout))
        .configure(|config| {
            config
                .keepalive_interval(Duration::from_millis(args.keepalive))
                .resource_linger(Duration::from_millis(100))
        })
        .on_error(move |error| {
            if !is_mute {
                say(&format!("told {} {error}", cause(error)));
            }
        });
    set(context)
        .connect()
        .map_err(|error| format!("cannot connect: {error}"))
}

/// What is to be added, asked for again as long as the driver says that a moment later it can be
/// had: the endpoint of a client that was killed may still be closing.
pub(super) fn added<T>(mut add: impl FnMut() -> Result<T, AddError>) -> Result<T, AddError> {
    const MOMENT: Duration = Duration::from_millis(5);
    loop {
        match add() {
            Err(AddError::Registration(refusal)) if refusal.is_retryable() => {
                std::thread::park_timeout(MOMENT);
            }
            outcome => return outcome,
        }
    }
}

/// One word for what a client was told.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not about anybody's death comes with its own words"
)]
fn cause(error: &ClientError) -> &'static str {
    match error {
        ClientError::DriverTimeout { .. } => "driver-timeout",
        ClientError::DriverShutdown => "driver-shutdown",
        ClientError::ServiceTimeout { .. } => "service-timeout",
        ClientError::ClientTimeout(_) => "client-timeout",
        ClientError::HeartbeatLost => "heartbeat-lost",
        _ => "other",
    }
}

/// Says why a client closed by itself, if it did.
pub(super) fn has_ended(client: &Client) -> bool {
    if !client.is_closed() {
        return false;
    }
    let word = match client.termination_cause() {
        Ok(Some(error)) => cause(&error),
        Ok(None) | Err(_) => "unknown",
    };
    say(&format!("ended {word}"));
    true
}
