//! The rim: what the core needs from the outside, as traits.
//!
//! Production implements them over sockets, clocks and files (`net`, `runtime`), the simulator over
//! a virtual clock and a faulty in-memory network (`sim`). The core is generic over them and so
//! cannot observe the machine it runs on.

#![forbid(unsafe_code)]

mod agent;
mod arrivals;
mod datagram;
mod interface;
mod readiness;
mod resolver;

pub use agent::{Agent, Clock, Tick, Wake};
pub use arrivals::{APART_LENGTH, Arrivals, Landed, deliver};
pub use datagram::{
    BufferLimits, Burst, BusyPoll, Datagram, MulticastSpec, Network, Transport, TransportRole,
    TransportSpec, send_one_by_one,
};
pub use interface::{InterfaceAddress, InterfaceQuery, InterfaceSelector, Interfaces};
pub use readiness::{AlwaysReady, Readiness};
pub use resolver::{NameResolver, ResolveError, StaticResolver};
