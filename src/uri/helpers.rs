//! Small edits of channel texts that programs often need.

use super::channel_uri::{ChannelUri, parse_decimal};
use super::error::UriError;
use super::params;

/// The channel with this session.
///
/// ```
/// let channel = aileron::uri::add_session_id("aeron:ipc?alias=a", 7).unwrap();
/// assert_eq!(channel, "aeron:ipc?alias=a|session-id=7");
/// ```
///
/// # Errors
/// The text is no channel.
pub fn add_session_id(channel: &str, session_id: i32) -> Result<String, UriError> {
    let mut uri = ChannelUri::parse(channel)?;
    uri.set(params::SESSION_ID, &session_id.to_string())?;
    Ok(uri.to_string())
}

/// The channel with this alias, unless it has one.
///
/// ```
/// use aileron::uri::add_alias_if_absent;
/// assert_eq!(add_alias_if_absent("aeron:ipc", "a").unwrap(), "aeron:ipc?alias=a");
/// assert_eq!(add_alias_if_absent("aeron:ipc?alias=b", "a").unwrap(), "aeron:ipc?alias=b");
/// ```
///
/// # Errors
/// The text is no channel, or the alias contains `|`.
pub fn add_alias_if_absent(channel: &str, alias: &str) -> Result<String, UriError> {
    transform_alias(channel, |present| Some(present.unwrap_or(alias).to_owned()))
}

/// The channel with the alias that `transform` makes of its own, if any; `None` removes it.
///
/// ```
/// use aileron::uri::transform_alias;
/// let channel = transform_alias("aeron:ipc?alias=a", |alias| alias.map(|a| format!("{a}-2")));
/// assert_eq!(channel.unwrap(), "aeron:ipc?alias=a-2");
/// ```
///
/// # Errors
/// The text is no channel, or the new alias contains `|`.
pub fn transform_alias(
    channel: &str,
    transform: impl FnOnce(Option<&str>) -> Option<String>,
) -> Result<String, UriError> {
    let mut uri = ChannelUri::parse(channel)?;
    let present = uri.get(params::ALIAS);
    let alias = transform(present);
    if alias.as_deref() == present {
        return Ok(channel.to_owned());
    }
    match alias {
        Some(alias) => uri.set(params::ALIAS, &alias)?,
        None => {
            uri.remove(params::ALIAS);
        }
    }
    Ok(uri.to_string())
}

/// A destination with this endpoint and the media and interface of the channel.
///
/// ```
/// let channel = "aeron:udp?control-mode=manual|interface=10.0.0.0/8|mtu=8k";
/// let destination = aileron::uri::create_destination_uri(channel, "10.0.0.7:4000").unwrap();
/// assert_eq!(destination, "aeron:udp?endpoint=10.0.0.7:4000|interface=10.0.0.0/8");
/// ```
///
/// # Errors
/// The text is no channel, or the endpoint contains `|`.
pub fn create_destination_uri(channel: &str, endpoint: &str) -> Result<String, UriError> {
    let uri = ChannelUri::parse(channel)?;
    let mut destination = ChannelUri::new(uri.media());
    destination.set(params::ENDPOINT, endpoint)?;
    if let Some(interface) = uri.get(params::INTERFACE) {
        destination.set(params::INTERFACE, interface)?;
    }
    Ok(destination.to_string())
}

/// Splits `host:port` at the last colon outside brackets.
fn split_port(endpoint: &str) -> Option<(&str, &str)> {
    let (host, port) = endpoint.rsplit_once(':')?;
    let is_address = !host.is_empty() && (!host.contains(':') || host.ends_with(']'));
    let is_port = parse_decimal(port).is_some_and(|port| (0..=65_535).contains(&port));
    (is_address && is_port).then_some((host, port))
}

