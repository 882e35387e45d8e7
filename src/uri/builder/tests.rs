//! Setters, texts and checks of the builder.

use super::*;

fn text(builder: &ChannelUriBuilder) -> String {
    builder
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
        .to_string()
}

/// A value of each parameter, in the order of printing and in the printed form.
const FULL: &str = "tags=1,2|endpoint=a:1|interface=b|control=c:2|control-mode=manual|mtu=4k|\
    term-length=64k|init-term-id=-7|term-id=-6|term-offset=64|session-id=5|ttl=255|reliable=false|\
    linger=0ns|alias=x=y|cc=cubic|fc=tagged,g:1/2|gtag=-3|sparse=true|eos=false|tether=true|\
    group=infer|rejoin=false|ssc=true|so-sndbuf=1m|so-rcvbuf=2m|rcv-wnd=1408|\
    media-rcv-ts-offset=reserved|\
    channel-rcv-ts-offset=0|channel-snd-ts-offset=8|response-endpoint=d:3|\
    response-correlation-id=prototype|nak-delay=1us|untethered-window-limit-timeout=1s|\
    untethered-linger-timeout=2s|untethered-resting-timeout=3s|max-resend=7|\
    stream-id=1001|pub-wnd=32k";

#[test]
fn a_channel_without_parameters_has_no_question_mark() {
    assert_eq!(text(&ChannelUriBuilder::udp()), "aeron:udp");
    assert_eq!(text(&ChannelUriBuilder::ipc()), "aeron:ipc");
    assert_eq!(
        text(&ChannelUriBuilder::udp().spy(true).alias("a")),
        "aeron-spy:aeron:udp?alias=a"
    );
    assert_eq!(
        text(&ChannelUriBuilder::udp().media(Media::Ipc)),
        "aeron:ipc"
    );
}

#[test]
fn every_parameter_is_copied_and_printed_in_order() {
    let channel = format!("aeron:udp?{FULL}");
    assert_eq!(FULL.split('|').count(), PARAMETERS.len());
    let mut shuffled: Vec<_> = FULL.split('|').collect();
    shuffled.reverse();
    let uri = ChannelUri::parse(&format!("aeron:udp?unknown=1|{}", shuffled.join("|")));
    let builder = ChannelUriBuilder::from(&uri.expect("good"));
    assert_eq!(text(&builder), channel);
    assert_eq!(builder.validate(), Ok(()));
}

#[test]
fn setters_print_what_the_text_form_prints() {
    let builder = ChannelUriBuilder::udp()
        .tags(Some(1), Some(2))
        .endpoint("a:1")
        .interface("b")
        .control("c:2")
        .control_mode(ControlMode::Manual)
        .mtu(4096)
        .term_length(65_536)
        .initial_term_id(-7)
        .term_id(-6)
        .term_offset(64)
        .session_ref(SessionRef::Id(5))
        .ttl(255)
        .reliable(false)
        .linger_ns(0)
        .alias("x=y")
        .congestion_control("cubic")
        .tagged_flow_control(Some(1), Some(2), None)
        .group_tag(-3)
        .sparse(true)
        .eos(false)
        .tether(true)
        .group(true)
        .rejoin(false)
        .spies_simulate_connection(true)
        .socket_sndbuf_length(1 << 20)
        .socket_rcvbuf_length(2 << 20)
        .receiver_window_length(1408)
        .media_receive_timestamp_offset("reserved")
        .channel_receive_timestamp_offset("0")
        .channel_send_timestamp_offset("8")
        .response_endpoint("d:3")
        .response_correlation_id_text("prototype")
        .nak_delay_ns(1_000)
        .untethered_window_limit_timeout_ns(1_000_000_000)
        .untethered_linger_timeout_ns(2_000_000_000)
        .untethered_resting_timeout_ns(3_000_000_000)
        .max_resend(7)
        .stream_id(1001)
        .publication_window_length(32 * 1024);
    let full = FULL.replace("group=infer", "group=true");
    assert_eq!(text(&builder), format!("aeron:udp?{full}"));
}

#[test]
fn none_leaves_a_parameter_out_again() {
    let builder = ChannelUriBuilder::udp()
        .endpoint("a:1")
        .mtu(1408)
        .tags(Some(1), None);
    let builder = builder.mtu(None).endpoint(None).tags(None, None);
    assert_eq!(text(&builder), "aeron:udp");
    let builder = builder
        .control_mode(ControlMode::Dynamic)
        .control_mode(ControlMode::None);
    assert_eq!(text(&builder), "aeron:udp");
}

