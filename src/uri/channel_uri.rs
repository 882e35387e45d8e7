//! A channel taken apart: prefix, media, parameters.

use std::fmt;

use super::error::UriError;
use super::params;
use super::units::{parse_duration, parse_size};

/// Bytes of the longest channel.
pub const MAX_CHANNEL_LENGTH: usize = 4095;
/// Offset that stands for the reserved value of the data header.
pub const RESERVED_VALUE_OFFSET: i32 = -8;
/// Response correlation id of a publication that only holds the control socket.
pub const PROTOTYPE_CORRELATION_ID: i64 = -2;

const SPY_PREFIX: &str = "aeron-spy:";
const SCHEME: &str = "aeron:";

/// What carries a channel.
///
/// ```
/// use aileron::uri::{ChannelUri, Media};
/// assert_eq!(ChannelUri::parse("aeron:ipc").unwrap().media(), Media::Ipc);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the grammar knows two media")]
pub enum Media {
    /// Datagrams.
    Udp,
    /// Shared memory alone.
    Ipc,
}

impl Media {
    /// The text in a channel.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Ipc => "ipc",
        }
    }
}

/// The `control-mode` parameter.
///
/// ```
/// use aileron::uri::{ChannelUri, ControlMode};
/// let uri = ChannelUri::parse("aeron:udp?control-mode=manual").unwrap();
/// assert_eq!(uri.control_mode(), ControlMode::Manual);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the values of the parameter")]
pub enum ControlMode {
    /// Absent, or a text that is none of the others.
    #[default]
    None,
    /// Destinations are learned from status messages.
    Dynamic,
    /// Destinations are added by command.
    Manual,
    /// The destination is learned from a response subscription.
    Response,
}

/// The `session-id` parameter.
///
/// ```
/// use aileron::uri::{ChannelUri, SessionRef};
/// let uri = ChannelUri::parse("aeron:ipc?session-id=tag:7").unwrap();
/// assert_eq!(uri.session_ref(), Ok(Some(SessionRef::Tag(7))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two forms of the parameter")]
pub enum SessionRef {
    /// This session.
    Id(i32),
    /// The session of the publication with this entity tag.
    Tag(i64),
}

/// The `tags` parameter; either part may be absent.
///
/// ```
/// use aileron::uri::{ChannelUri, Tags};
/// let uri = ChannelUri::parse("aeron:udp?tags=1,2").unwrap();
/// assert_eq!(uri.tags(), Ok(Tags { channel: Some(1), entity: Some(2) }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "the two parts of the parameter")]
pub struct Tags {
    /// Names an endpoint.
    pub channel: Option<i64>,
    /// Names a publication.
    pub entity: Option<i64>,
}

/// A parsed channel. Parameters keep the order of the text for printing, but two channels are equal
/// whatever the order; of a parameter given twice the last value counts.
///
/// ```
/// use aileron::uri::{ChannelUri, params};
/// let uri = ChannelUri::parse("aeron:udp?endpoint=localhost:20121|mtu=8k").unwrap();
/// assert_eq!(uri.get(params::ENDPOINT), Some("localhost:20121"));
/// assert_eq!(uri.size(params::MTU), Ok(Some(8192)));
/// assert_eq!(uri.to_string(), "aeron:udp?endpoint=localhost:20121|mtu=8k");
/// ```
#[derive(Clone, Debug)]
pub struct ChannelUri {
    is_spy: bool,
    media: Media,
    /// Every name occurs once.
    parameters: Vec<(String, String)>,
}

impl ChannelUri {
    /// A channel without parameters.
    #[must_use]
    pub const fn new(media: Media) -> Self {
        Self {
            is_spy: false,
            media,
            parameters: Vec::new(),
        }
    }

