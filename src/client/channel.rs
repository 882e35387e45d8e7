//! Channels as arguments.

use super::AddError;
use crate::uri::{ChannelUri, MAX_CHANNEL_LENGTH};

/// What can be given as a channel: text, or a [`ChannelUri`].
///
/// ```
/// use aileron::client::IntoChannel;
/// use aileron::uri::ChannelUri;
/// let uri = ChannelUri::parse("aeron:ipc")?;
/// assert_eq!(uri.into_channel(), "aeron:ipc".into_channel());
/// # Ok::<(), aileron::uri::UriError>(())
/// ```
pub trait IntoChannel {
    /// The text that the driver is sent.
    fn into_channel(self) -> String;
}

impl IntoChannel for &str {
    fn into_channel(self) -> String {
        self.to_owned()
    }
}

impl IntoChannel for String {
    fn into_channel(self) -> String {
        self
    }
}

impl IntoChannel for &String {
    fn into_channel(self) -> String {
        self.clone()
    }
}

impl IntoChannel for ChannelUri {
    fn into_channel(self) -> String {
        self.to_string()
    }
}

impl IntoChannel for &ChannelUri {
    fn into_channel(self) -> String {
        self.to_string()
    }
}

/// Bytes of the longest channel that is sent to the driver. It is the driver who refuses those
/// beyond what a channel may have, as it does all bad channels; this keeps commands short.
const COMMAND_CHANNEL_LENGTH_MAX: usize = 4 * MAX_CHANNEL_LENGTH;

/// The channel's text, if a command can take one so long.
pub(crate) fn checked_channel(channel: impl IntoChannel) -> Result<String, AddError> {
    let channel = channel.into_channel();
    check_length("channel", channel.len(), COMMAND_CHANNEL_LENGTH_MAX)?;
    Ok(channel)
}

pub(super) fn check_length(
    argument: &'static str,
    length: usize,
    max: usize,
) -> Result<(), AddError> {
    if length > max {
        let reason = format!("{length} bytes exceed the limit of {max}");
        return Err(AddError::InvalidArgument { argument, reason });
    }
    Ok(())
}
