//! What drivers write down of what happens: only what was wanted, in order, and as it was.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::Nanos;
use crate::concurrent::{EventKind, EventRecord};
use crate::sim::host::SimDriver;
use crate::sim::people::{Ledgers, Outcome};
use crate::sim::plan::Plan;

/// What clients are told of their publications.
const READY: [EventKind; 2] = [
    EventKind::CmdOutPublicationReady,
    EventKind::CmdOutExclusivePublicationReady,
];

/// What was read of the event log of a driver.
#[derive(Debug, Default)]
pub(in crate::sim) struct EventWatch {
    /// Number and time of the last event of each agent.
    last: BTreeMap<String, (i64, Nanos)>,
    /// Events that are missing between those that were read.
    missing: u64,
    /// Publications and images that came, and of which sessions they are.
    publications: BTreeMap<i64, (i64, i64)>,
    images: BTreeMap<i64, (i64, i64)>,
    /// Clients that came.
    clients: BTreeSet<i64>,
    /// Publications that clients were told of.
    told: BTreeSet<i64>,
}

impl EventWatch {
    /// Reads what has been written since the last time.
    pub(in crate::sim) fn read(
        &mut self,
        driver: &mut SimDriver,
        plan: &Plan,
        now: Nanos,
    ) -> Outcome {
        let Some(mut events) = driver.events.take() else {
            return Ok(());
        };
        while let Some(event) = events.next_event() {
            let checked = self.check(driver, plan, &event, now);
            checked.map_err(|why| format!("driver {}: {why}: {event}", driver.number))?;
        }
        let lost = events.lost();
        driver.events = Some(events);
        if lost == self.missing {
            Ok(())
        } else {
            let missing = self.missing;
            Err(format!(
                "{lost} events are told as lost, {missing} are missing"
            ))
        }
    }

    fn check(
        &mut self,
        driver: &SimDriver,
        plan: &Plan,
        event: &EventRecord,
        now: Nanos,
    ) -> Outcome {
        let kind = event.kind().ok_or("an event of no kind")?;
        if !driver.wanted_events.contains(kind) {
            return Err("an event that nobody wanted".to_owned());
        }
        let (next, since) = self
            .last
            .get(event.agent())
            .map_or((0, Nanos(0)), |(number, time)| (number + 1, *time));
        let skipped = event.number() - next;
        // Errors have the time of the wall clock, which is coarse and may be set.
        let is_coarse = kind == EventKind::ErrorRecorded;
        let is_late = event.time().since(since) < 0 || event.time().since(now) > 0;
        if skipped < 0 || (is_late && !is_coarse) {
            return Err(format!("an event out of order, after {since:?}"));
        }
        self.missing += skipped.unsigned_abs();
        let time = if is_coarse { since } else { event.time() };
        let last = (event.number(), time);
        self.last.insert(event.agent().to_owned(), last);
        self.follow(kind, driver, plan, event)
    }

    /// Follows what comes and goes.
    fn follow(
        &mut self,
        kind: EventKind,
        driver: &SimDriver,
        plan: &Plan,
        event: &EventRecord,
    ) -> Outcome {
        let wants = |kind| driver.wanted_events.contains(kind);
        let value = |name: &str| {
            let value = event.value(name);
            value.ok_or_else(|| format!("an event without {name}"))
        };
        let stream = || Ok::<_, String>((value("session-id")?, value("stream-id")?));
        let is_whole = self.missing == 0;
        let gone = |known: Option<(i64, i64)>, is: (i64, i64)| {
            if known == Some(is) || (known.is_none() && !is_whole) {
                Ok(())
            } else {
                Err(format!("something went that had come as {known:?}"))
            }
        };
        if kind == EventKind::PublicationCreated {
            let (session, stream_id) = stream()?;
            let mut streams = plan.streams.iter();
            let Some(stream) = streams.find(|s| i64::from(s.stream_id) == stream_id) else {
                return Err("a publication of no stream".to_owned());
            };
            if i64::from(stream.term_length) != value("term-length")? {
                return Err("a publication of another term length".to_owned());
            }
            let id = value("registration-id")?;
            self.publications.insert(id, (session, stream_id));
        } else if READY.contains(&kind) {
            self.told.insert(value("registration-id")?);
        } else if kind == EventKind::RemovePublicationCleanup {
            let known = self.publications.remove(&value("registration-id")?);
            if wants(EventKind::PublicationCreated) {
                gone(known, stream()?)?;
            }
        } else if kind == EventKind::ImageCreated {
            self.images.insert(value("correlation-id")?, stream()?);
        } else if kind == EventKind::RemoveImageCleanup {
            let known = self.images.remove(&value("correlation-id")?);
            if wants(EventKind::ImageCreated) {
                gone(known, stream()?)?;
            }
        } else if kind == EventKind::ClientAdded {
            self.clients.insert(value("client-id")?);
        } else if kind == EventKind::ClientRemoved {
            self.clients.remove(&value("client-id")?);
        }
        Ok(())
    }

    /// All have gone: so say the events, if they are all there.
    pub(in crate::sim) fn check_end(&self, driver: &SimDriver, ledgers: &Ledgers) -> Outcome {
        let wants = |kind| driver.wanted_events.contains(kind);
        if driver.events.is_none() || self.missing > 0 {
            return Ok(());
        }
        let number = driver.number;
        if wants(EventKind::RemovePublicationCleanup) && !self.publications.is_empty() {
            let left = &self.publications;
            return Err(format!(
                "driver {number}: nothing says that {left:?} are gone"
            ));
        }
        if wants(EventKind::RemoveImageCleanup) && !self.images.is_empty() {
            let left = &self.images;
            return Err(format!(
                "driver {number}: nothing says that {left:?} are gone"
            ));
        }
        if wants(EventKind::ClientRemoved) && !self.clients.is_empty() {
            let left = &self.clients;
            return Err(format!(
                "driver {number}: nothing says that clients {left:?} are gone"
            ));
        }
        if READY.into_iter().all(wants) {
            for id in ledgers.registrations(driver.identity(number)) {
                if !self.told.contains(&id) {
                    return Err(format!("driver {number}: nothing says that {id} was ready"));
                }
            }
        }
        Ok(())
    }
}
