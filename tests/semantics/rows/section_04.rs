//! Channels: what is refused, and what shares an endpoint.

use aileron::cnc::SystemCounter;
use aileron::port::Network as _;

use super::bench::{ANY, Bench};
use crate::peer::code;
use crate::world::{IPC, STREAM, await_connection, free_port, multicast, receive, send, udp};

#[test]
fn row_4_1_too_long_a_channel() {
    let bench = Bench::start(&[]);
    for start in [format!("{IPC}?alias="), format!("{}|alias=", udp())] {
        let uri = format!("{start:x<4096}");
        let first = &uri[..4095];
        bench.refuses_publication(&uri, code::INVALID_CHANNEL, &[first]);
        bench.refuses_subscription(&uri, code::INVALID_CHANNEL, &[first]);
        let _publication = bench.publish(first, STREAM);
        let _subscription = bench.subscribe(first, STREAM);
    }
}

/// A way of having a buffer length: settings, what the first channel says, and how a second may say
/// the same.
struct BufferCase {
    settings: Vec<(&'static str, &'static str)>,
    first: String,
    same: String,
}

/// By the channel, by the driver, and by the system.
fn buffer_cases(setting: &'static str, name: &str) -> [BufferCase; 3] {
    let explicit = format!("|{name}=64k");
    let case = |settings: &[(&'static str, &'static str)], first: &str, same: &str| BufferCase {
        settings: settings.to_vec(),
        first: first.to_owned(),
        same: same.to_owned(),
    };
    [
        case(&[], &explicit, &explicit),
        case(&[(setting, "64k")], "", &explicit),
        case(&[(setting, "0")], "", ""),
    ]
}

#[test]
fn row_4_2_another_send_buffer_on_one_endpoint() {
    for case in buffer_cases("aeron.socket.so_sndbuf", "so-sndbuf") {
        let BufferCase {
            settings,
            first,
            same,
        } = case;
        let bench = Bench::start(&settings);
        let uri = udp();
        let _first = bench.publish(&format!("{uri}{first}"), STREAM);
        let other = format!("{uri}|so-sndbuf=128k");
        bench.refuses_publication(&other, code::INVALID_CHANNEL, &["so-sndbuf"]);
        let _same = bench.publish(&format!("{uri}{same}"), STREAM + 1);
    }
}

#[test]
fn row_4_3_another_receive_buffer_on_one_endpoint() {
    for case in buffer_cases("aeron.socket.so_rcvbuf", "so-rcvbuf") {
        let BufferCase {
            mut settings,
            first,
            same,
        } = case;
        settings.push(("aeron.rcv.initial.window.length", "32k"));
        let bench = Bench::start(&settings);
        let uri = udp();
        let _first = bench.subscribe(&format!("{uri}{first}"), STREAM);
        let other = format!("{uri}|so-rcvbuf=128k");
        bench.refuses_subscription(&other, code::INVALID_CHANNEL, &["so-rcvbuf"]);
        let _same = bench.subscribe(&format!("{uri}{same}"), STREAM + 1);
    }
}

/// Bytes of `SO_SNDBUF` and `SO_RCVBUF` of a new socket.
fn system_buffers() -> (usize, usize) {
    let limits = aileron::net::UdpNetwork::new().buffer_limits();
    (limits.default_sndbuf, limits.default_rcvbuf)
}

#[test]
fn row_4_4_an_mtu_above_the_send_buffer() {
    let uri = format!("{}|term-length=1m", udp());
    let bench = Bench::start(&[]);
    let small = format!("{uri}|mtu=8k|so-sndbuf=4k");
    bench.refuses_publication(&small, ANY, &["mtu", "8192"]);
    let bench = Bench::start(&[
        ("aeron.socket.so_sndbuf", "4k"),
        ("aeron.mtu.length", "1408"),
    ]);
    bench.refuses_publication(&format!("{uri}|mtu=8k"), ANY, &["mtu", "8192"]);
    let _fits = bench.publish(&format!("{uri}|mtu=4k"), STREAM);
    // No MTU is above what systems have by default, so the limit is shown by what fits.
    let bench = Bench::start(&[("aeron.socket.so_sndbuf", "0")]);
    assert!(system_buffers().0 >= 65_504);
    let _largest = bench.publish(&format!("{uri}|mtu=65504"), STREAM);
}

