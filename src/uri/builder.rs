//! Putting a channel together, with each value checked as it is set.
//!
//! [`PARAMETERS`] lists the parameters in the order in which they are printed, each with the rule
//! that its values obey. Typed setters print their argument and go through the same rule as texts
//! of a parsed channel. The builder is stricter than a driver: see [`ChannelUriBuilder::validate`].

use std::collections::BTreeMap;

use super::channel_uri::{
    ChannelUri, ControlMode, Media, SessionRef, parse_decimal, parse_session_ref, parse_tags,
};
use super::error::UriError;
use super::flow_control::FlowControlParam;
use super::params;
use super::units::{format_duration, format_size, parse_duration, parse_size};
use crate::base::{Position, TermId};

const FRAME_ALIGNMENT: i64 = 32;
const MTU_LENGTH_MAX: i64 = 65_504;
const TERM_LENGTH_MIN: i64 = 64 * 1024;
const TERM_LENGTH_MAX: i64 = 1024 * 1024 * 1024;
const TTL_MAX: i64 = 255;

/// What values of a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Text,
    Tags,
    ControlMode,
    FlowControl,
    Group,
    Flag,
    Integer32,
    Integer64,
    Ttl,
    Count,
    Size,
    Window,
    Mtu,
    TermLength,
    TermOffset,
    Duration,
    Session,
    TimestampOffset,
    ResponseCorrelationId,
}

/// Every parameter the builder knows, in the order of printing.
const PARAMETERS: &[(&str, Rule)] = &[
    (params::TAGS, Rule::Tags),
    (params::ENDPOINT, Rule::Text),
    (params::INTERFACE, Rule::Text),
    (params::CONTROL, Rule::Text),
    (params::CONTROL_MODE, Rule::ControlMode),
    (params::MTU, Rule::Mtu),
    (params::TERM_LENGTH, Rule::TermLength),
    (params::INITIAL_TERM_ID, Rule::Integer32),
    (params::TERM_ID, Rule::Integer32),
    (params::TERM_OFFSET, Rule::TermOffset),
    (params::SESSION_ID, Rule::Session),
    (params::TTL, Rule::Ttl),
    (params::RELIABLE, Rule::Flag),
    (params::LINGER, Rule::Duration),
    (params::ALIAS, Rule::Text),
    (params::CONGESTION_CONTROL, Rule::Text),
    (params::FLOW_CONTROL, Rule::FlowControl),
    (params::GROUP_TAG, Rule::Integer64),
    (params::SPARSE, Rule::Flag),
    (params::EOS, Rule::Flag),
    (params::TETHER, Rule::Flag),
    (params::GROUP, Rule::Group),
    (params::REJOIN, Rule::Flag),
    (params::SPIES_SIMULATE_CONNECTION, Rule::Flag),
    (params::SOCKET_SNDBUF, Rule::Size),
    (params::SOCKET_RCVBUF, Rule::Size),
    (params::RECEIVER_WINDOW, Rule::Window),
    (params::MEDIA_RCV_TIMESTAMP_OFFSET, Rule::TimestampOffset),
    (params::CHANNEL_RCV_TIMESTAMP_OFFSET, Rule::TimestampOffset),
    (params::CHANNEL_SND_TIMESTAMP_OFFSET, Rule::TimestampOffset),
    (params::RESPONSE_ENDPOINT, Rule::Text),
    (params::RESPONSE_CORRELATION_ID, Rule::ResponseCorrelationId),
    (params::NAK_DELAY, Rule::Duration),
    (params::UNTETHERED_WINDOW_LIMIT_TIMEOUT, Rule::Duration),
    (params::UNTETHERED_LINGER_TIMEOUT, Rule::Duration),
    (params::UNTETHERED_RESTING_TIMEOUT, Rule::Duration),
    (params::MAX_RESEND, Rule::Count),
    (params::STREAM_ID, Rule::Integer32),
    (params::PUBLICATION_WINDOW, Rule::Size),
];

