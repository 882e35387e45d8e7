//! The grammar, typed parameters, and random texts.

use super::*;
use crate::base::Rng;

fn parse(text: &str) -> ChannelUri {
    ChannelUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn with(name: &str, value: &str) -> ChannelUri {
    parse(&format!("aeron:udp?{name}={value}"))
}

#[test]
fn prefix_and_media_are_recognised() {
    let uri = parse("aeron:udp?endpoint=localhost:1");
    assert!(uri.is_udp() && !uri.is_ipc() && !uri.is_spy());
    assert!(parse("aeron:ipc").is_ipc());
    let uri = parse("aeron-spy:aeron:udp?endpoint=localhost:1");
    assert!(uri.is_spy() && uri.is_udp());
    assert_eq!(parse("aeron:udp").parameters().count(), 0);
    assert_eq!(parse("aeron:udp?").parameters().count(), 0);
    assert_eq!(parse("aeron:ipc?"), parse("aeron:ipc"));
}

#[test]
fn texts_outside_the_grammar_are_refused() {
    for text in [
        "",
        "aeron",
        "aeron:",
        "udp?endpoint=a:1",
        ":udp?endpoint=a:1",
        "aeron:tcp",
        "aeron:tcp?endpoint=a:1",
        "aeron:UDP?endpoint=a:1",
        "Aeron:udp?endpoint=a:1",
        "aeron:udp:x?endpoint=a:1",
        "aeron:udp|x?endpoint=a:1",
        "aeron:udp=x?endpoint=a:1",
        "aeron: udp?endpoint=a:1",
        "aeron-spy:udp?endpoint=a:1",
        "aeron-spy:aeron-spy:aeron:udp?endpoint=a:1",
        "spy:aeron:udp?endpoint=a:1",
        "aeron:udp?=x",
        "aeron:udp?endpoint=a:1|=x",
        "aeron:udp?endpoint",
        "aeron:udp?endpoint=a:1|",
        "aeron:udp?endpoint=a:1||mtu=1",
        "aeron:udp?|endpoint=a:1",
        "aeron:udp?add|ress=x",
        "aeron:udp?endpoint=a:1|sparse",
    ] {
        assert!(ChannelUri::parse(text).is_err(), "{text}");
    }
}

#[test]
fn values_may_contain_equals_signs_and_be_empty() {
    let uri = parse("aeron:udp?alias=a=b=c|endpoint=|x?y=z");
    assert_eq!(uri.get("alias"), Some("a=b=c"));
    assert_eq!(uri.get("endpoint"), Some(""));
    assert_eq!(uri.get("x?y"), Some("z"));
    assert!(uri.contains("endpoint") && !uri.contains("end"));
}

#[test]
fn the_last_of_equal_names_counts() {
    let uri = parse("aeron:udp?mtu=1408|linger=1s|mtu=8k");
    assert_eq!(uri.size(params::MTU), Ok(Some(8192)));
    assert_eq!(uri.to_string(), "aeron:udp?mtu=8k|linger=1s");
}

#[test]
fn length_is_limited_to_4095() {
    let prefix = "aeron:udp?alias=";
    let longest = format!("{prefix}{}", "a".repeat(MAX_CHANNEL_LENGTH - prefix.len()));
    assert_eq!(parse(&longest).to_string(), longest);
    assert!(ChannelUri::parse(&format!("{longest}a")).is_err());
}

#[test]
fn equality_ignores_order_and_nothing_else() {
    assert_eq!(parse("aeron:udp?a=1|b=2"), parse("aeron:udp?b=2|a=1"));
    assert_ne!(parse("aeron:udp?a=1|b=2"), parse("aeron:udp?a=1"));
    assert_ne!(parse("aeron:udp?a=1"), parse("aeron:udp?a=1|b=2"));
    assert_ne!(parse("aeron:udp?a=1"), parse("aeron:udp?a=2"));
    assert_ne!(parse("aeron:udp?a=1"), parse("aeron:ipc?a=1"));
    assert_ne!(parse("aeron:udp?a=1"), parse("aeron-spy:aeron:udp?a=1"));
}

#[test]
fn parameters_are_set_and_removed() {
    let mut uri = ChannelUri::new(Media::Ipc);
    uri.set("alias", "a").expect("good");
    uri.set("alias", "b").expect("good");
    assert_eq!(uri.to_string(), "aeron:ipc?alias=b");
    assert_eq!(uri.remove("alias"), Some("b".to_owned()));
    assert_eq!(uri.remove("alias"), None);
    assert_eq!(uri.to_string(), "aeron:ipc");
    for (name, value) in [("", "x"), ("a=b", "x"), ("a|b", "x"), ("a", "x|y")] {
        assert!(uri.set(name, value).is_err());
    }
    uri.set_spy(true);
    assert_eq!("aeron-spy:aeron:ipc".parse(), Ok(uri));
}

#[test]
fn absent_parameters_are_none() {
    let uri = parse("aeron:udp");
    assert_eq!(uri.size("x"), Ok(None));
    assert_eq!(uri.size_i32("x"), Ok(None));
    assert_eq!(uri.duration_ns("x"), Ok(None));
    assert_eq!(uri.bool("x"), Ok(None));
    assert_eq!(uri.i32("x"), Ok(None));
    assert_eq!(uri.i64("x"), Ok(None));
    assert_eq!(uri.tags(), Ok(Tags::default()));
    assert_eq!(uri.session_ref(), Ok(None));
    assert_eq!(uri.timestamp_offset("x"), Ok(None));
    assert_eq!(uri.response_correlation_id(), Ok(-1));
    assert_eq!(uri.control_mode(), ControlMode::None);
}

#[test]
fn sizes_durations_and_flags_are_exact() {
    assert_eq!(with("x", "2147483647").size_i32("x"), Ok(Some(i32::MAX)));
    assert!(with("x", "2g").size_i32("x").is_err());
    assert_eq!(with("x", "2g").size("x"), Ok(Some(2 << 30)));
    assert_eq!(with("x", "1500us").duration_ns("x"), Ok(Some(1_500_000)));
    assert_eq!(with("x", "true").bool("x"), Ok(Some(true)));
    assert_eq!(with("x", "false").bool("x"), Ok(Some(false)));
    for value in ["", "True", "truex", "1", " true"] {
        assert!(with("x", value).bool("x").is_err(), "{value}");
    }
    assert!(with("x", "").size("x").is_err());
    assert!(with("x", "").duration_ns("x").is_err());
}

#[test]
fn integers_are_decimal() {
    assert_eq!(with("x", "-2147483648").i32("x"), Ok(Some(i32::MIN)));
    assert_eq!(
        with("x", "-9223372036854775808").i64("x"),
        Ok(Some(i64::MIN))
    );
    assert_eq!(with("x", "007").i32("x"), Ok(Some(7)));
    for value in [
        "",
        "-",
        "+1",
        "0x1",
        "1.0",
        " 1",
        "1 ",
        "--1",
        "2147483648",
        "-2147483649",
    ] {
        assert!(with("x", value).i32("x").is_err(), "{value}");
    }
    assert!(with("x", "9223372036854775808").i64("x").is_err());
}

#[test]
fn tags_have_three_forms() {
    let tags = |text: &str| {
        with("tags", text)
            .tags()
            .map(|tags| (tags.channel, tags.entity))
    };
    assert_eq!(tags("7"), Ok((Some(7), None)));
    assert_eq!(tags("7,"), Ok((Some(7), None)));
    assert_eq!(tags("7,-8"), Ok((Some(7), Some(-8))));
    assert_eq!(tags(",8"), Ok((None, Some(8))));
    for text in [
        "",
        ",",
        "-1",
        "7,-1",
        "a",
        "7,a",
        "7,8,9",
        "1k",
        "9223372036854775808",
    ] {
        assert!(tags(text).is_err(), "{text}");
    }
}

#[test]
fn sessions_have_two_forms() {
    let session = |text: &str| with("session-id", text).session_ref();
    assert_eq!(session("-5"), Ok(Some(SessionRef::Id(-5))));
    assert_eq!(session("tag:5"), Ok(Some(SessionRef::Tag(5))));
    for text in ["", "tag:", "tag:x", "TAG:5", "x", "2147483648"] {
        assert!(session(text).is_err(), "{text}");
    }
}

#[test]
fn control_modes_that_are_unknown_are_none() {
    for (text, mode) in [
        ("manual", ControlMode::Manual),
        ("dynamic", ControlMode::Dynamic),
        ("response", ControlMode::Response),
        ("Manual", ControlMode::None),
        ("", ControlMode::None),
        ("x", ControlMode::None),
    ] {
        let uri = with("control-mode", text);
        assert_eq!(uri.control_mode(), mode);
        assert_eq!(
            uri.is_control_mode_response(),
            mode == ControlMode::Response
        );
    }
}

#[test]
fn response_correlation_ids_are_at_least_minus_one_or_prototype() {
    let id = |text: &str| with("response-correlation-id", text).response_correlation_id();
    assert_eq!(id("-1"), Ok(-1));
    assert_eq!(id("42"), Ok(42));
    assert_eq!(id("prototype"), Ok(PROTOTYPE_CORRELATION_ID));
    for text in ["-2", "", "x", "Prototype"] {
        assert!(id(text).is_err(), "{text}");
    }
}

#[test]
fn timestamp_offsets_below_zero_are_none_but_for_reserved() {
    let offset = |text: &str| with("x", text).timestamp_offset("x");
    assert_eq!(offset("reserved"), Ok(Some(RESERVED_VALUE_OFFSET)));
    assert_eq!(offset("0"), Ok(Some(0)));
    assert_eq!(offset("-8"), Ok(None));
    assert_eq!(offset("-1"), Ok(None));
    for text in ["", "Reserved", "x", "2147483648"] {
        assert!(offset(text).is_err(), "{text}");
    }
}

#[test]
fn errors_name_parameter_value_and_reason() {
    let error = with("mtu", "x").size("mtu").expect_err("not a size");
    assert_eq!(
        (error.parameter(), error.value(), error.reason()),
        ("mtu", "x", "expected a size in bytes, such as 1408 or 64k")
    );
    let error = ChannelUri::parse("aeron:tcp").expect_err("media");
    assert_eq!((error.parameter(), error.value()), ("", "aeron:tcp"));
}

/// Random texts never panic; what is accepted prints as a text that parses to an equal channel, and
/// so do the builder's and the flow control's readings of it.
#[test]
fn random_texts_never_panic_and_round_trip() {
    const PIECES: &[&str] = &[
        "aeron:",
        "aeron-spy:",
        "udp",
        "ipc",
        "?",
        "|",
        "=",
        ":",
        ",",
        "/",
        "endpoint",
        "tags",
        "mtu",
        "fc",
        "session-id",
        "tag:",
        "control-mode",
        "manual",
        "reserved",
        "prototype",
        "1408",
        "64k",
        "-1",
        "0",
        "99999999999999999999",
        "true",
        "5s",
        "min",
        "tagged",
        "g:",
        "t:",
        "[::1]",
        "127.0.0.1",
        "é",
        "\0",
        " ",
        "{eth0}",
        "term-length",
        "linger",
        "response-correlation-id",
    ];
    let names = [
        params::ENDPOINT,
        params::TAGS,
        params::MTU,
        params::SESSION_ID,
        params::LINGER,
        "=",
        "",
    ];
    let mut accepted = 0;
    for seed in 0..20_000 {
        let mut rng = Rng::new(seed);
        let mut pick = |from: &[&'static str]| {
            from[usize::try_from(rng.below(from.len() as u64)).expect("small")]
        };
        let mut text = if seed % 4 == 0 {
            String::new()
        } else {
            "aeron:udp?".to_owned()
        };
        for _ in 0..seed % 9 {
            if seed % 3 != 0 {
                text.push_str(pick(&names));
                text.push('=');
            }
            text.push_str(pick(PIECES));
            text.push_str(pick(&["|", "|", "", "x"]));
        }
        if seed % 2 == 0 && text.ends_with('|') {
            text.pop();
        }
        let Ok(uri) = ChannelUri::parse(&text) else {
            continue;
        };
        accepted += 1;
        let again = parse(&uri.to_string());
        assert_eq!(again, uri, "seed {seed}");
        assert_eq!(again.to_string(), uri.to_string(), "seed {seed}");
        for (name, value) in uri.parameters() {
            let _ = (
                uri.size(name),
                uri.duration_ns(name),
                uri.bool(name),
                uri.i32(name),
            );
            let _ = (
                uri.timestamp_offset(name),
                uri.i64(name),
                uri.size_i32(name),
            );
            let _ = crate::uri::FlowControlParam::parse(value);
        }
        let _ = (uri.tags(), uri.session_ref(), uri.response_correlation_id());
        if let Ok(built) = crate::uri::ChannelUriBuilder::from(&uri).build() {
            let rebuilt = crate::uri::ChannelUriBuilder::from(&parse(&built.to_string())).build();
            assert_eq!(rebuilt, Ok(built), "seed {seed}");
        }
    }
    assert!(accepted > 2_000, "{accepted}");
}
