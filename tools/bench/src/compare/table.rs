//! The table that a person reads.

use crate::compare::result::{Comparison, Results, Runs};
use crate::outcome::Figure;
use crate::sample::Sample;
use crate::scenario::System;
use crate::targets::{Against, Bound, Target};

/// Prints one scenario: for each figure a line per system.
pub(crate) fn print(results: &Results) {
    println!("\n{}: {}", results.scenario, results.title);
    for figure in &results.figures {
        println!(
            "  {:<18} {:>10} {:>23} {:>8} {:>10} {:>10}",
            figure.title(),
            "median",
            "runs",
            "waited",
            "/Aeron C",
            "/floor"
        );
        for runs in &results.runs {
            print_runs(results, runs, *figure);
        }
        for (target, ratios) in results.targets(*figure) {
            println!("    target: {}", describe(target, &ratios));
        }
    }
    for runs in &results.runs {
        for failure in &runs.failures {
            println!("  {} failed: {failure}", runs.system.name());
        }
    }
}

fn print_runs(results: &Results, runs: &Runs, figure: Figure) {
    let sample = runs.sample(figure);
    if sample.0.is_empty() {
        return;
    }
    let spread = format!(
        "{} to {}",
        figure.show(sample.min()),
        figure.show(sample.max())
    );
    let is_floor = results.floor == Some(runs.system);
    let ratio = |against| {
        let is_itself = match against {
            Against::AeronC => runs.system == System::AeronC,
            Against::Floor => is_floor,
            Against::Nothing => true,
        };
        let ratios = results.ratios(runs.system, against, figure);
        if is_itself || ratios.0.is_empty() {
            return String::new();
        }
        format!("{:.3}", ratios.median())
    };
    println!(
        "  {:<18} {:>10} {spread:>23} {:>7.0}% {:>10} {:>10}",
        runs.system.name(),
        figure.show(sample.median()),
        runs.waited_for_cpu() * 100.0,
        ratio(Against::AeronC),
        ratio(Against::Floor),
    );
}

/// A target in words.
pub(crate) fn bound_in_words(target: Target) -> String {
    let bound = match target.bound {
        Bound::AtLeast(bound) => format!("at least {bound}"),
        Bound::AtMost(bound) => format!("at most {bound}"),
    };
    match target.against {
        Against::AeronC => format!("{bound} times Aeron C"),
        Against::Floor => format!("{bound} times the floor"),
        Against::Nothing => bound,
    }
}

/// A target in words, with what was reached.
fn describe(target: Target, ratios: &Sample) -> String {
    let bound = bound_in_words(target);
    if ratios.0.is_empty() {
        return format!("{bound}: not measured");
    }
    let (ratio, least, greatest) = (ratios.median(), ratios.min(), ratios.max());
    let verdict = match target.bound.is_met(ratio) {
        true => "met",
        false => "MISSED",
    };
    format!("{bound}: {ratio:.3} ({least:.3} to {greatest:.3}), {verdict}")
}

/// Prints what came of the targets.
pub(crate) fn print_score(comparison: &Comparison) {
    let (met, missed) = comparison.score();
    println!("\n{met} targets met, {missed} missed");
}
