//! aileron and the C implementation of Aeron, talking to each other.
//!
//! | Module | What it shows |
//! |---|---|
//! | `sessions` | every pairing of drivers and clients, over IPC and UDP, all sizes of messages |
//! | `loss` | the same between drivers that lose frames of every kind, in both directions |
//! | `parameters` | streams at the edges of what channel parameters allow |
//! | `lifecycle` | how things end: rejected, revoked, killed, closed |
//! | `commands` | either driver takes the same commands |
//! | `destinations` | streams to many, subscriptions of many |
//! | `groups` | flow control of groups of both sides, with slow and dying members |
//! | `response` | servers that answer on response channels, and their clients |
//! | `names` | drivers that tell each other their names |
//! | `mixed` | both sides on one log, one subscription, one publication |
//! | `counters` | either reader lists the other driver's counters, with the right labels |
//! | `capture` | the frames on the wire, as a dissector of another origin reads them |
//!
//! `harness` starts and watches the processes. Run in release: `cargo test --release -p aileron-interop`.

mod capture;
mod commands;
mod counters;
mod destinations;
mod groups;
mod harness;
mod lifecycle;
mod loss;
mod mixed;
mod names;
mod parameters;
mod response;
mod sessions;
