//! Parameters of publications, subscriptions and destinations: good, bad, and in conflict.

use std::io;

use super::*;
use crate::base::{SessionId, StreamId, TermId, TermOffset};
use crate::command::ErrorCode;
use crate::driver::config::GroupConsideration;
use crate::driver::media::udp_channel::UdpChannel;
use crate::port::{BufferLimits, InterfaceAddress, InterfaceQuery, Interfaces, StaticResolver};
use crate::uri::FlowControlStrategy;

const STREAM: StreamId = StreamId(1001);

/// Entity tag 7 is a live publication.
struct Tag7;

impl EntityTags for Tag7 {
    fn is_in_use(&self, entity_tag: i64) -> bool {
        entity_tag == 7
    }

    fn find(&self, entity_tag: i64) -> Option<TaggedPublication> {
        (entity_tag == 7).then_some(TaggedPublication {
            session_id: SessionId(-9),
            mtu_length: 4096,
            term_length: 128 * 1024,
        })
    }
}

struct NoInterfaces;

impl Interfaces for NoInterfaces {
    fn find(&self, _: &InterfaceQuery) -> io::Result<InterfaceAddress> {
        Ok(InterfaceAddress {
            address: [127, 0, 0, 1].into(),
            index: 1,
            name: "lo".to_owned(),
        })
    }
}

