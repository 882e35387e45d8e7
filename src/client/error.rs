//! What can go wrong, by stage: connecting, adding a resource, running, and offering a message.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::{ClientId, CorrelationId, RegistrationId};
use crate::cnc::CncError;
use crate::command::ErrorCode;
use crate::logbuffer::AppendError;

/// Why a client could not be made.
///
/// ```
/// use aileron::client::ConnectError;
/// let error = ConnectError::DriverTimeout { reason: "no driver heartbeat detected".into() };
/// assert_eq!(error.to_string(), "driver timeout: no driver heartbeat detected");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// An option has a value that cannot work.
    InvalidOption {
        /// Name of the option.
        option: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// No live driver showed itself within the driver timeout.
    DriverTimeout {
        /// What was waited for.
        reason: String,
    },
    /// The CnC file is not one that this client understands.
    Cnc(CncError),
    /// A file of the driver could not be used.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidOption { option, reason } => write!(f, "invalid {option}: {reason}"),
            Self::DriverTimeout { reason } => write!(f, "driver timeout: {reason}"),
            Self::Cnc(_) => f.write_str("the CnC file cannot be used"),
            Self::Io { path, .. } => write!(f, "cannot use {}", path.display()),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::InvalidOption { .. } | Self::DriverTimeout { .. } => None,
            Self::Cnc(source) => Some(source),
            Self::Io { source, .. } => Some(source),
        }
    }
}

impl From<CncError> for ConnectError {
    fn from(error: CncError) -> Self {
        Self::Cnc(error)
    }
}

/// A command that the driver refused.
///
/// ```
/// use aileron::base::CorrelationId;
/// use aileron::client::RegistrationError;
/// use aileron::command::ErrorCode;
/// let error = RegistrationError {
///     correlation_id: CorrelationId(7),
///     code: ErrorCode::InvalidChannel,
///     raw_code: 1,
///     message: "no endpoint".into(),
/// };
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationError {
    /// Of the refused command.
    pub correlation_id: CorrelationId,
    /// Why.
    pub code: ErrorCode,
    /// The code as it was sent, for codes that [`ErrorCode`] does not know.
    pub raw_code: i32,
    /// The driver's words.
    pub message: String,
}

impl RegistrationError {
    /// Whether the same command may succeed a little later: an endpoint was just closing.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code == ErrorCode::ResourceTemporarilyUnavailable
    }
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            correlation_id,
            code,
            raw_code,
            message,
        } = self;
        write!(
            f,
            "command {correlation_id} refused, {code:?} ({raw_code}): {message}"
        )
    }
}

impl Error for RegistrationError {}

/// What happens to a client as a whole: reasons to terminate, and reports to the error handler.
///
/// ```
/// use aileron::client::ClientError;
/// assert!(ClientError::DriverShutdown.is_termination());
/// assert!(!ClientError::Reentrant.is_termination());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The client is closed or terminating.
    Closed,
    /// The conductor was called from one of its own callbacks.
    Reentrant,
    /// The driver's heartbeat is older than the driver timeout. Terminates the client.
    DriverTimeout {
        /// Age of the heartbeat in milliseconds.
        age_ms: i64,
        /// The limit, in milliseconds.
        timeout_ms: i64,
    },
    /// The driver shut down cleanly. Terminates the client.
    DriverShutdown,
    /// The conductor was not serviced for longer than the driver tolerates. Terminates the client.
    ServiceTimeout {
        /// Nanoseconds between two services.
        interval_ns: i64,
        /// The limit, in nanoseconds.
        timeout_ns: i64,
    },
    /// The driver timed this client out. Terminates the client.
    ClientTimeout(ClientId),
    /// The driver took this client's heartbeat counter away. Terminates the client.
    HeartbeatLost,
    /// Events of the driver were overwritten before they were read. Terminates the client.
    Lapped,
    /// A command did not fit the to-driver ring buffer.
    CommandNotSent {
        /// Name of the command.
        command: &'static str,
        /// Whether it was too long for any ring state; otherwise the ring was full and a later
        /// try may succeed.
        too_long: bool,
    },
    /// The driver refused a command that nobody waits for, such as the removal of a resource.
    Registration(RegistrationError),
    /// The channel of a resource failed (sent by drivers of old only).
    ChannelEndpoint {
        /// The publication or subscription.
        registration_id: RegistrationId,
        /// The driver's words.
        message: String,
    },
    /// The log of an image could not be mapped, so there is no image. The driver still waits for
    /// its subscriber position: a tethered subscription stalls the stream until it is closed.
    ImageLog {
        /// The subscription.
        subscription: RegistrationId,
        /// Path of the log.
        path: String,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A frame in a log violates the format, so the image stopped there.
    CorruptLog {
        /// Correlation id of the image.
        image: CorrelationId,
    },
    /// An event was too short or inconsistent and was dropped.
    MalformedEvent {
        /// Its type id.
        type_id: i32,
    },
    /// A handler panicked; the conductor went on.
    HandlerPanicked {
        /// Which handler.
        handler: &'static str,
        /// The panic's message, if it was text.
        message: String,
    },
}

