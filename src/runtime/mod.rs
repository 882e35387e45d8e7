//! The rim: real clocks, threads, files and the operating system's resolver around the core.
//!
//! [`MediaDriver`] launches a driver on an aeron directory, embedded or standalone; [`Context`]
//! connects a client to one. Everything they run is the sans-IO core of `driver` and `client`.
#![forbid(unsafe_code)]

mod access;
mod clock;
mod context;
mod cpuset;
mod directory;
mod events;
mod idle;
mod launch_error;
mod log_store;
mod media_driver;
mod reference;
mod resolver;
mod runner;
mod start_lock;
mod termination;

pub use clock::SystemClock;
#[cfg(feature = "fault-hooks")]
pub use clock::step_epoch_clock;
pub use context::Context;
pub use directory::{
    DirectoryError, MapCncError, default_directory, format_utc, is_driver_active, last_events_path,
    map_cnc,
};
pub use events::{EventsError, event_to_json, event_to_text, format_event_time, open_events};
pub use idle::{Backoff, Idler};
pub use launch_error::LaunchError;
pub use media_driver::{DriverInvoker, MediaDriver, embedded};
pub use reference::configuration_reference;
pub use resolver::SystemResolver;
pub use termination::request_driver_termination;
