//! A client that checks what arrives: every message whole, every sender's in order, none twice,
//! none missing unless the stream broke, which it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use aileron::{FragmentAssembler, Image, SessionId, StreamId, Subscription};
use aileron_chaos::message::{Flaw, Head};
use clap::Args;

use super::client::{added, connect, has_ended};
use super::{ClientArgs, Order, Orders, die_after, say};

/// Sleep of an idle subscriber.
const BREATH: Duration = Duration::from_micros(300);
/// Fragments of one poll.
const FRAGMENTS: usize = 32;

/// A subscriber.
#[derive(Args, Debug)]
pub(crate) struct Subscriber {
    #[command(flatten)]
    client: ClientArgs,
}

impl Subscriber {
    pub(super) fn play(self) -> Result<(), String> {
        let orders = Orders::listen();
        let client = connect(&self.client, |context| {
            context
                .on_available_image(|image: &Image| say(&format!("image {}", image.session_id())))
                .on_unavailable_image(|image: &Image| {
                    say(&format!("gone {}", image.session_id()));
                })
        })?;
        let (channel, stream) = (&*self.client.channel, StreamId(self.client.stream));
        let mut subscription = added(|| client.add_subscription(channel, stream))
            .map_err(|error| format!("no subscription: {error}"))?;
        announce(&subscription, &self.client.channel);
        let mut assembler = FragmentAssembler::new();
        let mut ledger = Ledger::default();
        loop {
            match orders.next() {
                Order::Over => return Ok(()),
                Order::None => {}
                Order::Line(line) => match line.strip_prefix("die ") {
                    Some(stores) => die_after(stores),
                    None => return Err(format!("no such order: {line}")),
                },
            }
            if has_ended(&client) {
                return Ok(());
            }
            let fragments =
                subscription.poll_assembled(&mut assembler, FRAGMENTS, |message, header| {
                    let image = header.image().map(|image| image.correlation_id().get());
                    ledger.take(message, header.session_id(), image.unwrap_or(0));
                });
            if fragments == 0 {
                std::thread::park_timeout(BREATH);
            }
        }
    }
}

/// Says "ready" and where it listens.
fn announce(subscription: &Subscription, channel: &str) {
    if !channel.starts_with("aeron:udp") {
        say("ready -");
        return;
    }
    loop {
        if let Some(address) = subscription.resolved_endpoint() {
            say(&format!("ready {address}"));
            return;
        }
        if subscription.is_closed() {
            return;
        }
        std::thread::park_timeout(BREATH);
    }
}

/// What has come of one sender.
#[derive(Clone, Copy, Debug)]
struct Account {
    /// Image that the last message came by.
    image: i64,
    /// The message that is due.
    next: u64,
}

/// What has come.
#[derive(Debug, Default)]
struct Ledger {
    accounts: BTreeMap<u32, Account>,
    is_violated: bool,
}

impl Ledger {
    fn take(&mut self, message: &[u8], session: SessionId, image: i64) {
        let outcome = Head::read(message).and_then(|head| self.enter(head, image));
        match outcome {
            Ok((head, is_first)) => {
                if is_first {
                    say(&format!("first {} {} {session}", head.sender, head.number));
                }
                if let Some(total) = head.total {
                    say(&format!("complete {} {total}", head.sender));
                }
            }
            // The first violation is the one that tells something.
            Err(_) if self.is_violated => {}
            Err(flaw) => {
                self.is_violated = true;
                say(&format!("violation session {session}: {flaw}"));
            }
        }
    }

    /// Enters a message; says whether it is the first of its sender on its image.
    fn enter(&mut self, head: Head, image: i64) -> Result<(Head, bool), Flaw> {
        let Some(account) = self.accounts.get_mut(&head.sender) else {
            let next = head.number + 1;
            self.accounts.insert(head.sender, Account { image, next });
            return Ok((head, true));
        };
        let due = account.next;
        let is_first = account.image != image;
        if head.number < due {
            return Err(Flaw::Again { head, due });
        }
        if head.number > due && !is_first {
            return Err(Flaw::Missing { head, due });
        }
        *account = Account {
            image,
            next: head.number + 1,
        };
        Ok((head, is_first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(number: u64) -> Head {
        Head {
            sender: 1,
            number,
            total: None,
        }
    }

    #[test]
    fn gaps_are_forgiven_only_where_the_stream_broke() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.enter(head(5), 1), Ok((head(5), true)));
        assert_eq!(ledger.enter(head(6), 1), Ok((head(6), false)));
        assert!(matches!(
            ledger.enter(head(8), 1),
            Err(Flaw::Missing { .. })
        ));
        assert!(matches!(ledger.enter(head(6), 1), Err(Flaw::Again { .. })));
        assert_eq!(ledger.enter(head(9), 2), Ok((head(9), true)));
        assert!(matches!(ledger.enter(head(9), 3), Err(Flaw::Again { .. })));
    }
}
