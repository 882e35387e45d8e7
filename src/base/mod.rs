//! Units and arithmetic that everything else speaks: time, positions, ids, alignment, seeded
//! chance.
//!
//! Nothing here knows what a log buffer or a datagram is. Each newtype owns the arithmetic of its
//! kind, wrap-around included, so that no caller compares a clock or a term id with a plain `<`.

#![forbid(unsafe_code)]

mod align;
pub(crate) mod bytes;
mod ids;
mod position;
mod rng;
mod time;

pub use align::{align, align_i64, align_usize};
pub use ids::{
    ChannelTag, ClientId, CorrelationId, CounterId, NULL_VALUE, ReceiverId, RegistrationId,
    SessionId, StreamId,
};
pub use position::{Position, TermId, TermOffset};
pub use rng::Rng;
pub use time::{EpochMillis, Nanos};
