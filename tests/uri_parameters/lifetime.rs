//! How streams begin and end: `linger`, `eos`, `ssc`, `rejoin`.

use aileron::cnc::counter_types::SENDER_POSITION_TYPE_ID;
use aileron::command::ErrorCode;

use super::rig::{RawReceiver, RawSender, Rig, message};
use super::support::{free_port, wait_until};

const INVALID: ErrorCode = ErrorCode::InvalidChannel;
const MEDIA: [&str; 2] = ["aeron:ipc?", "aeron:udp?endpoint=localhost:4000|"];

#[test]
fn linger_is_how_long_a_drained_publication_stays() {
    let rig = Rig::new();
    let peer = RawReceiver::new(1);
    let add = |linger| {
        let publication = rig.publish_exclusive(&format!("{}|{linger}", peer.channel()));
        publication.registration_id().get()
    };
    let (long, short) = (add("linger=600s"), add("linger=0"));
    let is_there = |id| rig.counter(SENDER_POSITION_TYPE_ID, id).is_some();
    wait_until("the end of the short linger", || !is_there(short));
    // The driver's own 200 ms end others meanwhile.
    let default = add("alias=default");
    wait_until("the end of the default linger", || !is_there(default));
    assert!(is_there(long), "ten minutes are not over");
}

#[test]
fn a_bad_linger_is_refused() {
    let rig = Rig::new();
    for medium in MEDIA {
        for value in ["5m", "-1", "", "long"] {
            let name = format!("linger={value}: expected a duration, such as 10ms or 5s");
            rig.refuses_publication(&format!("{medium}linger={value}"), INVALID, &[&name]);
        }
    }
}

#[test]
fn without_eos_the_end_of_a_stream_is_not_told() {
    let rig = Rig::new();
    let ends = |eos: &str| {
        let mut subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0");
        let channel = subscription.resolved_channel().expect("a port");
        let mut publication = rig.publish_exclusive(&format!("{channel}|{eos}"));
        wait_until("a message", || {
            let _ = publication.offer(&message());
            subscription.poll(1, |_, _| {}) == 1
        });
        let image = subscription.image_at(0).expect("it polled one");
        publication.close();
        wait_until("the image's end", || {
            subscription.poll(10, |_, _| {});
            image.is_closed()
        });
        image.is_end_of_stream()
    };
    assert!(ends("alias=default"));
    assert!(ends("eos=true"));
    assert!(!ends("eos=false"));
}

fn refuses_no_bool(rig: &Rig, name: &str, is_publication: bool) {
    for medium in MEDIA {
        for value in ["yes", "True", "0", ""] {
            let channel = format!("{medium}{name}={value}");
            let part = format!("{name}={value}: expected true or false");
            if is_publication {
                rig.refuses_publication(&channel, INVALID, &[&part]);
            } else {
                rig.refuses_subscription(&channel, INVALID, &[&part]);
            }
        }
    }
}

#[test]
fn a_bad_eos_is_refused() {
    refuses_no_bool(&Rig::new(), "eos", true);
}

#[test]
fn with_ssc_a_spy_alone_connects_a_publication() {
    let rig = Rig::new();
    let peer = RawReceiver::new(1);
    let alone = rig.publish_exclusive(&format!("{}|ssc=false", peer.channel()));
    let simulated = rig.publish_exclusive(&format!("{}|ssc=true", peer.channel()));
    let mut spy = rig.subscribe(&format!("aeron-spy:{}", peer.channel()));
    wait_until("a connection of the spy's", || {
        spy.poll(1, |_, _| {});
        spy.image_count() == 2 && simulated.is_connected()
    });
    assert!(!alone.is_connected());
    // Those that share a publication must agree.
    let _shared = rig.publish(&format!("{}|ssc=true", peer.channel()));
    let channel = format!("{}|ssc=false", peer.channel());
    let parts = ["existing publication has different 'ssc'"];
    rig.refuses_publication(&channel, ErrorCode::GenericError, &parts);
}

#[test]
fn a_bad_ssc_is_refused() {
    refuses_no_bool(&Rig::new(), "ssc", true);
}

#[test]
fn without_rejoin_a_lost_stream_stays_lost() {
    let rig = Rig::with(&["aeron.image.liveness.timeout=100ms"]);
    let mut again = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|rejoin=true");
    let mut once = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|rejoin=false");
    let (sender, lost) = (RawSender::to(&again, 1), RawSender::to(&once, 1));
    sender.join(&mut again);
    lost.join(&mut once);
    wait_until("the loss of both streams", || {
        again.has_no_images() && once.has_no_images()
    });
    wait_until("the return of the one that may", || {
        for raw in [&sender, &lost] {
            raw.setup();
            raw.heartbeat(0);
            raw.statuses().next();
        }
        again.image_by_session(sender.session_id()).is_some()
    });
    lost.setup();
    lost.heartbeat(0);
    assert!(once.has_no_images(), "it returned");
}

#[test]
fn a_bad_rejoin_is_refused() {
    let rig = Rig::new();
    refuses_no_bool(&rig, "rejoin", false);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let _first = rig.subscribe(&channel);
    let parts = [
        "option conflicts with existing subscription: rejoin",
        "false",
    ];
    rig.refuses_subscription(&format!("{channel}|rejoin=false"), INVALID, &parts);
}
