//! aileron: reliable, ordered message streams over UDP and shared memory, speaking Aeron's wire
//! protocol and shared-memory files.
//!
//! The modules, from the ground up; the ones marked *unsafe* are the only ones where it is allowed:
//!
//! | Module | What it is |
//! |---|---|
//! | [`base`] | units and arithmetic |
//! | [`memory`] (*unsafe*) | mapped and heap regions, typed atomic access |
//! | [`concurrent`] | ring buffer, broadcast, counters, error log, queues over regions |
//! | [`protocol`] | the datagram frames |
//! | [`command`] | the messages between client and driver |
//! | [`uri`] | channel URIs |
//! | [`logbuffer`] (*unsafe*) | log files: append, read, rebuild, clean, unblock |
//! | [`cnc`] | the command-and-control file |
//! | [`port`] | the traits through which the core meets the outside |
//! | [`driver`] | the media driver: conductor, sender, receiver |
//! | [`client`] | publications, subscriptions, images |
//! | [`sys`] (*unsafe*) | system calls behind safe functions |
//! | [`net`] | real sockets |
//! | [`runtime`] | threads, clocks, files: what starts a driver and connects a client |

#[expect(
    unsafe_code,
    reason = "regions of raw memory and typed access to them live here"
)]
pub mod memory;

#[expect(
    unsafe_code,
    reason = "reads and writes byte ranges that its algorithms claimed"
)]
pub mod logbuffer;
#[expect(unsafe_code, reason = "wraps system calls")]
pub mod sys;

pub mod base;
pub mod client;
pub mod cnc;
pub mod command;
pub mod concurrent;
pub mod driver;
pub mod net;
pub mod port;
pub mod protocol;
pub mod runtime;
pub mod uri;

#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub use base::{Position, SessionId, StreamId};
pub use client::{
    AddError, BufferClaim, Client, ClientError, ConnectError, ExclusivePublication,
    FragmentAssembler, Header, Image, OfferError, Publication, Subscription,
};
pub use driver::config::DriverConfig;
pub use runtime::{Context, DriverInvoker, MediaDriver};

/// The programs of the book run as tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../docs/book/src/first-steps.md")]
    struct FirstSteps;
    #[doc = include_str!("../docs/book/src/channels.md")]
    struct Channels;
    #[doc = include_str!("../docs/book/src/delivery.md")]
    struct Delivery;
    #[doc = include_str!("../docs/book/src/tuning.md")]
    struct Tuning;
    #[doc = include_str!("../docs/book/src/coming-from-aeron.md")]
    struct ComingFromAeron;
    #[doc = include_str!("../docs/book/src/wire.md")]
    struct Wire;
}

/// The README's program runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct ReadmeProgram;
