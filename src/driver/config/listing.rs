//! The table read out: effective values with their sources, and what there is to know about each
//! option.

use std::fmt;

use super::DriverConfig;
use super::refused::REFUSED;
use super::sources::Source;
use super::table::ROWS;
use crate::uri::params;

/// An option's effective value.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let config = DriverConfig::builder().define("aeron.mtu.length=8k").build().unwrap();
/// let mtu = config.settings().find(|setting| setting.name == "aeron.mtu.length").unwrap();
/// assert_eq!(mtu.to_string(), "aeron.mtu.length=8k (-D)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Property name.
    pub name: &'static str,
    /// The value in the form in which it can be set; empty if unset.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} ({})", self.name, self.value, self.source)
    }
}

/// What there is to know about an option.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let mut options = DriverConfig::options();
/// let mtu = options.find(|option| option.property == "aeron.mtu.length").unwrap();
/// assert_eq!((mtu.environment, mtu.default.as_str()), ("AERON_MTU_LENGTH", "1408"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionDoc {
    /// Heading that it stands under.
    pub section: &'static str,
    /// Property name.
    pub property: &'static str,
    /// Environment variable; empty if there is none.
    pub environment: &'static str,
    /// Unit or kind of value.
    pub unit: &'static str,
    /// Default as text; empty if unset.
    pub default: String,
    /// Allowed values; empty if any.
    pub range: String,
    /// Meaning.
    pub meaning: &'static str,
    /// Parameter of a channel's URI that says otherwise for that channel; empty if there is none.
    pub uri_parameter: &'static str,
}

/// An option of Aeron that this driver does not have.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let mut refused = DriverConfig::refused_options();
/// let events = refused.find(|option| option.property == "aeron.event.log.filename").unwrap();
/// assert_eq!(events.environment, "AERON_EVENT_LOG_FILENAME");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedDoc {
    /// Property name.
    pub property: &'static str,
    /// Environment variable; empty if there is none.
    pub environment: &'static str,
    /// What it means to the drivers that have it.
    pub meaning: &'static str,
    /// Values that are accepted because they change nothing.
    pub accepted: &'static [&'static str],
    /// Why any other value is refused.
    pub reason: &'static str,
}

/// Options that a parameter of a channel's URI overrides (`config.md` §4): field and parameter.
const PER_CHANNEL: &[(&str, &str)] = &[
    ("term_buffer_length", params::TERM_LENGTH),
    ("ipc_term_buffer_length", params::TERM_LENGTH),
    ("term_buffer_sparse_file", params::SPARSE),
    ("publication_term_window_length", params::PUBLICATION_WINDOW),
    (
        "ipc_publication_term_window_length",
        params::PUBLICATION_WINDOW,
    ),
    ("mtu_length", params::MTU),
    ("ipc_mtu_length", params::MTU),
    ("initial_window_length", params::RECEIVER_WINDOW),
    ("receiver_window_auto", params::RECEIVER_WINDOW),
    ("socket_rcvbuf_length", params::SOCKET_RCVBUF),
    ("socket_sndbuf_length", params::SOCKET_SNDBUF),
    ("socket_multicast_ttl", params::TTL),
    ("publication_linger_timeout_ns", params::LINGER),
    (
        "spies_simulate_connection",
        params::SPIES_SIMULATE_CONNECTION,
    ),
    ("reliable_stream", params::RELIABLE),
    ("tether_subscriptions", params::TETHER),
    ("rejoin_stream", params::REJOIN),
    ("receiver_group_consideration", params::GROUP),
    (
        "untethered_window_limit_timeout_ns",
        params::UNTETHERED_WINDOW_LIMIT_TIMEOUT,
    ),
    (
        "untethered_linger_timeout_ns",
        params::UNTETHERED_LINGER_TIMEOUT,
    ),
    (
        "untethered_resting_timeout_ns",
        params::UNTETHERED_RESTING_TIMEOUT,
    ),
    ("nak_unicast_delay_ns", params::NAK_DELAY),
    ("max_resend", params::MAX_RESEND),
    ("multicast_flow_control", params::FLOW_CONTROL),
    ("flow_control_group_tag", params::FLOW_CONTROL),
    ("flow_control_group_min_size", params::FLOW_CONTROL),
    ("flow_control_receiver_timeout_ns", params::FLOW_CONTROL),
    ("unicast_flow_control_rrwm", params::FLOW_CONTROL),
    ("multicast_flow_control_rrwm", params::FLOW_CONTROL),
    ("receiver_group_tag", params::GROUP_TAG),
    ("congestion_control", params::CONGESTION_CONTROL),
];

impl DriverConfig {
    /// Effective values in the order of the table.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        ROWS.iter().enumerate().map(|(index, row)| Setting {
            name: row.info.property,
            value: (row.show)(self),
            source: self.sources.get(index).cloned().unwrap_or_default(),
        })
    }

    /// What is odd about the configuration without being wrong: unknown names, arguments that
    /// nothing takes, socket buffers that the system cuts short.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All options in the order of the table.
    pub fn options() -> impl Iterator<Item = OptionDoc> {
        let defaults = Self::default();
        ROWS.iter().map(move |row| {
            let parameter = PER_CHANNEL
                .iter()
                .find(|(field, _)| *field == row.info.field);
            OptionDoc {
                section: row.info.section,
                property: row.info.property,
                environment: row.info.env,
                unit: (row.unit)(),
                default: (row.show)(&defaults),
                range: (row.range)(),
                meaning: row.info.doc.trim(),
                uri_parameter: parameter.map_or("", |(_, parameter)| parameter),
            }
        })
    }

    /// All options of Aeron's drivers that this one does not have.
    pub fn refused_options() -> impl Iterator<Item = RefusedDoc> {
        REFUSED.iter().map(|refused| RefusedDoc {
            property: refused.property,
            environment: refused.env,
            meaning: refused.meaning,
            accepted: refused.defaults,
            reason: refused.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_channels_override_are_options() {
        for (field, parameter) in PER_CHANNEL {
            let row = ROWS.iter().find(|row| row.info.field == *field);
            let doc = row.expect(field).info.doc;
            let named = doc
                .split("URI `")
                .nth(1)
                .and_then(|rest| rest.split(['`', '=']).next());
            assert!(
                named.is_none_or(|named| named == *parameter),
                "{field}: {doc}"
            );
        }
        for row in ROWS.iter().filter(|row| row.info.doc.contains("URI `")) {
            let field = row.info.field;
            assert!(
                PER_CHANNEL.iter().any(|(known, _)| *known == field),
                "{field}"
            );
        }
    }
}
