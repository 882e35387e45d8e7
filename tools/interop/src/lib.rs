//! What both peers of the interop tests share: the messages they exchange and the command line they
//! obey.
//!
//! Interop is tested between processes. `aeron-peer` is the C implementation, `aileron-peer` this
//! one; both offer the same subcommands (`driver`, `publish`, `subscribe`, …), print the
//! same lines on standard output, and stop when their standard input ends. A test is then a list of
//! processes, each of either side, and what they must print.
//!
//! | Module | What it is |
//! |---|---|
//! | [`cli`] | arguments, the same for both peers |
//! | [`console`] | lines in and out |
//! | [`pattern`] | numbered, seeded messages, and the checker of what arrives |
//! | [`peer`] | the publisher and subscriber loops over either client library |
//! | [`response`] | the same for a server that answers its clients on response channels |

#![forbid(unsafe_code)]

pub mod cli;
pub mod console;
pub mod pattern;
pub mod peer;
pub mod response;
