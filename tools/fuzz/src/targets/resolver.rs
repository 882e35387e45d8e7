//! Datagrams to the socket where drivers tell each other names.

use std::net::SocketAddr;

use crate::rig::{DRIVER, MS, PEER, Rig, STRANGER};
use crate::script::steps;

/// Where the driver gossips.
const PORT: u16 = 8050;

/// Sends each step of the script as a datagram to the gossip socket of a driver, and has the driver
/// look up names that it may have been told.
///
/// ```
/// aileron_fuzz::targets::resolver(&[0, 3, 0, 1, 2, 3]);
/// ```
pub fn resolver(data: &[u8]) {
    let mut rig = Rig::new(|config| {
        config
            .resolver_name("fuzzed")
            .resolver_interface(format!("{DRIVER}:{PORT}"))
            .resolver_bootstrap_neighbors(vec![PEER.to_string()])
    });
    let mut honest = rig.honest_stream(9);
    let to: SocketAddr = (DRIVER, PORT).into();
    for step in steps(data) {
        let from = if step.control & 1 == 0 {
            PEER
        } else {
            STRANGER
        };
        let ns = [MS, 400 * MS, 2_500 * MS, 4_000 * MS][usize::from(step.control >> 1 & 0b11)];
        rig.network.inject(from, to, step.bytes);
        rig.step(ns);
        if step.control & 0x80 != 0 {
            // A name from the input: known or not, the answer is one.
            let name = String::from_utf8_lossy(step.bytes.get(..8).unwrap_or(step.bytes));
            let channel = format!("aeron:udp?endpoint={name}:4000|term-length=64k");
            let pending = rig
                .client
                .add_publication_async(channel, aileron::StreamId(5));
            assert!(
                rig.answer(pending).is_some() || rig.client.is_closed(),
                "no answer"
            );
        }
    }
    for _ in 0..8 {
        rig.step(1_000 * MS);
    }
    assert!(!rig.client.is_closed(), "the client was lost");
    rig.check_honest(&mut honest);
}
