//! What a destination's channel may say (`driver.md` §11.12, §11.13).

use super::invalid;
use crate::command::ErrorCode;
use crate::driver::media::host_port::HostPort;
use crate::driver::media::udp_channel::ChannelError;
use crate::uri::{ChannelUri, params};

/// Parameters that a destination may not have.
const NOT_FOR_DESTINATIONS: [&str; 5] = [
    params::MTU,
    params::RECEIVER_WINDOW,
    params::SOCKET_RCVBUF,
    params::SOCKET_SNDBUF,
    params::RESPONSE_CORRELATION_ID,
];

/// Checks a network destination of a subscription.
///
/// # Errors
/// `InvalidChannel`, or `NotSupported` for transport security.
pub(crate) fn check_receive_destination(uri: &ChannelUri) -> Result<(), ChannelError> {
    if uri.is_spy() {
        let text = format!("spies are invalid as network destinations: {uri}");
        return Err(invalid(text));
    }
    if !uri.is_udp() {
        return Err(invalid(format!("destination is not of media udp: {uri}")));
    }
    if uri.bool(params::TRANSPORT_SECURITY)? == Some(true) {
        let text = "ats=true: transport security is not supported, leave ats out";
        return Err(ChannelError::new(ErrorCode::NotSupported, text));
    }
    if let Some(name) = NOT_FOR_DESTINATIONS
        .into_iter()
        .find(|name| uri.contains(name))
    {
        return Err(invalid(format!("destination must not have {name}: {uri}")));
    }
    if uri.is_control_mode_response() {
        return Err(invalid(format!(
            "destination must not have control-mode=response: {uri}"
        )));
    }
    Ok(())
}

/// Checks a destination of a publication and returns its `endpoint`, to be resolved. A text that
/// the resolver maps as a whole need not be `host:port` yet.
///
/// # Errors
/// `InvalidChannel`, or `NotSupported` for transport security.
pub(crate) fn check_send_destination(uri: &ChannelUri) -> Result<&str, ChannelError> {
    check_receive_destination(uri)?;
    let endpoint = uri
        .get(params::ENDPOINT)
        .filter(|endpoint| !endpoint.is_empty());
    let endpoint =
        endpoint.ok_or_else(|| invalid(format!("destination without endpoint: {uri}")))?;
    if HostPort::parse(endpoint).is_some_and(|parsed| parsed.port == 0) {
        return Err(invalid(format!("destination endpoint has port=0: {uri}")));
    }
    Ok(endpoint)
}