impl Rule {
    /// The value as it is printed, or what it should have been.
    fn canonical(self, text: &str) -> Result<String, &'static str> {
        let verbatim = |is_right: bool| is_right.then(|| text.to_owned());
        let is_i32 = || parse_decimal(text).is_some_and(|value| i32::try_from(value).is_ok());
        let size = |is_right: fn(i64) -> bool| {
            let size = parse_size(text).filter(|size| *size <= i64::from(i32::MAX));
            size.filter(|size| is_right(*size)).map(format_size)
        };
        let in_range = |min: i64, max: i64| {
            parse_decimal(text).is_some_and(|value| (min..=max).contains(&value))
        };
        let (value, expected) = match self {
            Self::Text => (verbatim(!text.contains('|')), "contains '|'"),
            Self::Tags => (
                verbatim(parse_tags(text).is_some()),
                "not <channel tag>[,<entity tag>]",
            ),
            Self::ControlMode => (
                verbatim(matches!(text, "manual" | "dynamic" | "response")),
                "none of manual, dynamic, response",
            ),
            Self::FlowControl => (
                verbatim(FlowControlParam::parse(text).is_ok()),
                "not a flow control strategy with its options",
            ),
            Self::Group => (
                verbatim(matches!(text, "true" | "false" | "infer")),
                "none of true, false, infer",
            ),
            Self::Flag => (
                verbatim(matches!(text, "true" | "false")),
                "neither 'true' nor 'false'",
            ),
            Self::Integer32 => (verbatim(is_i32()), "not a 32-bit integer"),
            Self::Integer64 => (
                verbatim(parse_decimal(text).is_some()),
                "not a 64-bit integer",
            ),
            Self::Ttl => (verbatim(in_range(0, TTL_MAX)), "not in 0 to 255"),
            Self::Count => (
                verbatim(in_range(0, i64::from(i32::MAX))),
                "not a 32-bit integer of at least 0",
            ),
            Self::Size => (size(|_| true), "not a size below 2g"),
            Self::Window if text == "auto" => (verbatim(true), ""),
            Self::Window => (size(|_| true), "neither a size below 2g nor 'auto'"),
            Self::Mtu => (
                size(|mtu| (32..=MTU_LENGTH_MAX).contains(&mtu) && mtu % FRAME_ALIGNMENT == 0),
                "not a multiple of 32 from 32 to 65504",
            ),
            Self::TermLength => (
                size(|length| {
                    (TERM_LENGTH_MIN..=TERM_LENGTH_MAX).contains(&length)
                        && length.count_ones() == 1
                }),
                "not a power of two from 64k to 1g",
            ),
            Self::TermOffset => (
                verbatim(
                    in_range(0, TERM_LENGTH_MAX)
                        && parse_decimal(text).is_some_and(|at| at % FRAME_ALIGNMENT == 0),
                ),
                "not a multiple of 32 from 0 to 1g",
            ),
            Self::Duration => (
                parse_duration(text).map(format_duration),
                "not a duration of at least 0",
            ),
            Self::Session => (
                verbatim(parse_session_ref(text).is_some()),
                "neither an integer nor tag:<integer>",
            ),
            Self::TimestampOffset => (
                verbatim(text == params::RESERVED_OFFSET || is_i32()),
                "neither a 32-bit integer nor 'reserved'",
            ),
            Self::ResponseCorrelationId => (
                verbatim(text == params::PROTOTYPE_CORRELATION_ID || in_range(-1, i64::MAX)),
                "neither an integer of at least -1 nor 'prototype'",
            ),
        };
        value.ok_or(expected)
    }
}

/// Builds a channel. Setters take a value, or `None` to leave the parameter out; the first value
/// that is not allowed is what [`Self::build`] reports.
///
/// ```
/// use aileron::uri::ChannelUriBuilder;
/// let channel = ChannelUriBuilder::udp()
///     .endpoint("localhost:20121")
///     .term_length(64 * 1024)
///     .linger_ns(1_500_000_000)
///     .build()?;
/// let text = "aeron:udp?endpoint=localhost:20121|term-length=64k|linger=1500ms";
/// assert_eq!(channel.to_string(), text);
/// assert!(ChannelUriBuilder::udp().mtu(1000).build().is_err());
/// # Ok::<(), aileron::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelUriBuilder {
    is_spy: bool,
    media: Media,
    values: BTreeMap<&'static str, String>,
    error: Option<UriError>,
}

