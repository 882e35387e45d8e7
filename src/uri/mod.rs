//! Channel URIs: `aeron:udp?endpoint=…`, their parameters, units and builder.
//!
//! [`ChannelUri`] is the map that the text describes; it checks the grammar and leaves values to
//! typed getters, since what a value must be depends on who asks. [`ChannelUriBuilder`] is for
//! programs that put a channel together. Whether a channel makes sense to a driver is
//! decided there.

#![forbid(unsafe_code)]

mod builder;
mod channel_uri;
mod error;
mod flow_control;
mod helpers;
pub mod params;
mod units;

pub use builder::ChannelUriBuilder;
pub use channel_uri::{
    ChannelUri, ControlMode, MAX_CHANNEL_LENGTH, Media, PROTOTYPE_CORRELATION_ID,
    RESERVED_VALUE_OFFSET, SessionRef, Tags,
};
pub use error::UriError;
pub use flow_control::{FlowControlParam, FlowControlStrategy};
pub use helpers::{
    add_alias_if_absent, add_session_id, create_destination_uri, replace_port_with_wildcard,
    transform_alias,
};
pub use units::{format_duration, format_size, parse_duration, parse_size};
