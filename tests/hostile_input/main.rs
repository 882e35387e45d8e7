//! Input that no honest peer would send, by the hundred thousand: datagrams at a live endpoint,
//! records in the command ring of a live driver, events to a live client, files that are cut short
//! or changed. Nothing panics, nothing hangs, a counter or an error tells, and a well-behaved
//! stream goes on meanwhile.
//!
//! The environment variable `AILERON_HOSTILE_COUNT` sets how many datagrams are sent to a
//! subscription, 200000 unless set; all other inputs keep their proportion to these.
//! `AILERON_HOSTILE_SEED` chooses others.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod datagrams;
mod events;
mod fake_driver;
mod files;
mod mutation;

use aileron::base::Rng;

/// Datagrams sent to a subscription unless the environment says otherwise.
const DATAGRAMS: u64 = 200_000;

/// How many inputs a test makes, where `share` go with [`DATAGRAMS`].
fn count(share: u64) -> u64 {
    let datagrams = number("AILERON_HOSTILE_COUNT").unwrap_or(DATAGRAMS);
    share.saturating_mul(datagrams).div_ceil(DATAGRAMS)
}

/// The source of all chance; a failure is replayed with the seed it printed.
fn rng() -> Rng {
    let seed = number("AILERON_HOSTILE_SEED").unwrap_or(1);
    println_seed(seed);
    Rng::new(seed)
}

#[expect(clippy::print_stdout, reason = "shown when a test fails")]
fn println_seed(seed: u64) {
    println!("AILERON_HOSTILE_SEED={seed}");
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value}: not a number")),
    )
}
