//! When the machine stood still: a thread that wants to wake every few milliseconds, and notes when
//! it could not. Timeouts that were missed by a machine that did not run are nobody's fault.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between wakings.
const PERIOD: Duration = Duration::from_millis(5);
/// What is worth noting.
const NOTED: Duration = Duration::from_millis(40);
/// Stalls kept.
const KEPT_MAX: usize = 10_000;

/// Stalls so far: when each was over, and how long it was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stalls(Arc<Mutex<Vec<(Instant, Duration)>>>);

impl Stalls {
    /// Starts to watch, until the process ends.
    pub(crate) fn watch() -> Self {
        let stalls = Self::default();
        let noted = stalls.clone();
        std::thread::spawn(move || {
            loop {
                let start = Instant::now();
                std::thread::sleep(PERIOD);
                let late = start.elapsed().saturating_sub(PERIOD);
                if late >= NOTED {
                    let mut list = noted.0.lock().unwrap_or_else(PoisonError::into_inner);
                    if list.len() < KEPT_MAX {
                        list.push((Instant::now(), late));
                    }
                }
            }
        });
        stalls
    }

    /// The longest stall since then.
    pub(crate) fn worst_since(&self, since: Instant) -> Duration {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let worst = list.iter().filter(|(end, _)| *end >= since);
        worst.map(|(_, late)| *late).max().unwrap_or_default()
    }
}
