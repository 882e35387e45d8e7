//! Parameters of publications (`driver.md` §11.7).

use super::{UntetheredTimeouts, invalid};
use crate::base::{NULL_VALUE, SessionId, StreamId, TermId, TermOffset};
use crate::driver::config::DriverConfig;
use crate::driver::media::udp_channel::{ChannelError, UdpChannel};
use crate::logbuffer::max_message_length;
use crate::uri::{ChannelUri, ControlMode, FlowControlParam, SessionRef, params};

const TERM_LENGTH_MIN: i64 = 64 * 1024;
const TERM_LENGTH_MAX: i64 = 1024 * 1024 * 1024;
const MTU_LENGTH_MAX: i64 = 65_504;
const HEADER_LENGTH: i64 = 32;
const FRAME_ALIGNMENT: i64 = 32;
const MAX_RESEND_MAX: i32 = 256;

/// Where a publication starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartPosition {
    /// First term of the stream.
    pub(crate) initial_term_id: TermId,
    /// Term of the first frame.
    pub(crate) term_id: TermId,
    /// Offset of the first frame; may be the term length.
    pub(crate) term_offset: TermOffset,
}

/// What `session-id=tag:` copies from a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaggedPublication {
    /// Its session.
    pub(crate) session_id: SessionId,
    /// Its longest frame.
    pub(crate) mtu_length: i32,
    /// Its term length.
    pub(crate) term_length: i32,
}

/// The live publications, as far as the parameters of another one depend on them.
pub(crate) trait EntityTags {
    /// Whether a live publication of either medium has this entity tag.
    fn is_in_use(&self, entity_tag: i64) -> bool;
    /// The live publication of the same medium with this entity tag.
    fn find(&self, entity_tag: i64) -> Option<TaggedPublication>;
}

/// The parameters of a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicationParams {
    /// Name for `session-id=tag:`; -1 is none.
    pub(crate) entity_tag: Option<i64>,
    /// The session asked for; else one is generated.
    pub(crate) session_id: Option<SessionId>,
    /// Length of a term.
    pub(crate) term_length: i32,
    /// Longest frame.
    pub(crate) mtu_length: i32,
    /// How far the publisher may be ahead of its consumers.
    pub(crate) publication_window: i32,
    /// How long a drained publication answers receivers.
    pub(crate) linger_timeout_ns: i64,
    /// Whether the end of the stream is signalled.
    pub(crate) signal_eos: bool,
    /// Whether the log file is sparse.
    pub(crate) is_sparse: bool,
    /// Whether a spy alone makes it connected.
    pub(crate) spies_simulate_connection: bool,
    /// Timeouts of its untethered local subscribers.
    pub(crate) untethered: UntetheredTimeouts,
    /// Retransmits at a time.
    pub(crate) max_resend: usize,
    /// Where it starts; else at the begin of a random term.
    pub(crate) start: Option<StartPosition>,
    /// `control-mode=response`.
    pub(crate) is_response: bool,
    /// What it responds to: -1 nothing, -2 nothing yet (`prototype`).
    pub(crate) response_correlation_id: i64,
    /// The `fc` parameter, of UDP channels.
    pub(crate) flow_control: Option<FlowControlParam>,
    /// Whether the URI says `term-length`, or `session-id=tag:` implies it.
    pub(crate) has_term_length: bool,
    /// Whether the URI says `mtu`, or `session-id=tag:` implies it.
    pub(crate) has_mtu_length: bool,
}