impl ClientError {
    /// Whether the client terminates for this reason.
    #[must_use]
    pub const fn is_termination(&self) -> bool {
        match self {
            Self::DriverTimeout { .. }
            | Self::DriverShutdown
            | Self::ServiceTimeout { .. }
            | Self::ClientTimeout(_)
            | Self::HeartbeatLost
            | Self::Lapped => true,
            Self::Closed
            | Self::Reentrant
            | Self::CommandNotSent { .. }
            | Self::Registration(_)
            | Self::ChannelEndpoint { .. }
            | Self::ImageLog { .. }
            | Self::CorruptLog { .. }
            | Self::MalformedEvent { .. }
            | Self::HandlerPanicked { .. } => false,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("client is closed"),
            Self::Reentrant => f.write_str("reentrant calls are not permitted during callbacks"),
            Self::DriverTimeout { age_ms, timeout_ms } => {
                write!(
                    f,
                    "driver timeout: heartbeat is {age_ms} ms old, limit {timeout_ms} ms"
                )
            }
            Self::DriverShutdown => f.write_str("driver has been shutdown"),
            Self::ServiceTimeout {
                interval_ns,
                timeout_ns,
            } => {
                write!(
                    f,
                    "service interval of {interval_ns} ns exceeds {timeout_ns} ns"
                )
            }
            Self::ClientTimeout(id) => write!(f, "client {id} was timed out by the driver"),
            Self::HeartbeatLost => f.write_str("unexpected close of heartbeat timestamp counter"),
            Self::Lapped => f.write_str("unable to keep up with broadcast"),
            Self::CommandNotSent {
                command,
                too_long: true,
            } => {
                write!(f, "failed to write {command} command: it is too long")
            }
            Self::CommandNotSent {
                command,
                too_long: false,
            } => {
                write!(
                    f,
                    "failed to write {command} command: the ring buffer is full"
                )
            }
            Self::Registration(error) => error.fmt(f),
            Self::ChannelEndpoint {
                registration_id,
                message,
            } => {
                write!(
                    f,
                    "channel of registration {registration_id} failed: {message}"
                )
            }
            Self::ImageLog {
                subscription, path, ..
            } => write!(
                f,
                "cannot map {path}: no image for subscription {subscription}, which holds back \
                 the stream until it is closed, unless it is untethered"
            ),
            Self::CorruptLog { image } => write!(f, "the log of image {image} is corrupt"),
            Self::MalformedEvent { type_id } => write!(f, "malformed event of type {type_id:#x}"),
            Self::HandlerPanicked { handler, message } => {
                write!(f, "{handler} handler panicked: {message}")
            }
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        if let Self::ImageLog { source, .. } = self {
            return Some(source.as_ref());
        }
        if let Self::Registration(error) = self {
            Some(error)
        } else {
            None
        }
    }
}

/// Why a resource could not be added, or a command about one did not succeed.
///
/// ```
/// use aileron::client::{AddError, ClientError};
/// let error = AddError::from(ClientError::Reentrant);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AddError {
    /// The client cannot take commands, or terminated meanwhile.
    Client(ClientError),
    /// The driver refused.
    Registration(RegistrationError),
    /// The driver did not answer within the driver timeout; the client stays open. Should an
    /// answer still come, what it announces is removed again.
    DriverTimeout {
        /// Of the command.
        correlation_id: CorrelationId,
    },
    /// An argument breaks a limit; nothing was sent.
    InvalidArgument {
        /// Which.
        argument: &'static str,
        /// The limit.
        reason: String,
    },
    /// The resource that the command is about is closed.
    ResourceClosed,
    /// The driver's answer names a log that cannot be mapped; the resource was removed again.
    Log {
        /// Path of the log.
        path: String,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The driver's answer names a counter that does not exist.
    UnknownCounter(i32),
}

impl AddError {
    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Client(ClientError::CommandNotSent { too_long, .. }) => !too_long,
            Self::Registration(error) => error.is_retryable(),
            Self::Client(_)
            | Self::DriverTimeout { .. }
            | Self::InvalidArgument { .. }
            | Self::ResourceClosed
            | Self::Log { .. }
            | Self::UnknownCounter(_) => false,
        }
    }
}

