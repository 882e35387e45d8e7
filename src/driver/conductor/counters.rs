//! Counters that clients ask for (`driver.md` §11.5).

use crate::base::{ClientId, RegistrationId};
use crate::command::{AddCounter, AddStaticCounter, ErrorCode, RemoveCounter};
use crate::concurrent::STATIC_OWNER_ID;
use crate::driver::counters::UserCounter;
use crate::driver::failure::CommandFailure;
use crate::port::Network;

use super::Conductor;
use super::links::CounterLink;

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_counter(
        &mut self,
        command: &AddCounter<'_>,
    ) -> Result<(), CommandFailure> {
        let &AddCounter {
            client_id,
            correlation_id,
            type_id,
            key,
            label,
        } = command;
        self.ensure_client(client_id)?;
        let ctx = &mut self.ctx;
        let registration_id = RegistrationId::from(correlation_id);
        let definition = UserCounter {
            type_id,
            key,
            label,
            registration_id,
        };
        let counter = ctx.counters.user(&definition, client_id, ctx.tick.epoch)?;
        self.counter_links.push(CounterLink {
            registration_id,
            client_id,
            counter,
        });
        ctx.events.counter_ready(correlation_id, counter);
        Ok(())
    }

    pub(super) fn on_remove_counter(
        &mut self,
        command: &RemoveCounter,
    ) -> Result<(), CommandFailure> {
        let index = self.counter_links.iter().position(|link| {
            link.registration_id == command.registration_id && link.client_id == command.client_id
        });
        let Some(index) = index else {
            let text = format!(
                "unknown counter: registration id {}",
                command.registration_id
            );
            return Err(CommandFailure::new(ErrorCode::UnknownCounter, text));
        };
        let link = self.counter_links.remove(index);
        self.ctx.events.operation_success(command.correlation_id);
        self.release_counter(&link);
        Ok(())
    }

    pub(super) fn on_add_static_counter(
        &mut self,
        command: &AddStaticCounter<'_>,
    ) -> Result<(), CommandFailure> {
        let &AddStaticCounter {
            client_id,
            correlation_id,
            registration_id,
            type_id,
            key,
            label,
        } = command;
        self.ensure_client(client_id)?;
        let ctx = &mut self.ctx;
        let counter = match ctx.counters.find(type_id, registration_id) {
            Some((counter, STATIC_OWNER_ID)) => counter,
            Some((counter, owner_id)) => {
                return Err(CommandFailure::generic(format!(
                    "cannot add static counter, because a non-static counter exists: counter id \
                     {counter}, type id {type_id}, registration id {registration_id}, owner id \
                     {owner_id}"
                )));
            }
            None => {
                let definition = UserCounter {
                    type_id,
                    key,
                    label,
                    registration_id,
                };
                ctx.counters.static_user(&definition, ctx.tick.epoch)?
            }
        };
        ctx.events.static_counter(correlation_id, counter);
        Ok(())
    }

    /// Frees the counters of a client that is gone.
    pub(super) fn release_counters_of(&mut self, client_id: ClientId) {
        let of_client = self
            .counter_links
            .extract_if(.., |link| link.client_id == client_id);
        let released: Vec<CounterLink> = of_client.collect();
        for link in &released {
            self.release_counter(link);
        }
    }

    fn release_counter(&mut self, link: &CounterLink) {
        self.ctx
            .events
            .unavailable_counter(link.registration_id, link.counter);
        self.ctx.free_counters([link.counter]);
    }
}
