//! What the two halves of a network publication tell each other.
//!
//! Each value has one writer, named on its field. Nothing else is published under them: where a
//! half needs more than the value itself, it reads a counter or the log, which order their own
//! data.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crossbeam_utils::CachePadded;

use crate::base::Position;

/// A fact that one agent states and the other reads.
#[derive(Debug, Default)]
pub(super) struct Flag(CachePadded<AtomicBool>);

impl Flag {
    pub(super) fn get(&self) -> bool {
        // Pairs with PUBLISH(publication-flag).
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn set(&self, value: bool) {
        // PUBLISH(publication-flag): pairs with Flag::get. Whoever sees that the stream ended also
        // sees the positions written before.
        self.0.store(value, Ordering::Release);
    }
}

/// The facts.
#[derive(Debug)]
pub(super) struct Shared {
    /// A receiver is alive. Written by the sender.
    pub(super) has_receivers: Flag,
    /// Flow control has the receivers it requires. Written by the sender.
    pub(super) has_required_receivers: Flag,
    /// The only receiver of a unicast stream said that it goes. Written by the sender.
    pub(super) has_received_unicast_eos: Flag,
    /// A spy is linked. Written by the conductor.
    pub(super) has_spies: Flag,
    /// Everything that will ever be sent has been. Written by the conductor.
    pub(super) is_end_of_stream: Flag,
    /// Position of the furthest spy, at most the producer's. Written by the conductor.
    spy_position_max: CachePadded<AtomicI64>,
    /// How far the stream has been sent. Written by the sender. The counter of the same meaning
    /// lies in shared memory: a client that scribbled over it must not make the conductor clear
    /// what the sender is reading.
    sender_position: CachePadded<AtomicI64>,
}

impl Shared {
    pub(super) fn new(position: Position, has_required_receivers: bool) -> Self {
        let shared = Self {
            has_receivers: Flag::default(),
            has_required_receivers: Flag::default(),
            has_received_unicast_eos: Flag::default(),
            has_spies: Flag::default(),
            is_end_of_stream: Flag::default(),
            spy_position_max: CachePadded::new(AtomicI64::new(position.get())),
            sender_position: CachePadded::new(AtomicI64::new(position.get())),
        };
        shared.has_required_receivers.set(has_required_receivers);
        shared
    }

    pub(super) fn sender_position(&self) -> Position {
        // Pairs with PUBLISH(sender-position): what is behind it, the sender has read.
        Position(self.sender_position.load(Ordering::Acquire))
    }

    pub(super) fn set_sender_position(&self, position: Position) {
        // PUBLISH(sender-position): pairs with Shared::sender_position.
        self.sender_position
            .store(position.get(), Ordering::Release);
    }

    pub(super) fn spy_position_max(&self) -> Position {
        // Pairs with PUBLISH(spy-position).
        Position(self.spy_position_max.load(Ordering::Acquire))
    }

    /// Raises the position of the furthest spy. Only the conductor calls this.
    pub(super) fn propose_spy_position(&self, position: Position) {
        // Relaxed: the conductor reads its own value.
        if position.get() > self.spy_position_max.load(Ordering::Relaxed) {
            // PUBLISH(spy-position): pairs with Shared::spy_position_max.
            self.spy_position_max
                .store(position.get(), Ordering::Release);
        }
    }

    /// Whether somebody listens, so that publishers may publish.
    pub(super) fn has_subscribers(&self, spies_simulate_connection: bool) -> bool {
        (spies_simulate_connection && self.has_spies.get())
            || (self.has_receivers.get() && self.has_required_receivers.get())
    }
}
