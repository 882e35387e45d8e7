//! What a comparison yields, as it is kept in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::outcome::{Figure, Outcome};
use crate::sample::Sample;
use crate::scenario::System;
use crate::settings::Settings;
use crate::targets::{Against, TARGETS, Target};

/// All of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// Day and time (UTC) at which it began.
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// Which threads did the work, in words.
    pub(crate) layout: String,
    /// Version of the C implementation.
    pub(crate) aeron_c: String,
    pub(crate) settings: Settings,
    pub(crate) repeats: u32,
    pub(crate) scenarios: Vec<Results>,
}

/// The runs of one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) scenario: String,
    pub(crate) title: String,
    /// Bytes of a message.
    pub(crate) length: usize,
    pub(crate) figures: Vec<Figure>,
    pub(crate) floor: Option<System>,
    pub(crate) runs: Vec<Runs>,
}

/// The runs of one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Runs {
    pub(crate) system: System,
    pub(crate) outcomes: Vec<Outcome>,
    /// What went wrong in the runs that have no outcome.
    pub(crate) failures: Vec<String>,
    /// Microseconds at percentiles, of all runs together.
    pub(crate) percentiles: BTreeMap<String, f64>,
}

impl Runs {
    pub(crate) fn sample(&self, figure: Figure) -> Sample {
        Sample(
            self.outcomes
                .iter()
                .filter_map(|outcome| outcome.get(figure))
                .collect(),
        )
    }

    /// Median share of the time that the threads waited for a CPU.
    pub(crate) fn waited_for_cpu(&self) -> f64 {
        Sample(
            self.outcomes
                .iter()
                .map(|outcome| outcome.waited_for_cpu)
                .collect(),
        )
        .median()
    }
}

impl Results {
    pub(crate) fn of(&self, system: System) -> Option<&Runs> {
        self.runs.iter().find(|runs| runs.system == system)
    }

    /// Median of `system` over that of Aeron C or of the floor, if both were measured.
    pub(crate) fn ratio(&self, system: System, against: Against, figure: Figure) -> Option<f64> {
        let median = |system| Some(self.of(system)?.sample(figure).median());
        let other = match against {
            Against::AeronC => median(System::AeronC)?,
            Against::Floor => median(self.floor?)?,
            Against::Nothing => 1.0,
        };
        let ratio = median(system)? / other;
        ratio.is_finite().then_some(ratio)
    }

    /// Targets of `figure`, with the ratio reached, if it was measured.
    pub(crate) fn targets(&self, figure: Figure) -> Vec<(Target, Option<f64>)> {
        TARGETS
            .iter()
            .filter(|target| target.scenario == self.scenario && target.figure == figure)
            .map(|target| (*target, self.ratio(System::Aileron, target.against, figure)))
            .collect()
    }
}

impl Comparison {
    /// How many targets are met, and how many of those that were measured are not.
    pub(crate) fn score(&self) -> (usize, usize) {
        let reached = self.scenarios.iter().flat_map(|results| {
            results
                .figures
                .iter()
                .flat_map(|figure| results.targets(*figure))
        });
        let is_met: Vec<_> = reached
            .filter_map(|(target, ratio)| Some(target.bound.is_met(ratio?)))
            .collect();
        let met = is_met.iter().filter(|is_met| **is_met).count();
        (met, is_met.len() - met)
    }

    pub(crate) fn failures(&self) -> usize {
        let runs = self.scenarios.iter().flat_map(|results| &results.runs);
        runs.map(|runs| runs.failures.len()).sum()
    }
}
