//! The plot of `docs/loss-recovery.md`: goodput and longest stall by loss and round trip.

use std::fmt::Write as _;

use super::Args;

/// Percent of datagrams lost, each way.
const LOSSES: [f64; 8] = [0.1, 0.3, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0];
/// Milliseconds, and the colour of the lines.
const ROUND_TRIPS: [(i64, &str); 3] = [(20, "#0a7"), (100, "#06c"), (250, "#c30")];
const WINDOW_LENGTH: i32 = 1024 * 1024;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const PANEL_STEP: f64 = 560.0;

/// One line of the plot.
struct Line {
    rtt_ms: i64,
    colour: &'static str,
    recovers: bool,
    /// For each loss: bytes per second, longest stall in milliseconds.
    points: Vec<(f64, f64)>,
}

/// Measures, and draws.
pub(super) fn draw(args: &Args) -> Result<String, String> {
    let mut lines = Vec::new();
    for (rtt_ms, colour) in ROUND_TRIPS {
        for recovers in [false, true] {
            let mut points = Vec::new();
            for loss in LOSSES {
                let report = args.path(rtt_ms, loss, WINDOW_LENGTH, recovers).run()?;
                #[expect(clippy::cast_precision_loss, reason = "a stall in milliseconds")]
                let stall_ms = report.stall_ns(1.0) as f64 / 1e6;
                points.push((report.goodput(), stall_ms));
            }
            lines.push(Line {
                rtt_ms,
                colour,
                recovers,
                points,
            });
        }
    }
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1120\" height=\"470\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"1120\" height=\"470\" fill=\"white\"/>\n",
    );
    let title = format!(
        "Simulated, window {} KiB, MTU 1408, seed {}, {} round trips a point; loss each way",
        WINDOW_LENGTH / 1024,
        args.seed,
        args.round_trips
    );
    text(&mut svg, LEFT, 20.0, "start", &title);
    let goodput = |point: &(f64, f64)| point.0;
    panel(
        &mut svg,
        LEFT,
        "goodput, bytes per second",
        (1e4, 1e8),
        &lines,
        goodput,
    );
    let stall = |point: &(f64, f64)| point.1;
    panel(
        &mut svg,
        LEFT + PANEL_STEP,
        "longest stall, milliseconds",
        (1e0, 1e4),
        &lines,
        stall,
    );
    legend(&mut svg, &lines);
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn panel(
    svg: &mut String,
    left: f64,
    title: &str,
    (low, high): (f64, f64),
    lines: &[Line],
    value: impl Fn(&(f64, f64)) -> f64,
) {
    text(svg, left, TOP - 10.0, "start", title);
    let (first, last) = (LOSSES[0], LOSSES[LOSSES.len() - 1]);
    let x = |loss: f64| left + WIDTH * (loss / first).ln() / (last / first).ln();
    let y = |value: f64| {
        let share = (value.clamp(low, high) / low).ln() / (high / low).ln();
        TOP + HEIGHT * (1.0 - share)
    };
    let mut tick = low;
    while tick <= high * 1.001 {
        rule(svg, (left, y(tick)), (left + WIDTH, y(tick)));
        text(svg, left - 6.0, y(tick) + 4.0, "end", &format!("{tick:e}"));
        tick *= 10.0;
    }
    for loss in LOSSES {
        rule(svg, (x(loss), TOP), (x(loss), TOP + HEIGHT));
        text(
            svg,
            x(loss),
            TOP + HEIGHT + 16.0,
            "middle",
            &format!("{loss}%"),
        );
    }
    for line in lines {
        let points = line.points.iter().zip(LOSSES);
        let points = points.map(|(point, loss)| format!("{:.1},{:.1}", x(loss), y(value(point))));
        let points = points.collect::<Vec<_>>().join(" ");
        let _infallible = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{} points=\"{points}\"/>",
            line.colour,
            dashes(line.recovers)
        );
    }
}

fn legend(svg: &mut String, lines: &[Line]) {
    let mut left = LEFT;
    for line in lines {
        let at = TOP + HEIGHT + 50.0;
        let _infallible = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{at}\" x2=\"{}\" y2=\"{at}\" stroke=\"{}\" \
             stroke-width=\"2\"{}/>",
            left + 30.0,
            line.colour,
            dashes(line.recovers)
        );
        let how = if line.recovers { "all gaps" } else { "one gap" };
        let name = format!("{} ms, {how}", line.rtt_ms);
        text(svg, left + 36.0, at + 4.0, "start", &name);
        left += 165.0;
    }
}

const fn dashes(recovers: bool) -> &'static str {
    if recovers {
        ""
    } else {
        " stroke-dasharray=\"6 4\""
    }
}

fn rule(svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _infallible = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _infallible = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}
