//! What aileron is to reach, as data.

use crate::outcome::Figure;
use crate::outcome::Figure::{
    BytesPerSecond, CpuSecondsPerGb, FirstMessageUs, IdleCpuPercent, MessagesPerSecond, P50Us,
    P99Us, ResidentBytes, StartUpMs,
};

/// What a figure of aileron's is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    AeronC,
    /// The floor of the scenario.
    Floor,
    /// One: the figure itself counts.
    Nothing,
}

/// What the ratio may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(crate) fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => ratio >= bound,
            Self::AtMost(bound) => ratio <= bound,
        }
    }
}

/// One target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) scenario: &'static str,
    pub(crate) figure: Figure,
    pub(crate) against: Against,
    pub(crate) bound: Bound,
}

const fn target(scenario: &'static str, figure: Figure, against: Against, bound: Bound) -> Target {
    Target {
        scenario,
        figure,
        against,
        bound,
    }
}

use Against::{AeronC, Floor, Nothing};
use Bound::{AtLeast, AtMost};

/// All targets.
pub(crate) const TARGETS: &[Target] = &[
    target("ipc-throughput", MessagesPerSecond, AeronC, AtLeast(1.25)),
    target("ipc-shared", MessagesPerSecond, AeronC, AtLeast(1.25)),
    target("ipc-echo", P50Us, AeronC, AtMost(0.95)),
    target("ipc-echo", P99Us, AeronC, AtMost(0.95)),
    target("ipc-echo", P50Us, Floor, AtMost(1.5)),
    target("ipc-1m", BytesPerSecond, AeronC, AtLeast(1.1)),
    target("ipc-1m", BytesPerSecond, Floor, AtLeast(0.6)),
    target("udp-throughput", MessagesPerSecond, AeronC, AtLeast(2.0)),
    target("udp-1k", BytesPerSecond, AeronC, AtLeast(5.0)),
    target("udp-1k", BytesPerSecond, Floor, AtLeast(0.5)),
    target("udp-64k", BytesPerSecond, AeronC, AtLeast(5.0)),
    target("udp-64k", BytesPerSecond, Floor, AtLeast(0.5)),
    target("udp-1k", CpuSecondsPerGb, AeronC, AtMost(0.3)),
    target("udp-echo-32", P50Us, AeronC, AtMost(0.9)),
    target("udp-echo-32", P99Us, AeronC, AtMost(0.9)),
    target("udp-echo-32", P50Us, Floor, AtMost(1.15)),
    target("udp-echo-32-10k", P50Us, AeronC, AtMost(0.9)),
    target("udp-echo-32-10k", P99Us, AeronC, AtMost(0.9)),
    target("udp-echo-32-10k", P50Us, Floor, AtMost(1.15)),
    target("udp-echo-32-50k", P50Us, AeronC, AtMost(0.9)),
    target("udp-echo-32-50k", P99Us, AeronC, AtMost(0.9)),
    target("udp-echo-32-50k", P50Us, Floor, AtMost(1.15)),
    target("udp-echo-1344", P50Us, AeronC, AtMost(0.9)),
    target("udp-echo-1344", P99Us, AeronC, AtMost(0.9)),
    target("udp-echo-1344", P50Us, Floor, AtMost(1.15)),
    target("udp-echo-1344-10k", P50Us, AeronC, AtMost(0.9)),
    target("udp-echo-1344-10k", P99Us, AeronC, AtMost(0.9)),
    target("udp-echo-1344-10k", P50Us, Floor, AtMost(1.15)),
    target("udp-echo-1344-50k", P50Us, AeronC, AtMost(0.9)),
    target("udp-echo-1344-50k", P99Us, AeronC, AtMost(0.9)),
    target("udp-echo-1344-50k", P50Us, Floor, AtMost(1.15)),
    target("udp-loss", BytesPerSecond, AeronC, AtLeast(3.0)),
    target("mdc", BytesPerSecond, AeronC, AtLeast(3.0)),
    target("memory", ResidentBytes, AeronC, AtMost(1.0)),
    target("start-up", StartUpMs, AeronC, AtMost(1.0)),
    target("idle", IdleCpuPercent, Nothing, AtMost(1.0)),
    target("first-message", FirstMessageUs, Nothing, AtMost(1000.0)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::all;

    #[test]
    fn every_target_is_about_a_figure_that_its_scenario_shows() {
        let scenarios = all();
        for target in TARGETS {
            let scenario = scenarios.iter().find(|s| s.name == target.scenario);
            let scenario = scenario.expect("a target of no scenario");
            assert!(scenario.figures().contains(&target.figure), "{target:?}");
            assert!(
                target.against != Floor || scenario.floor.is_some(),
                "{target:?}"
            );
        }
    }
}
