//! Channels.

use aileron::StreamId;
use aileron::uri::{ChannelUri, ChannelUriBuilder, FlowControlParam, parse_duration, parse_size};

use crate::rig::Rig;

/// Longest text that is also given to a driver.
const DRIVER_LENGTH_MAX: usize = 512;

/// Reads the bytes as a channel. What is read and printed reads the same; what the builder lets
/// through it reads again; and a driver that is asked for it as a publication and as a subscription
/// answers.
///
/// ```
/// aileron_fuzz::targets::uri(b"aeron:udp?endpoint=localhost:4000");
/// ```
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = (
        parse_duration(text),
        parse_size(text),
        FlowControlParam::parse(text),
    );
    let Ok(uri) = ChannelUri::parse(text) else {
        return;
    };
    let printed = uri.to_string();
    let again = ChannelUri::parse(&printed);
    let again = again.map(|again| again.to_string());
    assert_eq!(again.as_deref(), Ok(&*printed), "from {text:?}");
    look(&uri);
    let builder = ChannelUriBuilder::from_uri(&uri);
    if let (Ok(built), Ok(())) = (builder.build(), builder.validate()) {
        let again = ChannelUri::parse(&built.to_string()).expect("what was built is a channel");
        let rebuilt = ChannelUriBuilder::from_uri(&again).build();
        let rebuilt = rebuilt.map(|uri| uri.to_string());
        assert_eq!(rebuilt, Ok(built.to_string()), "from {text:?}");
    }
    if text.len() <= DRIVER_LENGTH_MAX {
        ask_driver(text);
    }
}

fn look(uri: &ChannelUri) {
    let _ = (uri.tags(), uri.session_ref(), uri.control_mode());
    let _ = uri.response_correlation_id();
    for (name, _) in uri.parameters() {
        let _ = (uri.size(name), uri.size_i32(name), uri.duration_ns(name));
        let _ = (uri.bool(name), uri.i32(name), uri.timestamp_offset(name));
    }
}

fn ask_driver(text: &str) {
    let mut rig = Rig::new(|config| config);
    let pending = rig.client.add_subscription_async(text, StreamId(1));
    let subscription = rig.answer(pending).expect("an answer");
    let pending = rig.client.add_publication_async(text, StreamId(1));
    let publication = rig.answer(pending).expect("an answer");
    let pending = rig
        .client
        .add_exclusive_publication_async(text, StreamId(1));
    let exclusive = rig.answer(pending).expect("an answer");
    for _ in 0..4 {
        rig.step(1_000_000);
    }
    drop((subscription, publication, exclusive));
    for _ in 0..4 {
        rig.step(1_000_000_000);
    }
    let mut honest = rig.honest_stream(9);
    rig.check_honest(&mut honest);
}
