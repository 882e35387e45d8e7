//! A model checker for the algorithms over shared memory. Only with the feature `model`.
//!
//! [`Explorer::check`] runs a few threads that share something, again and again, in every order in
//! which their accesses to shared memory can happen, within bounds. The accesses come from the
//! production code: with the feature on, the atomics of `memory::sync` are the ones of this module.
//! At each one the thread whose turn it is may be another; each load may give any value that the
//! memory model of the language allows, not only the newest.
//!
//! | Part | What it is |
//! |---|---|
//! | `atomics` | atomics that tell the run of their accesses |
//! | `choices` | the decisions of a run, and the next run that decides otherwise |
//! | `run` | threads that take turns |
//! | `memory` | what was stored, what who has seen of it, and which accesses race |
//!
//! What the model has of the C++ memory model: modification orders, acquire and release, fences of
//! both kinds, release sequences through read-modify-writes, and races between bytes accessed as
//! such and any other access. What it leaves out: a store never comes in before one that ran
//! earlier, and `SeqCst` is taken for acquire and release, so what relies on more than that
//! is reported though it is right.
//!
//! Bounds: switches away from a thread that could have gone on, and loads that give an old value,
//! are counted, and so many of each are allowed in a run. Bugs of such algorithms need few of both.

mod atomics;
mod choices;
mod memory;
mod run;
#[cfg(test)]
mod tests;

pub use atomics::{AtomicI32, AtomicI64, AtomicU8, fence};
pub use run::{Body, Coverage, Explorer};
pub use std::sync::atomic::Ordering;

pub(super) use run::on_plain_access;
