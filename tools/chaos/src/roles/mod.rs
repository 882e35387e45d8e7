//! What the processes of a round do: this executable again, in a role.
//!
//! A role says what happens to it on standard output, a line each, takes orders on standard input,
//! and ends when that ends. So nobody outlives the round, not even one that was interrupted.
//!
//! | Line | Of | Meaning |
//! |---|---|---|
//! | `ready …` | all | the driver serves; the client is connected and has what it came for |
//! | `told …` | clients | a failure was reported to the client, see [`cause`] |
//! | `connected`, `disconnected` | publisher | what the publication says of itself |
//! | `sent <total>` | publisher | it has sent its last message |
//! | `image <session>`, `gone <session>` | subscriber | an image came, or went |
//! | `first <sender> <number>` | subscriber | the first message of a sender on an image |
//! | `complete <sender> <total>` | subscriber | the last message of a sender |
//! | `violation …` | subscriber | a message that must not have come like this |
//! | `ended …` | clients | the client closed by itself, and why |
//!
//! | Order | To | Meaning |
//! |---|---|---|
//! | `finish` | publisher | send a last message, then no more |
//! | `die <stores>` | clients | die at a store, see `aileron::memory::die_after_stores` |
//! | `step <ms>` | all | step the wall clock |
//! | `files <count>` | driver | let it have so many files open, besides those it has |

mod adder;
mod client;
mod driver;
mod publisher;
mod subscriber;

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use clap::{Args, Subcommand};

/// A role and what it needs.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// A media driver.
    #[command(hide = true)]
    Driver(driver::Driver),
    /// A client that sends numbered messages.
    #[command(hide = true)]
    Publisher(publisher::Publisher),
    /// A client that checks them.
    #[command(hide = true)]
    Subscriber(subscriber::Subscriber),
    /// A client that adds and drops things.
    #[command(hide = true)]
    Adder(adder::Adder),
}

impl Role {
    /// Plays the role to its end.
    ///
    /// # Errors
    /// It could not begin, or not go on.
    pub(crate) fn play(self) -> Result<(), String> {
        match self {
            Self::Driver(role) => role.play(),
            Self::Publisher(role) => role.play(),
            Self::Subscriber(role) => role.play(),
            Self::Adder(role) => role.play(),
        }
    }
}

/// What every client is given.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// Directory of the driver
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// How old the driver's heartbeat may get, in milliseconds
    #[arg(long)]
    pub(crate) driver_timeout: u64,
    /// How often the client shows itself and looks at the driver, in milliseconds
    #[arg(long)]
    pub(crate) keepalive: u64,
    /// Channel
    #[arg(long, default_value = "aeron:ipc")]
    pub(crate) channel: String,
    /// Stream id
    #[arg(long, default_value_t = 1001)]
    pub(crate) stream: i32,
}

/// Variable that makes the roles misbehave, so that it shows whether the checks see it:
///
/// | Value | What a role does |
/// |---|---|
/// | `lose` | a publisher leaves a message out |
/// | `twice` | a publisher sends a message again |
/// | `damage` | a publisher changes a byte |
/// | `leak` | a driver keeps a file open |
/// | `mute` | a client does not say what it was told |
const SABOTAGE: &str = "AILERON_CHAOS_SABOTAGE";

/// Whether this process is to misbehave in this way.
fn is_sabotaged(way: &str) -> bool {
    std::env::var(SABOTAGE).is_ok_and(|value| value == way)
}

/// Tells whoever started this process.
pub(crate) fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    // Who does not listen any more has closed standard input too.
    let _ = writeln!(out, "{words}").and_then(|()| out.flush());
}

/// Orders from standard input. Steps of the clock are made at once, by the thread that reads.
#[derive(Debug)]
pub(crate) struct Orders(Receiver<String>);

/// What standard input has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    None,
    Line(String),
    Over,
}

impl Orders {
    pub(crate) fn listen() -> Self {
        let (sender, orders) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if let Some(ms) = line.strip_prefix("step ") {
                    step_clock(ms.parse().unwrap_or(0));
                } else if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(orders)
    }

    pub(crate) fn next(&self) -> Order {
        match self.0.try_recv() {
            Ok(line) => Order::Line(line),
            Err(TryRecvError::Empty) => Order::None,
            Err(TryRecvError::Disconnected) => Order::Over,
        }
    }

    /// The next order, if one comes in time.
    pub(crate) fn wait(&self, limit: Duration) -> Order {
        use std::sync::mpsc::RecvTimeoutError;
        match self.0.recv_timeout(limit) {
            Ok(line) => Order::Line(line),
            Err(RecvTimeoutError::Timeout) => Order::None,
            Err(RecvTimeoutError::Disconnected) => Order::Over,
        }
    }
}

#[cfg(feature = "fault-hooks")]
fn step_clock(ms: i64) {
    aileron::runtime::step_epoch_clock(ms);
}

#[cfg(not(feature = "fault-hooks"))]
fn step_clock(_: i64) {
    say("violation the clock does not step in this build");
}

/// Obeys `die <stores>`: the next stores of this thread are its last.
#[cfg(feature = "fault-hooks")]
fn die_after(stores: &str) {
    aileron::memory::die_after_stores(stores.parse().unwrap_or(0));
}

#[cfg(not(feature = "fault-hooks"))]
fn die_after(_: &str) {
    say("violation nobody dies at a store in this build");
}
