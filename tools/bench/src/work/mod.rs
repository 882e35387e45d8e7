//! What is measured, written once for all systems: over any [`Node`](crate::node::Node).

pub(crate) mod echo;
pub(crate) mod flood;
pub(crate) mod schedule;
pub(crate) mod sides;
pub(crate) mod stage;

pub(crate) use echo::{Echo, RoundTrips};
pub(crate) use flood::{Flood, Publishers, Rate};
pub(crate) use schedule::Pace;
pub(crate) use sides::Sides;
pub(crate) use stage::Period;

/// Stream of the messages; that of the replies is the next.
const STREAM: i32 = 1001;
