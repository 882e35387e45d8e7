//! Tables in Markdown.

use std::fmt::Write as _;

use crate::compare::result::{Comparison, Results};
use crate::compare::table::bound_in_words;
use crate::outcome::Figure;
use crate::sample::Sample;
use crate::scenario::{SWEEP_PREFIX, System};
use crate::targets::Against;

/// Machine and build, as a list.
pub(super) fn machine(comparison: &Comparison) -> String {
    let machine = &comparison.machine;
    let (receive, send) = machine.socket_buffers_max;
    format!(
        "* {}, {} CPUs, {}\n* socket buffers of at most {receive} (receive) and {send} (send) \
         bytes\n* {}; {}\n* Aeron C {}, by {}",
        machine.cpu,
        machine.cpus,
        machine.kernel,
        machine.rustc,
        machine.build,
        comparison.aeron_c,
        machine.cc,
    )
}

/// How many targets are met.
pub(super) fn score(comparison: &Comparison) -> String {
    let (met, missed) = comparison.score();
    format!(
        "{met} of {} targets that were measured are met.",
        met + missed
    )
}

fn median(results: &Results, system: Option<System>, figure: Figure) -> String {
    let runs = system.and_then(|system| results.of(system));
    runs.map_or_else(
        || "-".to_owned(),
        |runs| figure.show(runs.sample(figure).median()),
    )
}

/// Ratios of the rounds: the median, and between which they are.
fn in_words(ratios: &Sample) -> String {
    if ratios.0.is_empty() {
        return "-".to_owned();
    }
    let (median, least, greatest) = (ratios.median(), ratios.min(), ratios.max());
    format!("{median:.2} ({least:.2} to {greatest:.2})")
}

/// All targets with what was reached.
pub(super) fn targets(comparison: &Comparison) -> String {
    let mut text = String::from(
        "| scenario | figure | aileron | Aeron C | floor | target | reached | |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for results in &comparison.scenarios {
        for figure in &results.figures {
            for (target, ratios) in results.targets(*figure) {
                let verdict = match target.bound.is_met(ratios.median()) {
                    _ if ratios.0.is_empty() => "not measured",
                    true => "met",
                    false => "**missed**",
                };
                // Writing to a string does not fail.
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} | {} | {} | {} | {verdict} |",
                    results.title,
                    figure.title(),
                    median(results, Some(System::Aileron), *figure),
                    median(results, Some(System::AeronC), *figure),
                    median(results, results.floor, *figure),
                    bound_in_words(target),
                    in_words(&ratios),
                );
            }
        }
    }
    text.trim_end().to_owned()
}

/// All figures of all systems, but those of which charts are made.
pub(super) fn all(comparison: &Comparison) -> String {
    let mut text = String::from(
        "| scenario | figure | system | median | runs | / Aeron C | / floor | waited |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let shown = |results: &&Results| !results.scenario.starts_with(SWEEP_PREFIX);
    for results in comparison.scenarios.iter().filter(shown) {
        for figure in &results.figures {
            rows(&mut text, results, *figure);
        }
    }
    text.trim_end().to_owned()
}

fn rows(text: &mut String, results: &Results, figure: Figure) {
    for runs in &results.runs {
        let sample = runs.sample(figure);
        if sample.0.is_empty() {
            continue;
        }
        let ratio = |against| {
            let ratios = results.ratios(runs.system, against, figure);
            if ratios.0.is_empty() {
                return "-".to_owned();
            }
            format!("{:.2}", ratios.median())
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} to {} | {} | {} | {:.0}% |",
            results.scenario,
            figure.title(),
            runs.system.name(),
            figure.show(sample.median()),
            figure.show(sample.min()),
            figure.show(sample.max()),
            ratio(Against::AeronC),
            ratio(Against::Floor),
            runs.waited_for_cpu() * 100.0,
        );
    }
}
