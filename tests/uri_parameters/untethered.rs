//! Subscribers that a stream does not wait for: `tether`, `untethered-window-limit-timeout`,
//! `untethered-linger-timeout`, `untethered-resting-timeout`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aileron::command::ErrorCode;
use aileron::{ExclusivePublication, Subscription};

use super::rig::{Rig, STREAM, message};
use super::support::wait_until;

/// One timeout that never ends, and one that ends at once.
const NEVER: &str = "600s";
const SOON: &str = "20ms";
const TERM_LENGTH: i64 = 64 * 1024;

/// A publisher, a subscriber that reads, and one that does not; how often the latter lost and got
/// its image.
struct Stream {
    _rig: Rig,
    publication: ExclusivePublication,
    reader: Subscription,
    _idler: Subscription,
    lost: Arc<AtomicUsize>,
    got: Arc<AtomicUsize>,
}

impl Stream {
    /// Timeouts are those of the publication, as for all subscribers of IPC streams.
    fn new(window_limit: &str, linger: &str, resting: &str, tether: &str) -> Self {
        let rig = Rig::new();
        let publication = rig.publish_exclusive(&format!(
            "aeron:ipc?untethered-window-limit-timeout={window_limit}|\
             untethered-linger-timeout={linger}|untethered-resting-timeout={resting}"
        ));
        let reader = rig.subscribe("aeron:ipc");
        let (lost, got) = (Arc::default(), Arc::default());
        let (at_loss, at_gain) = (Arc::clone(&lost), Arc::clone(&got));
        let count = |counter: &Arc<AtomicUsize>| {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        let idler = rig
            .client
            .subscription(format!("aeron:ipc?tether={tether}"), STREAM)
            .on_available_image(move |_| count(&at_gain))
            .on_unavailable_image(move |_| count(&at_loss))
            .add()
            .expect("a subscription");
        let mut stream = Self {
            _rig: rig,
            publication,
            reader,
            _idler: idler,
            lost,
            got,
        };
        wait_until("both images", || {
            stream.step();
            stream.got() == 1 && stream.reader.image_count() == 1
        });
        stream
    }

    fn step(&mut self) -> usize {
        let _ = self.publication.offer(&message());
        self.reader.poll(100, |_, _| {})
    }

    fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    fn got(&self) -> usize {
        self.got.load(Ordering::SeqCst)
    }

    /// Whether the publisher has come past what the idle subscriber allows.
    fn has_gone_on(&self) -> bool {
        let limit = self.publication.position_limit().expect("open").get();
        limit > 2 * TERM_LENGTH
    }

    fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        wait_until(what, || {
            self.step();
            condition(self)
        });
    }
}

#[test]
fn an_untethered_subscriber_does_not_hold_the_stream() {
    let mut free = Stream::new(SOON, SOON, NEVER, "false");
    let mut held = Stream::new(SOON, SOON, NEVER, "true");
    wait_until("more than two terms", || {
        free.step();
        held.step();
        free.has_gone_on()
    });
    assert_eq!((free.lost(), held.lost()), (1, 0));
    assert!(!held.has_gone_on(), "tether=true holds the stream");
}

fn refuses(name: &str, value: &str, remedy: &str, is_publication: bool) {
    let rig = Rig::new();
    for medium in ["aeron:ipc?", "aeron:udp?endpoint=localhost:4000|"] {
        let channel = format!("{medium}{name}={value}");
        let parts = [&format!("{name}={value}")[..], remedy];
        if is_publication {
            rig.refuses_publication(&channel, ErrorCode::InvalidChannel, &parts);
        } else {
            rig.refuses_subscription(&channel, ErrorCode::InvalidChannel, &parts);
        }
    }
}

fn refuses_durations(name: &str) {
    for value in ["5m", "-1s", "", "soon"] {
        refuses(name, value, "expected a duration, such as 10ms or 5s", true);
    }
}

#[test]
fn a_bad_tether_is_refused() {
    for value in ["no", "False", ""] {
        refuses("tether", value, "expected true or false", false);
    }
}

#[test]
fn the_window_limit_timeout_is_how_long_a_subscriber_may_lag() {
    // `untethered-window-limit-timeout`: never, and soon.
    let mut patient = Stream::new(NEVER, SOON, NEVER, "false");
    let mut hasty = Stream::new(SOON, SOON, NEVER, "false");
    wait_until("the loss of the image", || {
        patient.step();
        hasty.step();
        hasty.lost() == 1
    });
    assert_eq!(patient.lost(), 0);
}

#[test]
fn a_bad_window_limit_timeout_is_refused() {
    refuses_durations("untethered-window-limit-timeout");
}

#[test]
fn the_linger_timeout_is_how_long_a_lost_subscriber_counts() {
    // `untethered-linger-timeout`: never, and soon.
    let mut long = Stream::new(SOON, NEVER, NEVER, "false");
    let mut short = Stream::new(SOON, SOON, NEVER, "false");
    long.until("the loss of the image", |stream| stream.lost() == 1);
    short.until("more than two terms", Stream::has_gone_on);
    assert!(!long.has_gone_on(), "ten minutes are not over");
}

#[test]
fn a_bad_linger_timeout_is_refused() {
    refuses_durations("untethered-linger-timeout");
}

#[test]
fn the_resting_timeout_is_how_long_a_subscriber_stays_away() {
    // `untethered-resting-timeout`: never, and soon.
    let mut away = Stream::new(SOON, SOON, NEVER, "false");
    let mut back = Stream::new(SOON, SOON, SOON, "false");
    away.until("more than two terms", Stream::has_gone_on);
    back.until("the return of the image", |stream| stream.got() == 2);
    assert_eq!((away.got(), away.lost()), (1, 1));
}

#[test]
fn a_bad_resting_timeout_is_refused() {
    refuses_durations("untethered-resting-timeout");
}