#[test]
fn row_4_5_a_window_above_the_receive_buffer() {
    let bench = Bench::start(&[]);
    let uri = udp();
    let small = format!("{uri}|rcv-wnd=64k|so-rcvbuf=32k");
    bench.refuses_subscription(&small, ANY, &["65536", "32768"]);
    let settings = [
        ("aeron.socket.so_rcvbuf", "32k"),
        ("aeron.rcv.initial.window.length", "32k"),
    ];
    let bench = Bench::start(&settings);
    let uri = udp();
    bench.refuses_subscription(&format!("{uri}|rcv-wnd=64k"), ANY, &["65536", "32768"]);
    let _fits = bench.subscribe(&format!("{uri}|rcv-wnd=32k"), STREAM);
    let bench = Bench::start(&[("aeron.socket.so_rcvbuf", "0")]);
    let uri = udp();
    let system = system_buffers().1;
    let above = system + 1;
    let words = [&above.to_string()[..], &system.to_string()];
    bench.refuses_subscription(&format!("{uri}|rcv-wnd={above}"), ANY, &words);
    let _fits = bench.subscribe(&format!("{uri}|rcv-wnd={system}"), STREAM);
}

#[test]
fn row_4_6_a_window_below_the_senders_mtu() {
    let bench = Bench::start(&[]);
    let uri = udp();
    let subscription = bench.subscribe(&format!("{uri}|rcv-wnd=1376"), STREAM);
    let errors = bench.world.system_counter(SystemCounter::Errors);
    let _publication = bench.publish(&format!("{uri}|mtu=1408"), STREAM);
    bench.world.await_error("mtu");
    let texts = bench.world.errors();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("1408") && text.contains("1376")),
        "{texts:?}"
    );
    assert!(bench.world.system_counter(SystemCounter::Errors) > errors);
    assert_eq!(subscription.image_count(), 0);
}

#[test]
fn row_4_7_destinations_with_what_is_the_endpoints() {
    let bench = Bench::start(&[]);
    let publication = bench.publish("aeron:udp?control-mode=manual", STREAM);
    let subscription = bench.subscribe("aeron:udp?control-mode=manual", STREAM);
    let uri = udp();
    for (name, value) in [
        ("mtu", "1408"),
        ("rcv-wnd", "64k"),
        ("so-sndbuf", "64k"),
        ("so-rcvbuf", "64k"),
    ] {
        let uri = format!("{uri}|{name}={value}");
        let words = [name, &uri];
        bench.refuses(ANY, &words, || publication.add_destination(&uri));
        bench.refuses(ANY, &words, || subscription.add_destination(&uri));
    }
    publication.add_destination(&uri).expect("added");
    subscription.add_destination(&uri).expect("added");
}

#[test]
fn row_4_8_port_zero_where_somebody_must_find_it() {
    let bench = Bench::start(&[]);
    bench.refuses_publication("aeron:udp?endpoint=localhost:0", ANY, &["port=0"]);
    let publication = bench.publish("aeron:udp?control-mode=manual", STREAM);
    bench.refuses(ANY, &["port=0"], || {
        publication.add_destination("aeron:udp?endpoint=localhost:0")
    });
    let uri = format!("{}|control=localhost:0", udp());
    bench.refuses_subscription(&uri, ANY, &["control"]);
}

#[test]
fn row_4_9_control_without_what_it_needs() {
    let bench = Bench::start(&[]);
    let uri = format!("aeron:udp?control=localhost:{}", free_port());
    bench.refuses_publication(&uri, ANY, &["control"]);
    let uri = format!("{}|control-mode=dynamic", udp());
    bench.refuses_publication(&uri, ANY, &["control"]);
    bench.refuses_subscription(&uri, ANY, &["control"]);
}

#[test]
fn row_4_10_dynamic_destinations_by_tag() {
    let bench = Bench::start(&[]);
    let uri = format!(
        "aeron:udp?control-mode=dynamic|control=localhost:{}|tags=1001",
        free_port()
    );
    let first = bench.publish(&uri, STREAM);
    let second = bench.publish(&uri, STREAM);
    let third = bench.publish("aeron:udp?tags=1001", STREAM);
    for other in [&second, &third] {
        assert_eq!(other.session_id(), first.session_id());
        assert_eq!(
            other.original_registration_id(),
            first.original_registration_id()
        );
        assert_eq!(other.channel_status_id(), first.channel_status_id());
    }
}

#[test]
fn row_4_11_a_tag_with_another_control_mode() {
    let control = format!("localhost:{}", free_port());
    let endpoint = format!("localhost:{}", free_port());
    let normal = format!("aeron:udp?tags=1001|endpoint={endpoint}");
    let dynamic = format!("aeron:udp?tags=1001|control={control}|control-mode=dynamic");
    let manual = format!("aeron:udp?tags=1001|control={control}|control-mode=manual");
    for (first, second) in [
        (&normal, &dynamic),
        (&normal, &manual),
        (&dynamic, &normal),
        (&dynamic, &manual),
        (&manual, &normal),
        (&manual, &dynamic),
    ] {
        let bench = Bench::start(&[]);
        let _first = bench.publish(first, STREAM);
        bench.refuses_publication(second, ANY, &["mismatched"]);
    }
}

