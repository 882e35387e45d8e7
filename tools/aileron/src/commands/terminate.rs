//! `aileron terminate`: asks a driver to terminate. The one subcommand that writes.

use std::time::{Duration, Instant};

use aileron::runtime::{map_cnc, request_driver_termination};
use serde_json::json;

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome};

/// Between looks at whether the driver is gone.
const POLL_PERIOD: Duration = Duration::from_millis(10);

/// Options of `terminate`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the driver's validator is to see
    #[arg(long, value_name = "TEXT", default_value = "")]
    token: String,

    /// Milliseconds to wait until it is gone; it may also refuse, which it does silently
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    wait: u64,
}

/// Sends the request and waits until the driver shut down.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    let pid = directory.cnc().pid();
    let is_gone = || {
        map_cnc(directory.path(), true)
            .map_or(true, |cnc| cnc.to_driver().consumer_heartbeat().get() < 0)
    };
    if is_gone() {
        return Err(format!("the driver with pid {pid} has shut down already").into());
    }
    request_driver_termination(directory.path(), arguments.token.as_bytes())?;
    let deadline = Instant::now() + Duration::from_millis(arguments.wait);
    while !is_gone() {
        if Instant::now() >= deadline {
            return Err(format!(
                "the driver with pid {pid} is still there after {} ms: it refuses requests to \
                 terminate unless aeron.driver.termination.validator is `allow`",
                arguments.wait
            )
            .into());
        }
        std::thread::sleep(POLL_PERIOD);
    }
    if common.json {
        print_json(&json!({ "pid": pid, "terminated": true }))?;
    } else {
        print(&format!("the driver with pid {pid} has shut down\n"))?;
    }
    Ok(Outcome::Fine)
}
