//! Fuzz targets. Each is a function of some bytes that must come back: whatever the bytes are, no
//! panic, no hang, and what honest parties do meanwhile goes on.
//!
//! The functions live in a library, so that the same ones run in three ways:
//!
//! | Way | What runs |
//! |---|---|
//! | `cargo +nightly fuzz run --fuzz-dir tools/fuzz --no-default-features --features libfuzzer TARGET` | search guided by coverage; needs a nightly compiler |
//! | `cargo test -p aileron-fuzz`, `.ci/fuzz-smoke` | every file of `corpus/`, and a few random changes of each |
//! | `aileron-fuzz run TARGET` | random changes of the corpus, on any compiler |
//!
//! What an input found is fixed, and the input stays in the corpus.
#![forbid(unsafe_code)]

mod corpus;
mod fake_driver;
mod mutation;
mod patch;
mod rig;
mod script;
mod seeds;
pub mod targets;

pub use corpus::{Corpus, corpus_dir};
pub use mutation::mutate;
pub use targets::{TARGETS, Target};
