//! How much may be under way: `pub-wnd`, `rcv-wnd`, `cc`, `so-sndbuf`, `so-rcvbuf`.

use aileron::base::Position;
use aileron::cnc::SystemCounter;
use aileron::cnc::counter_types::PER_IMAGE_TYPE_ID;
use aileron::command::ErrorCode;
use aileron::driver::config::ThreadingMode;
use aileron::{DriverConfig, MediaDriver};

use super::rig::{RawReceiver, RawSender, Rig, STREAM};
use super::support::{aeron_dir, builder, free_port, place, wait_for, wait_until};

const INVALID: ErrorCode = ErrorCode::InvalidChannel;

#[test]
fn the_publication_window_limits_a_publisher() {
    let rig = Rig::new();
    let _subscription = rig.subscribe("aeron:ipc");
    for (value, window) in [("2k", 2048), ("8192", 8192), ("32k", 32_768)] {
        let publication = rig.publish_exclusive(&format!("aeron:ipc?pub-wnd={value}"));
        wait_until("the window", || {
            publication.position_limit() == Some(Position(window))
        });
    }
    let peer = RawReceiver::new(1);
    let publication = rig.publish_exclusive(&format!("{}|pub-wnd=4k", peer.channel()));
    let source = peer.source();
    wait_until("the window", || {
        peer.report(&source, 0, 16 * 1024);
        publication.position_limit() == Some(Position(4096))
    });
}

#[test]
fn a_bad_publication_window_is_refused() {
    let rig = Rig::new();
    for medium in ["aeron:ipc?", "aeron:udp?endpoint=localhost:4000|"] {
        for (value, text, remedy) in [
            (
                "1k",
                "pub-wnd=1024",
                "between mtu=1408 and half a term, 32768",
            ),
            (
                "64k",
                "pub-wnd=65536",
                "between mtu=1408 and half a term, 32768",
            ),
            ("wide", "pub-wnd=wide", "expected a size"),
        ] {
            let channel = format!("{medium}term-length=64k|pub-wnd={value}");
            rig.refuses_publication(&channel, INVALID, &[text, remedy]);
        }
    }
}

#[test]
fn the_receiver_window_is_what_status_messages_offer() {
    let rig = Rig::new();
    for (value, window) in [
        ("4k", 4096),
        ("16384", 16_384),
        ("128k", 32_768),
        ("auto", 32_768),
    ] {
        let mut subscription =
            rig.subscribe(&format!("aeron:udp?endpoint=127.0.0.1:0|rcv-wnd={value}"));
        let sender = RawSender::to(&subscription, 1);
        sender.join(&mut subscription);
        let status = wait_for("a status message", || {
            sender.heartbeat(0);
            sender.statuses().find(|status| !status.is_setup_requested)
        });
        assert_eq!(status.window, window, "half a term is the most: {value}");
    }
}

#[test]
fn a_bad_receiver_window_is_refused() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|rcv-wnd=";
    let generic = ErrorCode::GenericError;
    let parts = ["rcv-wnd=wide", "expected a size"];
    rig.refuses_subscription(&format!("{channel}wide"), INVALID, &parts);
    let parts = ["rcv-wnd=1048576", "above SO_RCVBUF=131072"];
    rig.refuses_subscription(&format!("{channel}1m|so-rcvbuf=128k"), generic, &parts);
    // One that no datagram fits is found when there is a stream.
    let mut subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|rcv-wnd=1376");
    let sender = RawSender::to(&subscription, 1);
    let parts = ["mtu", "1408", "1376"];
    wait_until("the error", || {
        sender.setup();
        let errors = rig.errors();
        errors
            .iter()
            .any(|text| parts.iter().all(|part| text.contains(part)))
    });
    assert_eq!(subscription.poll(1, |_, _| {}), 0);
    assert!(subscription.has_no_images());
}

#[test]
fn congestion_control_is_chosen_per_channel() {
    let rig = Rig::new();
    let windows = |rig: &Rig| {
        let mut counters = rig.counters(PER_IMAGE_TYPE_ID);
        counters.retain(|counter| counter.label.starts_with("rcv-cc-cubic-wnd"));
        counters.len()
    };
    for (cc, count) in [("alias=default", 0), ("cc=static", 0), ("cc=cubic", 1)] {
        let mut subscription = rig.subscribe(&format!("aeron:udp?endpoint=127.0.0.1:0|{cc}"));
        RawSender::to(&subscription, 1).join(&mut subscription);
        assert_eq!(windows(&rig), count, "{cc}");
    }
}

