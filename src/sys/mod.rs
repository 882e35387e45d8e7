//! System calls behind safe functions. Nothing above this module names `libc` or `nix`.
//!
//! Linux is what is supported; where a call is Linux's alone, other Unixes get a plain fallback.

mod address;
mod affinity;
mod files;
mod interfaces;
mod mmsg;
#[cfg(target_os = "linux")]
mod ready_set;
#[cfg(target_os = "linux")]
mod socket_calls;
mod socket_options;
mod user;

pub use affinity::{pin_current_thread, set_thread_name};
pub use files::{allocate_file, usable_space};
pub use interfaces::{LocalInterface, local_interfaces};
pub use mmsg::{DATAGRAMS_PER_CALL_MAX, ReceiveBatch, ReceivedDatagram, send_datagrams};
#[cfg(target_os = "linux")]
pub use ready_set::ReadySet;
pub use socket_options::{disable_multicast_all, enable_receive_timestamps};
pub use user::user_name;
