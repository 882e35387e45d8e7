//! The terminal of a person: set up, drawn into, read from, and given back as it was.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::app::{App, Outcome};
use super::sampler::Sampler;
use super::view;
use crate::commands::stop_flag;

/// Longest wait for a key between two looks at whether the process is to end.
const WAIT_MAX: Duration = Duration::from_millis(200);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most of what a terminal tells means nothing here"
)]
/// Looks and draws every `interval`, and whenever a key asks for it.
pub(super) fn run(
    sampler: &mut Sampler,
    app: &mut App,
    interval: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let stop = stop_flag()?;
    app.update(sampler.sample());
    let mut terminal = ratatui::try_init()
        .map_err(|error| format!("cannot use this terminal: {error}; --once needs none"))?;
    let mut watch = || -> std::io::Result<()> {
        let mut next = Instant::now() + interval.min(Duration::from_millis(500));
        terminal.draw(|frame| view::draw(frame, app))?;
        while !stop.load(Ordering::Relaxed) {
            let wait = next.saturating_duration_since(Instant::now());
            let is_dirty = if event::poll(wait.min(WAIT_MAX))? {
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => match app.on_key(key) {
                        Outcome::Quit => return Ok(()),
                        outcome => outcome == Outcome::Draw,
                    },
                    Event::Resize(..) => true,
                    _ => false,
                }
            } else {
                false
            };
            let is_due = Instant::now() >= next;
            if is_due {
                next = Instant::now() + interval;
                app.update(sampler.sample());
            }
            if is_due || is_dirty {
                terminal.draw(|frame| view::draw(frame, app))?;
            }
        }
        Ok(())
    };
    let outcome = watch();
    ratatui::restore();
    Ok(outcome?)
}
