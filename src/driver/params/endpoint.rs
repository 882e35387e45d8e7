//! What channels that share an endpoint must agree on (`driver.md` §13.3).

use super::invalid;
use crate::command::ErrorCode;
use crate::driver::media::udp_channel::{ChannelError, UdpChannel};
use crate::port::BufferLimits;
use crate::uri::params;

/// Checks that `channel` may send through an endpoint made from `existing` (`driver.md` §13.3).
///
/// # Errors
/// `InvalidChannel`: a property of the endpoint differs.
pub(crate) fn check_send_endpoint(
    existing: &UdpChannel,
    channel: &UdpChannel,
) -> Result<(), ChannelError> {
    let present = existing.timestamp_offsets().channel_send;
    let asked = channel.timestamp_offsets().channel_send;
    check_offset(
        params::CHANNEL_SND_TIMESTAMP_OFFSET,
        asked,
        present,
        existing,
    )?;
    check_buffers(existing, channel)
}

/// Checks that `channel` may receive through an endpoint made from `existing` (`driver.md` §13.3).
///
/// # Errors
/// `InvalidChannel`: a property of the endpoint differs.
pub(crate) fn check_receive_endpoint(
    existing: &UdpChannel,
    channel: &UdpChannel,
) -> Result<(), ChannelError> {
    let (present, asked) = (existing.timestamp_offsets(), channel.timestamp_offsets());
    let pairs = [
        (
            params::CHANNEL_RCV_TIMESTAMP_OFFSET,
            asked.channel_receive,
            present.channel_receive,
        ),
        (
            params::MEDIA_RCV_TIMESTAMP_OFFSET,
            asked.media_receive,
            present.media_receive,
        ),
    ];
    for (name, asked, present) in pairs {
        check_offset(name, asked, present, existing)?;
    }
    check_buffers(existing, channel)
}

fn check_offset(
    name: &str,
    asked: Option<i32>,
    present: Option<i32>,
    existing: &UdpChannel,
) -> Result<(), ChannelError> {
    if asked == present {
        return Ok(());
    }
    Err(invalid(format!(
        "option conflicts with existing channel: {name}={} is not {} of {}",
        asked.unwrap_or(-1),
        present.unwrap_or(-1),
        existing.original_text()
    )))
}

fn check_buffers(existing: &UdpChannel, channel: &UdpChannel) -> Result<(), ChannelError> {
    let pairs = [
        (
            params::SOCKET_RCVBUF,
            channel.socket_rcvbuf(),
            existing.socket_rcvbuf_length(),
        ),
        (
            params::SOCKET_SNDBUF,
            channel.socket_sndbuf(),
            existing.socket_sndbuf_length(),
        ),
    ];
    for (name, asked, present) in pairs {
        if asked.is_some_and(|asked| asked != present) {
            return Err(invalid(format!(
                "option conflicts with existing channel: {name}={} is not {present} of {}",
                asked.unwrap_or(0),
                existing.original_text()
            )));
        }
    }
    Ok(())
}

/// Checks that a datagram of `mtu_length` bytes fits the send buffer of `endpoint`.
///
/// # Errors
/// `InvalidChannel`.
pub(crate) fn check_mtu_against_sndbuf(
    mtu_length: i32,
    endpoint: &UdpChannel,
    limits: &BufferLimits,
) -> Result<(), ChannelError> {
    let sndbuf = match endpoint.socket_sndbuf_length() {
        0 => limits.default_sndbuf,
        length => length,
    };
    if usize::try_from(mtu_length).is_ok_and(|mtu| mtu <= sndbuf) {
        return Ok(());
    }
    Err(invalid(format!(
        "mtu={mtu_length} is above SO_SNDBUF={sndbuf} of {}",
        endpoint.original_text()
    )))
}

/// Checks that the receiver window of `channel` fits the receive buffer of `endpoint`.
///
/// # Errors
/// `GenericError`.
pub(crate) fn check_window_against_rcvbuf(
    channel: &UdpChannel,
    endpoint: &UdpChannel,
    limits: &BufferLimits,
) -> Result<(), ChannelError> {
    let rcvbuf = match endpoint.socket_rcvbuf_length() {
        0 => limits.default_rcvbuf,
        length => length,
    };
    let window = channel.receiver_window_length();
    if usize::try_from(window).is_ok_and(|window| window <= rcvbuf) {
        return Ok(());
    }
    let text = format!(
        "rcv-wnd={window} is above SO_RCVBUF={rcvbuf} of {}",
        endpoint.original_text()
    );
    Err(ChannelError::new(ErrorCode::GenericError, text))
}