/// One setter for each line; a type is left out for text.
macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident $(($type:ty))? = $name:ident;)+) => {
        $(setters!(@one [$(#[$doc])*] $setter $(($type))? = $name);)+
    };
    (@one [$($doc:tt)*] $setter:ident ($type:ty) = $name:ident) => {
        $($doc)*
        #[must_use]
        pub fn $setter(self, value: impl Into<Option<$type>>) -> Self {
            self.put(params::$name, value.into().map(|value| value.to_string()))
        }
    };
    (@one [$($doc:tt)*] $setter:ident = $name:ident) => {
        $($doc)*
        #[must_use]
        pub fn $setter<'a>(self, value: impl Into<Option<&'a str>>) -> Self {
            self.put(params::$name, value.into().map(str::to_owned))
        }
    };
}

impl ChannelUriBuilder {
    /// A channel of either media.
    #[must_use]
    pub const fn new(media: Media) -> Self {
        Self {
            is_spy: false,
            media,
            values: BTreeMap::new(),
            error: None,
        }
    }

    /// A UDP channel.
    #[must_use]
    pub const fn udp() -> Self {
        Self::new(Media::Udp)
    }

    /// An IPC channel.
    #[must_use]
    pub const fn ipc() -> Self {
        Self::new(Media::Ipc)
    }

    /// Starts from a parsed channel. Parameters that the builder does not know are dropped.
    #[must_use]
    pub fn from_uri(uri: &ChannelUri) -> Self {
        let mut builder = Self::new(uri.media()).spy(uri.is_spy());
        for (name, _) in PARAMETERS {
            if let Some(value) = uri.get(name) {
                builder = builder.put(name, Some(value.to_owned()));
            }
        }
        builder
    }

    fn put(mut self, name: &'static str, value: Option<String>) -> Self {
        let Some(value) = value else {
            self.values.remove(name);
            return self;
        };
        let rule = PARAMETERS.iter().find(|(known, _)| *known == name);
        let (_, rule) = rule.expect("setters name parameters of the list");
        match rule.canonical(&value) {
            Ok(canonical) => {
                self.values.insert(name, canonical);
            }
            Err(reason) => self.fail(UriError::parameter_value(name, &value, reason)),
        }
        self
    }

    /// Keeps the first error.
    fn fail(&mut self, error: UriError) {
        self.error.get_or_insert(error);
    }

    /// Makes it a spy, or not.
    #[must_use]
    pub const fn spy(mut self, is_spy: bool) -> Self {
        self.is_spy = is_spy;
        self
    }

    /// Changes the media.
    #[must_use]
    pub const fn media(mut self, media: Media) -> Self {
        self.media = media;
        self
    }

    setters! {
        /// Address sent to, bound or joined: `host:port`.
        endpoint = ENDPOINT;
        /// Local interface.
        interface = INTERFACE;
        /// Control address: `host:port`.
        control = CONTROL;
        /// `manual`, `dynamic` or `response`.
        control_mode_text = CONTROL_MODE;
        /// Longest frame in bytes: a multiple of 32 up to 65504.
        mtu(i32) = MTU;
        /// Length of a term in bytes: a power of two from 64 KiB to 1 GiB.
        term_length(i32) = TERM_LENGTH;
        /// First term of the stream.
        initial_term_id(i32) = INITIAL_TERM_ID;
        /// Term at which a publication starts.
        term_id(i32) = TERM_ID;
        /// Offset at which a publication starts: a multiple of 32 up to 1 GiB.
        term_offset(i32) = TERM_OFFSET;
        /// Session.
        session_id(i32) = SESSION_ID;
        /// Multicast time to live, 0 to 255.
        ttl(i32) = TTL;
        /// Whether lost data is asked for again.
        reliable(bool) = RELIABLE;
        /// How long a drained publication answers receivers, in nanoseconds.
        linger_ns(i64) = LINGER;
        /// Free text.
        alias = ALIAS;
        /// Congestion control.
        congestion_control = CONGESTION_CONTROL;
        /// Flow control as text.
        flow_control = FLOW_CONTROL;
        /// Tag of a receiver.
        group_tag(i64) = GROUP_TAG;
        /// Whether log files are sparse.
        sparse(bool) = SPARSE;
        /// Whether the end of the stream is signalled.
        eos(bool) = EOS;
        /// Whether a slow subscriber holds back the stream.
        tether(bool) = TETHER;
        /// Whether receivers behave as members of a group; left out, it is inferred.
        group(bool) = GROUP;
        /// Whether a subscription takes up a stream again that it lost.
        rejoin(bool) = REJOIN;
        /// Whether a spy alone makes a publication connected.
        spies_simulate_connection(bool) = SPIES_SIMULATE_CONNECTION;
        /// Socket send buffer in bytes; 0 is the driver's default.
        socket_sndbuf_length(i32) = SOCKET_SNDBUF;
        /// Socket receive buffer in bytes; 0 is the driver's default.
        socket_rcvbuf_length(i32) = SOCKET_RCVBUF;
        /// Receiver window in bytes.
        receiver_window_length(i32) = RECEIVER_WINDOW;
        /// Where the kernel's receive time goes: an offset or `reserved`.
        media_receive_timestamp_offset = MEDIA_RCV_TIMESTAMP_OFFSET;
        /// Where the receiver's receive time goes: an offset or `reserved`.
        channel_receive_timestamp_offset = CHANNEL_RCV_TIMESTAMP_OFFSET;
        /// Where the send time goes: an offset or `reserved`.
        channel_send_timestamp_offset = CHANNEL_SND_TIMESTAMP_OFFSET;
        /// For applications; no driver reads it.
        response_endpoint = RESPONSE_ENDPOINT;
        /// What a publication responds to, at least -1.
        response_correlation_id(i64) = RESPONSE_CORRELATION_ID;
        /// What a publication responds to: a number or `prototype`.
        response_correlation_id_text = RESPONSE_CORRELATION_ID;
        /// First NAK delay in nanoseconds.
        nak_delay_ns(i64) = NAK_DELAY;
        /// How long an untethered subscriber may lag, in nanoseconds.
        untethered_window_limit_timeout_ns(i64) = UNTETHERED_WINDOW_LIMIT_TIMEOUT;
        /// Time until an unavailable untethered subscriber is removed, in nanoseconds.
        untethered_linger_timeout_ns(i64) = UNTETHERED_LINGER_TIMEOUT;
        /// Time until a removed untethered subscriber rejoins, in nanoseconds.
        untethered_resting_timeout_ns(i64) = UNTETHERED_RESTING_TIMEOUT;
        /// Retransmits at a time.
        max_resend(i32) = MAX_RESEND;
        /// Stream that the channel is meant for.
        stream_id(i32) = STREAM_ID;
        /// Publication window in bytes.
        publication_window_length(i32) = PUBLICATION_WINDOW;
        /// Channel and entity tag as text.
        tags_text = TAGS;
    }

    /// How destinations become known.
    #[must_use]
    pub fn control_mode(self, mode: ControlMode) -> Self {
        self.control_mode_text(match mode {
            ControlMode::None => None,
            ControlMode::Dynamic => Some("dynamic"),
            ControlMode::Manual => Some("manual"),
            ControlMode::Response => Some("response"),
        })
    }

    /// Copies the session of the publication with this entity tag.
    #[must_use]
    pub fn tagged_session_id(self, entity_tag: i64) -> Self {
        self.put(
            params::SESSION_ID,
            Some(format!("{}{entity_tag}", params::TAG_PREFIX)),
        )
    }

    /// Session in either form.
    #[must_use]
    pub fn session_ref(self, session: SessionRef) -> Self {
        match session {
            SessionRef::Id(id) => self.session_id(id),
            SessionRef::Tag(tag) => self.tagged_session_id(tag),
        }
    }

    /// Tags of the endpoint and of the publication. An entity tag needs a channel tag.
    #[must_use]
    pub fn tags(mut self, channel: Option<i64>, entity: Option<i64>) -> Self {
        match (channel, entity) {
            (None, None) => self.put(params::TAGS, None),
            (Some(channel), None) => self.put(params::TAGS, Some(channel.to_string())),
            (Some(channel), Some(entity)) => {
                self.put(params::TAGS, Some(format!("{channel},{entity}")))
            }
            (None, Some(entity)) => {
                let reason = "an entity tag without a channel tag";
                self.fail(UriError::parameter_value(
                    params::TAGS,
                    &format!(",{entity}"),
                    reason,
                ));
                self
            }
        }
    }

    /// Flow control by the slowest receiver with a group tag; a receiver that is silent for
    /// `timeout_ns` does not count.
    #[must_use]
    pub fn tagged_flow_control(
        self,
        group_tag: Option<i64>,
        min_group_size: Option<i32>,
        timeout_ns: Option<i64>,
    ) -> Self {
        let tag = group_tag.map(|tag| tag.to_string()).unwrap_or_default();
        self.group_flow_control("tagged", tag, min_group_size, timeout_ns)
    }

    /// Flow control by the slowest receiver; one that is silent for `timeout_ns` does not count.
    #[must_use]
    pub fn min_flow_control(self, min_group_size: Option<i32>, timeout_ns: Option<i64>) -> Self {
        self.group_flow_control("min", String::new(), min_group_size, timeout_ns)
    }

    fn group_flow_control(
        self,
        strategy: &str,
        tag: String,
        min_group_size: Option<i32>,
        timeout_ns: Option<i64>,
    ) -> Self {
        let min_size = min_group_size
            .map(|size| format!("/{size}"))
            .unwrap_or_default();
        let mut text = strategy.to_owned();
        if !tag.is_empty() || !min_size.is_empty() {
            text += &format!(",g:{tag}{min_size}");
        }
        if let Some(timeout_ns) = timeout_ns {
            text += &format!(",t:{}", format_duration(timeout_ns));
        }
        self.put(params::FLOW_CONTROL, Some(text))
    }

    /// Starts a publication at a position of a stream: sets `init-term-id`, `term-id`,
    /// `term-offset` and `term-length`.
    #[must_use]
    pub fn initial_position(
        mut self,
        position: Position,
        initial_term_id: TermId,
        term_length: i32,
    ) -> Self {
        let at = position.get();
        if at < 0 || at % FRAME_ALIGNMENT != 0 {
            let reason = "position is not a multiple of 32 of at least 0";
            self.fail(UriError::text(&position.to_string(), reason));
            return self;
        }
        let builder = self.term_length(term_length);
        if builder.error.is_some() {
            return builder;
        }
        let (terms, offset) = (at / i64::from(term_length), at % i64::from(term_length));
        let (Ok(terms), Ok(offset)) = (i32::try_from(terms), i32::try_from(offset)) else {
            let mut builder = builder;
            builder.fail(UriError::text(
                &position.to_string(),
                "position is beyond the last term",
            ));
            return builder;
        };
        builder
            .initial_term_id(initial_term_id.get())
            .term_id(initial_term_id.plus(terms).get())
            .term_offset(offset)
    }

    /// Checks what a channel needs as a whole. Stricter than a driver, for which a channel tag
    /// alone is enough.
    ///
    /// # Errors
    /// A setter was given a value that is not allowed; a UDP channel has neither endpoint nor
    /// control; the start of a publication is incomplete or contradicts itself.
    pub fn validate(&self) -> Result<(), UriError> {
        let uri = self.build()?;
        let text = uri.to_string();
        let is_described = uri.contains(params::ENDPOINT) || uri.contains(params::CONTROL);
        if uri.is_udp() && !is_described {
            return Err(UriError::text(&text, "neither endpoint nor control"));
        }
        let initial_term_id = uri.i32(params::INITIAL_TERM_ID)?;
        let term_id = uri.i32(params::TERM_ID)?;
        let offset = uri.i32(params::TERM_OFFSET)?;
        match (initial_term_id, term_id, offset) {
            (None, None, None) => return Ok(()),
            (Some(initial), Some(term_id), Some(_)) => {
                if TermId(term_id).count_since(TermId(initial)) < 0 {
                    return Err(UriError::text(&text, "term-id is before init-term-id"));
                }
            }
            _ => {
                let reason = "init-term-id, term-id and term-offset must be given together";
                return Err(UriError::text(&text, reason));
            }
        }
        let term_length = uri.size_i32(params::TERM_LENGTH)?;
        if term_length.is_some_and(|length| offset.is_some_and(|offset| offset > length)) {
            return Err(UriError::text(&text, "term-offset is beyond term-length"));
        }
        Ok(())
    }

    /// The channel.
    ///
    /// # Errors
    /// A setter was given a value that is not allowed.
    pub fn build(&self) -> Result<ChannelUri, UriError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let mut uri = ChannelUri::new(self.media);
        uri.set_spy(self.is_spy);
        for (name, _) in PARAMETERS {
            if let Some(value) = self.values.get(name) {
                uri.set(name, value)?;
            }
        }
        Ok(uri)
    }
}

impl From<&ChannelUri> for ChannelUriBuilder {
    fn from(uri: &ChannelUri) -> Self {
        Self::from_uri(uri)
    }
}

#[cfg(test)]
mod tests;
