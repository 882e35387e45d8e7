//! Where a manual publication sends to, or a manual subscription listens: told to the driver one
//! by one, now and then taken back and told again.

use super::{Actor, Outcome, Phase, Scene, SimClient, refused};
use crate::base::{Nanos, RegistrationId};
use crate::client::{AddError, Pending};
use crate::sim::plan::index;

/// Chance that a destination is taken back, per turn, per mille.
const REMOVE_PER_MILLE: u64 = 2;

/// Time before what was refused is tried again.
const RETRY_NS: i64 = 20_000_000;

enum State {
    /// Added at this time.
    Missing(Nanos),
    Adding(Pending<RegistrationId>),
    There(RegistrationId),
    Removing(Pending<()>),
}

struct Destination {
    channel: String,
    state: State,
}

/// The destinations of one publication or subscription.
pub(crate) struct Destinations {
    list: Vec<Destination>,
}

impl Destinations {
    /// All are yet to be added.
    pub(crate) fn new(channels: Vec<String>) -> Self {
        let destination = |channel| Destination {
            channel,
            state: State::Missing(Nanos(0)),
        };
        Self {
            list: channels.into_iter().map(destination).collect(),
        }
    }

    /// Whether the driver has been told of all.
    pub(crate) fn are_there(&self) -> bool {
        let is_there = |destination: &Destination| matches!(destination.state, State::There(_));
        self.list.iter().all(is_there)
    }

    /// A turn: adds what is missing.
    pub(crate) fn work(
        &mut self,
        scene: &mut Scene<'_>,
        client: &SimClient,
        actor: Actor,
        owner: &impl HasDestinations,
    ) -> Outcome<usize> {
        if self.list.is_empty() {
            return Ok(0);
        }
        let is_restless = scene.phase == Phase::Active;
        if is_restless && scene.rng.chance(REMOVE_PER_MILLE, 1000) {
            let at = index(scene.rng, self.list.len());
            let destination = &mut self.list[at];
            if let State::There(id) = destination.state {
                let removed = owner.remove(&destination.channel, id);
                destination.state = match removed {
                    Ok(pending) => State::Removing(pending),
                    Err(error) => {
                        check(scene, client, actor, &error)?;
                        State::There(id)
                    }
                };
            }
        }
        let mut work = 0;
        for destination in &mut self.list {
            work += destination.work(scene, client, actor, owner)?;
        }
        Ok(work)
    }
}

/// Something that has destinations.
pub(crate) trait HasDestinations {
    fn add(&self, channel: &str) -> Result<Pending<RegistrationId>, AddError>;
    fn remove(&self, channel: &str, id: RegistrationId) -> Result<Pending<()>, AddError>;
}

impl Destination {
    fn work(
        &mut self,
        scene: &mut Scene<'_>,
        client: &SimClient,
        actor: Actor,
        owner: &impl HasDestinations,
    ) -> Outcome<usize> {
        let next = match &mut self.state {
            State::There(_) => return Ok(0),
            State::Missing(at) if !scene.now.is_at_or_after(*at) => return Ok(0),
            State::Missing(_) => owner.add(&self.channel).map(State::Adding),
            State::Adding(pending) => match pending.try_get() {
                Ok(None) => return Ok(0),
                Ok(Some(id)) => Ok(State::There(id)),
                Err(error) => Err(error),
            },
            State::Removing(pending) => match pending.try_get() {
                Ok(None) => return Ok(0),
                Ok(Some(())) => Ok(State::Missing(scene.now)),
                Err(error) => Err(error),
            },
        };
        self.state = match next {
            Ok(state) => state,
            Err(error) => {
                check(scene, client, actor, &error)?;
                // What an earlier subscription listened to stays bound as long as its images.
                State::Missing(scene.now.plus_ns(RETRY_NS))
            }
        };
        Ok(1)
    }
}

/// A client that its driver gave up on is refused for a good reason.
fn check(scene: &mut Scene<'_>, client: &SimClient, actor: Actor, error: &AddError) -> Outcome {
    let is_refusal = matches!(error, AddError::Registration(_) | AddError::ResourceClosed);
    if is_refusal && client.was_excused {
        return Ok(());
    }
    refused(scene, &actor.to_string(), error)
}
