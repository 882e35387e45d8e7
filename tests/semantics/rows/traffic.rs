//! What rows about streams share: numbered messages, and readers that miss none and take none
//! twice.

use std::collections::BTreeMap;

use crate::peer::*;
use crate::world::*;

/// Bytes of a message of [`Writer`]: with its header, sixty-four of them fill a small term.
const MESSAGE_LENGTH: usize = 992;
/// Bytes that such a message advances a stream by.
pub(crate) const MESSAGE_FRAME_LENGTH: u64 = 1024;
/// Messages that fill three small terms.
pub(crate) const THREE_TERMS: u64 = 3 * 64;

/// A publication of messages that say their number.
pub(crate) struct Writer {
    pub(crate) publication: Publication,
    next: u64,
}

impl Writer {
    pub(crate) const fn new(publication: Publication) -> Self {
        Self {
            publication,
            next: 0,
        }
    }

    /// Messages sent, or skipped.
    pub(crate) const fn count(&self) -> u64 {
        self.next
    }

    /// Goes on with the message of that number.
    pub(crate) const fn skip_to(&mut self, number: u64) {
        self.next = number;
    }

    /// Offers the next message once.
    pub(crate) fn offer(&mut self) -> Offered {
        let mut message = [0x5a; MESSAGE_LENGTH];
        message[..8].copy_from_slice(&self.next.to_le_bytes());
        let offered = self.publication.offer(&message);
        if matches!(offered, Offered::Position(_)) {
            self.next += 1;
        }
        offered
    }

    /// Offers the next message until it is taken; `meanwhile` runs between attempts.
    pub(crate) fn send(&mut self, mut meanwhile: impl FnMut()) {
        wait_until("room for a message", || match self.offer() {
            Offered::Position(_) => true,
            Offered::BackPressured | Offered::NotConnected | Offered::AdminAction => {
                meanwhile();
                false
            }
            other @ (Offered::Closed | Offered::MaxPositionExceeded | Offered::Invalid(_)) => {
                panic!("message {}: {other:?}", self.next)
            }
        });
    }
}

/// A subscription to [`Writer`]s.
pub(crate) struct Reader {
    pub(crate) subscription: Subscription,
    next: BTreeMap<i32, u64>,
    count: u64,
}

impl Reader {
    pub(crate) const fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            next: BTreeMap::new(),
            count: 0,
        }
    }

    /// Messages read.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Takes what there is; of each session message follows message.
    pub(crate) fn poll(&mut self) -> usize {
        let Self {
            subscription,
            next,
            count,
        } = self;
        subscription.poll(64, |payload, header| {
            let (number, filler) = payload.split_first_chunk().expect("a number");
            let number = u64::from_le_bytes(*number);
            let next = next.entry(header.session_id).or_insert(number);
            assert_eq!(number, *next, "of session {}", header.session_id);
            assert!(filler.iter().all(|byte| *byte == 0x5a));
            *next += 1;
            *count += 1;
        })
    }

    /// Begins anew with a session that it lost.
    pub(crate) fn forget(&mut self, session_id: i32) {
        self.next.remove(&session_id);
    }

    /// Whether it has read everything of a writer.
    pub(crate) fn is_level_with(&self, writer: &Writer) -> bool {
        self.next.get(&writer.publication.session_id()) == Some(&writer.next)
    }
}

/// Sends `count` messages, which all readers read at once. None falls behind far: where the fastest
/// receiver sets the pace, that would be the end of the others.
pub(crate) fn exchange(writer: &mut Writer, readers: &mut [&mut Reader], count: u64) {
    for sent in 1..=count {
        writer.send(|| poll_all(readers));
        if sent % 8 == 0 || sent == count {
            catch_up(writer, readers);
        }
    }
}

/// Reads until nothing is left.
pub(crate) fn catch_up(writer: &Writer, readers: &mut [&mut Reader]) {
    wait_until("all messages", || {
        poll_all(readers);
        readers.iter().all(|reader| reader.is_level_with(writer))
    });
}

/// Polls each reader once.
pub(crate) fn poll_all(readers: &mut [&mut Reader]) {
    for reader in readers {
        reader.poll();
    }
}

/// A publication to destinations that are added by hand.
pub(crate) const MANUAL: &str = "aeron:udp?control-mode=manual";

/// A channel of a publication to whoever asks at its control address, and of those who ask there;
/// subscriptions want `endpoint=localhost:0` besides.
pub(crate) fn dynamic() -> String {
    format!(
        "aeron:udp?control=localhost:{}|control-mode=dynamic",
        free_port()
    )
}

/// Type ids of counters.
pub(crate) mod counter_type {
    /// A counter of the driver as a whole.
    pub(crate) const SYSTEM: i32 = 0;
    /// Position of a subscriber.
    pub(crate) const SUBSCRIBER_POSITION: i32 = 4;
    /// Position up to which a publication was sent.
    pub(crate) const SENDER_POSITION: i32 = 2;
    /// Position up to which an image has heard of its stream.
    pub(crate) const RECEIVER_HWM: i32 = 3;
    /// Position up to which an image has everything.
    pub(crate) const RECEIVER_POSITION: i32 = 5;
    /// Address that a socket is bound to.
    pub(crate) const LOCAL_ADDRESS: i32 = 14;
    /// A name in the table of the resolver.
    pub(crate) const NAME_ENTRY: i32 = 2001;
    /// State of an endpoint that sends.
    pub(crate) const SEND_CHANNEL_STATUS: i32 = 6;
}

/// How far flow control lets a publication go on.
pub(crate) fn window_of(publication: &Publication) -> i64 {
    publication.limit() - publication.position()
}

/// Waits for what the driver was asked for.
pub(crate) fn finish<T>(mut pending: Pending<T>) -> T {
    wait_for("the driver's answer", || pending.poll().expect("granted"))
}

/// The time limits for untethered subscribers (window, linger, resting; nanoseconds) in the log of
/// `id` below `folder`.
pub(crate) fn untethered_timeouts(world: &World, folder: &str, id: i64) -> [i64; 3] {
    let path = world.dir().join(folder).join(format!("{id}.logbuffer"));
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("a log");
    let length = file.metadata().expect("its length").len();
    let length = usize::try_from(length).expect("a small file");
    let buffer = aileron::memory::map_file(&file, length).expect("a mapping");
    let log = aileron::logbuffer::LogBuffer::attach(buffer).expect("a valid log");
    let metadata = log.metadata();
    [
        metadata.untethered_window_limit_timeout_ns(),
        metadata.untethered_linger_timeout_ns(),
        metadata.untethered_resting_timeout_ns(),
    ]
}

/// `channel` with more parameters.
pub(crate) fn with(channel: &str, parameters: &str) -> String {
    let separator = if channel.contains('?') { '|' } else { '?' };
    format!("{channel}{separator}{parameters}")
}

/// The code of a refusal that the driver counts and records as an error.
pub(crate) fn refused<T>(world: &World, add: impl FnOnce() -> Result<T, Refusal>) -> i32 {
    let errors = world.system_counter(SystemCounter::Errors);
    let Err(refusal) = add() else {
        panic!("granted");
    };
    wait_until("the error to be counted", || {
        world.system_counter(SystemCounter::Errors) == errors + 1
    });
    let recorded = wait_for("the error to be recorded", || {
        let mut texts = world.errors().into_iter();
        texts.find(|text| refusal.text.contains(text))
    });
    world.expect_error(&recorded);
    refusal.code
}
