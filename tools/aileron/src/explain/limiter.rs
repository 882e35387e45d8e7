//! Who sets the pace of a stream, in two words: what `top` shows, from the findings of `explain`.

use std::collections::BTreeMap;

use super::{Case, Cause, Finding, Size, StreamName};
use crate::snapshot::ClientView;

/// Who sets the pace of a stream.
///
/// ```
/// let limiter = aileron_cli::explain::Limiter::default();
/// assert!(!limiter.holds_up() && limiter.party.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built field by field in tests")]
pub struct Limiter {
    /// Why it goes no faster; `None` where nobody holds it up.
    pub cause: Option<Cause>,
    /// Who, as short as a column of a table is.
    pub party: String,
}

impl Limiter {
    /// Whether it is somebody other than whoever feeds the stream.
    #[must_use]
    pub const fn holds_up(&self) -> bool {
        self.cause.is_some()
    }
}

/// The findings, sorted by what they are about.
pub(super) struct Limits<'a> {
    case: &'a Case<'a>,
    of_streams: BTreeMap<(bool, i64), Vec<&'a Finding>>,
    of_all: Vec<&'a Finding>,
}

impl<'a> Limits<'a> {
    pub(super) fn new(case: &'a Case<'a>) -> Self {
        let mut of_streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut of_all = Vec::new();
        for finding in &case.findings {
            match &finding.stream {
                Some(stream) => {
                    let own = of_streams.entry((stream.is_publication, stream.id));
                    own.or_default().push(finding);
                }
                None => of_all.push(finding),
            }
        }
        Self {
            case,
            of_streams,
            of_all,
        }
    }

    /// Who limits a stream that moves at this rate, and whether it stands for it.
    pub(super) fn of(&self, stream: &StreamName, rate: f64) -> (Limiter, bool) {
        let key = (stream.is_publication, stream.id);
        let own = self.of_streams.get(&key).into_iter().flatten();
        let common = self.of_all.iter().filter(|f| concerns(f.cause, stream));
        let all = common.chain(own);
        let weighed = all.filter_map(|finding| Some((weight(finding)?, *finding)));
        let Some((_, finding)) = weighed.min_by_key(|(weight, _)| *weight) else {
            let party = if rate > 0.0 { "publisher" } else { "idle" };
            let party = party.to_owned();
            return (Limiter { cause: None, party }, false);
        };
        let limiter = Limiter {
            cause: Some(finding.cause),
            party: self.party(finding),
        };
        (limiter, finding.is_stall)
    }

    fn party(&self, finding: &Finding) -> String {
        let client = finding.client_id.map(|id| {
            let client = self.case.snapshot().client(id);
            let title = client.map_or_else(|| id.to_string(), ClientView::title);
            format!("client {title}")
        });
        match (finding.cause, client, finding.size) {
            (Cause::SubscriberBehind | Cause::UntetheredResting, Some(client), _) => client,
            (Cause::GroupIncomplete, _, Some(Size::Of(have, wanted))) => {
                format!("group {have} of {wanted}")
            }
            (cause, _, _) => brief(cause).to_owned(),
        }
    }
}

/// What stops a stream comes before what one of its readers misses, and both before what slows it
/// down; other warnings limit nothing.
const fn weight(finding: &Finding) -> Option<u8> {
    match (finding.is_stall, finding.cause) {
        (true, Cause::UntetheredResting) => Some(1),
        (true, _) => Some(0),
        (false, Cause::WindowTooSmall | Cause::SenderBehind | Cause::Loss) => Some(2),
        (false, _) => None,
    }
}

/// Whether a stream stands when the driver, or this agent of it, does.
fn concerns(cause: Cause, stream: &StreamName) -> bool {
    let is_sent = stream.is_publication && !stream.channel.starts_with("aeron:ipc");
    matches!(
        cause,
        Cause::DriverGone | Cause::DriverStopped | Cause::ConductorStalled
    ) || cause == Cause::SenderStalled && is_sent
        || cause == Cause::ReceiverStalled && !stream.is_publication
}

const fn brief(cause: Cause) -> &'static str {
    match cause {
        Cause::DriverGone | Cause::DriverStopped => "driver",
        Cause::ConductorStalled => "conductor",
        Cause::SenderStalled | Cause::SenderBehind => "sender",
        Cause::ReceiverStalled => "receiver",
        Cause::ChannelErrored => "channel error",
        Cause::NoSubscriber => "no subscriber",
        Cause::EndpointMismatch => "wrong endpoint",
        Cause::InterfaceMismatch => "wrong interface",
        Cause::SetupUnanswered => "no answer",
        Cause::NoDestination => "no destination",
        Cause::GroupIncomplete => "group size",
        Cause::SubscriberBehind | Cause::UntetheredResting => "subscriber",
        Cause::FlowControl => "flow control",
        Cause::WindowTooSmall => "receiver window",
        Cause::SocketBufferTooSmall => "socket buffer",
        Cause::Loss | Cause::NaksUnanswered => "loss",
        Cause::BlockedByClaim => "open claim",
        Cause::ClientSilent
        | Cause::ClientTimedOut
        | Cause::NameUnresolved
        | Cause::StorageFull
        | Cause::MtuMismatch
        | Cause::TermLengthMismatch
        | Cause::Refused => cause.name(),
    }
}