#[test]
fn row_4_12_an_interface_by_name() {
    let bench = Bench::start(&[]);
    let port = free_port();
    let uri = format!("{}|interface={{lo}}:{port}", udp());
    let publication = bench.publish(&uri, STREAM);
    let addresses = publication.local_addresses();
    assert_eq!(addresses.len(), 1);
    assert!(addresses[0].ip().is_loopback());
    assert_eq!(addresses[0].port(), port);
}

#[test]
fn row_4_13_an_interface_by_name_for_a_group() {
    let bench = Bench::start(&[]);
    let uri = multicast().replace("interface=localhost", "interface={lo}");
    let publication = bench.publish(&uri, STREAM);
    let subscription = bench.subscribe(&uri, STREAM);
    await_connection(&publication, &subscription);
    let status = bench.client.counters().into_iter();
    let sockets: Vec<_> = status.filter(|counter| counter.type_id == 14).collect();
    assert_eq!(sockets.len(), 2, "one of each: {sockets:?}");
    send(&publication, b"through lo");
    assert_eq!(receive(&subscription, 1), [b"through lo"]);
}

#[test]
fn row_4_14_an_interface_that_is_not_there() {
    let bench = Bench::start(&[]);
    for uri in [udp(), multicast().replace("|interface=localhost", "")] {
        let uri = format!("{uri}|interface={{does_not_exist}}");
        let words = ["unknown interface does_not_exist"];
        bench.refuses_publication(&uri, ANY, &words);
        bench.refuses_subscription(&uri, ANY, &words);
    }
}

#[test]
fn row_4_15_term_lengths() {
    let settings = [
        ("aeron.term.buffer.length", "128k"),
        ("aeron.ipc.term.buffer.length", "128k"),
    ];
    let bench = Bench::start(&settings);
    let udp = udp();
    for (uri, value, length) in [
        (&udp[..], "64k", 65_536),
        (&udp, "4m", 4 << 20),
        (&udp, "1g", 1 << 30),
        ("aeron:ipc?alias=x", "64k", 65_536),
        ("aeron:ipc?alias=x", "512k", 524_288),
        ("aeron:ipc?alias=x", "1g", 1 << 30),
    ] {
        let uri = format!("{uri}|term-length={value}");
        for is_exclusive in [false, true] {
            let publication = bench.client.add_publication_of(is_exclusive, &uri, length);
            let publication = publication.expect("a publication");
            assert_eq!(publication.term_length(), length, "{uri}");
        }
    }
}

#[test]
fn row_4_16_subscriptions_by_tag() {
    let bench = Bench::start(&[]);
    let control = format!("localhost:{}", free_port());
    let full = format!(
        "aeron:udp?tags=1001|endpoint=localhost:{}|control={control}",
        free_port()
    );
    let subscriptions =
        [&full[..], &full, "aeron:udp?tags=1001"].map(|uri| bench.subscribe(uri, STREAM));
    let uri = format!("aeron:udp?control={control}|control-mode=dynamic");
    let publication = bench.publish(&uri, STREAM);
    for subscription in &subscriptions {
        assert_eq!(
            subscription.channel_status_id(),
            subscriptions[0].channel_status_id()
        );
        await_connection(&publication, subscription);
    }
}

#[test]
fn row_4_17_subscriptions_by_tag_at_another_address() {
    let (endpoint, other) = (free_port(), free_port());
    let (control, other_control) = (free_port(), free_port());
    let tagged = |endpoint, control: Option<u16>| {
        let control = control.map_or(String::new(), |port| format!("|control=localhost:{port}"));
        format!("aeron:udp?tags=1001|endpoint=localhost:{endpoint}{control}")
    };
    let full = tagged(endpoint, Some(control));
    let plain = tagged(endpoint, None);
    for (first, second) in [
        (&full, tagged(other, Some(control))),
        (&full, tagged(endpoint, Some(other_control))),
        (&full, plain.clone()),
        (&plain, full.clone()),
        (&plain, tagged(other, None)),
    ] {
        let bench = Bench::start(&[]);
        let _first = bench.subscribe(first, STREAM);
        let words = ["mismatched endpoint or control"];
        bench.refuses_subscription(&second, ANY, &words);
    }
}

#[test]
fn row_4_18_subscriptions_by_tag_with_another_buffer() {
    let bench = Bench::start(&[]);
    let uri = format!("{}|tags=1001|so-rcvbuf=", udp());
    let _first = bench.subscribe(&format!("{uri}128k"), STREAM);
    bench.refuses_subscription(&format!("{uri}256k"), ANY, &["so-rcvbuf"]);
    let by_tag = "aeron:udp?tags=1001|so-rcvbuf=256k";
    bench.refuses_subscription(by_tag, ANY, &["so-rcvbuf"]);
}

