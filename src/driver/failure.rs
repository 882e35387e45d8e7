//! Why a command failed.

use std::fmt;

use crate::command::ErrorCode;
use crate::concurrent::CountersFull;
use crate::driver::media::udp_channel::ChannelError;
use crate::uri::UriError;

/// Why a client's command was rejected, or an internal one failed: what `ON_ERROR` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandFailure {
    /// The kind of error.
    pub(crate) code: ErrorCode,
    /// The value at fault and what is wrong with it.
    pub(crate) text: String,
    /// What the log of distinct errors gets instead, where `text` differs each time: such texts
    /// would fill it.
    pub(crate) log_text: Option<&'static str>,
}

impl CommandFailure {
    /// An error of any kind.
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            log_text: None,
        }
    }

    /// What to record.
    pub(crate) fn log_text(&self) -> &str {
        self.log_text.unwrap_or(&self.text)
    }

    /// The channel or one of its parameters is at fault.
    pub(crate) fn invalid_channel(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidChannel, text)
    }

    /// Anything that has no code of its own.
    pub(crate) fn generic(text: impl Into<String>) -> Self {
        Self::new(ErrorCode::GenericError, text)
    }
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<CountersFull> for CommandFailure {
    fn from(full: CountersFull) -> Self {
        Self::generic(full.to_string())
    }
}

impl From<ChannelError> for CommandFailure {
    fn from(error: ChannelError) -> Self {
        Self::new(error.code, error.text)
    }
}

impl From<UriError> for CommandFailure {
    fn from(error: UriError) -> Self {
        Self::invalid_channel(error.to_string())
    }
}
