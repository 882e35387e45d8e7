//! Lines from and to the test that started a peer.
//!
//! A peer reports on standard output, one fact a line, and takes orders on standard input. The end
//! of standard input means stop, so no peer outlives the test that started it.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

/// Prints a line at once.
///
/// A closed standard output is no concern of a peer: its standard input ends at the same time.
pub fn report(line: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    drop(written);
}

/// What standard input has for the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Nothing for now.
    None,
    /// A line.
    Line(String),
    /// Standard input has ended.
    Stop,
}

/// Standard input, read without blocking.
///
/// ```no_run
/// use aileron_interop::console::{Orders, Order};
///
/// let orders = Orders::listen();
/// while orders.next() != Order::Stop {}
/// ```
#[derive(Debug)]
pub struct Orders(Receiver<String>);

impl Orders {
    /// Starts to read standard input.
    #[must_use]
    pub fn listen() -> Self {
        let (lines, orders) = mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self(orders)
    }

    /// The next order, if there is one.
    #[must_use]
    pub fn next(&self) -> Order {
        match self.0.try_recv() {
            Ok(line) => Order::Line(line),
            Err(TryRecvError::Empty) => Order::None,
            Err(TryRecvError::Disconnected) => Order::Stop,
        }
    }

    /// Waits for the next line; `None` once standard input has ended.
    #[must_use]
    pub fn wait(&self) -> Option<String> {
        self.0.recv().ok()
    }

    /// Waits for standard input to end; lines before are ignored.
    pub fn wait_for_stop(&self) {
        while self.wait().is_some() {}
    }
}

/// Backs off while there is nothing to do.
#[derive(Debug, Default)]
pub struct Idle(u32);

impl Idle {
    /// After a round that did `work` pieces of work.
    pub fn idle(&mut self, work: usize) {
        if work > 0 {
            self.0 = 0;
            return;
        }
        self.0 = self.0.saturating_add(1);
        match self.0 {
            0..=20 => std::thread::yield_now(),
            _ => std::thread::park_timeout(Duration::from_micros(100)),
        }
    }
}