    /// Takes a channel apart. Values of parameters are not looked at.
    ///
    /// # Errors
    /// The text is longer than [`MAX_CHANNEL_LENGTH`] or does not follow the grammar.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        if text.len() > MAX_CHANNEL_LENGTH {
            let reason = format!("longer than {MAX_CHANNEL_LENGTH} characters");
            let begin = text.floor_char_boundary(MAX_CHANNEL_LENGTH);
            return Err(UriError::text(&text[..begin], reason));
        }
        let unprefixed = text.strip_prefix(SPY_PREFIX);
        let is_spy = unprefixed.is_some();
        let body = unprefixed.unwrap_or(text).strip_prefix(SCHEME);
        let body = body.ok_or_else(|| UriError::text(text, "does not start with 'aeron:'"))?;
        let (media, list) = match body.split_once('?') {
            Some((media, list)) => (media, Some(list)),
            None => (body, None),
        };
        let media = match media {
            "udp" => Media::Udp,
            "ipc" => Media::Ipc,
            _ => return Err(UriError::text(text, "media is neither 'udp' nor 'ipc'")),
        };
        let mut uri = Self {
            is_spy,
            media,
            parameters: Vec::new(),
        };
        if let Some(list) = list.filter(|list| !list.is_empty()) {
            for parameter in list.split('|') {
                let Some((name, value)) = parameter.split_once('=') else {
                    return Err(UriError::text(text, format!("'{parameter}' has no '='")));
                };
                if name.is_empty() {
                    return Err(UriError::text(text, "parameter without a name"));
                }
                uri.put(name, value);
            }
        }
        Ok(uri)
    }

    fn put(&mut self, name: &str, value: &str) {
        match self.parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, present)) => value.clone_into(present),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Sets or replaces a parameter.
    ///
    /// # Errors
    /// The name is empty or contains `=` or `|`, or the value contains `|`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), UriError> {
        if name.is_empty() || name.contains(['=', '|']) {
            return Err(UriError::parameter_value(
                name,
                value,
                "not a parameter name",
            ));
        }
        if value.contains('|') {
            return Err(UriError::parameter_value(name, value, "contains '|'"));
        }
        self.put(name, value);
        Ok(())
    }

    /// Removes a parameter and returns the value it had.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let index = self
            .parameters
            .iter()
            .position(|(known, _)| known == name)?;
        Some(self.parameters.remove(index).1)
    }

    /// Makes the channel a spy, or not.
    pub const fn set_spy(&mut self, is_spy: bool) {
        self.is_spy = is_spy;
    }

    /// Whether the channel starts with `aeron-spy:`.
    #[must_use]
    pub const fn is_spy(&self) -> bool {
        self.is_spy
    }

    /// What carries the channel.
    #[must_use]
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Whether it is carried by datagrams.
    #[must_use]
    pub const fn is_udp(&self) -> bool {
        matches!(self.media, Media::Udp)
    }

    /// Whether it is carried by shared memory alone.
    #[must_use]
    pub const fn is_ipc(&self) -> bool {
        matches!(self.media, Media::Ipc)
    }

    /// Value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is given, be it empty.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Names and values in the order of the text.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn typed<T>(
        &self,
        name: &str,
        reason: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, UriError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match parse(value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(UriError::parameter_value(name, value, reason)),
        }
    }

    /// A number of bytes, with optional `k`, `m`, `g`.
    ///
    /// # Errors
    /// The value is not a size.
    pub fn size(&self, name: &str) -> Result<Option<i64>, UriError> {
        self.typed(
            name,
            "expected a size in bytes, such as 1408 or 64k",
            parse_size,
        )
    }

    /// A number of bytes that fits 31 bits.
    ///
    /// # Errors
    /// The value is not a size or is above `i32::MAX`.
    pub fn size_i32(&self, name: &str) -> Result<Option<i32>, UriError> {
        self.typed(
            name,
            "expected a size below 2g, such as 1408 or 64k",
            |text| i32::try_from(parse_size(text)?).ok(),
        )
    }

    /// A duration in nanoseconds.
    ///
    /// # Errors
    /// The value is not a duration.
    pub fn duration_ns(&self, name: &str) -> Result<Option<i64>, UriError> {
        self.typed(
            name,
            "expected a duration, such as 10ms or 5s",
            parse_duration,
        )
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// The value is neither.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, UriError> {
        self.typed(name, "expected true or false", |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// A 32-bit integer.
    ///
    /// # Errors
    /// The value is not decimal or does not fit.
    pub fn i32(&self, name: &str) -> Result<Option<i32>, UriError> {
        self.typed(name, "expected a 32-bit integer", |text| {
            i32::try_from(parse_decimal(text)?).ok()
        })
    }

    /// A 64-bit integer.
    ///
    /// # Errors
    /// The value is not decimal or does not fit.
    pub fn i64(&self, name: &str) -> Result<Option<i64>, UriError> {
        self.typed(name, "expected a 64-bit integer", parse_decimal)
    }

    /// The `tags` parameter.
    ///
    /// # Errors
    /// A tag is not a number or is -1, or both are missing.
    pub fn tags(&self) -> Result<Tags, UriError> {
        let reason = "expected <channel tag>[,<entity tag>], integers but -1";
        let tags = self.typed(params::TAGS, reason, parse_tags)?;
        Ok(tags.unwrap_or_default())
    }

    /// The `session-id` parameter in either form.
    ///
    /// # Errors
    /// It has neither form.
    pub fn session_ref(&self) -> Result<Option<SessionRef>, UriError> {
        self.typed(
            params::SESSION_ID,
            "expected a 32-bit integer or tag:<integer>",
            parse_session_ref,
        )
    }

    /// The `control-mode` parameter; an unknown value counts as none.
    #[must_use]
    pub fn control_mode(&self) -> ControlMode {
        match self.get(params::CONTROL_MODE) {
            Some("dynamic") => ControlMode::Dynamic,
            Some("manual") => ControlMode::Manual,
            Some("response") => ControlMode::Response,
            _ => ControlMode::None,
        }
    }

    /// Whether `control-mode=response`.
    #[must_use]
    pub fn is_control_mode_response(&self) -> bool {
        self.control_mode() == ControlMode::Response
    }

    /// The `response-correlation-id` parameter: -1 if absent, [`PROTOTYPE_CORRELATION_ID`] for
    /// `prototype`.
    ///
    /// # Errors
    /// The value is not a number or is below -1.
    pub fn response_correlation_id(&self) -> Result<i64, UriError> {
        let reason = "expected an integer of at least -1, or prototype";
        let id = self.typed(params::RESPONSE_CORRELATION_ID, reason, |text| match text {
            params::PROTOTYPE_CORRELATION_ID => Some(PROTOTYPE_CORRELATION_ID),
            _ => parse_decimal(text).filter(|id| *id >= -1),
        })?;
        Ok(id.unwrap_or(-1))
    }

    /// A timestamp offset from the begin of the payload; `reserved` is [`RESERVED_VALUE_OFFSET`].
    /// A negative number disables the feature and so is `None`.
    ///
    /// # Errors
    /// The value is neither a 32-bit integer nor `reserved`.
    pub fn timestamp_offset(&self, name: &str) -> Result<Option<i32>, UriError> {
        if self.get(name) == Some(params::RESERVED_OFFSET) {
            return Ok(Some(RESERVED_VALUE_OFFSET));
        }
        let offset = self.typed(name, "expected a 32-bit integer or reserved", |text| {
            i32::try_from(parse_decimal(text)?).ok()
        })?;
        Ok(offset.filter(|offset| *offset >= 0))
    }
}

/// Reads a decimal integer with an optional minus, and nothing else.
pub(super) fn parse_decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_decimal { text.parse().ok() } else { None }
}

