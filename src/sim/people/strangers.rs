//! Records in the ring of commands that our own client does not write: those of programs that are
//! old, mistaken or hostile.

use super::{Outcome, Scene};
use crate::base::{ClientId, CorrelationId, Position, RegistrationId};
use crate::client::Client;
use crate::command::{
    ClientKeepalive, Command, Destination, RejectImage, RemoveCounter, RemoveDestinationById,
    RemovePublication, RemoveSubscription, TerminateDriver,
};
use crate::sim::host::SimDriver;

/// An id that nothing has.
const NOBODY: i64 = 1 << 40;
/// A type that no command has.
const NO_TYPE: i32 = 0x7777;
/// How the errors begin that records of strangers leave.
const MALFORMED: &str = "command of type id";
const UNKNOWN: [&str; 3] = [MALFORMED, "unknown ", "unable to resolve image"];

/// What strangers did to a driver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Visits {
    has_malformed: bool,
    has_terminated: bool,
}

/// Whether a driver's error may be about what a stranger wrote.
pub(in crate::sim) fn is_of_a_stranger(error: &str) -> bool {
    UNKNOWN.iter().any(|begin| error.starts_with(begin))
}

impl Visits {
    /// The driver noticed what was wrong, and did what it was configured to.
    pub(super) fn check(self, driver: &SimDriver) -> Outcome {
        let mut errors = driver.errors().into_iter();
        if self.has_malformed && !errors.any(|error| error.starts_with(MALFORMED)) {
            return Err("a malformed command left no error".to_owned());
        }
        let is_expected = self.has_terminated && driver.allows_termination;
        if driver.termination.is_set() == is_expected {
            Ok(())
        } else {
            Err(format!(
                "asked to terminate, which is allowed: {is_expected}"
            ))
        }
    }
}

/// Writes what a stranger may write, beside what a client does.
pub(super) fn visit(number: usize, client: &Client, scene: &mut Scene<'_>) {
    let plan = &scene.plan.clients[number];
    let chance = plan.habits.strangers;
    if chance == 0 || !scene.habits.chance(chance, 1000) {
        return;
    }
    let driver = &scene.drivers[plan.driver];
    let ring = driver.cnc.to_driver();
    let (client_id, correlation_id) = (client.client_id(), ring.next_correlation_id());
    let kind = scene.habits.below(12);
    let mut payload = Vec::new();
    let mut type_id = command(kind, client_id, correlation_id).encode(&mut payload);
    let is_malformed = kind >= 9;
    match kind {
        9 => type_id = NO_TYPE,
        10 | 11 => payload.truncate(8 * usize::try_from(scene.habits.below(3)).unwrap_or(0)),
        _ => {}
    }
    if ring.write(type_id, &payload).is_ok() {
        let visits = scene.ledgers.visits(driver.identity(plan.driver));
        visits.has_malformed |= is_malformed;
        visits.has_terminated |= kind == 0;
    }
}

fn command(kind: u64, client_id: ClientId, correlation_id: CorrelationId) -> Command<'static> {
    let registration_id = RegistrationId(NOBODY);
    let destination = Destination {
        client_id,
        correlation_id,
        registration_id,
        channel: "aeron:udp?endpoint=10.0.0.1:4998",
    };
    match kind {
        0 => Command::TerminateDriver(TerminateDriver {
            client_id,
            correlation_id,
            token: b"please",
        }),
        1 => Command::ClientKeepalive(ClientKeepalive {
            client_id,
            correlation_id,
        }),
        2 => Command::RemovePublication(RemovePublication {
            client_id,
            correlation_id,
            registration_id,
            is_revoke: false,
        }),
        3 => Command::RemoveSubscription(RemoveSubscription {
            client_id,
            correlation_id,
            registration_id,
        }),
        4 => Command::RemoveCounter(RemoveCounter {
            client_id,
            correlation_id,
            registration_id,
        }),
        5 => Command::AddDestination(destination),
        6 => Command::RemoveReceiveDestination(destination),
        7 => Command::RemoveDestinationById(RemoveDestinationById {
            client_id,
            correlation_id,
            registration_id,
            destination_registration_id: registration_id,
        }),
        8 => Command::AddReceiveDestination(destination),
        9 => Command::RemoveDestination(destination),
        _ => Command::RejectImage(RejectImage {
            client_id,
            correlation_id,
            image_correlation_id: CorrelationId(NOBODY),
            position: Position(0),
            reason: b"nothing",
        }),
    }
}
