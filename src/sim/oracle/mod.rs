//! What must hold in every world, whatever its faults: checked after each agent and each step, from
//! what anyone could see: counters, log buffers, datagrams.
//!
//! | Part | Watches |
//! |---|---|
//! | `counters` | which counters there are, and what they belong to |
//! | `positions` | how the positions of publications, images and subscribers stand to one another |
//! | `events` | what drivers write down of what happens |
//! | `traffic` | that senders keep to their limits and receivers ask for what they lack |
//! | `leftovers` | that nothing is left in the end |

mod counters;
mod events;
mod leftovers;
mod positions;
mod traffic;

pub(super) use counters::Watch;
pub(super) use events::EventWatch;
pub(super) use leftovers::{has_counters, leftovers};
pub(super) use positions::check_positions;
pub(super) use traffic::Traffic;
