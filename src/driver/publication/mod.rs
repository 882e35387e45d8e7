//! Publications: [`ipc`], which the conductor runs alone, and [`network`], which has a half at the
//! conductor and one at the sender.

pub(crate) mod ipc;
pub(crate) mod network;
