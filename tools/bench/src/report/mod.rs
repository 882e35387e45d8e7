//! `report`: the page of a comparison that was kept: tables and charts of `docs/performance.md`.

#[cfg(feature = "plots")]
mod plots;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::Failure;
use crate::compare::result::Comparison;

/// What never changes of the page; the rest is filled in.
const TEMPLATE: &str = include_str!("template.md");

/// Write `performance.md` and its charts from the results of a comparison.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What `compare --json` or `--out` wrote
    results: PathBuf,

    /// The directory that gets `performance.md` and a directory `performance` of charts
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let text = fs::read_to_string(&arguments.results)?;
    write(&serde_json::from_str(&text)?, &arguments.docs)
}

/// Writes the page and its charts.
pub(crate) fn write(comparison: &Comparison, docs: &Path) -> Result<(), Failure> {
    let charts = draw(comparison, &docs.join("performance"))?;
    let page = fill(comparison, &charts);
    fs::write(docs.join("performance.md"), page)?;
    println!("wrote {}", docs.join("performance.md").display());
    Ok(())
}

/// A chart that was drawn: its file, and what it shows.
pub(crate) struct Chart {
    file: String,
    title: String,
}

/// Draws what the comparison has the figures for.
#[cfg(feature = "plots")]
pub(crate) fn draw(comparison: &Comparison, directory: &Path) -> Result<Vec<Chart>, Failure> {
    fs::create_dir_all(directory)?;
    plots::draw(comparison, directory)
}

#[cfg(not(feature = "plots"))]
pub(crate) fn draw(_: &Comparison, _: &Path) -> Result<Vec<Chart>, Failure> {
    println!("no charts: built without the feature `plots`");
    Ok(Vec::new())
}

fn fill(comparison: &Comparison, charts: &[Chart]) -> String {
    let charts: String = charts
        .iter()
        .map(|chart| format!("![{}](performance/{})\n\n", chart.title, chart.file))
        .collect();
    TEMPLATE
        .replace("{{date}}", &comparison.date)
        .replace("{{machine}}", &tables::machine(comparison))
        .replace("{{settings}}", &comparison.settings.describe())
        .replace("{{repeats}}", &comparison.repeats.to_string())
        .replace("{{score}}", &tables::score(comparison))
        .replace("{{targets}}", &tables::targets(comparison))
        .replace("{{tables}}", &tables::all(comparison))
        .replace("{{charts}}", charts.trim_end())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::compare::result::{Results, Run, Runs};
    use crate::machine::Machine;
    use crate::outcome::{Figure, Outcome};
    use crate::scenario::System;
    use crate::settings::Settings;

    fn runs(system: System, rates: [f64; 3]) -> Runs {
        let run = |(round, rate)| Run {
            round,
            outcome: Outcome::new([(Figure::BytesPerSecond, rate)], 0.0),
        };
        Runs {
            system,
            done: (0..).zip(rates).map(run).collect(),
            failures: Vec::new(),
            percentiles: BTreeMap::new(),
        }
    }

    fn comparison() -> Comparison {
        Comparison {
            date: "2026-01-02 03:04:05".to_owned(),
            machine: Machine::detect(),
            layout: String::new(),
            aeron_c: "1.53".to_owned(),
            settings: Settings {
                duration: 1.0,
                warm_up: 0.5,
                ipc_term_length: "16m".to_owned(),
                term_length: "16m".to_owned(),
                window: "2m".to_owned(),
                mtu: "1408".to_owned(),
                cycle: 65_536,
                fragment_limit: 256,
                define: Vec::new(),
            },
            repeats: 3,
            scenarios: vec![Results {
                scenario: "udp-1k".to_owned(),
                title: "UDP loopback, 1 KiB".to_owned(),
                length: 1024,
                figures: vec![Figure::BytesPerSecond],
                floor: Some(System::RawGsoGro),
                runs: vec![
                    runs(System::Aileron, [1e9, 6e9, 5e9]),
                    runs(System::AeronC, [1e9, 1e9, 1e9]),
                    runs(System::RawGsoGro, [9e9, 20e9, 20e9]),
                ],
            }],
        }
    }

    #[test]
    fn the_page_has_every_figure_and_says_which_targets_are_met() {
        let page = fill(&comparison(), &[]);
        assert!(!page.contains("{{"), "{page}");
        let met =
            "| 5.00 G | 1.00 G | 20.00 G | at least 5 times Aeron C | 5.00 (1.00 to 6.00) | met |";
        assert!(page.contains(met), "{page}");
        let missed = "| at least 0.5 times the floor | 0.25 (0.11 to 0.30) | **missed** |";
        assert!(page.contains(missed), "{page}");
        assert!(page.contains("1 of 2 targets"), "{page}");
    }

    #[test]
    fn a_comparison_is_kept_as_it_was() {
        let text = serde_json::to_string(&comparison()).expect("serializes");
        let read: Comparison = serde_json::from_str(&text).expect("what was written");
        assert_eq!(fill(&read, &[]), fill(&comparison(), &[]));
    }
}
