//! Tests of whole drivers, through commands, events, counters, logs and datagrams.

mod churn;
mod clients;
mod ipc;
mod names;
mod network;
