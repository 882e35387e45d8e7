//! Addresses, canonical forms, tags and bad values of UDP channels.

use std::io;

use super::*;
use crate::port::{
    InterfaceAddress, InterfaceQuery, InterfaceSelector, Interfaces, StaticResolver,
};

/// `lo` with 127.0.0.1 and ::1, `eth0` with 10.0.0.7 and fd00::7.
struct TwoInterfaces;

impl Interfaces for TwoInterfaces {
    fn find(&self, query: &InterfaceQuery) -> io::Result<InterfaceAddress> {
        let all = [
            ("eth0", 2, "10.0.0.7"),
            ("eth0", 2, "fd00::7"),
            ("lo", 1, "127.0.0.1"),
            ("lo", 1, "::1"),
        ];
        let all = all.map(|(name, index, address)| InterfaceAddress {
            address: address.parse().expect("literal"),
            index,
            name: name.to_owned(),
        });
        let is_match = |candidate: &InterfaceAddress| match &query.selector {
            InterfaceSelector::Name(name) => candidate.name == *name,
            InterfaceSelector::Address {
                prefix_length: 0, ..
            } => true,
            InterfaceSelector::Address { address, .. } => candidate.address == *address,
        };
        let mut fitting = all
            .into_iter()
            .filter(|c| c.address.is_ipv6() == query.ipv6);
        fitting
            .find(is_match)
            .ok_or_else(|| io::Error::other(format!("no interface for {query:?}")))
    }
}

fn parse_as(
    text: &str,
    is_destination: bool,
    unique: &mut u64,
) -> Result<UdpChannel, ChannelError> {
    let mut resolver = StaticResolver::default();
    resolver.insert("md-1", "10.0.0.7".parse().expect("literal"));
    let config = DriverConfig::default();
    UdpChannel::parse(
        text,
        &mut resolver,
        &TwoInterfaces,
        is_destination,
        unique,
        &config,
    )
}

