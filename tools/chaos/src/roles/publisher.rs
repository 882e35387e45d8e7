//! A client that sends numbered messages for as long as it may.

use std::time::Duration;

use aileron::{Client, ExclusivePublication, OfferError, Position, Publication, StreamId};
use aileron_chaos::message::Head;
use clap::Args;

use super::client::{added, connect, has_ended};
use super::{ClientArgs, Order, Orders, die_after, is_sabotaged, say};

/// The message that sabotage is about.
const SABOTAGED: u64 = 50;
/// Messages of one burst.
const BURST: u32 = 3;

/// A publisher.
#[derive(Args, Debug)]
pub(crate) struct Publisher {
    #[command(flatten)]
    client: ClientArgs,
    /// Number of this publisher in its messages
    #[arg(long)]
    sender: u32,
    /// Use an exclusive publication
    #[arg(long)]
    exclusive: bool,
    /// Time between bursts of three messages, in microseconds
    #[arg(long, default_value_t = 500)]
    breath: u64,
}

/// A publication of either kind.
enum Outlet {
    Shared(Publication),
    Exclusive(ExclusivePublication),
}

impl Outlet {
    fn is_connected(&self) -> bool {
        match self {
            Self::Shared(publication) => publication.is_connected(),
            Self::Exclusive(publication) => publication.is_connected(),
        }
    }

    fn max_payload_length(&self) -> usize {
        match self {
            Self::Shared(publication) => publication.max_payload_length(),
            Self::Exclusive(publication) => publication.max_payload_length(),
        }
    }

    fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        match self {
            Self::Shared(publication) => publication.offer(message),
            Self::Exclusive(publication) => publication.offer(message),
        }
    }

    fn claim(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        let mut claim = match self {
            Self::Shared(publication) => publication.try_claim(message.len())?,
            Self::Exclusive(publication) => publication.try_claim(message.len())?,
        };
        claim.copy_from_slice(message);
        Ok(claim.commit())
    }
}

/// A publisher at work.
struct Work {
    client: Client,
    outlet: Outlet,
    head: Head,
    message: Vec<u8>,
    /// Whether `message` is the one of `head`.
    is_written: bool,
    is_connected: bool,
    is_finishing: bool,
    /// Whether the sabotaged message has been sent once.
    has_repeated: bool,
}

impl Publisher {
    pub(super) fn play(self) -> Result<(), String> {
        let orders = Orders::listen();
        let client = connect(&self.client, |context| context)?;
        let (channel, stream) = (&*self.client.channel, StreamId(self.client.stream));
        let outlet = if self.exclusive {
            added(|| client.add_exclusive_publication(channel, stream)).map(Outlet::Exclusive)
        } else {
            added(|| client.add_publication(channel, stream)).map(Outlet::Shared)
        };
        let outlet = outlet.map_err(|error| format!("no publication: {error}"))?;
        say("ready");
        let mut work = Work {
            client,
            outlet,
            head: Head {
                sender: self.sender,
                number: 0,
                total: None,
            },
            message: Vec::new(),
            is_written: false,
            is_connected: false,
            is_finishing: false,
            has_repeated: false,
        };
        loop {
            match orders.next() {
                Order::Over => return Ok(()),
                Order::None => {}
                Order::Line(line) if line == "finish" => work.finish(),
                Order::Line(line) => match line.strip_prefix("die ") {
                    Some(stores) => die_after(stores),
                    None => return Err(format!("no such order: {line}")),
                },
            }
            if !work.step()? {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_micros(self.breath));
        }
    }
}

impl Work {
    /// The message under way becomes the last one.
    fn finish(&mut self) {
        self.is_finishing = true;
        self.is_written = false;
        self.head.total = Some(self.head.number + 1);
    }

    fn is_done(&self) -> bool {
        self.head.total == Some(self.head.number)
    }

    /// Sends a burst. Returns whether to go on.
    fn step(&mut self) -> Result<bool, String> {
        if has_ended(&self.client) {
            return Ok(false);
        }
        if self.outlet.is_connected() != self.is_connected {
            self.is_connected = !self.is_connected;
            say(if self.is_connected {
                "connected"
            } else {
                "disconnected"
            });
        }
        for _ in 0..BURST {
            if self.is_done() || !self.is_connected || !self.send()? {
                break;
            }
        }
        Ok(true)
    }

    /// Sends the next message; returns whether it went.
    fn send(&mut self) -> Result<bool, String> {
        if !self.is_written {
            if self.head.number == SABOTAGED && is_sabotaged("lose") {
                self.head.number += 1;
            }
            self.head.write(&mut self.message);
            if self.head.number == SABOTAGED && is_sabotaged("damage") {
                self.message[20] ^= 1;
            }
            self.is_written = true;
        }
        let claims = self.head.number.is_multiple_of(2)
            && self.message.len() <= self.outlet.max_payload_length();
        let sent = if claims {
            self.outlet.claim(&self.message)
        } else {
            self.outlet.offer(&self.message)
        };
        match sent {
            Ok(_)
                if self.head.number == SABOTAGED && is_sabotaged("twice") && !self.has_repeated =>
            {
                self.has_repeated = true;
                Ok(true)
            }
            Ok(_) => {
                self.head.number += 1;
                self.is_written = false;
                if self.is_finishing {
                    say(&format!("sent {}", self.head.number));
                }
                Ok(true)
            }
            // What the client was told comes on its own line.
            Err(OfferError::Closed) => Ok(false),
            Err(error) if error.is_retryable() => Ok(false),
            Err(error) => Err(format!("message {}: {error}", self.head.number)),
        }
    }
}
