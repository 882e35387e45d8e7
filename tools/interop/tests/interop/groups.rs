//! Flow control of groups with a member of either side: the slow one holds all back; the dead one,
//! the one that rejects the stream, and who is not a member hold back nobody.

use std::time::{Duration, Instant};

use crate::harness::{Counter, Driver, Media, Peer, Session, Side, free_port};

const SIZES: &[usize] = &[16, 31, 1376, 1377, 8 << 10];
/// Messages of a stream: many times what fits its windows.
const COUNT: u64 = 600;
const STREAM: i32 = 8101;
/// A sender may be so far ahead of the slowest member: the window of a receiver of 64 KiB terms.
const WINDOW: i64 = 32 << 10;
/// After which a member that has gone silent is one no more.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(3);
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.threading.mode", "SHARED"),
    ("aeron.image.liveness.timeout", "10s"),
    ("aeron.publication.linger.timeout", "200ms"),
];

/// Types of counters.
const SENDER_POSITION: i32 = 2;
const SUBSCRIBER_POSITION: i32 = 4;
const SENDER_LIMIT: i32 = 9;
const RECEIVERS: i32 = 17;

/// How the group is reached.
#[derive(Clone, Copy, Debug)]
enum Reach {
    Multicast,
    Dynamic,
}

/// A publisher and its group.
struct Group {
    publishing: Driver,
    members: Vec<Member>,
    publisher: Peer,
    /// What the publisher's driver has to record.
    errors: i64,
}

struct Member {
    driver: Driver,
    peer: Peer,
}

impl Group {
    /// A publisher of `from`, waiting for the order to send to a receiver of each of `members`: its
    /// side, and its channel's parameters.
    fn form(from: Side, reach: Reach, fc: &str, members: &[(Side, &str)]) -> Self {
        let publishing = Driver::launch(from, SETTINGS);
        let port = free_port();
        let (publication, subscription) = match reach {
            Reach::Multicast => {
                let channel = format!("aeron:udp?endpoint=224.20.30.41:{port}|interface=127.0.0.1");
                (channel.clone(), channel)
            }
            Reach::Dynamic => (
                format!("aeron:udp?control=127.0.0.1:{port}|control-mode=dynamic"),
                format!("aeron:udp?endpoint=127.0.0.1:0|control=127.0.0.1:{port}"),
            ),
        };
        let members: Vec<_> = members
            .iter()
            .map(|(side, parameters)| {
                let driver = Driver::launch(*side, SETTINGS);
                let channel = format!("{subscription}{parameters}");
                let session = session(&publishing, *side, &driver);
                let (peer, _) = session.start_subscriber_at(&channel);
                Member { driver, peer }
            })
            .collect();
        let channel = format!("{publication}|fc={fc}|term-length=64k");
        let session = session(&publishing, from, &publishing);
        let (mut publisher, _) = session.start_publisher_at(&channel, STREAM, &["--gated"]);
        publisher.line("CONNECTED");
        // Even one that is no member to the flow control has to be there from the start.
        for member in &members {
            member.driver.counters_when(Side::Theirs, |counters| {
                counters.iter().any(|c| c.type_id == SUBSCRIBER_POSITION)
            });
        }
        Self {
            publishing,
            members,
            publisher,
            errors: 0,
        }
    }

    fn await_receivers(&self, count: i64) {
        self.publishing.counters_when(Side::Theirs, |counters| {
            counters
                .iter()
                .any(|counter| counter.type_id == RECEIVERS && counter.value == count)
        });
    }

    /// The publisher sends until `slow`, which takes nothing, holds it back; the other members get
    /// all that it has sent.
    fn hold_back(&mut self, slow: usize) {
        self.members[slow].peer.order("pause");
        self.members[slow].peer.line("PAUSED");
        self.publisher.order("go");
        let counters = self.publishing.counters_when(Side::Theirs, |counters| {
            let value = |type_id| {
                counters
                    .iter()
                    .find(|c| c.type_id == type_id)
                    .map(|c| c.value)
            };
            // A frame that does not fit the rest of the window may be due.
            let room = value(SENDER_LIMIT).zip(value(SENDER_POSITION));
            room.is_some_and(|(limit, sent)| limit - sent < 1408 && sent > WINDOW / 2)
        });
        let sent = counters.iter().find(|c| c.type_id == SENDER_POSITION);
        let sent = sent.expect("was there").value;
        assert!(
            sent <= WINDOW,
            "the slow member allows {WINDOW}, sent {sent}"
        );
        for (place, member) in self.members.iter().enumerate() {
            let expected = if place == slow { 0 } else { sent };
            member.driver.counters_when(Side::Theirs, |counters| {
                counters
                    .iter()
                    .any(|c| c.type_id == SUBSCRIBER_POSITION && c.value == expected)
            });
        }
        let done = self
            .publisher
            .line_within("DONE", Duration::from_millis(500));
        assert_eq!(done, None, "the publisher is held back");
    }

