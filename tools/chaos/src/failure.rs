//! Why a round failed.

use std::fmt;

/// Why a round failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A message lost, twice, damaged or out of order; a process that panicked.
    Violation(String),
    /// Something took too long, or somebody was told of a death that did not happen: a machine that
    /// stood still may be at fault.
    Late(String),
    /// Something is left that should be gone.
    Leak(String),
    /// The round could not be set up.
    Setup(String),
}

impl Failure {
    /// Whether a machine that stood still may be at fault.
    pub(crate) const fn is_about_time(&self) -> bool {
        matches!(self, Self::Late(_))
    }

    pub(crate) fn setup(what: &str, error: impl fmt::Display) -> Self {
        Self::Setup(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(text) => write!(f, "violation: {text}"),
            Self::Late(text) => write!(f, "late: {text}"),
            Self::Leak(text) => write!(f, "leak: {text}"),
            Self::Setup(text) => write!(f, "not set up: {text}"),
        }
    }
}

impl std::error::Error for Failure {}