#[test]
fn bad_values_are_refused_by_name() {
    let cases: &[(&str, &[&str])] = &[
        (params::TAGS, &["", ",", "a", "1,b", "-1", "1,-1", "1,2,3"]),
        (params::CONTROL_MODE, &["", "Manual", "auto"]),
        (params::MTU, &["0", "31", "33", "65536", "64k", "-32", "x"]),
        (params::TERM_LENGTH, &["32k", "65537", "2g", "", "-1"]),
        (
            params::INITIAL_TERM_ID,
            &["2147483648", "-2147483649", "", "x", "1k"],
        ),
        (params::TERM_ID, &["2147483648", "0x1"]),
        (params::TERM_OFFSET, &["-32", "33", "1073741856", "64k"]),
        (
            params::SESSION_ID,
            &["", "x", "tag:", "tag:x", "2147483648"],
        ),
        (params::TTL, &["-1", "256", "x"]),
        (params::RELIABLE, &["True", "1", ""]),
        (params::LINGER, &["-1", "1m", ""]),
        (params::FLOW_CONTROL, &["", "fast", "min,x:1"]),
        (params::GROUP_TAG, &["", "9223372036854775808"]),
        (params::SPARSE, &["yes"]),
        (params::EOS, &["no"]),
        (params::TETHER, &[""]),
        (params::GROUP, &["maybe"]),
        (params::REJOIN, &["TRUE"]),
        (params::SPIES_SIMULATE_CONNECTION, &["x"]),
        (params::SOCKET_SNDBUF, &["-1", "2g", "x"]),
        (params::SOCKET_RCVBUF, &["-1"]),
        (params::RECEIVER_WINDOW, &["-1", "Auto", "2g"]),
        (
            params::MEDIA_RCV_TIMESTAMP_OFFSET,
            &["Reserved", "", "2147483648"],
        ),
        (params::CHANNEL_RCV_TIMESTAMP_OFFSET, &["x"]),
        (params::CHANNEL_SND_TIMESTAMP_OFFSET, &["x"]),
        (
            params::RESPONSE_CORRELATION_ID,
            &["-2", "x", "", "Prototype"],
        ),
        (params::NAK_DELAY, &["-1", "x"]),
        (params::UNTETHERED_WINDOW_LIMIT_TIMEOUT, &["-1"]),
        (params::UNTETHERED_LINGER_TIMEOUT, &["-1"]),
        (params::UNTETHERED_RESTING_TIMEOUT, &["-1"]),
        (params::MAX_RESEND, &["-1", "x"]),
        (params::STREAM_ID, &["x"]),
        (params::PUBLICATION_WINDOW, &["-1"]),
    ];
    for (name, values) in cases {
        for value in *values {
            let uri = ChannelUri::parse(&format!("aeron:udp?{name}={value}")).expect("grammar");
            let error = ChannelUriBuilder::from(&uri).build().expect_err(name);
            assert_eq!((error.parameter(), error.value()), (*name, *value));
        }
    }
    assert!(ChannelUriBuilder::udp().alias("a|b").build().is_err());
    assert!(ChannelUriBuilder::udp().linger_ns(-1).build().is_err());
    assert!(
        ChannelUriBuilder::udp()
            .tags(None, Some(1))
            .build()
            .is_err()
    );
}

#[test]
fn the_first_bad_value_is_the_one_reported() {
    let builder = ChannelUriBuilder::udp().mtu(1).ttl(300).mtu(1408);
    assert_eq!(builder.build().expect_err("two errors").parameter(), "mtu");
}

#[test]
fn flow_control_helpers_print_the_grammar() {
    let fc = |builder: ChannelUriBuilder| {
        let uri = builder.build().expect("good");
        uri.get(params::FLOW_CONTROL).expect("set").to_owned()
    };
    let udp = ChannelUriBuilder::udp;
    assert_eq!(fc(udp().min_flow_control(None, None)), "min");
    assert_eq!(
        fc(udp().min_flow_control(Some(3), Some(10_000_000_000))),
        "min,g:/3,t:10s"
    );
    assert_eq!(fc(udp().tagged_flow_control(None, None, None)), "tagged");
    assert_eq!(
        fc(udp().tagged_flow_control(Some(123), None, None)),
        "tagged,g:123"
    );
    assert_eq!(
        fc(udp().tagged_flow_control(None, Some(2), None)),
        "tagged,g:/2"
    );
    let all = udp().tagged_flow_control(Some(123), Some(2), Some(5_000_000_000));
    assert_eq!(fc(all), "tagged,g:123/2,t:5s");
    assert!(udp().min_flow_control(Some(-1), None).build().is_err());
}

#[test]
fn a_position_is_split_into_term_and_offset() {
    let builder = ChannelUriBuilder::ipc();
    let at = |position| {
        builder
            .clone()
            .initial_position(Position(position), TermId(i32::MAX), 65_536)
    };
    assert_eq!(
        text(&at(65_536 + 64)),
        "aeron:ipc?term-length=64k|init-term-id=2147483647|term-id=-2147483648|term-offset=64"
    );
    assert_eq!(at(65_536 + 64).validate(), Ok(()));
    assert!(at(-32).build().is_err());
    assert!(at(33).build().is_err());
    assert!(at(i64::MAX - 31).build().is_err());
    assert!(
        builder
            .initial_position(Position(0), TermId(0), 1)
            .build()
            .is_err()
    );
}

#[test]
fn validation_is_about_the_whole() {
    let udp = ChannelUriBuilder::udp;
    assert!(udp().tags(Some(1), None).validate().is_err());
    assert!(udp().control("a:1").validate().is_ok());
    assert!(ChannelUriBuilder::ipc().validate().is_ok());
    let start = |initial, term, offset| {
        let builder = ChannelUriBuilder::ipc()
            .initial_term_id(initial)
            .term_id(term);
        builder.term_offset(offset).term_length(65_536).validate()
    };
    assert!(start(Some(1), Some(1), Some(65_536)).is_ok());
    assert!(start(Some(i32::MAX), Some(i32::MIN), Some(0)).is_ok());
    assert!(start(Some(1), Some(0), Some(0)).is_err());
    assert!(start(Some(1), Some(1), Some(65_568)).is_err());
    assert!(start(Some(1), Some(1), None).is_err());
    assert!(start(None, Some(1), Some(0)).is_err());
    assert!(start(Some(1), None, Some(0)).is_err());
}