/// The endpoint with port 0: `host:port` becomes `host:0`.
///
/// ```
/// assert_eq!(aileron::uri::replace_port_with_wildcard("[::1]:4000").unwrap(), "[::1]:0");
/// ```
///
/// # Errors
/// The text is not `host:port`.
pub fn replace_port_with_wildcard(endpoint: &str) -> Result<String, UriError> {
    let error = || UriError::parameter_value(params::ENDPOINT, endpoint, "not host:port");
    let (host, _) = split_port(endpoint).ok_or_else(error)?;
    Ok(format!("{host}:0"))
}

impl ChannelUri {
    /// Puts the port that a driver bound in place of port 0. Without an endpoint, `resolved` is
    /// taken whole; with another port nothing changes.
    ///
    /// ```
    /// use aileron::uri::ChannelUri;
    /// let mut uri = ChannelUri::parse("aeron:udp?endpoint=md-1:0").unwrap();
    /// uri.replace_endpoint_wildcard_port("10.0.0.7:4000").unwrap();
    /// assert_eq!(uri.to_string(), "aeron:udp?endpoint=md-1:4000");
    /// ```
    ///
    /// # Errors
    /// `resolved` is not `host:port` or its port is 0.
    pub fn replace_endpoint_wildcard_port(&mut self, resolved: &str) -> Result<(), UriError> {
        let error = || UriError::parameter_value(params::ENDPOINT, resolved, "has no port");
        let (_, port) = split_port(resolved)
            .filter(|(_, port)| *port != "0")
            .ok_or_else(error)?;
        let endpoint = match self.get(params::ENDPOINT) {
            None => resolved.to_owned(),
            Some(endpoint) => match endpoint.strip_suffix(":0") {
                Some(host) => format!("{host}:{port}"),
                None => return Ok(()),
            },
        };
        self.set(params::ENDPOINT, &endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_added_or_replaced() {
        let channel = add_session_id("aeron:udp?endpoint=a:1|session-id=3", -5);
        assert_eq!(
            channel,
            Ok("aeron:udp?endpoint=a:1|session-id=-5".to_owned())
        );
        assert!(add_session_id("udp", 1).is_err());
    }

    #[test]
    fn aliases_are_transformed_and_removed() {
        let channel = "aeron:udp?alias=x|endpoint=a:1";
        let removed = transform_alias(channel, |_| None);
        assert_eq!(removed, Ok("aeron:udp?endpoint=a:1".to_owned()));
        assert_eq!(
            transform_alias(channel, |alias| alias.map(str::to_owned)),
            Ok(channel.to_owned())
        );
        assert!(transform_alias(channel, |_| Some("a|b".to_owned())).is_err());
    }

    #[test]
    fn destinations_take_the_interface_along() {
        let plain = create_destination_uri("aeron:udp?control-mode=manual", "a:1");
        assert_eq!(plain, Ok("aeron:udp?endpoint=a:1".to_owned()));
        assert!(create_destination_uri("aeron:udp?control-mode=manual", "a|b:1").is_err());
    }

    #[test]
    fn wildcard_ports_are_replaced_and_others_left() {
        let replaced = |channel: &str, resolved: &str| {
            let mut uri = ChannelUri::parse(channel)?;
            uri.replace_endpoint_wildcard_port(resolved)
                .map(|()| uri.to_string())
        };
        let same = Ok("aeron:udp?endpoint=a:5".to_owned());
        assert_eq!(replaced("aeron:udp?endpoint=a:0", "127.0.0.1:5"), same);
        assert_eq!(replaced("aeron:udp?endpoint=a:5", "127.0.0.1:6"), same);
        assert_eq!(replaced("aeron:udp", "a:5"), same);
        for resolved in [
            "127.0.0.1",
            "127.0.0.1:0",
            "",
            ":5",
            "a:x",
            "[::1]",
            "::1:5",
        ] {
            assert!(
                replaced("aeron:udp?endpoint=a:0", resolved).is_err(),
                "{resolved}"
            );
        }
    }

    #[test]
    fn ports_are_replaced_with_wildcards() {
        assert_eq!(replace_port_with_wildcard("a:5"), Ok("a:0".to_owned()));
        assert!(replace_port_with_wildcard("a").is_err());
        assert!(replace_port_with_wildcard("::1").is_err());
    }
}
