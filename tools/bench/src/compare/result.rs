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
    pub(crate) done: Vec<Run>,
    /// What went wrong in the runs that have no outcome.
    pub(crate) failures: Vec<String>,
    /// Microseconds at percentiles, of all runs together.
    pub(crate) percentiles: BTreeMap<String, f64>,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Number of the repetition, from 0: runs of the same one followed one another.
    pub(crate) round: u32,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

impl Runs {
    pub(crate) fn sample(&self, figure: Figure) -> Sample {
        let figures = self.done.iter().map(|run| run.outcome.get(figure));
        Sample(figures.flatten().collect())
    }

    fn in_round(&self, round: u32, figure: Figure) -> Option<f64> {
        let run = self.done.iter().find(|run| run.round == round)?;
        run.outcome.get(figure)
    }

    /// Median share of the time that the threads waited for a CPU.
    pub(crate) fn waited_for_cpu(&self) -> f64 {
        Sample(
            self.done
                .iter()
                .map(|run| run.outcome.waited_for_cpu)
                .collect(),
        )
        .median()
    }
}

impl Results {
    pub(crate) fn of(&self, system: System) -> Option<&Runs> {
        self.runs.iter().find(|runs| runs.system == system)
    }

    /// `system` over Aeron C or the floor, in each round in which both were measured: what slows
    /// down a machine for seconds, or makes it fast, does so to both.
    pub(crate) fn ratios(&self, system: System, against: Against, figure: Figure) -> Sample {
        let other = match against {
            Against::AeronC => self.of(System::AeronC),
            Against::Floor => self.floor.and_then(|floor| self.of(floor)),
            Against::Nothing => None,
        };
        let ratio = |run: &Run| {
            let figure_of_other = match against {
                Against::Nothing => 1.0,
                Against::AeronC | Against::Floor => other?.in_round(run.round, figure)?,
            };
            Some(run.outcome.get(figure)? / figure_of_other).filter(|ratio| ratio.is_finite())
        };
        let runs = self.of(system).map_or(&[][..], |runs| &runs.done);
        Sample(runs.iter().filter_map(ratio).collect())
    }

    /// Targets of `figure`, with the ratios of the rounds; none if it was not measured.
    pub(crate) fn targets(&self, figure: Figure) -> Vec<(Target, Sample)> {
        TARGETS
            .iter()
            .filter(|target| target.scenario == self.scenario && target.figure == figure)
            .map(|target| {
                (
                    *target,
                    self.ratios(System::Aileron, target.against, figure),
                )
            })
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
            .filter(|(_, ratios)| !ratios.0.is_empty())
            .map(|(target, ratios)| target.bound.is_met(ratios.median()))
            .collect();
        let met = is_met.iter().filter(|is_met| **is_met).count();
        (met, is_met.len() - met)
    }

    pub(crate) fn failures(&self) -> usize {
        let runs = self.scenarios.iter().flat_map(|results| &results.runs);
        runs.map(|runs| runs.failures.len()).sum()
    }
}