impl fmt::Display for AddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Registration(error) => error.fmt(f),
            Self::DriverTimeout { correlation_id } => {
                write!(f, "no response from the driver to command {correlation_id}")
            }
            Self::InvalidArgument { argument, reason } => write!(f, "invalid {argument}: {reason}"),
            Self::ResourceClosed => f.write_str("resource is closed"),
            Self::Log { path, .. } => write!(f, "cannot map {path}"),
            Self::UnknownCounter(id) => write!(f, "counter {id} does not exist"),
        }
    }
}

impl Error for AddError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Client(error) => Some(error),
            Self::Registration(error) => Some(error),
            Self::Log { source, .. } => Some(source.as_ref()),
            Self::DriverTimeout { .. }
            | Self::InvalidArgument { .. }
            | Self::ResourceClosed
            | Self::UnknownCounter(_) => None,
        }
    }
}

impl From<ClientError> for AddError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// Why a message was not appended. An outcome, not a failure: look at [`Self::is_retryable`].
///
/// ```
/// use aileron::client::OfferError;
/// assert!(OfferError::BackPressured.is_retryable());
/// assert!(!OfferError::Closed.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// No subscriber, and no window left from an earlier one.
    NotConnected,
    /// Subscribers have not consumed enough yet.
    BackPressured,
    /// The term is being rotated; trying again at once succeeds.
    AdminAction,
    /// The publication or its client is closed.
    Closed,
    /// The stream is used up: only a new publication can go on.
    MaxPositionExceeded,
    /// The message exceeds the limit of the call.
    TooLong {
        /// Bytes offered.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The block of [`super::ExclusivePublication::offer_block`] does not continue the stream.
    BadBlock,
    /// The log holds a tail that cannot be: some process misbehaves.
    CorruptLog,
}

impl OfferError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::NotConnected | Self::BackPressured | Self::AdminAction
        )
    }
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected"),
            Self::BackPressured => f.write_str("back pressured"),
            Self::AdminAction => f.write_str("admin action"),
            Self::Closed => f.write_str("closed"),
            Self::MaxPositionExceeded => f.write_str("max position exceeded"),
            Self::TooLong { length, max } => write!(f, "{length} bytes exceed the limit of {max}"),
            Self::BadBlock => f.write_str("block does not continue the stream"),
            Self::CorruptLog => f.write_str("log buffer is corrupt"),
        }
    }
}

impl Error for OfferError {}

impl From<AppendError> for OfferError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::NotConnected => Self::NotConnected,
            AppendError::BackPressured => Self::BackPressured,
            AppendError::AdminAction => Self::AdminAction,
            AppendError::MaxPositionExceeded => Self::MaxPositionExceeded,
            AppendError::TooLong { length, max } => Self::TooLong { length, max },
            AppendError::InvalidBlock => Self::BadBlock,
            AppendError::Corrupt => Self::CorruptLog,
        }
    }
}
