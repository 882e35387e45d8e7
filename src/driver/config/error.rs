//! What is wrong with a configuration.

use std::fmt;

use super::sources::Source;

/// One thing that is wrong: the option, its value, where that came from, and what would be right.
///
/// ```
/// use aileron::driver::config::{DriverConfig, Source};
/// let errors = DriverConfig::builder().max_resend(0).build().unwrap_err();
/// let error = errors.iter().next().unwrap();
/// assert_eq!((error.option(), error.value()), ("aeron.max.resend", "0"));
/// assert_eq!(error.origin(), &Source::Setter);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    option: String,
    value: String,
    source: Source,
    reason: String,
}

impl ConfigError {
    pub(super) fn new(
        option: impl Into<String>,
        value: impl Into<String>,
        source: Source,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            option: option.into(),
            value: value.into(),
            source,
            reason: reason.into(),
        }
    }

    /// Property name of the option, or the text that names none.
    #[must_use]
    pub fn option(&self) -> &str {
        &self.option
    }

    /// The value at fault.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where the value came from.
    #[must_use]
    pub const fn origin(&self) -> &Source {
        &self.source
    }

    /// What is wrong with it, and what would be right.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}={} ({}): {}",
            self.option, self.value, self.source, self.reason
        )
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with a configuration, one line each.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let errors = DriverConfig::builder()
///     .define("aeron.mtu.length=lots")
///     .timer_interval_ns(0)
///     .build()
///     .unwrap_err();
/// assert_eq!(errors.iter().count(), 2);
/// assert!(errors.to_string().contains("aeron.mtu.length=lots (-D): not a size"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl ConfigErrors {
    /// The errors; never none.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
