//! The rows that every client library can express, a file per section of `docs/conformance.md`.
//! They use the facade [`crate::peer`] and [`crate::world`] alone.

mod bench;
mod section_01;
mod section_02;
mod section_03;
mod section_04;
mod section_05;
mod section_06;
mod section_06_blocks;
mod section_06_echo;
mod section_06_lives;
mod section_07;
mod section_08;
mod section_09;
mod section_10;
mod section_10_reject;
mod section_11;
mod section_12;
mod section_13;
mod section_14;
mod section_14_sources;
mod section_15;
mod section_16;
mod section_16_gossip;
mod section_17;
mod section_18;
mod streams;
mod traffic;

use crate::support::child::Part;

/// In a process that a row started: plays its role.
pub(crate) fn play(part: &Part) {
    match part.role.as_str() {
        "driver" => section_01::play_driver(part),
        "echo" => section_06_echo::play_echo(part),
        "small storage" => section_01::play_small_storage(part),
        "start and stop" => section_01::play_start_and_stop(part),
        "thread names" => section_01::play_thread_names(part),
        other => panic!("no role {other}"),
    }
}
