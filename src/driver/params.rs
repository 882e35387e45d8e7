//! What a client's channel asks of a publication, a subscription or a destination: the URI's
//! parameters checked, with the configuration's values where the URI is silent.
//!
//! | File | Decides |
//! |---|---|
//! | `publication` | a publication's log, windows, timeouts, start; in the order of `driver.md` §11.7 |
//! | `subscription` | how a subscription receives, and what those on one stream must agree on |
//! | `destination` | what a destination's channel may say |
//! | `endpoint` | what channels that share an endpoint must agree on |

mod destination;
mod endpoint;
mod publication;
mod subscription;

use crate::driver::config::DriverConfig;
use crate::driver::media::udp_channel::ChannelError;
use crate::uri::{ChannelUri, params};

pub(crate) use destination::{check_receive_destination, check_send_destination};
pub(crate) use endpoint::{
    check_mtu_against_sndbuf, check_receive_endpoint, check_send_endpoint,
    check_window_against_rcvbuf,
};
pub(crate) use publication::{
    EntityTags, PublicationParams, StartPosition, TaggedPublication, check_network_publication,
};
pub(crate) use subscription::{SubscriptionParams, check_network_subscription};

fn invalid(text: impl Into<String>) -> ChannelError {
    ChannelError::invalid(text)
}

/// Timeouts of untethered subscribers, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UntetheredTimeouts {
    /// How long a subscriber may be behind the window's limit.
    pub(crate) window_limit_ns: i64,
    /// How long it is still counted after it became unavailable.
    pub(crate) linger_ns: i64,
    /// How long it rests before it rejoins.
    pub(crate) resting_ns: i64,
}

impl UntetheredTimeouts {
    /// The values of the URI, else of the configuration. A linger timeout that neither gives is the
    /// window limit timeout in force.
    pub(crate) fn of(uri: &ChannelUri, config: &DriverConfig) -> Result<Self, ChannelError> {
        let window_limit_ns = uri
            .duration_ns(params::UNTETHERED_WINDOW_LIMIT_TIMEOUT)?
            .unwrap_or(config.untethered_window_limit_timeout_ns);
        Ok(Self {
            window_limit_ns,
            linger_ns: uri
                .duration_ns(params::UNTETHERED_LINGER_TIMEOUT)?
                .or(config.untethered_linger_timeout_ns)
                .unwrap_or(window_limit_ns),
            resting_ns: uri
                .duration_ns(params::UNTETHERED_RESTING_TIMEOUT)?
                .unwrap_or(config.untethered_resting_timeout_ns),
        })
    }
}

#[cfg(test)]
mod tests;
