//! `aileron top`: a live view of a driver and its streams.
//!
//! ```text
//!   Snapshot, /proc ──▶ Sampler ──▶ Model ──▶ App ──▶ view ──▶ terminal, text or SVG
//!                                     keys ───▲
//! ```
//!
//! A [`Model`] is what there is to show at one moment, with rates and histories worked out. The
//! [`App`] is what the person made of it: order, filter, selection, page. `view` draws both into a
//! buffer of cells and knows neither the driver nor the terminal; so screens are tested cell by
//! cell, and a picture of one is the same buffer written as SVG.

mod app;
mod model;
mod sampler;
mod svg;
mod terminal;
mod threads;
mod view;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use crate::cli::{CommandResult, Common, Outcome};
use crate::commands::{print, print_json, stop_flag};
use app::App;
use sampler::Sampler;

/// Options of `top`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Milliseconds between two looks
    #[arg(short, long, value_name = "MS", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(50..))]
    interval: u64,

    /// Show only streams whose channel, stream, session or kind contains this
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    filter: String,

    /// Order: rate, used, naks, stream, channel
    #[arg(short, long, value_name = "COLUMN", default_value = "rate",
        value_parser = app::Order::parse)]
    sort: app::Order,

    /// Print the screen as text and end; needs no terminal
    #[arg(long)]
    once: bool,

    /// Write the screen to a file as an SVG picture and end
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Size of the screen with --once and --svg
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "100x30", value_parser = parse_size)]
    size: (u16, u16),

    /// With --once, --svg and --json: how often to look before; rates need two
    #[arg(long, value_name = "COUNT", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    looks: u32,

    /// With --once and --svg: the page of the first stream instead of the list
    #[arg(long)]
    detail: bool,
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let (columns, rows) = text
        .split_once('x')
        .ok_or("not COLUMNSxROWS, such as 80x24")?;
    let number = |text: &str| {
        text.parse::<u16>()
            .map_err(|error| format!("{text}: {error}"))
    };
    let (columns, rows) = (number(columns)?, number(rows)?);
    if !(40..=500).contains(&columns) || !(10..=300).contains(&rows) {
        return Err(format!("{columns}x{rows} is not between 40x10 and 500x300"));
    }
    Ok((columns, rows))
}

/// Watches until asked to stop.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    let mut sampler = Sampler::new(directory);
    let mut app = App::new(&arguments.filter, arguments.sort);
    let interval = Duration::from_millis(arguments.interval);
    if arguments.once || arguments.svg.is_some() || common.json {
        app.update(sampler.sample());
        let stop = stop_flag()?;
        for _ in 1..arguments.looks {
            crate::commands::pause(interval, &stop);
            app.update(sampler.sample());
        }
        if arguments.detail {
            app.open_selected();
        }
        if common.json {
            print_json(&app.model().to_json())?;
            return Ok(Outcome::Fine);
        }
        let screen = draw(&app, arguments.size)?;
        match &arguments.svg {
            Some(path) => std::fs::write(path, svg::render(&screen))
                .map_err(|error| crate::cli::failed(path, &error))?,
            None => print(&text_of(&screen))?,
        }
        return Ok(Outcome::Fine);
    }
    terminal::run(&mut sampler, &mut app, interval)?;
    Ok(Outcome::Fine)
}

/// The screen as it would be in a terminal of this size.
fn draw(app: &App, (columns, rows): (u16, u16)) -> Result<Buffer, Box<dyn std::error::Error>> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows))?;
    terminal.draw(|frame| view::draw(frame, app))?;
    Ok(terminal.backend().buffer().clone())
}

/// The characters of a screen, without what pads its lines.
fn text_of(screen: &Buffer) -> String {
    let width = usize::from(screen.area.width.max(1));
    let lines = screen.content.chunks(width).map(|cells| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}
