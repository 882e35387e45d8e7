//! Charts: latency by percentile, throughput by length of messages.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::{
    ChartBuilder, DrawingArea, IntoDrawingArea as _, IntoLogRange as _, LineSeries, PathElement,
    RGBColor, SVGBackend, WHITE,
};

use crate::Failure;
use crate::compare::result::{Comparison, Results, Runs};
use crate::figures::short;
use crate::outcome::Figure;
use crate::report::Chart;
use crate::scenario::{SWEEP_PREFIX, System};

const SIZE: (u32, u32) = (900, 480);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Point = (f64, f64);

/// A line of a chart.
struct Line {
    system: System,
    points: Vec<Point>,
}

/// Draws what there are figures for.
pub(super) fn draw(comparison: &Comparison, directory: &Path) -> Result<Vec<Chart>, Failure> {
    let mut charts = Vec::new();
    for results in &comparison.scenarios {
        let lines: Vec<_> = results.runs.iter().filter_map(percentiles).collect();
        if lines.is_empty() {
            continue;
        }
        let file = format!("{}.svg", results.scenario);
        let title = format!("{}: latency by percentile", results.title);
        let path = directory.join(&file);
        let area = SVGBackend::new(&path, SIZE).into_drawing_area();
        let axes = Axes {
            x: "percentile",
            y: "µs",
            show_x: &|x| format!("{}", 100.0 - 100.0 / x),
            show_y: &|y| format!("{y}"),
        };
        chart(&area, &title, &axes, &lines)?;
        charts.push(Chart { file, title });
    }
    for (name, words) in [("ipc", "IPC"), ("udp", "UDP loopback")] {
        let prefix = format!("{SWEEP_PREFIX}{name}-");
        let of = |results: &&Results| results.scenario.starts_with(&prefix);
        let swept: Vec<_> = comparison.scenarios.iter().filter(of).collect();
        let lines = by_length(&swept);
        if lines.is_empty() {
            continue;
        }
        let file = format!("throughput-{name}.svg");
        let title = format!("{words}: throughput by length of messages");
        let path = directory.join(&file);
        let area = SVGBackend::new(&path, SIZE).into_drawing_area();
        let axes = Axes {
            x: "bytes of a message",
            y: "bytes/s",
            show_x: &|x| format!("{x:.0}"),
            show_y: &|y| short(*y),
        };
        chart(&area, &title, &axes, &lines)?;
        charts.push(Chart { file, title });
    }
    Ok(charts)
}

/// Latencies over one part in so many that is slower: 2 for the median, 100 for P99.
fn percentiles(runs: &Runs) -> Option<Line> {
    let mut points: Vec<_> = runs
        .percentiles
        .iter()
        .filter_map(|(percentile, micros)| Some((percentile.parse::<f64>().ok()?, *micros)))
        .filter(|(percentile, _)| *percentile < 100.0)
        .map(|(percentile, micros)| (100.0 / (100.0 - percentile), micros))
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    (points.len() > 1).then_some(Line {
        system: runs.system,
        points,
    })
}

#[expect(clippy::cast_precision_loss, reason = "lengths of messages are small")]
fn by_length(swept: &[&Results]) -> Vec<Line> {
    let line = |system| {
        let point = |results: &&Results| {
            let rate = results.of(system)?.sample(Figure::BytesPerSecond).median();
            rate.is_finite().then_some((results.length as f64, rate))
        };
        Line {
            system,
            points: swept.iter().filter_map(point).collect(),
        }
    };
    let lines = [System::Aileron, System::AeronC].map(line);
    lines
        .into_iter()
        .filter(|line| line.points.len() > 1)
        .collect()
}

/// What the axes show.
struct Axes<'a> {
    x: &'a str,
    y: &'a str,
    show_x: &'a dyn Fn(&f64) -> String,
    show_y: &'a dyn Fn(&f64) -> String,
}

fn chart(area: &Area<'_>, title: &str, axes: &Axes<'_>, lines: &[Line]) -> Result<(), Failure> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let range = |of: fn(&Point) -> f64| {
        let least = points().map(of).fold(f64::INFINITY, f64::min);
        let most = points().map(of).fold(0.0, f64::max);
        (least * 0.9, most * 1.1)
    };
    let (x, y) = (range(|point| point.0), range(|point| point.1));
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d((x.0..x.1).log_scale(), (y.0..y.1).log_scale())?;
    chart
        .configure_mesh()
        .x_desc(axes.x)
        .y_desc(axes.y)
        .x_label_formatter(axes.show_x)
        .y_label_formatter(axes.show_y)
        .draw()?;
    for line in lines {
        let color = color(line.system);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), color))?
            .label(line.system.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE)
        .border_style(RGBColor(160, 160, 160))
        .draw()?;
    area.present()?;
    Ok(())
}

fn color(system: System) -> RGBColor {
    let colors = [
        (System::Aileron, RGBColor(0, 98, 204)),
        (System::AeronC, RGBColor(204, 68, 0)),
        (System::Iceoryx2, RGBColor(0, 140, 90)),
        (System::Quinn, RGBColor(140, 60, 160)),
        (System::UringEcho, RGBColor(190, 150, 0)),
    ];
    let own = colors.iter().find(|(of, _)| *of == system);
    own.map_or(RGBColor(120, 120, 120), |(_, color)| *color)
}