    /// Everything has been sent and has come to all that are left.
    fn finish(mut self) {
        let sent = self.publisher.line("DONE");
        for member in &mut self.members {
            assert_eq!(member.peer.line("DONE"), sent);
        }
        drop(self.publisher.stop());
        for mut member in self.members {
            let gone = member.peer.line("UNAVAILABLE");
            assert!(
                gone.ends_with(" end-of-stream=true revoked=false"),
                "{gone}"
            );
            drop(member.peer.stop());
            member.driver.stop();
        }
        self.publishing.stop_after_errors(self.errors);
    }
}

fn session<'a>(publishing: &'a Driver, side: Side, subscribing: &'a Driver) -> Session<'a> {
    Session {
        publisher: publishing.side(),
        publisher_driver: publishing,
        subscriber: side,
        subscriber_driver: subscribing,
        media: Media::UdpV4,
        exclusive: true,
        claim: false,
        count: COUNT,
        sizes: SIZES,
        stream: STREAM,
        publication_parameters: "",
        subscription_parameters: "",
    }
}

const MEMBERS: [(Side, &str); 2] = [(Side::Theirs, ""), (Side::Ours, "")];
const TAGGED: [(Side, &str); 2] = [(Side::Theirs, "|gtag=7"), (Side::Ours, "|gtag=7")];

/// Each member in turn takes nothing for a while, then all.
fn the_slow_member_limits(from: Side, reach: Reach, fc: &str, members: &[(Side, &str)]) {
    for slow in 0..members.len() {
        let mut group = Group::form(from, reach, &format!("{fc}/2"), members);
        group.await_receivers(2);
        group.hold_back(slow);
        group.members[slow].peer.order("resume");
        group.finish();
    }
}

/// Each member in turn takes nothing and then dies, driver and all.
fn the_dead_member_is_dropped(from: Side, reach: Reach, fc: &str, members: &[(Side, &str)]) {
    for dying in 0..members.len() {
        let fc = format!("{fc}/1,t:{}s", RECEIVER_TIMEOUT.as_secs());
        let mut group = Group::form(from, reach, &fc, members);
        group.await_receivers(2);
        group.hold_back(dying);
        let Member { driver, mut peer } = group.members.remove(dying);
        let died = Instant::now();
        driver.kill();
        peer.kill();
        let limit = |counters: &[Counter]| {
            counters
                .iter()
                .any(|c| c.type_id == RECEIVERS && c.value == 1)
        };
        group.publishing.counters_when(Side::Theirs, limit);
        // The last sign of life may be a little older than the death.
        let dropped = died.elapsed();
        assert!(dropped >= RECEIVER_TIMEOUT / 2, "dropped after {dropped:?}");
        group.finish();
    }
}

/// Each member in turn rejects the stream: the publisher is told, and goes on with the other.
fn the_rejecting_member_is_dropped(from: Side, reach: Reach) {
    for rejecting in 0..MEMBERS.len() {
        let mut group = Group::form(from, reach, "min,g:/1", &MEMBERS);
        group.await_receivers(2);
        let Member { driver, mut peer } = group.members.remove(rejecting);
        // The driver has the image, but the client may not have heard of it yet.
        let mut rejected = String::new();
        while rejected != "images=1" {
            peer.order("reject for a reason");
            rejected = peer.line("REJECTED");
        }
        let error = group.publisher.line("ERROR-FRAME");
        assert!(error.ends_with(" code=13"), "{error}");
        group.await_receivers(1);
        group.publisher.order("go");
        group.errors = 1;
        group.finish();
        peer.kill();
        driver.kill();
    }
}

/// A receiver outside the group takes nothing, and nobody waits for it.
fn who_is_no_member_does_not_limit(from: Side, reach: Reach) {
    for idler in [Side::Theirs, Side::Ours] {
        let mut group = Group::form(
            from,
            reach,
            "tagged,g:7/2",
            &[TAGGED[0], TAGGED[1], (idler, "|gtag=8")],
        );
        group.await_receivers(2);
        let Member { driver, mut peer } = group.members.remove(2);
        peer.order("pause");
        peer.line("PAUSED");
        group.publisher.order("go");
        group.finish();
        peer.kill();
        driver.kill();
    }
}

macro_rules! tests {
    ($($name:ident: $from:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn min_waits_for_the_slow() {
                the_slow_member_limits($from, Reach::Multicast, "min,g:", &MEMBERS);
            }

            #[test]
            fn min_forgets_the_dead() {
                the_dead_member_is_dropped($from, Reach::Dynamic, "min,g:", &MEMBERS);
            }

            #[test]
            fn min_forgets_who_rejects() {
                the_rejecting_member_is_dropped($from, Reach::Dynamic);
                the_rejecting_member_is_dropped($from, Reach::Multicast);
            }

            #[test]
            fn tagged_waits_for_the_slow() {
                the_slow_member_limits($from, Reach::Dynamic, "tagged,g:7", &TAGGED);
            }

            #[test]
            fn tagged_forgets_the_dead() {
                the_dead_member_is_dropped($from, Reach::Multicast, "tagged,g:7", &TAGGED);
            }

            #[test]
            fn tagged_is_not_held_back_by_others() {
                who_is_no_member_does_not_limit($from, Reach::Dynamic);
                who_is_no_member_does_not_limit($from, Reach::Multicast);
            }
        }
    )*};
}

tests! {
    theirs: Side::Theirs;
    ours: Side::Ours;
}
