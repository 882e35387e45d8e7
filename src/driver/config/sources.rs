//! Where settings come from.

use std::fmt;

/// Where a value came from.
///
/// ```
/// use aileron::driver::config::Source;
/// assert_eq!(Source::Default.to_string(), "default");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Source {
    /// Nobody set it.
    #[default]
    Default,
    /// An environment variable.
    Environment(&'static str),
    /// `-Dname=value`.
    Define,
    /// A line of a property file.
    File(String, usize),
    /// A setter of the builder.
    Setter,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Define => f.write_str("-D"),
            Self::File(name, line) => write!(f, "{name}:{line}"),
            Self::Setter => f.write_str("setter"),
        }
    }
}