fn uri(text: &str) -> ChannelUri {
    ChannelUri::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn publication(text: &str) -> Result<PublicationParams, ChannelError> {
    PublicationParams::parse(&uri(text), STREAM, &Tag7, &DriverConfig::default())
}

fn good(text: &str) -> PublicationParams {
    publication(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str, part: &str) {
    let error = publication(text).expect_err(text);
    assert_eq!(error.code, ErrorCode::InvalidChannel);
    assert!(error.text.contains(part), "{text}: {error}");
}

fn channel(parameters: &str) -> UdpChannel {
    let text = format!("aeron:udp?{parameters}");
    let mut resolver = StaticResolver::default();
    let config = DriverConfig::default();
    UdpChannel::parse(&text, &mut resolver, &NoInterfaces, false, &mut 0, &config)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_publication_without_parameters_follows_the_configuration() {
    let udp = good("aeron:udp?endpoint=localhost:1");
    assert_eq!((udp.term_length, udp.mtu_length), (16 << 20, 1408));
    assert_eq!(udp.publication_window, 8 << 20);
    assert_eq!(
        (udp.entity_tag, udp.session_id, udp.start),
        (None, None, None)
    );
    assert_eq!(udp.linger_timeout_ns, 5_000_000_000);
    assert!(udp.signal_eos && udp.is_sparse && !udp.spies_simulate_connection);
    assert_eq!(udp.max_resend, 16);
    assert!(!udp.is_response && !udp.has_response_correlation_id());
    assert!(!udp.has_term_length && !udp.has_mtu_length);
    assert_eq!(udp.flow_control, None);
    let ipc = good("aeron:ipc");
    assert_eq!(
        (ipc.term_length, ipc.publication_window),
        (64 << 20, 32 << 20)
    );
}

#[test]
fn a_publication_takes_everything_from_its_channel() {
    let params = good(
        "aeron:udp?control=localhost:1|control-mode=response|tags=1,2|session-id=-3|stream-id=1001|\
         term-length=64k|mtu=8k|pub-wnd=16k|linger=0|eos=false|sparse=false|ssc=true|\
         max-resend=256|init-term-id=-1|term-id=1|term-offset=65536|\
         response-correlation-id=5|fc=min,g:/2|\
         untethered-window-limit-timeout=1s|untethered-linger-timeout=2s|\
         untethered-resting-timeout=3s",
    );
    assert_eq!(params.entity_tag, Some(2));
    assert_eq!(params.session_id, Some(SessionId(-3)));
    assert_eq!(
        (
            params.term_length,
            params.mtu_length,
            params.publication_window
        ),
        (65_536, 8192, 16_384)
    );
    assert_eq!(params.linger_timeout_ns, 0);
    assert!(!params.signal_eos && !params.is_sparse && params.spies_simulate_connection);
    assert_eq!(params.max_resend, 256);
    let start = StartPosition {
        initial_term_id: TermId(-1),
        term_id: TermId(1),
        term_offset: TermOffset(65_536),
    };
    assert_eq!(params.start, Some(start));
    assert!(params.is_response && params.has_term_length && params.has_mtu_length);
    assert_eq!(params.response_correlation_id, 5);
    assert_eq!(
        params.flow_control.expect("given").strategy,
        FlowControlStrategy::Min
    );
    let untethered = params.untethered;
    let seconds = [
        untethered.window_limit_ns,
        untethered.linger_ns,
        untethered.resting_ns,
    ];
    assert_eq!(seconds, [1_000_000_000, 2_000_000_000, 3_000_000_000]);
}

#[test]
fn every_bad_parameter_of_a_publication_is_named() {
    for (parameter, name) in [
        ("stream-id=1002", "stream-id"),
        ("stream-id=x", "stream-id"),
        ("tags=1,7", "already in use"),
        ("tags=1,-1", "tags"),
        ("session-id=x", "session-id"),
        ("session-id=tag:8", "tag:8"),
        ("term-length=32k", "term-length"),
        ("term-length=65537", "term-length"),
        ("term-length=2g", "term-length"),
        ("term-length=", "term-length"),
        ("mtu=32", "mtu"),
        ("mtu=33", "mtu"),
        ("mtu=65536", "mtu"),
        ("mtu=x", "mtu"),
        ("pub-wnd=1407", "pub-wnd"),
        ("pub-wnd=9m", "pub-wnd"),
        ("pub-wnd=x", "pub-wnd"),
        ("linger=1m", "linger"),
        ("eos=1", "eos"),
        ("sparse=yes", "sparse"),
        ("ssc=", "ssc"),
        ("max-resend=0", "max-resend"),
        ("max-resend=257", "max-resend"),
        ("max-resend=x", "max-resend"),
        ("init-term-id=1", "together"),
        ("init-term-id=1|term-id=1", "together"),
        ("term-offset=0", "together"),
        ("init-term-id=1|term-id=0|term-offset=0", "before"),
        ("init-term-id=0|term-id=0|term-offset=33", "term-offset"),
        ("init-term-id=0|term-id=0|term-offset=-32", "term-offset"),
        (
            "init-term-id=0|term-id=0|term-offset=16777248",
            "term-offset",
        ),
        ("init-term-id=x|term-id=0|term-offset=0", "init-term-id"),
        ("response-correlation-id=-2", "response-correlation-id"),
        ("response-correlation-id=x", "response-correlation-id"),
        ("fc=fast", "fc"),
        ("fc=max,g:1", "fc"),
        (
            "untethered-window-limit-timeout=x",
            "untethered-window-limit-timeout",
        ),
        ("untethered-linger-timeout=x", "untethered-linger-timeout"),
        ("untethered-resting-timeout=x", "untethered-resting-timeout"),
    ] {
        refused(&format!("aeron:udp?endpoint=localhost:1|{parameter}"), name);
    }
    assert!(
        publication("aeron:ipc?fc=fast").is_ok(),
        "fc means nothing to ipc"
    );
}

#[test]
fn the_first_failure_in_order_is_reported() {
    let all = [
        "stream-id=2",
        "tags=1,7",
        "session-id=x",
        "term-length=1",
        "mtu=1",
        "pub-wnd=1",
        "linger=x",
    ];
    for skipped in 0..all.len() {
        let text = format!("aeron:ipc?{}", all[skipped..].join("|"));
        let name = all[skipped].split('=').next().expect("name");
        let name = if name == "tags" { "entityTag" } else { name };
        refused(&text, name);
    }
}

#[test]
fn the_mtu_must_fit_the_longest_message() {
    refused("aeron:ipc?term-length=64k|mtu=16k", "longest message");
    assert_eq!(good("aeron:ipc?term-length=64k|mtu=8k").mtu_length, 8192);
}

#[test]
fn the_configured_window_is_capped_at_half_a_term() {
    let window = |configured, text: &str| {
        let config = DriverConfig {
            ipc_publication_term_window_length: configured,
            ..DriverConfig::default()
        };
        PublicationParams::parse(&uri(text), STREAM, &Tag7, &config)
            .expect("good")
            .publication_window
    };
    assert_eq!(window(1 << 30, "aeron:ipc?term-length=64k"), 32 * 1024);
    assert_eq!(window(4096, "aeron:ipc?term-length=64k"), 4096);
    assert_eq!(window(4096, "aeron:ipc?term-length=64k|pub-wnd=8k"), 8192);
}

#[test]
fn a_tagged_session_brings_lengths_along() {
    let params = good("aeron:udp?endpoint=localhost:1|session-id=tag:7");
    assert_eq!(params.session_id, Some(SessionId(-9)));
    assert_eq!((params.term_length, params.mtu_length), (128 * 1024, 4096));
    assert!(params.has_term_length && params.has_mtu_length);
    good("aeron:udp?endpoint=localhost:1|session-id=tag:7|term-length=128k|mtu=4k");
    refused(
        "aeron:udp?endpoint=localhost:1|session-id=tag:7|term-length=64k",
        "term-length",
    );
    refused(
        "aeron:udp?endpoint=localhost:1|session-id=tag:7|mtu=1408",
        "mtu",
    );
}

#[test]
fn positions_count_across_the_wrap_of_term_ids() {
    let start = good("aeron:ipc?init-term-id=2147483647|term-id=-2147483648|term-offset=0").start;
    assert_eq!(start.expect("given").term_id, TermId(i32::MIN));
}

#[test]
fn prototype_responses_have_an_id() {
    let params = good("aeron:ipc?control-mode=response|response-correlation-id=prototype");
    assert_eq!(
        params.response_correlation_id,
        crate::uri::PROTOTYPE_CORRELATION_ID
    );
    assert!(params.has_response_correlation_id());
}

#[test]
fn channels_that_cannot_be_published_to_are_refused() {
    let check = |parameters: &str| check_network_publication(&channel(parameters));
    for (parameters, part) in [
        ("endpoint=localhost:0", "port=0"),
        (
            "endpoint=localhost:0|control-mode=response|control=localhost:1",
            "port=0",
        ),
        ("control=localhost:1", "control"),
        ("endpoint=localhost:1|fc=max", "unicast flow control"),
        (
            "control=localhost:1|control-mode=response|fc=min",
            "unicast flow control",
        ),
    ] {
        let error = check(parameters).expect_err(parameters);
        assert!(error.text.contains(part), "{error}");
    }
    for parameters in [
        "endpoint=localhost:1",
        "endpoint=localhost:1|control=localhost:0",
        "control=localhost:1|control-mode=dynamic|fc=min",
        "control-mode=manual|fc=max",
        "control-mode=manual|endpoint=localhost:0",
        "endpoint=224.0.1.1:1|fc=tagged,g:1",
        "tags=1",
    ] {
        assert_eq!(check(parameters), Ok(()), "{parameters}");
    }
    let text = "aeron-spy:aeron:udp?endpoint=localhost:1";
    let mut resolver = StaticResolver::default();
    let config = DriverConfig::default();
    let spy = UdpChannel::parse(text, &mut resolver, &NoInterfaces, false, &mut 0, &config);
    assert!(check_network_publication(&spy.expect("good")).is_err());
}

#[test]
fn subscriptions_follow_configuration_and_channel() {
    let parse = |text: &str| SubscriptionParams::parse(&uri(text), &DriverConfig::default());
    let params = parse("aeron:udp?endpoint=localhost:1").expect("good");
    let expected = SubscriptionParams {
        session_id: None,
        is_sparse: true,
        is_tether: true,
        is_rejoin: true,
        is_reliable: true,
        is_response: false,
        group: GroupConsideration::Infer,
    };
    assert_eq!(params, expected);
    let params = parse(
        "aeron:udp?endpoint=localhost:1|session-id=-4|sparse=false|tether=false|rejoin=false|\
         reliable=false|control-mode=response|group=true",
    );
    let expected = SubscriptionParams {
        session_id: Some(SessionId(-4)),
        is_sparse: false,
        is_tether: false,
        is_rejoin: false,
        is_reliable: false,
        is_response: true,
        group: GroupConsideration::True,
    };
    assert_eq!(params, Ok(expected));
    let group = |text: &str| {
        parse(&format!("aeron:ipc?group={text}"))
            .expect("good")
            .group
    };
    assert_eq!(group("infer"), GroupConsideration::Infer);
    assert_eq!(group("false"), GroupConsideration::False);
    assert_eq!(group("anything"), GroupConsideration::False);
    for parameter in [
        "session-id=tag:7",
        "session-id=x",
        "sparse=1",
        "tether=x",
        "rejoin=",
        "reliable=x",
    ] {
        let error = parse(&format!("aeron:ipc?{parameter}")).expect_err(parameter);
        assert_eq!(error.code, ErrorCode::InvalidChannel);
    }
}

#[test]
fn subscriptions_on_one_stream_must_agree() {
    let parse = |text: &str| SubscriptionParams::parse(&uri(text), &DriverConfig::default());
    let plain = parse("aeron:udp?endpoint=localhost:1").expect("good");
    let same = parse("aeron:udp?endpoint=localhost:1|tether=false|sparse=false|group=true");
    assert_eq!(same.expect("good").check_conflict(&plain, "x"), Ok(()));
    for parameter in ["reliable=false", "rejoin=false", "control-mode=response"] {
        let other = parse(&format!("aeron:udp?endpoint=localhost:1|{parameter}")).expect("good");
        let error = other
            .check_conflict(&plain, "aeron:udp?x=y")
            .expect_err(parameter);
        assert_eq!(error.code, ErrorCode::InvalidChannel);
        assert!(
            error
                .text
                .contains("option conflicts with existing subscription: "),
            "{error}"
        );
        let name = parameter.split('=').next().expect("name");
        assert!(
            error.text.contains(name) && error.text.contains("aeron:udp?x=y"),
            "{error}"
        );
    }
}

#[test]
fn subscriptions_need_a_port_at_which_to_reach_control() {
    assert!(
        check_network_subscription(&channel("endpoint=localhost:1|control=localhost:0")).is_err()
    );
    for parameters in [
        "endpoint=localhost:0",
        "endpoint=localhost:1|control=localhost:1",
    ] {
        assert_eq!(check_network_subscription(&channel(parameters)), Ok(()));
    }
    let media = channel("endpoint=localhost:1|media-rcv-ts-offset=reserved");
    assert_eq!(
        check_network_subscription(&media).is_ok(),
        cfg!(target_os = "linux")
    );
}

#[test]
fn destinations_may_only_say_where() {
    for parameter in [
        "mtu=1408",
        "rcv-wnd=64k",
        "so-rcvbuf=1",
        "so-sndbuf=1",
        "response-correlation-id=1",
        "control-mode=response",
    ] {
        let destination = uri(&format!("aeron:udp?endpoint=localhost:1|{parameter}"));
        let send = check_send_destination(&destination).expect_err(parameter);
        let receive = check_receive_destination(&destination).expect_err(parameter);
        assert_eq!(
            (send.code, receive.code),
            (ErrorCode::InvalidChannel, ErrorCode::InvalidChannel)
        );
    }
    let secured = uri("aeron:udp?endpoint=localhost:1|ats=true");
    assert_eq!(
        check_send_destination(&secured).expect_err("ats").code,
        ErrorCode::NotSupported
    );
    for text in ["aeron:ipc", "aeron-spy:aeron:udp?endpoint=localhost:1"] {
        assert!(check_send_destination(&uri(text)).is_err(), "{text}");
        assert!(check_receive_destination(&uri(text)).is_err(), "{text}");
    }
}

#[test]
fn send_destinations_need_an_endpoint_with_a_port() {
    let text = "aeron:udp?endpoint=nowhere:1|interface=localhost|alias=a";
    assert_eq!(check_send_destination(&uri(text)), Ok("nowhere:1"));
    assert_eq!(
        check_send_destination(&uri("aeron:udp?endpoint=mapped")),
        Ok("mapped")
    );
    for text in [
        "aeron:udp",
        "aeron:udp?endpoint=",
        "aeron:udp?endpoint=a:0",
        "aeron:udp?endpoint=[::1]:0",
    ] {
        assert!(check_send_destination(&uri(text)).is_err(), "{text}");
    }
    assert_eq!(
        check_receive_destination(&uri("aeron:udp?endpoint=a:0")),
        Ok(())
    );
}

#[test]
fn channels_of_one_endpoint_must_agree() {
    type Check = fn(&UdpChannel, &UdpChannel) -> Result<(), ChannelError>;
    let checks: [Check; 2] = [check_send_endpoint, check_receive_endpoint];
    let plain = "endpoint=localhost:1";
    for (existing, new, send, receive) in [
        ("", "", true, true),
        ("so-rcvbuf=1m", "", true, true),
        ("so-rcvbuf=1m", "so-rcvbuf=0", true, true),
        ("so-rcvbuf=1m", "so-rcvbuf=1m", true, true),
        ("so-rcvbuf=1m", "so-rcvbuf=2m", false, false),
        ("", "so-rcvbuf=128k", true, true),
        ("", "so-sndbuf=1m", false, false),
        ("so-sndbuf=1m", "so-sndbuf=2m", false, false),
        ("channel-snd-ts-offset=0", "", false, true),
        ("", "channel-snd-ts-offset=0", false, true),
        (
            "channel-snd-ts-offset=0",
            "channel-snd-ts-offset=0",
            true,
            true,
        ),
        ("", "channel-rcv-ts-offset=0", true, false),
        (
            "media-rcv-ts-offset=0",
            "media-rcv-ts-offset=8",
            true,
            false,
        ),
        ("media-rcv-ts-offset=-1", "", true, true),
    ] {
        let existing_channel = channel(format!("{plain}|x=y|{existing}").trim_end_matches("|"));
        let new_channel = channel(format!("{plain}|x=y|{new}").trim_end_matches("|"));
        for (check, is_allowed) in checks.into_iter().zip([send, receive]) {
            let result = check(&existing_channel, &new_channel);
            assert_eq!(result.is_ok(), is_allowed, "{existing} / {new}: {result:?}");
        }
    }
}

#[test]
fn frames_and_windows_must_fit_the_buffers() {
    let limits = BufferLimits {
        default_sndbuf: 4096,
        default_rcvbuf: 64 * 1024,
        ..BufferLimits::default()
    };
    let plain = channel("endpoint=localhost:1");
    assert_eq!(check_mtu_against_sndbuf(4096, &plain, &limits), Ok(()));
    let error = check_mtu_against_sndbuf(4128, &plain, &limits).expect_err("too long");
    assert_eq!(error.code, ErrorCode::InvalidChannel);
    let roomy = channel("endpoint=localhost:1|so-sndbuf=8k");
    assert_eq!(check_mtu_against_sndbuf(4128, &roomy, &limits), Ok(()));
    assert_eq!(check_window_against_rcvbuf(&plain, &plain, &limits), Ok(()));
    let wide = channel("endpoint=localhost:1|rcv-wnd=256k");
    let error = check_window_against_rcvbuf(&wide, &plain, &limits).expect_err("too wide");
    assert_eq!(error.code, ErrorCode::GenericError);
    let roomy = channel("endpoint=localhost:1|so-rcvbuf=256k");
    assert_eq!(check_window_against_rcvbuf(&wide, &roomy, &limits), Ok(()));
}
