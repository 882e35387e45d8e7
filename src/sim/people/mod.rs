//! The applications of a simulated world: clients, and their publishers and subscribers, each a
//! small state machine that is given a turn in each step.
//!
//! They use the client's public interface alone, and nothing of it that blocks. What they are not
//! told by it they do not know; what they see they report to the ledgers and the trace.

mod check;
mod client;
mod destinations;
mod habits;
mod mistakes;
mod pollers;
mod publisher;
mod responses;
mod strangers;
mod subscriber;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::strangers::Visits;
use super::clock::VirtualClock;
use super::host::SimDriver;
use super::ledger::{Breach, Ledger};
use super::plan::{Medium, Plan};
use super::sabotage::Sabotage;
use super::trace::{Event, Trace};
use crate::base::{Nanos, Rng};
use crate::client::AddError;
use crate::command::ErrorCode;

pub(super) use client::{Life, SimClient};
pub(super) use habits::STATIC_TYPE_ID;
pub(super) use mistakes::is_of_a_mistake;
pub(super) use publisher::{Publisher, write};
pub(super) use responses::Responses;
pub(super) use strangers::is_of_a_stranger;
pub(super) use subscriber::Subscriber;

/// A promise that was broken, in words.
pub(super) type Outcome<T = ()> = Result<T, String>;

/// All publications of a world, past ones included.
#[derive(Debug, Default)]
pub(super) struct Ledgers {
    list: Vec<Ledger>,
    by_session: BTreeMap<(i32, i32), usize>,
    by_registration: BTreeMap<((usize, usize), i64), usize>,
    /// Streams and sessions of which somebody rejected an image.
    rejected: BTreeSet<(i32, i32)>,
    /// Streams and sessions of which an image went away.
    left: BTreeSet<(i32, i32)>,
    /// What clients were told that asked for what cannot be.
    expected_errors: BTreeSet<String>,
    /// What strangers did to drivers.
    visits: BTreeMap<(usize, usize), Visits>,
}

impl Ledgers {
    /// The ledger of a publication, which is made if there is none.
    pub(super) fn find_or_add(
        &mut self,
        driver: (usize, usize),
        registration_id: i64,
        add: impl FnOnce() -> Ledger,
    ) -> usize {
        let number = self.list.len();
        let key = (driver, registration_id);
        let found = *self.by_registration.entry(key).or_insert(number);
        if found == number {
            let ledger = add();
            let session = (ledger.stream_id.get(), ledger.session_id.get());
            self.by_session.insert(session, number);
            self.list.push(ledger);
        }
        found
    }

    /// The ledger of a session on a stream.
    pub(super) fn of_session(&self, stream_id: i32, session_id: i32) -> Option<usize> {
        self.by_session.get(&(stream_id, session_id)).copied()
    }

    /// The registrations of a driver's publications that somebody had.
    pub(super) fn registrations(&self, driver: (usize, usize)) -> impl Iterator<Item = i64> {
        let ledgers = self.list.iter();
        let of_driver = ledgers.filter(move |ledger| ledger.driver == driver);
        of_driver.map(|ledger| ledger.registration_id)
    }

    /// How many there are; none ever goes.
    pub(super) const fn count(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, number: usize) -> &Ledger {
        &self.list[number]
    }

    pub(super) fn get_mut(&mut self, number: usize) -> &mut Ledger {
        &mut self.list[number]
    }

    /// A session of a stream that somebody may publish on.
    pub(super) fn live_session(&self, stream_id: i32) -> Option<i32> {
        let is_live = |l: &&Ledger| l.stream_id.get() == stream_id && l.handles > 0;
        let ledger = self.list.iter().rev().find(is_live)?;
        Some(ledger.session_id.get())
    }

    /// Notes that an image went away.
    pub(super) fn leave(&mut self, stream_id: i32, session_id: i32) {
        self.left.insert((stream_id, session_id));
    }

    /// Whether any image of a session went away.
    pub(super) fn is_left(&self, stream_id: i32, session_id: i32) -> bool {
        self.left.contains(&(stream_id, session_id))
    }

    /// Notes that a driver will have recorded an error.
    pub(super) fn expect_error(&mut self, text: String) {
        self.expected_errors.insert(text);
    }

    /// What strangers did to a driver.
    fn visits(&mut self, driver: (usize, usize)) -> &mut Visits {
        self.visits.entry(driver).or_default()
    }

    /// A driver survived what strangers did to it.
    pub(super) fn check_visits(&self, driver: &SimDriver) -> Outcome {
        let number = driver.number;
        let visits = self.visits.get(&driver.identity(number)).copied();
        let checked = visits.unwrap_or_default().check(driver);
        checked.map_err(|why| format!("driver {number}: {why}"))
    }

    /// Whether a driver's error is one that was provoked.
    pub(super) fn expects(&self, error: &str) -> bool {
        self.expected_errors.contains(error)
    }

    /// Notes that somebody rejected an image.
    pub(super) fn reject(&mut self, stream_id: i32, session_id: i32) {
        self.rejected.insert((stream_id, session_id));
    }