#[test]
fn row_4_19_publications_by_tag() {
    let bench = Bench::start(&[]);
    let uri = format!("{}|tags=1001|mtu=4k|term-length=64k", udp());
    let first = bench.publish(&uri, STREAM);
    let second = bench.publish(&uri, STREAM);
    assert_eq!(first.session_id(), second.session_id());
    assert_eq!(
        first.original_registration_id(),
        second.original_registration_id()
    );
    assert_ne!(first.registration_id(), second.registration_id());
}

#[test]
fn row_4_20_publications_by_tag_with_something_else() {
    let (endpoint, control) = (free_port(), free_port());
    let uri = |endpoint, control, mtu| {
        format!(
            "aeron:udp?tags=1001|endpoint=localhost:{endpoint}|\
             control=localhost:{control}|mtu={mtu}"
        )
    };
    let first = uri(endpoint, control, 1408);
    for (second, words) in [
        (
            uri(free_port(), control, 1408),
            "mismatched endpoint or control",
        ),
        (
            uri(endpoint, free_port(), 1408),
            "mismatched endpoint or control",
        ),
        (
            uri(endpoint, control, 4096),
            "existing publication has different 'mtu'",
        ),
    ] {
        let bench = Bench::start(&[]);
        let _first = bench.publish(&first, STREAM);
        bench.refuses_publication(&second, ANY, &[words]);
    }
}

#[test]
fn row_4_21_other_places_for_receive_times() {
    let bench = Bench::start(&[]);
    let uri = udp();
    let first = format!("{uri}|channel-rcv-ts-offset=reserved");
    let _first = bench.subscribe(&first, STREAM);
    let words = ["option conflicts"];
    bench.refuses_subscription(&uri, ANY, &words);
    bench.refuses_subscription(&format!("{uri}|channel-rcv-ts-offset=8"), ANY, &words);
}

#[test]
fn row_4_22_other_places_for_send_times() {
    let bench = Bench::start(&[]);
    let uri = udp();
    let first = format!("{uri}|channel-snd-ts-offset=reserved");
    let _first = bench.publish(&first, STREAM);
    let words = ["option conflicts"];
    bench.refuses_publication(&uri, ANY, &words);
    bench.refuses_publication(&format!("{uri}|channel-snd-ts-offset=8"), ANY, &words);
}

#[test]
fn row_4_23_response_mode_on_one_side_only() {
    let endpoint = format!("aeron:udp?endpoint=localhost:{}", free_port());
    let control = format!("aeron:udp?control=localhost:{}", free_port());
    for uri in [endpoint, control] {
        let response = format!("{uri}|control-mode=response");
        for (first, second) in [(&uri, &response), (&response, &uri)] {
            let bench = Bench::start(&[]);
            let _first = bench.subscribe(first, STREAM);
            let words = ["option conflicts with existing subscription"];
            bench.refuses_subscription(second, ANY, &words);
        }
    }
}

#[test]
fn row_4_24_response_ids_that_are_none() {
    let bench = Bench::start(&[]);
    let uri = format!(
        "aeron:udp?control=localhost:{}|control-mode=response",
        free_port()
    );
    for id in ["what", "-2", "-3"] {
        let uri = format!("{uri}|response-correlation-id={id}");
        bench.refuses_publication(&uri, code::INVALID_CHANNEL, &["response-correlation-id"]);
    }
}

#[test]
fn row_4_25_a_spy_is_no_destination_of_a_publication() {
    let bench = Bench::start(&[]);
    let publication = bench.publish("aeron:udp?control-mode=manual", STREAM);
    let spy = format!("aeron-spy:{}", udp());
    bench.refuses(code::INVALID_CHANNEL, &["spies are invalid"], || {
        publication.add_destination(&spy)
    });
}

#[test]
fn row_4_26_unknown_parameters_are_kept() {
    let bench = Bench::start(&[]);
    for uri in [
        format!("{IPC}?fruit=banana"),
        format!("{}|fruit=banana", udp()),
    ] {
        let publication = bench.publish(&uri, STREAM);
        let subscription = bench.subscribe(&uri, STREAM);
        await_connection(&publication, &subscription);
        let counters = bench.client.counters();
        let is_there = |registration_id| {
            counters.iter().any(|counter| {
                counter.registration_id == registration_id && counter.label.contains("fruit=banana")
            })
        };
        assert!(is_there(publication.registration_id()), "{uri}");
        assert!(is_there(subscription.registration_id()), "{uri}");
    }
}
