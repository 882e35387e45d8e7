//! What fault tests share: a UDP proxy that loses, delays, doubles and reorders what passes, as a
//! seed says, and numbered messages with checksums.
//!
//! | Module | What it is |
//! |---|---|
//! | [`proxy`] | two sockets and two threads between a sender and a receiver |
//! | [`fate`] | what becomes of a datagram: by chance, or by what the datagram is |
//! | [`tally`] | what passed, by what it carries |
//! | [`message`] | the messages of the game days, and what is wrong with one |

#![forbid(unsafe_code)]

pub mod fate;
mod frame;
pub mod message;
pub mod proxy;
pub mod tally;
