//! Why a driver could not be launched.

use std::fmt;
use std::io;

use super::directory::DirectoryError;
use crate::cnc::CncError;
use crate::concurrent::InvalidCapacity;
use crate::driver::DriverCoreError;
use crate::driver::config::ConfigErrors;

/// Why a driver could not be launched.
#[derive(Debug)]
#[non_exhaustive]
pub enum LaunchError {
    /// Settings that do not fit this machine.
    Config(ConfigErrors),
    /// The aeron directory cannot be had.
    Directory(DirectoryError),
    /// The lengths of the CnC file do not fit together.
    Cnc(CncError),
    /// The file of events cannot have the length that is configured.
    EventLog(InvalidCapacity),
    /// The agents cannot be built.
    Core(DriverCoreError),
    /// The CPUs of the threads are not those of the process's cpuset, or are warned of while
    /// warnings are errors.
    Cpuset(String),
    /// Something that is configured and that this machine does not have, or does not grant.
    Machine(String),
    /// The operating system gives no thread.
    Thread {
        /// What it answered.
        source: io::Error,
    },
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(errors) => errors.fmt(f),
            Self::Directory(error) => error.fmt(f),
            Self::Cnc(error) => error.fmt(f),
            Self::EventLog(error) => write!(f, "cannot make the file of events: {error}"),
            Self::Core(error) => error.fmt(f),
            Self::Cpuset(text) | Self::Machine(text) => f.write_str(text),
            Self::Thread { source } => write!(f, "cannot start a thread: {source}"),
        }
    }
}

impl std::error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(_) | Self::Cpuset(_) | Self::Machine(_) => None,
            Self::EventLog(error) => Some(error),
            Self::Core(error) => Some(error),
            Self::Directory(error) => Some(error),
            Self::Cnc(error) => Some(error),
            Self::Thread { source } => Some(source),
        }
    }
}

impl From<DirectoryError> for LaunchError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<DriverCoreError> for LaunchError {
    fn from(error: DriverCoreError) -> Self {
        Self::Core(error)
    }
}

impl From<CncError> for LaunchError {
    fn from(error: CncError) -> Self {
        Self::Cnc(error)
    }
}

impl From<ConfigErrors> for LaunchError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}
