//! What a channel says about where it goes.

use std::net::SocketAddr;

/// A parameter of a channel.
pub(super) fn param<'a>(channel: &'a str, name: &str) -> Option<&'a str> {
    let (_, params) = channel.split_once('?')?;
    params
        .split('|')
        .find_map(|param| param.strip_prefix(name)?.strip_prefix('='))
}

/// The address that a channel's `endpoint` names, if it is a number or `localhost`: other names are
/// the driver's to resolve.
///
/// ```
/// use aileron_cli::explain::endpoint_of;
/// let channel = "aeron:udp?endpoint=localhost:40123|alias=a";
/// assert_eq!(endpoint_of(channel), Some(([127, 0, 0, 1], 40123).into()));
/// assert_eq!(endpoint_of("aeron:ipc"), None);
/// ```
#[must_use]
pub fn endpoint_of(channel: &str) -> Option<SocketAddr> {
    address(param(channel, "endpoint")?)
}

fn address(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some(([127, 0, 0, 1], port.parse().ok()?).into());
    }
    text.parse().ok()
}

/// `endpoint`, or else `control`, as the channel has it.
pub(super) fn destination_text(channel: &str) -> &str {
    param(channel, "endpoint")
        .or_else(|| param(channel, "control"))
        .unwrap_or("its destinations")
}

/// The group size that a channel demands: `fc=min,g:/3` or `fc=tagged,g:101/3,t:1s`.
pub(super) fn group_size(channel: &str) -> Option<i64> {
    let flow_control = param(channel, "fc")?;
    let group = flow_control
        .split(',')
        .find_map(|part| part.strip_prefix("g:"))?;
    group.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_the_driver_reads_them() {
        let channel = "aeron:udp?endpoint=[::1]:9|fc=tagged,g:101/3,t:1s|rcv-wnd=64K|mtu=1408";
        assert_eq!(
            endpoint_of(channel),
            Some("[::1]:9".parse().expect("an address"))
        );
        assert_eq!(group_size(channel), Some(3));
        assert_eq!(group_size("aeron:udp?endpoint=a:1|fc=min,g:/2"), Some(2));
        assert_eq!(group_size("aeron:udp?endpoint=a:1|fc=min"), None);
        assert_eq!(endpoint_of("aeron:udp?endpoint=some.host:9"), None);
        assert_eq!(destination_text("aeron:udp?control=h:1"), "h:1");
    }
}
