//! Parameters of subscriptions (`driver.md` §11.10).

use super::invalid;
use crate::base::SessionId;
use crate::driver::config::{DriverConfig, GroupConsideration};
use crate::driver::media::udp_channel::{ChannelError, UdpChannel};
use crate::uri::{ChannelUri, params};

/// The parameters of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionParams {
    /// The only session wanted.
    pub(crate) session_id: Option<SessionId>,
    /// Whether log files of its images are sparse.
    pub(crate) is_sparse: bool,
    /// Whether it holds back the stream.
    pub(crate) is_tether: bool,
    /// Whether it takes up a stream again that it lost.
    pub(crate) is_rejoin: bool,
    /// Whether lost data is asked for again.
    pub(crate) is_reliable: bool,
    /// `control-mode=response`.
    pub(crate) is_response: bool,
    /// Whether receivers behave as members of a group.
    pub(crate) group: GroupConsideration,
}

impl SubscriptionParams {
    /// Reads the parameters.
    ///
    /// # Errors
    /// `InvalidChannel`, naming the parameter.
    pub(crate) fn parse(uri: &ChannelUri, config: &DriverConfig) -> Result<Self, ChannelError> {
        Ok(Self {
            session_id: uri.i32(params::SESSION_ID)?.map(SessionId),
            is_sparse: uri
                .bool(params::SPARSE)?
                .unwrap_or(config.term_buffer_sparse_file),
            is_tether: uri
                .bool(params::TETHER)?
                .unwrap_or(config.tether_subscriptions),
            is_rejoin: uri.bool(params::REJOIN)?.unwrap_or(config.rejoin_stream),
            is_reliable: uri
                .bool(params::RELIABLE)?
                .unwrap_or(config.reliable_stream),
            is_response: uri.is_control_mode_response(),
            group: match uri.get(params::GROUP) {
                None => config.receiver_group_consideration,
                Some("true") => GroupConsideration::True,
                Some("infer") => GroupConsideration::Infer,
                Some(_) => GroupConsideration::False,
            },
        })
    }

    /// Compares with a subscription on the same endpoint, stream and session specificity, whose
    /// channel is `existing_text` (`uri.md` §6.4).
    ///
    /// # Errors
    /// `InvalidChannel`: a value that all of them must share differs.
    pub(crate) fn check_conflict(
        &self,
        existing: &Self,
        existing_text: &str,
    ) -> Result<(), ChannelError> {
        let pairs = [
            (params::RELIABLE, self.is_reliable, existing.is_reliable),
            (params::REJOIN, self.is_rejoin, existing.is_rejoin),
            (params::CONTROL_MODE, self.is_response, existing.is_response),
        ];
        match pairs.into_iter().find(|(_, new, present)| new != present) {
            None => Ok(()),
            Some((name, new, present)) => Err(invalid(format!(
                "option conflicts with existing subscription: {name}: {new} is not {present} of \
                 {existing_text}"
            ))),
        }
    }
}

/// What a network subscription's channel must fulfil besides its parameters (`uri.md` §6.4).
///
/// # Errors
/// `InvalidChannel`.
pub(crate) fn check_network_subscription(channel: &UdpChannel) -> Result<(), ChannelError> {
    let text = channel.original_text();
    if channel.is_explicit_control() && channel.local_control().port() == 0 {
        return Err(invalid(format!(
            "control has port=0 for subscription: {text}"
        )));
    }
    check_media_timestamps(channel.uri())
}

/// Whether the kernel can give receive times here.
fn check_media_timestamps(uri: &ChannelUri) -> Result<(), ChannelError> {
    let offset = uri.timestamp_offset(params::MEDIA_RCV_TIMESTAMP_OFFSET)?;
    if offset.is_some() && !cfg!(target_os = "linux") {
        return Err(invalid("media-rcv-ts-offset is supported on Linux only"));
    }
    Ok(())
}
