//! Collects setters and sources, then checks everything at once.

use std::collections::BTreeSet;

use super::DriverConfig;

/// Collects settings for a [`DriverConfig`]. A setter beats every source of text.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let builder = DriverConfig::builder().mtu_length(8192).dir("/tmp/aeron-test");
/// # let _ = builder;
/// ```
#[derive(Clone, Debug, Default)]
pub struct DriverConfigBuilder {
    pub(super) config: Box<DriverConfig>,
    /// Fields that a setter set.
    pub(super) set: BTreeSet<&'static str>,
}
