//! Inputs to begin with: valid ones of each kind, so that a search starts behind the first checks.

mod datagrams;
mod files;
mod messages;

pub(crate) use datagrams::{datagrams, frames, resolver};
pub(crate) use files::{cnc, config, log, uri};
pub(crate) use messages::{commands, events};
