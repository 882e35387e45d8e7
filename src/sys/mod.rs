//! System calls behind safe functions. Nothing above this module names `libc` or `nix`.
//!
//! Linux is what is supported; where a call is Linux's alone, other Unixes get a plain fallback.

mod address;
mod affinity;
mod files;
mod interfaces;
mod mmsg;
mod monotonic;
mod numa;
#[cfg(target_os = "linux")]
mod ready_set;
mod receive_batch;
#[cfg(target_os = "linux")]
mod socket_calls;
mod socket_options;
mod user;

pub use affinity::{pin_current_thread, set_thread_name};
pub use files::{allocate_file, usable_space};
pub use interfaces::{LocalInterface, local_interfaces};
pub use mmsg::{
    BURST_LENGTH_MAX, DATAGRAMS_PER_BURST_MAX, DATAGRAMS_PER_CALL_MAX, is_burst_refusal,
    send_bursts, send_datagrams,
};
pub use monotonic::{coarse_monotonic_ns, monotonic_ns};
pub use numa::prefer_numa_node;
#[cfg(target_os = "linux")]
pub use ready_set::ReadySet;
pub use receive_batch::{ReceiveBatch, ReceivedApart, ReceivedDatagram};
#[cfg(all(test, target_os = "linux"))]
pub(crate) use socket_options::have_bursts_refused;
pub use socket_options::{
    disable_multicast_all, enable_coalescing, enable_receive_timestamps, prefer_busy_poll,
    probe_bursts, set_busy_poll,
};
pub use user::user_name;