impl PublicationParams {
    /// Reads the parameters in the order of `driver.md` §11.7; the first that is wrong is reported.
    ///
    /// # Errors
    /// `InvalidChannel`, naming the parameter.
    pub(crate) fn parse(
        uri: &ChannelUri,
        stream_id: StreamId,
        entity_tags: &dyn EntityTags,
        config: &DriverConfig,
    ) -> Result<Self, ChannelError> {
        check_stream_id(uri, stream_id)?;
        let entity_tag = entity_tag(uri, entity_tags)?;
        let session = session(uri, entity_tags)?;
        let tagged = session.and_then(|session| session.tagged);
        let term_length = term_length(uri, tagged, config)?;
        let mtu_length = mtu_length(uri, tagged, config)?;
        let longest = max_message_length(term_length);
        if mtu_length > longest {
            return Err(invalid(format!(
                "mtu={mtu_length} is above the longest message {longest} of \
                 term-length={term_length}"
            )));
        }
        let publication_window = publication_window(uri, term_length, mtu_length, config)?;
        Ok(Self {
            entity_tag,
            session_id: session.map(|session| session.session_id),
            term_length,
            mtu_length,
            publication_window,
            linger_timeout_ns: uri
                .duration_ns(params::LINGER)?
                .unwrap_or(config.publication_linger_timeout_ns),
            signal_eos: uri.bool(params::EOS)?.unwrap_or(true),
            is_sparse: uri
                .bool(params::SPARSE)?
                .unwrap_or(config.term_buffer_sparse_file),
            spies_simulate_connection: uri
                .bool(params::SPIES_SIMULATE_CONNECTION)?
                .unwrap_or(config.spies_simulate_connection),
            untethered: UntetheredTimeouts::of(uri, config)?,
            max_resend: max_resend(uri)?.unwrap_or(config.max_resend),
            start: start_position(uri, term_length)?,
            is_response: uri.is_control_mode_response(),
            response_correlation_id: uri.response_correlation_id()?,
            flow_control: flow_control(uri)?,
            has_term_length: tagged.is_some() || uri.contains(params::TERM_LENGTH),
            has_mtu_length: tagged.is_some() || uri.contains(params::MTU),
        })
    }

    /// Whether a response correlation id is given, be it `prototype`.
    pub(crate) const fn has_response_correlation_id(&self) -> bool {
        self.response_correlation_id != NULL_VALUE
    }
}

fn check_stream_id(uri: &ChannelUri, stream_id: StreamId) -> Result<(), ChannelError> {
    match uri.i32(params::STREAM_ID)? {
        Some(id) if id != stream_id.get() => Err(invalid(format!(
            "stream-id={id} is not the stream id {stream_id} of the command, which it must equal"
        ))),
        _ => Ok(()),
    }
}

fn entity_tag(uri: &ChannelUri, entity_tags: &dyn EntityTags) -> Result<Option<i64>, ChannelError> {
    let entity_tag = uri.tags()?.entity;
    match entity_tag {
        Some(tag) if entity_tags.is_in_use(tag) => {
            Err(invalid(format!("entityTag already in use: {tag}")))
        }
        _ => Ok(entity_tag),
    }
}

#[derive(Clone, Copy)]
struct Session {
    session_id: SessionId,
    tagged: Option<TaggedPublication>,
}

fn session(
    uri: &ChannelUri,
    entity_tags: &dyn EntityTags,
) -> Result<Option<Session>, ChannelError> {
    Ok(match uri.session_ref()? {
        None => None,
        Some(SessionRef::Id(id)) => Some(Session {
            session_id: SessionId(id),
            tagged: None,
        }),
        Some(SessionRef::Tag(tag)) => {
            let tagged = entity_tags.find(tag).ok_or_else(|| {
                invalid(format!(
                    "session-id=tag:{tag} does not name a live publication: add that one first"
                ))
            })?;
            Some(Session {
                session_id: tagged.session_id,
                tagged: Some(tagged),
            })
        }
    })
}

fn check_tagged(name: &str, value: i32, tagged: Option<i32>) -> Result<(), ChannelError> {
    match tagged {
        Some(copied) if copied != value => Err(invalid(format!(
            "{name}={value} differs from {copied} of the publication that session-id=tag: names"
        ))),
        _ => Ok(()),
    }
}

fn term_length(
    uri: &ChannelUri,
    tagged: Option<TaggedPublication>,
    config: &DriverConfig,
) -> Result<i32, ChannelError> {
    let copied = tagged.map(|tagged| tagged.term_length);
    let Some(length) = uri.size_i32(params::TERM_LENGTH)? else {
        return Ok(copied.unwrap_or(if uri.is_ipc() {
            config.ipc_term_buffer_length
        } else {
            config.term_buffer_length
        }));
    };
    let is_allowed = (TERM_LENGTH_MIN..=TERM_LENGTH_MAX).contains(&i64::from(length))
        && length.count_ones() == 1;
    if !is_allowed {
        return Err(invalid(format!(
            "term-length={length} is not a power of two from {TERM_LENGTH_MIN} to {TERM_LENGTH_MAX}"
        )));
    }
    check_tagged(params::TERM_LENGTH, length, copied)?;
    Ok(length)
}

