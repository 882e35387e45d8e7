//! How a run ended.

use std::fmt;

/// A world that kept all its promises.
///
/// ```
/// use aileron::sim::World;
/// let first = World::new(1).run().expect("no failure");
/// let second = World::new(1).run().expect("no failure");
/// assert_eq!(first.event_hash, second.event_hash);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What the world was drawn from.
    pub seed: u64,
    /// Steps it took.
    pub steps: u64,
    /// Virtual time that passed, in nanoseconds.
    pub virtual_ns: i64,
    /// Things that happened.
    pub events: u64,
    /// Depends on each of them and on their order.
    pub event_hash: u64,
    /// Messages published.
    pub messages: u64,
    /// Fragments or messages consumed.
    pub consumed: u64,
    /// The same, of streams through UDP unicast, IPC, a multicast group, dynamic and manual
    /// destinations, and of answers.
    pub consumed_of: [u64; 6],
    /// Sessions that somebody rejected an image of.
    pub rejected: u64,
    /// Publications that were revoked.
    pub revoked: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// NAKs sent.
    pub naks: u64,
    /// Datagrams with data that had been sent before.
    pub retransmits: u64,
    /// Publications that a driver unblocked.
    pub unblocked: u64,
}

/// A promise that was broken: which, and what led there.
///
/// ```
/// use aileron::sim::{Profile, Sabotage, World};
/// let world = World::new(1).profile(Profile::Calm).sabotage(Sabotage::Swallow);
/// let failure = world.run().expect_err("a fragment is missing");
/// assert_eq!(failure.seed, 1);
/// assert!(failure.to_string().contains("seed 1"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// What the world was drawn from.
    pub seed: u64,
    /// The step it happened at.
    pub step: u64,
    /// Virtual time, in nanoseconds.
    pub virtual_ns: i64,
    /// What is wrong.
    pub what: String,
    /// What the seed stands for.
    pub plan: String,
    /// The last events, oldest first.
    pub events: Vec<String>,
}

impl fmt::Display for Failure {
    /// The last lines say what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.plan)?;
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        let us = self.virtual_ns / 1000;
        write!(
            f,
            "seed {} failed at step {}, {us} us: {}",
            self.seed, self.step, self.what
        )
    }
}

impl std::error::Error for Failure {}
