//! The targets. Each panics when a promise is broken, and only then.
#![expect(
    clippy::missing_panics_doc,
    reason = "a panic of any of them is a finding"
)]

mod cnc;
mod commands;
mod config;
mod datagrams;
mod events;
mod frames;
mod log;
mod resolver;
mod uri;

pub use cnc::cnc;
pub use commands::commands;
pub use config::config;
pub use datagrams::datagrams;
pub use events::events;
pub use frames::frames;
pub use log::log;
pub use resolver::resolver;
pub use uri::uri;

pub(crate) use datagrams::{SESSION, STREAMS, TERM};
pub(crate) use events::FIRST_EVENT;

use crate::seeds;

/// Something to be fuzzed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Target {
    /// Its name: that of its function, its binary and the folder of its corpus.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    /// Runs it on an input; returns for every input.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub static TARGETS: [Target; 9] = [
    Target {
        name: "frames",
        about: "datagrams to the parsers, in each role",
        run: frames,
        seeds: seeds::frames,
    },
    Target {
        name: "datagrams",
        about: "datagrams to the sockets of a driver with streams",
        run: datagrams,
        seeds: seeds::datagrams,
    },
    Target {
        name: "resolver",
        about: "datagrams to the socket where drivers tell each other names",
        run: resolver,
        seeds: seeds::resolver,
    },
    Target {
        name: "commands",
        about: "records and raw words in the command ring of a driver",
        run: commands,
        seeds: seeds::commands,
    },
    Target {
        name: "events",
        about: "events and raw words in the broadcast buffer of a client",
        run: events,
        seeds: seeds::events,
    },
    Target {
        name: "log",
        about: "changed words in the logs that a client reads and writes",
        run: log,
        seeds: seeds::log,
    },
    Target {
        name: "cnc",
        about: "changed words in the CnC file of a client",
        run: cnc,
        seeds: seeds::cnc,
    },
    Target {
        name: "uri",
        about: "channels, as text and through a driver",
        run: uri,
        seeds: seeds::uri,
    },
    Target {
        name: "config",
        about: "property files",
        run: config,
        seeds: seeds::config,
    },
];
