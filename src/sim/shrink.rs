//! Finds a smaller world that fails in the same way.
//!
//! One part of the plan after the other is left out; what the failure does not need stays left
//! out. A world is small enough when it needs all that is still in it.

use super::omission::Omission;
use super::plan::Plan;
use super::report::Failure;
use super::world::World;

/// Characters by which failures are held to be of one kind: numbers do not count.
const KIND_LENGTH: usize = 40;

/// What remains of a world that fails: its seed, what it can do without, and how it fails then.
///
/// ```
/// use aileron::sim::{Sabotage, World};
/// let world = World::new(1).sabotage(Sabotage::Swallow);
/// let shrunk = world.shrink(60).expect("it fails");
/// assert!(!shrunk.omissions.is_empty());
/// assert_eq!(shrunk.failure.seed, 1);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shrunk {
    /// What was left out.
    pub omissions: Vec<Omission>,
    /// The failure of what remains, with its plan and its last events.
    pub failure: Failure,
    /// Worlds that were run to find this.
    pub runs: usize,
}

/// The kind of a failure: its first words, without numbers.
fn kind(failure: &Failure) -> String {
    let words = failure.what.chars().filter(|c| !c.is_ascii_digit());
    words.take(KIND_LENGTH).collect()
}

/// Runs smaller and smaller worlds, at most `runs` of them; `None` if the world does not fail.
pub(super) fn shrink(world: &World, runs: usize) -> Option<Shrunk> {
    let mut failure = *world.run().err()?;
    let kind_wanted = kind(&failure);
    let mut kept = world.clone();
    let mut count = 1;
    loop {
        let before = kept.omissions().len();
        for candidate in Omission::candidates(&kept.plan()) {
            if count >= runs || !changes(&kept, candidate) {
                continue;
            }
            let smaller = kept.clone().omit(candidate);
            count += 1;
            if let Err(again) = smaller.run()
                && kind(&again) == kind_wanted
            {
                failure = *again;
                kept = smaller;
            }
        }
        if kept.omissions().len() == before || count >= runs {
            return Some(Shrunk {
                omissions: kept.omissions().to_vec(),
                failure,
                runs: count,
            });
        }
    }
}

/// Whether leaving something out makes another plan.
fn changes(world: &World, candidate: Omission) -> bool {
    if world.omissions().contains(&candidate) {
        return false;
    }
    let plan: Plan = world.plan();
    let mut without = plan.clone();
    candidate.apply(&mut without);
    without.to_string() != plan.to_string()
}
