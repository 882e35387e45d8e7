//! The algorithms over shared memory, with every order of their accesses, within bounds
//! (`memory::model`). Run with `.ci/model`.
//!
//! What is run is the production code. Each test is small on purpose: two or three threads, a few
//! records, chosen so that the interesting ends of ring, term and claim are reached.

#![expect(
    clippy::print_stdout,
    reason = "how many orders there were is a result"
)]

mod broadcast;
mod cell;
mod counters;
mod log;
mod ring;
mod turnover;

use aileron::memory::model::{Body, Explorer};

/// Looks at every order within the bounds and says how many there were.
fn explore<S: Sync>(
    name: &str,
    explorer: &Explorer,
    setup: impl Fn() -> S,
    threads: &[Body<'_, S>],
    finish: impl Fn(&S),
) {
    let began = std::time::Instant::now();
    let coverage = explorer.check(setup, threads, finish);
    let took = began.elapsed();
    println!("{name}: {coverage:?} in {took:.1?}");
    assert!(coverage.runs > 10, "there is nothing to choose");
}