fn mtu_length(
    uri: &ChannelUri,
    tagged: Option<TaggedPublication>,
    config: &DriverConfig,
) -> Result<i32, ChannelError> {
    let copied = tagged.map(|tagged| tagged.mtu_length);
    let Some(length) = uri.size_i32(params::MTU)? else {
        return Ok(copied.unwrap_or(if uri.is_ipc() {
            config.ipc_mtu_length
        } else {
            config.mtu_length
        }));
    };
    let mtu = i64::from(length);
    if mtu <= HEADER_LENGTH || mtu > MTU_LENGTH_MAX || mtu % FRAME_ALIGNMENT != 0 {
        return Err(invalid(format!(
            "mtu={length} is not a multiple of {FRAME_ALIGNMENT} above {HEADER_LENGTH} and up to \
             {MTU_LENGTH_MAX}"
        )));
    }
    check_tagged(params::MTU, length, copied)?;
    Ok(length)
}

fn publication_window(
    uri: &ChannelUri,
    term_length: i32,
    mtu_length: i32,
    config: &DriverConfig,
) -> Result<i32, ChannelError> {
    let half = term_length / 2;
    if let Some(window) = uri.size_i32(params::PUBLICATION_WINDOW)? {
        if window < mtu_length || window > half {
            return Err(invalid(format!(
                "pub-wnd={window} is not between mtu={mtu_length} and half a term, {half}"
            )));
        }
        return Ok(window);
    }
    let configured = if uri.is_ipc() {
        config.ipc_publication_term_window_length
    } else {
        config.publication_term_window_length
    };
    Ok(if configured == 0 {
        half
    } else {
        configured.min(half)
    })
}

fn max_resend(uri: &ChannelUri) -> Result<Option<usize>, ChannelError> {
    let Some(count) = uri.i32(params::MAX_RESEND)? else {
        return Ok(None);
    };
    if !(1..=MAX_RESEND_MAX).contains(&count) {
        return Err(invalid(format!(
            "max-resend={count} is not in 1 to {MAX_RESEND_MAX}"
        )));
    }
    Ok(usize::try_from(count).ok())
}

fn start_position(
    uri: &ChannelUri,
    term_length: i32,
) -> Result<Option<StartPosition>, ChannelError> {
    let initial_term_id = uri.i32(params::INITIAL_TERM_ID)?;
    let term_id = uri.i32(params::TERM_ID)?;
    let term_offset = uri.i32(params::TERM_OFFSET)?;
    let (initial_term_id, term_id, term_offset) = match (initial_term_id, term_id, term_offset) {
        (None, None, None) => return Ok(None),
        (Some(initial), Some(term_id), Some(offset)) => (TermId(initial), TermId(term_id), offset),
        _ => {
            return Err(invalid(
                "init-term-id, term-id and term-offset must be given together or not at all",
            ));
        }
    };
    if !(0..=term_length).contains(&term_offset) || i64::from(term_offset) % FRAME_ALIGNMENT != 0 {
        return Err(invalid(format!(
            "term-offset={term_offset} is not a multiple of {FRAME_ALIGNMENT} from 0 to \
             term-length={term_length}"
        )));
    }
    if term_id.count_since(initial_term_id) < 0 {
        return Err(invalid(format!(
            "term-id={term_id} is before init-term-id={initial_term_id}"
        )));
    }
    Ok(Some(StartPosition {
        initial_term_id,
        term_id,
        term_offset: TermOffset(term_offset),
    }))
}

fn flow_control(uri: &ChannelUri) -> Result<Option<FlowControlParam>, ChannelError> {
    if !uri.is_udp() {
        return Ok(None);
    }
    let text = uri.get(params::FLOW_CONTROL);
    Ok(text.map(FlowControlParam::parse).transpose()?)
}

/// What a network publication's channel must fulfil besides its parameters (`uri.md` §6.3). That a
/// response correlation id names something live is for the conductor to check.
///
/// # Errors
/// `InvalidChannel`.
pub(crate) fn check_network_publication(channel: &UdpChannel) -> Result<(), ChannelError> {
    let text = channel.original_text();
    if channel.uri().is_spy() {
        return Err(invalid(format!("a spy cannot publish: {text}")));
    }
    let has_endpoint = channel.has_explicit_endpoint();
    if has_endpoint && !channel.is_multi_destination() && channel.remote_data().port() == 0 {
        return Err(invalid(format!(
            "endpoint has port=0 for publication: {text}"
        )));
    }
    let is_plain = channel.control_mode() == ControlMode::None;
    if is_plain && channel.is_explicit_control() && !has_endpoint {
        return Err(invalid(format!(
            "control without endpoint needs a control-mode: {text}"
        )));
    }
    if channel.uri().contains(params::FLOW_CONTROL) && !channel.is_group_semantics() {
        return Err(invalid(format!(
            "unsupported unicast flow control strategy: fc is for multicast and multi-destination \
             channels: {text}"
        )));
    }
    Ok(())
}
