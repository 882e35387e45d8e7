//! A client that adds and drops things, until it is refused, or dies of it.

use aileron::StreamId;
use clap::Args;

use super::client::{connect, has_ended};
use super::{ClientArgs, Order, Orders, die_after, say};

/// An adder. Orders: `add <channel>` adds publications, stream after stream, until one is refused;
/// `churn` adds and drops everything there is until it is told to stop; `drop` lets go of all.
#[derive(Args, Debug)]
pub(crate) struct Adder {
    #[command(flatten)]
    client: ClientArgs,
}

/// Port that the first publication of `add` sends to, where nobody listens.
const PORT_FIRST: i32 = 2_000;
/// Publications that `add` adds at most.
const ADDED_MAX: i32 = 400;

impl Adder {
    pub(super) fn play(self) -> Result<(), String> {
        let orders = Orders::listen();
        let client = connect(&self.client, |context| context)?;
        say("ready");
        let mut publications = Vec::new();
        let mut is_churning = false;
        loop {
            let order = if is_churning {
                orders.next()
            } else {
                orders.wait(std::time::Duration::from_millis(5))
            };
            match order {
                Order::Over => return Ok(()),
                Order::None => {}
                Order::Line(line) if line == "churn" => is_churning = true,
                Order::Line(line) if line == "drop" => publications.clear(),
                Order::Line(line) => {
                    if let Some(channel) = line.strip_prefix("add ") {
                        self.add(&client, channel, &mut publications);
                    } else if let Some(stores) = line.strip_prefix("die ") {
                        die_after(stores);
                    } else {
                        return Err(format!("no such order: {line}"));
                    }
                }
            }
            if has_ended(&client) {
                return Ok(());
            }
            if is_churning {
                self.churn(&client);
            }
        }
    }

    /// Adds publications until one is refused, and says so.
    fn add(
        &self,
        client: &aileron::Client,
        channel: &str,
        publications: &mut Vec<aileron::ExclusivePublication>,
    ) {
        for number in 0..ADDED_MAX {
            // Each on a port, and so a socket, of its own.
            let channel = channel.replace("{n}", &(PORT_FIRST + number).to_string());
            match client.add_exclusive_publication(channel, StreamId(self.client.stream)) {
                Ok(publication) => publications.push(publication),
                Err(error) => {
                    say(&format!("refused {} {error}", publications.len()));
                    return;
                }
            }
        }
        say(&format!("added {}", publications.len()));
    }

    /// Adds one of everything, and drops it. Refusals are no concern here.
    fn churn(&self, client: &aileron::Client) {
        let (channel, stream) = (&*self.client.channel, StreamId(self.client.stream));
        let publication = client.add_publication(channel, stream);
        if let Ok(publication) = &publication {
            let _ = publication.offer(b"nobody is to get this");
        }
        let counter = client.add_counter(1001, b"chaos", "chaos");
        let subscription = client.add_subscription(channel, stream);
        drop((publication, counter, subscription));
    }
}
