//! Commands that were sent, by correlation id: those somebody waits for, those given up, those done
//! and not collected yet, and removals nobody waits for.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::subscription_shared::SubscriptionShared;
use super::{AddError, ClientError};
use crate::base::{CorrelationId, Nanos, RegistrationId};

/// Commands given up whose answers are still waited for, at most. A driver answers each command, so
/// only one that does not can make this many; the oldest is then forgotten.
const ABANDONED_MAX: usize = 1024;

/// What became of a command: the value its [`super::Pending`] stands for.
pub(crate) type Outcome = Result<Box<dyn Any + Send>, AddError>;

/// What an answer is needed for.
pub(crate) enum Awaited {
    Publication {
        channel: String,
        is_exclusive: bool,
    },
    Subscription(Arc<SubscriptionShared>),
    Counter,
    StaticCounter {
        registration_id: RegistrationId,
    },
    SendDestination {
        publication: RegistrationId,
    },
    ReceiveDestination {
        subscription: RegistrationId,
        channel: String,
    },
    NextSessionId,
    Acknowledgement,
}

/// A command without an answer so far.
pub(crate) struct Waiting {
    pub(crate) awaited: Awaited,
    pub(crate) deadline: Nanos,
    /// Nobody waits any more: a late success is to be undone.
    pub(crate) is_abandoned: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Registrations {
    waiting: BTreeMap<CorrelationId, Waiting>,
    finished: BTreeMap<CorrelationId, Outcome>,
    removals: BTreeMap<CorrelationId, Nanos>,
}

impl Registrations {
    pub(crate) fn insert(&mut self, id: CorrelationId, awaited: Awaited, deadline: Nanos) {
        self.waiting.insert(
            id,
            Waiting {
                awaited,
                deadline,
                is_abandoned: false,
            },
        );
    }

    pub(crate) fn insert_removal(&mut self, id: CorrelationId, deadline: Nanos) {
        self.removals.insert(id, deadline);
    }

    /// Takes the command out that an answer refers to.
    pub(crate) fn answered(&mut self, id: CorrelationId) -> Option<Waiting> {
        self.waiting.remove(&id)
    }

    /// Whether `id` is of a removal, which is then done.
    pub(crate) fn removal_answered(&mut self, id: CorrelationId) -> bool {
        self.removals.remove(&id).is_some()
    }

    pub(crate) fn finish(&mut self, id: CorrelationId, outcome: Outcome) {
        self.finished.insert(id, outcome);
    }

    /// The outcome of a command, once. A command past its deadline is given up.
    pub(crate) fn take(&mut self, id: CorrelationId, now: Nanos) -> Option<Outcome> {
        if let Some(outcome) = self.take_finished(id) {
            return Some(outcome);
        }
        match self.waiting.get(&id) {
            Some(waiting) if waiting.is_abandoned || !now.is_at_or_after(waiting.deadline) => None,
            Some(_) => {
                self.abandon(id);
                Some(Err(AddError::DriverTimeout { correlation_id: id }))
            }
            None => Some(Err(ClientError::Closed.into())),
        }
    }

    /// The outcome of a command if there is one, once.
    pub(crate) fn take_finished(&mut self, id: CorrelationId) -> Option<Outcome> {
        self.finished.remove(&id)
    }

    /// Forgets a command on behalf of whoever sent it. Returns an outcome that was not collected,
    /// for the caller to drop without the conductor.
    pub(crate) fn abandon(&mut self, id: CorrelationId) -> Option<Outcome> {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.is_abandoned = true;
            self.forget_excess();
        }
        self.finished.remove(&id)
    }

    fn forget_excess(&mut self) {
        let abandoned = |waiting: &Waiting| waiting.is_abandoned;
        if self
            .waiting
            .values()
            .filter(|waiting| abandoned(waiting))
            .count()
            > ABANDONED_MAX
        {
            let oldest = self.waiting.iter().find(|(_, waiting)| abandoned(waiting));
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.waiting.remove(&id);
            }
        }
    }

    /// Ends the commands whose deadline has passed.
    pub(crate) fn expire(&mut self, now: Nanos) {
        for (id, waiting) in &mut self.waiting {
            if !waiting.is_abandoned && now.is_at_or_after(waiting.deadline) {
                waiting.is_abandoned = true;
                let error = AddError::DriverTimeout {
                    correlation_id: *id,
                };
                self.finished.insert(*id, Err(error));
            }
        }
        self.forget_excess();
        self.removals
            .retain(|_, deadline| !now.is_at_or_after(*deadline));
    }

    /// Whether an answer to `id` is outstanding.
    pub(crate) fn is_active(&self, id: CorrelationId) -> bool {
        self.waiting
            .get(&id)
            .is_some_and(|waiting| !waiting.is_abandoned)
            || self.removals.contains_key(&id)
    }

    /// Whether any answer is outstanding.
    pub(crate) fn has_active(&self) -> bool {
        !self.removals.is_empty() || self.waiting.values().any(|waiting| !waiting.is_abandoned)
    }

    /// Empties everything, for the caller to drop.
    pub(crate) fn clear(&mut self) -> Self {
        std::mem::take(self)
    }
}
