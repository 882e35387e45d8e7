//! What clients ask for that cannot be, and how they are told.

use super::habits::is_answerless;
use super::{Outcome, Scene};
use crate::base::StreamId;
use crate::client::{AddError, Client, ExclusivePublication, Pending, Publication, Subscription};
use crate::command::ErrorCode;
use crate::sim::plan::pick;

/// Stream of what cannot be.
const STREAM: StreamId = StreamId(9999);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Publication,
    Exclusive,
    Subscription,
}

use ErrorCode::{GenericError, InvalidChannel, NotSupported, UnknownHost};
use Wish::{Exclusive, Publication as Shared, Subscription as Reader};

/// Wishes that no driver grants, and the code of the answer.
const MISTAKES: &[(Wish, &str, ErrorCode)] = &[
    (Shared, "aeron:udp?endpoint=10.0.0.1", InvalidChannel),
    (Shared, "aeron:udp", InvalidChannel),
    (Shared, "aeron:tcp?endpoint=10.0.0.1:4999", InvalidChannel),
    (
        Shared,
        "aeron:udp?endpoint=10.0.0.1:4999|mtu=100",
        InvalidChannel,
    ),
    (
        Shared,
        "aeron:udp?endpoint=10.0.0.1:4999|mtu=1m",
        InvalidChannel,
    ),
    (
        Shared,
        "aeron:udp?endpoint=10.0.0.1:4999|mtu=much",
        InvalidChannel,
    ),
    (
        Shared,
        "aeron:udp?endpoint=10.0.0.1:4999|term-length=65k",
        InvalidChannel,
    ),
    (Shared, "aeron:ipc?term-length=2g", InvalidChannel),
    (Exclusive, "aeron:ipc?init-term-id=1", InvalidChannel),
    (
        Exclusive,
        "aeron:ipc?init-term-id=1|term-id=x|term-offset=0",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:ipc?init-term-id=1|term-id=0|term-offset=0",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:ipc?init-term-id=1|term-id=1|term-offset=7",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:ipc?init-term-id=1|term-id=1|term-offset=2g",
        InvalidChannel,
    ),
    (Exclusive, "aeron:ipc?session-id=some", InvalidChannel),
    (Exclusive, "aeron:ipc?session-id=tag:77", InvalidChannel),
    (Exclusive, "aeron:ipc?linger=long", InvalidChannel),
    (Exclusive, "aeron:ipc?eos=perhaps", InvalidChannel),
    (Exclusive, "aeron:ipc?sparse=maybe", InvalidChannel),
    (
        Exclusive,
        "aeron:ipc?pub-wnd=1g|term-length=64k",
        InvalidChannel,
    ),
    (Exclusive, "aeron:ipc?pub-wnd=0", InvalidChannel),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|max-resend=0",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|max-resend=few",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|ttl=300",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|so-sndbuf=1k",
        GenericError,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=224.9.9.9:4999|interface={sim0}|fc=best",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=224.9.9.9:4999|interface={sim0}|fc=min,t:x",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=224.9.9.9:4999|interface={sim0}|fc=tagged,g:x",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=224.9.9.9:4999|interface={sim0}|fc=min,g:/x",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=224.9.9.10:4999|interface={sim0}",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=224.9.9.9:4999|interface=10.9.9.9/24",
        InvalidChannel,
    ),
    (Exclusive, "aeron:udp?endpoint=nobody:4999", UnknownHost),
    (
        Exclusive,
        "aeron:udp?control=10.0.0.1:4999|control-mode=free",
        InvalidChannel,
    ),
    (Exclusive, "aeron:udp?control-mode=dynamic", InvalidChannel),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|response-correlation-id=x",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|channel-snd-ts-offset=x",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:70000",
        InvalidChannel,
    ),
    (Exclusive, "aeron:udp?endpoint=[::1:4999", InvalidChannel),
    (Exclusive, "aeron:udp?endpoint=10.0.0.1:0", InvalidChannel),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|fc=max",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|ats=true",
        NotSupported,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|stream-id=5",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|mtu=32k|term-length=64k",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron-spy:aeron:udp?endpoint=10.0.0.1:4999",
        InvalidChannel,
    ),
    (
        Exclusive,
        "aeron:udp?control=10.0.0.1:4999|control-mode=response",
        GenericError,
    ),
    (
        Exclusive,
        "aeron:udp?control=10.0.0.1:4999|control-mode=response|response-correlation-id=7777777777",
        GenericError,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4998|response-correlation-id=7777777778",
        GenericError,
    ),
    (
        Exclusive,
        "aeron:udp?endpoint=10.0.0.1:4999|channel-rcv-ts-offset=0|channel-snd-ts-offset=4",
        InvalidChannel,
    ),
    (Reader, "aeron-spy:aeron:ipc?endpoint", InvalidChannel),
    (Reader, "aeron:udp?endpoint=10.0.0.1", InvalidChannel),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|rcv-wnd=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|session-id=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|reliable=mostly",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|tether=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|rejoin=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|gtag=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|nak-delay=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|untethered-window-limit-timeout=x",
        InvalidChannel,
    ),
    (
        Reader,
        "aeron:udp?endpoint=10.0.0.1:4999|media-rcv-ts-offset=x",
        InvalidChannel,
    ),
    (Reader, "aeron:udp?endpoint=nobody:4999", UnknownHost),
    (Reader, "", InvalidChannel),
    (Reader, "aeron:ipc?session-id=x", InvalidChannel),
    (Reader, "aeron:ipc?tether=x", InvalidChannel),
];