pub(super) fn parse_session_ref(text: &str) -> Option<SessionRef> {
    match text.strip_prefix(params::TAG_PREFIX) {
        Some(tag) => parse_decimal(tag).map(SessionRef::Tag),
        None => i32::try_from(parse_decimal(text)?).ok().map(SessionRef::Id),
    }
}

pub(super) fn parse_tags(text: &str) -> Option<Tags> {
    let parse = |part: &str| match part {
        "" => Some(None),
        _ => parse_decimal(part).filter(|tag| *tag != -1).map(Some),
    };
    let (channel, entity) = text.split_once(',').unwrap_or((text, ""));
    let tags = Tags {
        channel: parse(channel)?,
        entity: parse(entity)?,
    };
    (tags != Tags::default()).then_some(tags)
}

impl PartialEq for ChannelUri {
    fn eq(&self, other: &Self) -> bool {
        self.is_spy == other.is_spy
            && self.media == other.media
            && self.parameters.len() == other.parameters.len()
            && self
                .parameters()
                .all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Eq for ChannelUri {}

impl fmt::Display for ChannelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_spy {
            f.write_str(SPY_PREFIX)?;
        }
        write!(f, "{SCHEME}{}", self.media.name())?;
        for (index, (name, value)) in self.parameters().enumerate() {
            let separator = if index == 0 { '?' } else { '|' };
            write!(f, "{separator}{name}={value}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for ChannelUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
