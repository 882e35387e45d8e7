//! What is wrong with a channel.

use std::fmt;

/// Why a channel text, or one parameter of it, was refused.
///
/// ```
/// use aileron::uri::{ChannelUri, params};
/// let uri = ChannelUri::parse("aeron:udp?mtu=lots").unwrap();
/// let error = uri.size(params::MTU).unwrap_err();
/// assert_eq!(error.parameter(), "mtu");
/// let text = "invalid channel: mtu=lots: expected a size in bytes, such as 1408 or 64k";
/// assert_eq!(error.to_string(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriError {
    parameter: String,
    value: String,
    reason: String,
}

impl UriError {
    /// An error of the value of a parameter.
    #[must_use]
    pub fn parameter_value(parameter: &str, value: &str, reason: impl Into<String>) -> Self {
        Self {
            parameter: parameter.to_owned(),
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    /// An error of the text as a whole, or of the combination of parameters.
    #[must_use]
    pub fn text(text: &str, reason: impl Into<String>) -> Self {
        Self::parameter_value("", text, reason)
    }

    /// The parameter at fault; empty if it is the text as a whole.
    #[must_use]
    pub fn parameter(&self) -> &str {
        &self.parameter
    }

    /// The value at fault.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, reason) = (&self.value, &self.reason);
        if self.parameter.is_empty() {
            write!(f, "invalid channel: {reason}: {value}")
        } else {
            write!(f, "invalid channel: {}={value}: {reason}", self.parameter)
        }
    }
}

impl std::error::Error for UriError {}