fn parse(parameters: &str) -> UdpChannel {
    let text = format!("aeron:udp?{parameters}");
    parse_as(&text, false, &mut 0).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(parameters: &str) -> ChannelError {
    let text = format!("aeron:udp?{parameters}");
    match parse_as(&text, false, &mut 0) {
        Ok(channel) => panic!("{text}: {channel:?}"),
        Err(error) => error,
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("literal")
}

#[test]
fn canonical_forms_are_those_of_the_specification() {
    for (parameters, form) in [
        (
            "endpoint=192.168.0.1:20000",
            "UDP-0.0.0.0:0-192.168.0.1:20000",
        ),
        (
            "interface=127.0.0.1:40455|endpoint=192.168.0.1:20000",
            "UDP-127.0.0.1:40455-192.168.0.1:20000",
        ),
        (
            "interface=127.0.0.1|endpoint=224.0.1.1:20000",
            "UDP-127.0.0.1:0-224.0.1.1:20000",
        ),
        (
            "tags=1001|endpoint=127.0.0.1:9999|control=127.0.0.1:0",
            "UDP-127.0.0.1:0-127.0.0.1:9999#1001",
        ),
        (
            "control-mode=manual|tags=1001",
            "UDP-0.0.0.0:0-0.0.0.0:0#1001",
        ),
        (
            "control-mode=response|control=127.0.0.1:10001",
            "UDP-127.0.0.1:10001-0.0.0.0:0",
        ),
        ("endpoint=localhost:20000", "UDP-0.0.0.0:0-localhost:20000"),
        (
            "control=localhost:1|endpoint=md-1:2",
            "UDP-localhost:1-md-1:2",
        ),
        ("endpoint=[::1]:20000", "UDP-[::]:0-[::1]:20000"),
        ("control=[::1]:1|control-mode=manual", "UDP-[::1]:1-[::]:0"),
        ("endpoint=224.0.1.1:20000", "UDP-10.0.0.7:0-224.0.1.1:20000"),
        (
            "interface={lo}:5|endpoint=[ff02::1]:1",
            "UDP-[::1]:5-[ff02::1]:1",
        ),
        // A tag alone adds nothing to a channel whose addresses are complete.
        (
            "tags=7|endpoint=localhost:20000",
            "UDP-0.0.0.0:0-localhost:20000",
        ),
        (
            "tags=,7|endpoint=localhost:0",
            "UDP-0.0.0.0:0-localhost:0-0",
        ),
    ] {
        assert_eq!(parse(parameters).canonical_form(), form);
    }
}

#[test]
fn wildcard_channels_without_tag_are_distinct() {
    let mut unique = 3;
    for (parameters, form) in [
        ("endpoint=localhost:0", "UDP-0.0.0.0:0-localhost:0-3"),
        ("endpoint=localhost:0", "UDP-0.0.0.0:0-localhost:0-4"),
        ("endpoint=localhost:1", "UDP-0.0.0.0:0-localhost:1"),
        ("control-mode=manual", "UDP-0.0.0.0:0-0.0.0.0:0-5"),
        (
            "endpoint=localhost:1|control=localhost:0",
            "UDP-localhost:0-localhost:1-6",
        ),
        (
            "control-mode=dynamic|control=localhost:1",
            "UDP-localhost:1-0.0.0.0:0",
        ),
        ("tags=9|endpoint=localhost:0", "UDP-0.0.0.0:0-localhost:0#9"),
        ("tags=9", "UDP-0.0.0.0:0-0.0.0.0:0#9"),
    ] {
        let channel = parse_as(&format!("aeron:udp?{parameters}"), false, &mut unique);
        assert_eq!(channel.expect("good").canonical_form(), form);
    }
    assert_eq!(unique, 7);
}

#[test]
fn destinations_get_no_suffix() {
    let mut unique = 3;
    for parameters in ["endpoint=localhost:0", "tags=9|endpoint=localhost:0"] {
        let channel = parse_as(&format!("aeron:udp?{parameters}"), true, &mut unique);
        assert_eq!(
            channel.expect("good").canonical_form(),
            "UDP-0.0.0.0:0-localhost:0"
        );
    }
    assert_eq!(unique, 3);
}

#[test]
fn unicast_addresses_are_endpoint_and_interface() {
    let channel = parse("endpoint=md-1:4000|interface=10.0.0.7:5");
    assert_eq!(channel.remote_data(), address("10.0.0.7:4000"));
    assert_eq!(channel.remote_control(), address("10.0.0.7:4000"));
    assert_eq!(channel.local_data(), address("10.0.0.7:5"));
    assert_eq!(channel.local_control(), address("10.0.0.7:5"));
    assert_eq!(channel.interface_index(), 2);
    assert!(!channel.is_multicast() && !channel.is_explicit_control());
    assert!(channel.has_explicit_endpoint() && !channel.is_group_semantics());
    let channel = parse("endpoint=md-1:4000|interface=0.0.0.0:6");
    assert_eq!(channel.local_data(), address("0.0.0.0:6"));
    assert_eq!(channel.interface_index(), 0);
    assert_eq!(parse("endpoint=[::1]:1").local_data(), address("[::]:0"));
}

#[test]
fn explicit_control_is_the_local_address() {
    let channel = parse("endpoint=md-1:4000|control=localhost:5|interface=10.9.9.9");
    assert_eq!(channel.remote_data(), address("10.0.0.7:4000"));
    assert_eq!(channel.local_control(), address("127.0.0.1:5"));
    assert_eq!(channel.local_data(), address("127.0.0.1:5"));
    assert!(channel.is_explicit_control());
    let channel = parse("control=[::1]:5|control-mode=dynamic");
    assert_eq!(channel.remote_data(), address("[::]:0"));
    assert!(channel.is_dynamic() && channel.is_group_semantics() && !channel.is_multicast());
    assert!(!channel.has_explicit_endpoint());
}

#[test]
fn multicast_control_is_the_next_address() {
    let channel = parse("endpoint=224.20.30.39:4050|interface=localhost|control=localhost:1");
    assert!(channel.is_multicast() && channel.is_group_semantics());
    assert!(!channel.is_explicit_control(), "control is ignored");
    assert_eq!(channel.remote_data(), address("224.20.30.39:4050"));
    assert_eq!(channel.remote_control(), address("224.20.30.40:4050"));
    assert_eq!(channel.local_data(), address("127.0.0.1:0"));
    assert_eq!(channel.interface_index(), 1);
    let channel = parse("endpoint=[ff02::3]:1|interface=[::1]:9");
    assert_eq!(channel.remote_control(), address("[ff02::4]:1"));
    assert_eq!(channel.local_data(), address("[::1]:9"));
    assert_eq!(
        parse("endpoint=224.0.0.255:1").remote_control(),
        address("224.0.0.0:1")
    );
    for parameters in ["endpoint=224.0.0.2:1", "endpoint=[ff02::2]:1"] {
        let error = error(parameters);
        assert_eq!(error.code, ErrorCode::InvalidChannel);
        assert!(error.text.contains("must be odd"), "{error}");
    }
}

#[test]
fn channels_that_say_too_little_are_refused() {
    for parameters in [
        "",
        "alias=a",
        "interface=localhost",
        "control-mode=dynamic",
        "mtu=1408",
    ] {
        assert_eq!(error(parameters).code, ErrorCode::InvalidChannel);
    }
    let dynamic = error("endpoint=localhost:1|control-mode=dynamic");
    assert!(dynamic.text.contains("control"), "{dynamic}");
    for parameters in [
        "tags=1",
        "tags=,1",
        "control-mode=manual",
        "control-mode=response",
    ] {
        parse(parameters);
    }
    for text in [
        "aeron:udp",
        "aeron:ipc",
        "aeron-spy:aeron:ipc?alias=a",
        "nonsense",
        "",
    ] {
        let error = parse_as(text, false, &mut 0).expect_err(text);
        assert_eq!(error.code, ErrorCode::InvalidChannel);
    }
    assert!(parse_as("aeron-spy:aeron:udp?endpoint=localhost:1", false, &mut 0).is_ok());
}

#[test]
fn every_bad_value_is_an_invalid_channel() {
    for parameter in [
        "endpoint=",
        "endpoint=localhost",
        "endpoint=localhost:x",
        "endpoint=localhost:65536",
        "endpoint=::1:5",
        "control=",
        "control=localhost",
        "interface=",
        "interface=10.0.0.7/33",
        "interface=10.9.9.9",
        "interface={wlan0}",
        "tags=",
        "tags=a",
        "tags=-1",
        "ttl=-1",
        "ttl=256",
        "ttl=x",
        "so-sndbuf=x",
        "so-sndbuf=2g",
        "so-rcvbuf=-1",
        "rcv-wnd=x",
        "rcv-wnd=2g",
        "gtag=",
        "gtag=x",
        "nak-delay=1m",
        "nak-delay=-1",
        "untethered-window-limit-timeout=x",
        "untethered-linger-timeout=-1",
        "untethered-resting-timeout=",
        "media-rcv-ts-offset=x",
        "channel-rcv-ts-offset=",
        "channel-snd-ts-offset=2147483648",
        "ats=yes",
    ] {
        let parameters = match parameter.starts_with("endpoint") {
            true => parameter.to_owned(),
            false => format!("endpoint=localhost:1|{parameter}"),
        };
        assert_eq!(
            error(&parameters).code,
            ErrorCode::InvalidChannel,
            "{parameter}"
        );
    }
}

#[test]
fn hosts_that_do_not_resolve_are_unknown() {
    for parameters in [
        "endpoint=nowhere:1",
        "endpoint=localhost:1|control=nowhere:1",
        "endpoint=localhost:1|interface=nowhere",
    ] {
        assert_eq!(
            error(parameters).code,
            ErrorCode::UnknownHost,
            "{parameters}"
        );
    }
}

#[test]
fn transport_security_is_not_supported() {
    assert_eq!(
        error("endpoint=localhost:1|ats=true").code,
        ErrorCode::NotSupported
    );
    parse("endpoint=localhost:1|ats=false");
}

#[test]
fn endpoint_properties_fall_back_to_the_configuration() {
    let channel = parse("endpoint=localhost:1");
    assert_eq!(channel.ttl(), 0);
    assert_eq!(
        (channel.socket_sndbuf(), channel.socket_sndbuf_length()),
        (None, 0)
    );
    assert_eq!(
        (channel.socket_rcvbuf(), channel.socket_rcvbuf_length()),
        (None, 131_072)
    );
    assert_eq!(channel.receiver_window_length(), 131_072);
    assert_eq!((channel.group_tag(), channel.nak_delay_ns()), (None, None));
    assert_eq!(channel.timestamp_offsets(), TimestampOffsets::default());
    let defaults = UntetheredTimeouts {
        window_limit_ns: 5_000_000_000,
        linger_ns: 5_000_000_000,
        resting_ns: 10_000_000_000,
    };
    assert_eq!(channel.untethered(), defaults);
    assert_eq!((channel.tag(), channel.congestion_control()), (None, None));
    let channel = parse(
        "endpoint=localhost:1|ttl=9|so-sndbuf=1m|so-rcvbuf=2m|rcv-wnd=64k|gtag=-4|nak-delay=5ms|\
         tags=6,7|cc=cubic|untethered-window-limit-timeout=20s|channel-rcv-ts-offset=reserved|\
         channel-snd-ts-offset=0|media-rcv-ts-offset=8",
    );
    assert_eq!(channel.ttl(), 9);
    assert_eq!(
        (channel.socket_sndbuf(), channel.socket_sndbuf_length()),
        (Some(1 << 20), 1 << 20)
    );
    assert_eq!(
        (channel.socket_rcvbuf(), channel.socket_rcvbuf_length()),
        (Some(2 << 20), 2 << 20)
    );
    assert_eq!(channel.receiver_window_length(), 65_536);
    assert_eq!(
        (channel.group_tag(), channel.nak_delay_ns()),
        (Some(-4), Some(5_000_000))
    );
    assert_eq!(
        (channel.tag(), channel.congestion_control()),
        (Some(6), Some("cubic"))
    );
    let untethered = channel.untethered();
    assert_eq!(untethered.window_limit_ns, 20_000_000_000);
    assert_eq!(untethered.linger_ns, 20_000_000_000);
    assert_eq!(untethered.resting_ns, 10_000_000_000);
    let expected = TimestampOffsets {
        media_receive: Some(8),
        channel_receive: Some(-8),
        channel_send: Some(0),
    };
    assert_eq!(channel.timestamp_offsets(), expected);
    let zero = parse("endpoint=localhost:1|ttl=0|so-sndbuf=0|so-rcvbuf=0");
    assert_eq!(zero.socket_rcvbuf_length(), 131_072);
}

#[test]
fn timestamps_must_not_overlap() {
    for (a, b) in [("0", "7"), ("reserved", "reserved"), ("8", "1"), ("0", "0")] {
        for (x, y) in [
            ("media-rcv-ts-offset", "channel-rcv-ts-offset"),
            ("media-rcv-ts-offset", "channel-snd-ts-offset"),
            ("channel-snd-ts-offset", "channel-rcv-ts-offset"),
        ] {
            let error = error(&format!("endpoint=localhost:1|{x}={a}|{y}={b}"));
            assert!(error.text.contains("overlap"), "{error}");
        }
    }
    parse("endpoint=localhost:1|media-rcv-ts-offset=-1|channel-rcv-ts-offset=-1");
    parse("endpoint=localhost:1|media-rcv-ts-offset=0|channel-rcv-ts-offset=2147483647");
}

#[test]
fn tags_match_wildcards_and_equal_addresses() {
    let existing = parse("tags=5|endpoint=localhost:4000|control=localhost:5000");
    let matches = |parameters: &str| existing.matches_tag(&parse(parameters), None, None);
    assert_eq!(matches("tags=5"), Ok(true));
    assert_eq!(matches("tags=5,9"), Ok(true));
    assert_eq!(
        matches("tags=5|endpoint=localhost:4000|control=localhost:5000"),
        Ok(true)
    );
    assert_eq!(
        matches("tags=5|endpoint=127.0.0.1:4000|control=localhost:5000"),
        Ok(true)
    );
    assert_eq!(matches("tags=6"), Ok(false));
    assert_eq!(matches("tags=,5"), Ok(false));
    assert_eq!(matches("endpoint=localhost:4000"), Ok(false));
    for parameters in [
        "tags=5|endpoint=localhost:4001",
        "tags=5|endpoint=localhost:4000",
    ] {
        let error = matches(parameters).expect_err("other address");
        assert!(
            error.text.contains("mismatched endpoint or control"),
            "{error}"
        );
    }
    let error = matches("tags=5|control-mode=manual").expect_err("other mode");
    assert!(error.text.contains("mismatched control-mode"), "{error}");
    let untagged = parse("endpoint=localhost:4000");
    assert_eq!(untagged.matches_tag(&untagged, None, None), Ok(false));
    let manual = parse("tags=5|control-mode=manual");
    assert_eq!(manual.matches_tag(&parse("tags=5"), None, None), Ok(true));
    assert_eq!(
        manual.matches_tag(&parse("tags=5|control-mode=manual"), None, None),
        Ok(true)
    );
}

#[test]
fn tags_are_compared_with_present_addresses() {
    let existing = parse("tags=5|endpoint=md-1:4000");
    let moved = parse("tags=5|endpoint=10.0.0.9:4000");
    assert!(existing.matches_tag(&moved, None, None).is_err());
    let current = Some(address("10.0.0.9:4000"));
    assert_eq!(existing.matches_tag(&moved, None, current), Ok(true));
    assert!(existing.matches_tag(&existing, None, current).is_err());
}

/// Random addresses, interfaces and tags never panic, and what is accepted is accepted again with
/// the same canonical form.
#[test]
fn random_channels_never_panic() {
    const PIECES: &[&str] = &[
        "endpoint=localhost:4000",
        "|endpoint=[::1]:0|",
        "|control=md-1:1|",
        "endpoint=",
        "control=",
        "interface=",
        "tags=",
        "control-mode=manual",
        "localhost",
        "md-1",
        "224.0.1.1",
        "10.0.0.7",
        "[::1]",
        "[ff02::1",
        "[fe80::1%é]",
        "{eth0}",
        "{",
        ":",
        ":0",
        ":4000",
        "/24",
        "/",
        "é",
        "|",
        "|",
        "|",
        "|tags=5,6|",
        "|ttl=3",
        "|rcv-wnd=64k|alias=",
    ];
    let mut accepted = 0;
    for seed in 0..20_000 {
        let mut rng = crate::base::Rng::new(seed);
        let mut text = "aeron:udp?".to_owned();
        for _ in 0..=rng.below(9) {
            let piece = rng.below(PIECES.len() as u64);
            text.push_str(PIECES[usize::try_from(piece).expect("small")]);
        }
        if let Ok(channel) = parse_as(&text, true, &mut 0) {
            accepted += 1;
            let again = parse_as(&channel.uri().to_string(), true, &mut 0).expect(&text);
            assert_eq!(again.canonical_form(), channel.canonical_form(), "{text}");
        }
    }
    assert!(accepted > 300, "{accepted}");
}
