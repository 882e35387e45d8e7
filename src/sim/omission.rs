//! What is left out of a world: parts of the plan that a failure does not need.
//!
//! An omission takes something away from a plan that has been drawn and leaves all else as it is,
//! so that seed and omissions together stand for a world as a seed alone does.

use std::fmt;
use std::str::FromStr;

use super::plan::{Plan, remove_extras};

/// Something left out of a world.
///
/// ```
/// use aileron::sim::{Omission, World};
/// let omission: Omission = "incident:0".parse().expect("an omission");
/// assert_eq!(omission.to_string(), "incident:0");
/// World::new(1).omit(omission).run().expect("a world without its first incident");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Omission {
    /// Loss of single datagrams.
    Loss,
    /// Loss of many in a row.
    Bursts,
    /// Loss in one direction.
    OneWay,
    /// Datagrams that come twice.
    Duplicates,
    /// Datagrams that are overtaken.
    Reordering,
    /// Datagrams that are damaged.
    Corruption,
    /// Sockets that do not take a datagram.
    Refusals,
    /// Random delay.
    Jitter,
    /// Steps that are longer than others.
    Leaps,
    /// An incident, by its number in the plan.
    Incident(usize),
    /// A publisher.
    Publisher(usize),
    /// A subscriber.
    Subscriber(usize),
    /// Coming back of publishers and subscribers that closed.
    Reopening,
    /// What a kernel does with what is received: datagrams of one length are handed over together,
    /// and all take more of a receive buffer than they are long.
    Kernel,
    /// Settings in text, event logs, names of hosts, loss within drivers, and what is said to be
    /// extra of clients: without them a seed means what it meant before there were any.
    Extras,
    /// Steps with faults, from this one on.
    StepsFrom(u64),
}

/// Omissions with a name alone.
const NAMED: [(&str, Omission); 12] = [
    ("loss", Omission::Loss),
    ("bursts", Omission::Bursts),
    ("one-way", Omission::OneWay),
    ("duplicates", Omission::Duplicates),
    ("reordering", Omission::Reordering),
    ("corruption", Omission::Corruption),
    ("refusals", Omission::Refusals),
    ("jitter", Omission::Jitter),
    ("leaps", Omission::Leaps),
    ("reopening", Omission::Reopening),
    ("kernel", Omission::Kernel),
    ("extras", Omission::Extras),
];

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(number) => write!(f, "incident:{number}"),
            Self::Publisher(number) => write!(f, "publisher:{number}"),
            Self::Subscriber(number) => write!(f, "subscriber:{number}"),
            Self::StepsFrom(step) => write!(f, "steps:{step}"),
            Self::Loss
            | Self::Bursts
            | Self::OneWay
            | Self::Duplicates
            | Self::Reordering
            | Self::Corruption
            | Self::Refusals
            | Self::Jitter
            | Self::Leaps
            | Self::Reopening
            | Self::Kernel
            | Self::Extras => {
                let named = NAMED.iter().find(|(_, omission)| omission == self);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

/// A text that names no omission.
///
/// ```
/// use aileron::sim::Omission;
/// let error = "nothing".parse::<Omission>().expect_err("no omission");
/// assert!(error.to_string().contains("'nothing'"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOmission(String);

impl fmt::Display for UnknownOmission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        write!(
            f,
            "'{}' is none of {}, incident:N, publisher:N, subscriber:N, steps:N",
            self.0,
            names.join(", ")
        )
    }
}

impl std::error::Error for UnknownOmission {}

impl FromStr for Omission {
    type Err = UnknownOmission;

    fn from_str(text: &str) -> Result<Self, UnknownOmission> {
        let unknown = || UnknownOmission(text.to_owned());
        if let Some((_, omission)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(*omission);
        }
        let (kind, number) = text.split_once(':').ok_or_else(unknown)?;
        let number: usize = number.parse().map_err(|_| unknown())?;
        match kind {
            "incident" => Ok(Self::Incident(number)),
            "publisher" => Ok(Self::Publisher(number)),
            "subscriber" => Ok(Self::Subscriber(number)),
            "steps" => Ok(Self::StepsFrom(number as u64)),
            _ => Err(unknown()),
        }
    }
}

impl Omission {
    /// All that can be left out of a plan, from what says most to what says least.
    pub(super) fn candidates(plan: &Plan) -> Vec<Self> {
        let mut all: Vec<Self> = (0..plan.incidents.len())
            .rev()
            .map(Self::Incident)
            .collect();
        all.extend((0..plan.publishers.len()).map(Self::Publisher));
        all.extend((0..plan.subscribers.len()).map(Self::Subscriber));
        all.extend(NAMED.iter().map(|(_, omission)| *omission));
        all.extend([4, 2].map(|part| Self::StepsFrom(plan.active_steps / part)));
        all
    }

    /// Takes it away from a plan.
    pub(super) fn apply(self, plan: &mut Plan) {
        let faults = &mut plan.faults;
        match self {
            Self::Loss => faults.loss_ppm = 0,
            Self::Bursts => faults.burst_ppm = 0,
            Self::OneWay => plan.one_way.clear(),
            Self::Duplicates => faults.duplicate_ppm = 0,
            Self::Reordering => faults.reorder_ppm = 0,
            Self::Corruption => faults.corrupt_ppm = 0,
            Self::Refusals => faults.refuse_ppm = 0,
            Self::Jitter => faults.jitter_ns = 0,
            Self::Leaps => plan.pace.leap_per_mille = 0,
            Self::Incident(number) => {
                if let Some(incident) = plan.incidents.get_mut(number) {
                    incident.is_absent = true;
                }
            }
            Self::Publisher(number) => {
                if let Some(publisher) = plan.publishers.get_mut(number) {
                    publisher.is_absent = true;
                }
            }
            Self::Subscriber(number) => {
                if let Some(subscriber) = plan.subscribers.get_mut(number) {
                    subscriber.is_absent = true;
                }
            }
            Self::Reopening => {
                for publisher in &mut plan.publishers {
                    publisher.reopens = 0;
                }
                for subscriber in &mut plan.subscribers {
                    subscriber.reopens = 0;
                }
            }
            Self::Kernel => plan.forget_kernel(),
            Self::Extras => remove_extras(plan),
            Self::StepsFrom(step) => plan.active_steps = plan.active_steps.min(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::plan::Profile;

    #[test]
    fn omissions_read_as_they_are_printed() {
        for omission in Omission::candidates(&Plan::draw(5, Profile::All)) {
            assert_eq!(omission.to_string().parse(), Ok(omission));
        }
        for text in ["", "loss:1", "incident", "incident:x", "step:1"] {
            assert!(text.parse::<Omission>().is_err(), "{text}");
        }
    }
}
