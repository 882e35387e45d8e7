//! Datagrams to the parsers.

use aileron::protocol::{Frame, ResolutionEntries, SocketRole};

/// Parses the bytes as a datagram in every role, looks at every field, and walks what has parts.
///
/// ```
/// aileron_fuzz::targets::frames(b"anything");
/// ```
pub fn frames(data: &[u8]) {
    let mut parsed = vec![Frame::parse(data).map(Some)];
    let roles = [SocketRole::Receive, SocketRole::Send, SocketRole::Resolver];
    parsed.extend(roles.map(|role| Frame::parse_for(role, data)));
    let looked: usize = parsed.into_iter().flatten().flatten().map(look).sum();
    assert!(looked > 0 || Frame::parse(data).is_err());
}

/// Looks at all fields, through the text of the frame.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "frames that come will have no parts"
)]
fn look(frame: Frame<'_>) -> usize {
    let parts = match frame {
        Frame::Resolution(frame) => walk(frame.entries()),
        Frame::Data(frame) => frame.payload().len() + usize::from(frame.is_heartbeat()),
        _ => 0,
    };
    format!("{frame:?}").len() + parts
}

fn walk(entries: ResolutionEntries<'_>) -> usize {
    entries.map(|entry| format!("{entry:?}").len()).sum()
}
