//! Clients: known from their first resource on, until they close or their heartbeat stops
//! (`driver.md` §11.3).

use std::collections::BTreeMap;

use crate::base::{ClientId, CorrelationId, EpochMillis, RegistrationId};
use crate::cnc::{HeartbeatWatch, SystemCounter};
use crate::concurrent::{AtomicCounter, EventKind};
use crate::driver::failure::CommandFailure;
use crate::port::Network;

use super::Conductor;

/// A client that has, or had, resources.
#[derive(Debug)]
pub(super) struct Client {
    /// Written by the client: when it last showed a sign of life, epoch milliseconds.
    heartbeat: AtomicCounter,
    watch: HeartbeatWatch,
    /// It said goodbye, so nobody needs to hear that it timed out.
    is_closed_by_command: bool,
}

/// All clients.
pub(super) type Clients = BTreeMap<ClientId, Client>;

impl<N: Network> Conductor<N> {
    /// Makes a client known, with a heartbeat counter, if it is not.
    pub(super) fn ensure_client(&mut self, client_id: ClientId) -> Result<(), CommandFailure> {
        if self.clients.contains_key(&client_id) {
            return Ok(());
        }
        let ctx = &mut self.ctx;
        let tick = ctx.tick;
        let heartbeat = ctx.counters.client_heartbeat(client_id, tick.epoch)?;
        let beat = EpochMillis(heartbeat.get());
        ctx.log(EventKind::ClientAdded, &[client_id.get()], "");
        ctx.events
            .counter_ready(CorrelationId(client_id.get()), heartbeat.id());
        self.clients.insert(
            client_id,
            Client {
                heartbeat,
                watch: HeartbeatWatch::new(beat, 0, tick.now, tick.epoch),
                is_closed_by_command: false,
            },
        );
        Ok(())
    }

    /// A sign of life by command. Unknown clients are ignored.
    pub(super) fn on_client_keepalive(&mut self, client_id: ClientId) {
        if let Some(client) = self.clients.get(&client_id) {
            client.heartbeat.set(self.ctx.tick.epoch.get());
        }
    }

    /// A client says goodbye: the next timer tick releases what it had.
    pub(super) fn on_client_close(&mut self, client_id: ClientId) {
        if let Some(client) = self.clients.get_mut(&client_id) {
            client.is_closed_by_command = true;
            client.heartbeat.set(0);
        }
    }

    /// Timer: releases everything of clients that are dead or gone.
    pub(super) fn check_clients(&mut self) {
        let timeout_ns = self.ctx.config.client_liveness_timeout_ns;
        let tick = self.ctx.tick;
        let mut dead = Vec::new();
        for (client_id, client) in &mut self.clients {
            let beat = EpochMillis(client.heartbeat.get());
            let age_ns = client.watch.look(beat, tick.now, tick.epoch);
            // One that said goodbye may write another heartbeat before it is gone.
            if client.is_closed_by_command || age_ns > timeout_ns {
                dead.push(*client_id);
            }
        }
        for client_id in dead {
            self.remove_client(client_id);
        }
    }

    fn remove_client(&mut self, client_id: ClientId) {
        let Some(client) = self.clients.remove(&client_id) else {
            return;
        };
        let timed_out = i64::from(!client.is_closed_by_command);
        self.ctx
            .log(EventKind::ClientRemoved, &[client_id.get(), timed_out], "");
        if !client.is_closed_by_command {
            self.ctx.count(SystemCounter::ClientTimeouts);
            self.ctx.events.client_timeout(client_id);
        }
        let heartbeat = client.heartbeat.id();
        self.ctx
            .events
            .unavailable_counter(RegistrationId(client_id.get()), heartbeat);
        self.ctx.free_counters([heartbeat]);
        self.release_publications_of(client_id);
        self.release_subscriptions_of(client_id);
        self.release_counters_of(client_id);
    }
}