    /// How many sessions were rejected.
    pub(super) fn rejected_count(&self) -> u64 {
        self.rejected.len() as u64
    }

    /// Whether anybody rejected an image of a session.
    pub(super) fn is_rejected(&self, stream_id: i32, session_id: i32) -> bool {
        self.rejected.contains(&(stream_id, session_id))
    }

    /// Whether a driver's error says that somebody rejected an image, and somebody did.
    pub(super) fn explains(&self, error: &str) -> bool {
        let is_report = error.ends_with(REJECTION)
            && self.rejected.iter().any(|(stream, session)| {
                error.contains(&format!("session {session} stream {stream} reports"))
            });
        // What is rejected may be gone before the driver hears of it.
        is_report || (error.starts_with("unable to resolve image") && !self.rejected.is_empty())
    }

    /// How many messages were published in all.
    pub(super) fn messages(&self) -> u64 {
        self.list.iter().map(|ledger| ledger.len() as u64).sum()
    }
}

/// Someone in a world.
#[derive(Clone, Copy, Debug)]
enum Actor {
    Publisher(usize),
    Subscriber(usize),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publisher(number) => write!(f, "publisher {number}"),
            Self::Subscriber(number) => write!(f, "subscriber {number}"),
        }
    }
}

/// How far a world has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Faults happen.
    Active,
    /// Nothing goes wrong any more; what was published is to arrive.
    Drain,
    /// Everyone closes.
    Close,
    /// Nobody is there any more; the drivers are to let go of everything.
    Empty,
}

/// What surrounds somebody whose turn it is.
pub(super) struct Scene<'a> {
    pub(super) plan: &'a Plan,
    pub(super) drivers: &'a [SimDriver],
    pub(super) clock: &'a VirtualClock,
    pub(super) ledgers: &'a mut Ledgers,
    pub(super) trace: &'a mut Trace,
    pub(super) rng: &'a mut Rng,
    /// The same for what came later, so that the rest goes as it went.
    pub(super) habits: &'a mut Rng,
    pub(super) now: Nanos,
    pub(super) step: u64,
    pub(super) phase: Phase,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) responses: &'a mut Responses,
    /// Fragments and messages consumed so far, by medium.
    pub(super) consumed: &'a mut [u64; Medium::COUNT],
}

/// Why an image is rejected.
const REJECTION: &str = "not this one";

/// In the text of a driver that cannot bind what an endpoint of before has not let go of yet.
const STILL_BOUND: &str = "address in use";
/// In the text of a driver that has no room for a log.
const NO_SPACE: &str = "storage";
/// How the text begins of a driver that does not know the other end of a conversation any more.
const NO_COUNTERPARTS: [&str; 2] = ["unable to find response ", "image.correlationId="];

/// Whether a refusal of a driver may happen to anyone who is too early or too late.
pub(super) fn is_transient(text: &str) -> bool {
    let is_unknown = NO_COUNTERPARTS.iter().any(|begin| text.starts_with(begin));
    text.contains(STILL_BOUND) || (is_unknown && !text.contains("did not request"))
}

/// Whether a driver says that a name leads nowhere, or where others are.
pub(super) fn is_unresolved(text: &str) -> bool {
    text.contains("cannot resolve host") || text.contains("address not available")
}

/// Whether a driver says that it has no room for a log.
pub(super) fn is_out_of_space(text: &str) -> bool {
    text.contains(NO_SPACE)
}

/// Steps before somebody who was refused tries again: what names lead to changes slowly.
pub(super) const fn retry_steps(plan: &Plan) -> u64 {
    if plan.names.is_some() { 50 } else { 5 }
}

/// Notes a failed add, which may be tried again. Refusals that should not happen are breaches.
fn refused(scene: &mut Scene<'_>, actor: &str, error: &AddError) -> Outcome {
    scene.trace.push(Event::AddRefused {
        actor: actor.to_owned(),
        why: error.to_string(),
    });
    match error {
        AddError::Client(_) | AddError::DriverTimeout { .. } => Ok(()),
        // The name is not known yet, or leads nowhere just now.
        AddError::Registration(refusal)
            if scene.plan.names.is_some() && is_unresolved(&refusal.message) =>
        {
            Ok(())
        }
        AddError::Registration(refusal)
            if refusal.code == ErrorCode::ResourceTemporarilyUnavailable
                || (refusal.code == ErrorCode::StorageSpace && scene.plan.fills_disks())
                || is_transient(&refusal.message) =>
        {
            Ok(())
        }
        AddError::Registration(_)
        | AddError::InvalidArgument { .. }
        | AddError::ResourceClosed
        | AddError::Log { .. }
        | AddError::UnknownCounter(_) => Err(format!("{actor} was refused: {error}")),
    }
}

/// A breach of a stream, with who saw it.
fn breach(who: &str, ledger: &Ledger, breach: &Breach) -> String {
    format!(
        "{who}, session {} of stream {}: {breach}",
        ledger.session_id, ledger.stream_id
    )
}
