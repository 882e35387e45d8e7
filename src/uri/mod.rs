//! Channel URIs: `aeron:udp?endpoint=…`, their parameters, units and builder.

#![forbid(unsafe_code)]

mod units;

pub use units::{format_duration, format_size, parse_duration, parse_size};