/// Whether a driver's error may be about one of those: it tells of the parameter that is wrong.
pub(in crate::sim) fn is_of_a_mistake(error: &str) -> bool {
    MISTAKES.iter().any(|(_, channel, _)| {
        let last = channel.rsplit(['|', '?']).next().unwrap_or_default();
        let name = last.split('=').next().unwrap_or_default();
        let is_named = !name.is_empty() && error.contains(name);
        is_named || error.starts_with("invalid channel: ")
    })
}

enum Asked {
    Publication(Pending<Publication>),
    Exclusive(Pending<ExclusivePublication>),
    Subscription(Pending<Subscription>),
}

impl Asked {
    /// What the driver said; `None` while it has not said anything. `Ok` if it was granted.
    fn answer(&mut self) -> Option<Result<(), AddError>> {
        match self {
            Self::Publication(pending) => pending.try_get().map(|got| got.map(drop)),
            Self::Exclusive(pending) => pending.try_get().map(|got| got.map(drop)),
            Self::Subscription(pending) => pending.try_get().map(|got| got.map(drop)),
        }
        .transpose()
    }
}

/// A client's wishes that were not answered yet.
#[derive(Default)]
pub(super) struct Mistakes {
    asked: Vec<(Asked, &'static str, ErrorCode)>,
    /// The client gave up on an answer: the clock was set, or it stood still.
    has_given_up: bool,
}

impl Mistakes {
    /// Whether there are any, or were.
    pub(super) const fn has_unanswered(&self) -> bool {
        !self.asked.is_empty() || self.has_given_up
    }

    /// A turn.
    pub(super) fn work(
        &mut self,
        number: usize,
        client: &Client,
        scene: &mut Scene<'_>,
    ) -> Outcome {
        let chance = scene.plan.clients[number].habits.mistakes;
        if chance == 0 {
            return Ok(());
        }
        if scene.habits.chance(chance, 1000) {
            let (wish, channel, code) = *pick(scene.habits, MISTAKES);
            let asked = match wish {
                Wish::Publication => client
                    .add_publication_async(channel, STREAM)
                    .map(Asked::Publication),
                Exclusive => client
                    .add_exclusive_publication_async(channel, STREAM)
                    .map(Asked::Exclusive),
                Wish::Subscription => client
                    .add_subscription_async(channel, STREAM)
                    .map(Asked::Subscription),
            };
            self.asked
                .extend(asked.ok().map(|asked| (asked, channel, code)));
        }
        let mut outcome = Ok(());
        self.asked.retain_mut(|(asked, channel, code)| {
            let Some(answer) = asked.answer() else {
                return true;
            };
            let wrong = match answer {
                Ok(()) => Some("it was granted".to_owned()),
                Err(AddError::Registration(refusal)) if refusal.code == *code => {
                    scene.ledgers.expect_error(refusal.message);
                    None
                }
                Err(error) if is_answerless(&error) => {
                    self.has_given_up = true;
                    None
                }
                Err(error) => Some(error.to_string()),
            };
            if let Some(wrong) = wrong {
                outcome = Err(format!("client {number} asked for '{channel}': {wrong}"));
            }
            false
        });
        outcome
    }
}
