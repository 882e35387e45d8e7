//! What one measurement yields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::figures::short;

/// A figure, with its unit in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    MessagesPerSecond,
    BytesPerSecond,
    CpuSecondsPerGb,
    P50Us,
    P99Us,
    P999Us,
    /// Messages that were due and could not be sent.
    Unsent,
    /// Memory of the driver's process that is in RAM.
    ResidentBytes,
    /// The same, with what processes share divided among them.
    ProportionalBytes,
    /// What the files of the aeron directory take.
    FileBytes,
    StartUpMs,
    /// Share of one CPU, 0 to 100.
    IdleCpuPercent,
    FirstMessageUs,
}

impl Figure {
    /// Its name for a person, with the unit.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::MessagesPerSecond => "messages/s",
            Self::BytesPerSecond => "bytes/s",
            Self::CpuSecondsPerGb => "CPU s/GB",
            Self::P50Us => "P50 µs",
            Self::P99Us => "P99 µs",
            Self::P999Us => "P99.9 µs",
            Self::Unsent => "unsent",
            Self::ResidentBytes => "RSS bytes",
            Self::ProportionalBytes => "PSS bytes",
            Self::FileBytes => "file bytes",
            Self::StartUpMs => "start-up ms",
            Self::IdleCpuPercent => "% of a CPU",
            Self::FirstMessageUs => "first message µs",
        }
    }

    /// A value for a person.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            _ if value.is_nan() => "-".to_owned(),
            Self::MessagesPerSecond
            | Self::BytesPerSecond
            | Self::Unsent
            | Self::ResidentBytes
            | Self::ProportionalBytes
            | Self::FileBytes => short(value).trim_end().to_owned(),
            Self::CpuSecondsPerGb | Self::P50Us | Self::P99Us | Self::P999Us => {
                format!("{value:.3}")
            }
            Self::StartUpMs | Self::IdleCpuPercent | Self::FirstMessageUs => format!("{value:.2}"),
        }
    }
}

/// What one measurement yields.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) figures: BTreeMap<Figure, f64>,
    /// Share of the time that the measuring threads could have run but had no CPU, 0 to 1.
    pub(crate) waited_for_cpu: f64,
}

impl Outcome {
    pub(crate) fn new(
        figures: impl IntoIterator<Item = (Figure, f64)>,
        waited_for_cpu: f64,
    ) -> Self {
        Self {
            figures: figures.into_iter().collect(),
            waited_for_cpu,
        }
    }

    pub(crate) fn get(&self, figure: Figure) -> Option<f64> {
        self.figures.get(&figure).copied()
    }
}