#[test]
fn unknown_congestion_control_makes_no_image() {
    let rig = Rig::new();
    let subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|cc=hopeful");
    let sender = RawSender::to(&subscription, 1);
    wait_until("the error", || {
        sender.setup();
        let errors = rig.errors();
        errors
            .iter()
            .any(|text| text.contains("cc=hopeful") && text.contains("static or cubic"))
    });
    assert!(subscription.has_no_images());
    assert!(rig.system(SystemCounter::Errors) > 0);
}

#[test]
fn a_send_buffer_must_hold_a_datagram() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|term-length=1m|mtu=16k|so-sndbuf=";
    let _large = rig.publish(&format!("{channel}16k"));
    // Whoever shares the endpoint must agree on its buffer.
    let parts = ["option conflicts with existing channel: so-sndbuf=32768 is not 16384"];
    rig.refuses_publication(&format!("{channel}32k"), INVALID, &parts);
    let _same = rig.publish(&format!("{channel}16k|alias=same"));
}

#[test]
fn a_bad_send_buffer_is_refused() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|term-length=1m|mtu=16k|so-sndbuf=";
    let parts = ["so-sndbuf=big", "expected a size"];
    rig.refuses_publication(&format!("{channel}big"), INVALID, &parts);
    rig.refuses_subscription(&format!("{channel}big"), INVALID, &parts);
    let parts = ["mtu=16384", "above SO_SNDBUF=8192"];
    rig.refuses_publication(&format!("{channel}8k"), ErrorCode::GenericError, &parts);
}

/// How many of a hundred datagrams of a KiB a driver that works only when told to finds in the
/// socket at `port`: what the kernel could keep. The port is of `channel`, or of `destination`.
fn kept(channel: &str, destination: Option<&str>, port: u16) -> i64 {
    let place = place();
    let dir = aeron_dir(&place);
    let config: DriverConfig = builder(&dir)
        .threading_mode(ThreadingMode::Invoker)
        .build()
        .expect("valid settings");
    let mut driver = MediaDriver::invoker(config).expect("a driver");
    let (client, mut invoker) = aileron::Context::new()
        .dir(&dir)
        .driver_timeout(super::support::WATCHDOG)
        .connect_invoked()
        .expect("a client");
    let mut work = || {
        driver.do_work();
        invoker.do_work();
    };
    let mut pending = client
        .add_subscription_async(channel, STREAM)
        .expect("sent");
    let subscription = wait_for("the subscription", || {
        work();
        pending.try_get().expect("added")
    });
    if let Some(destination) = destination {
        let mut pending = subscription
            .add_destination_async(destination)
            .expect("sent");
        wait_for("the destination", || {
            work();
            pending.try_get().expect("added")
        });
    }
    let sender = RawSender::to_address(([127, 0, 0, 1], port).into(), 1);
    let bytes = || {
        let counter = SystemCounter::BytesReceived.counter_id();
        client.counters().value(counter).expect("a system counter")
    };
    let before = bytes();
    for _ in 0..100 {
        sender.frame(0, 1024 - 32);
    }
    wait_until("the first datagrams", || {
        work();
        bytes() > before
    });
    // All of them are in the socket by now; a duty cycle takes several.
    for _ in 0..200 {
        work();
    }
    (bytes() - before) / 1024
}

#[test]
fn a_receive_buffer_holds_what_the_driver_has_not_read() {
    let kept = |buffer: &str| {
        let port = free_port();
        let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}|rcv-wnd=4k|so-rcvbuf={buffer}");
        kept(&channel, None, port)
    };
    let (small, large) = (kept("4k"), kept("208k"));
    assert!(small < 50, "{small} datagrams in a buffer of 4 KiB");
    assert!(
        large > small + 25,
        "{large} datagrams in a buffer of 208 KiB"
    );
}

#[test]
fn a_destination_has_the_buffer_of_its_subscription() {
    let kept = |buffer: &str| {
        let port = free_port();
        let channel = format!("aeron:udp?control-mode=manual|rcv-wnd=4k|so-rcvbuf={buffer}");
        let destination = format!("aeron:udp?endpoint=127.0.0.1:{port}");
        kept(&channel, Some(&destination), port)
    };
    let (small, large) = (kept("4k"), kept("208k"));
    assert!(small < 50, "{small} datagrams in a buffer of 4 KiB");
    assert!(
        large > small + 25,
        "{large} datagrams in a buffer of 208 KiB"
    );
}

#[test]
fn a_bad_receive_buffer_is_refused() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|so-rcvbuf=";
    let parts = ["so-rcvbuf=big", "expected a size"];
    rig.refuses_publication(&format!("{channel}big"), INVALID, &parts);
    rig.refuses_subscription(&format!("{channel}big"), INVALID, &parts);
    let _first = rig.subscribe(&format!("{channel}128k"));
    let parts = ["option conflicts with existing channel: so-rcvbuf=262144 is not 131072"];
    rig.refuses_subscription(&format!("{channel}256k"), INVALID, &parts);
}
