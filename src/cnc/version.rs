//! Versions as one integer: major, minor and patch, a byte each.

use std::fmt;

/// A version as the CnC file and counters hold it: `major << 16 | minor << 8 | patch`.
///
/// ```
/// use aileron::cnc::SemanticVersion;
/// let version = SemanticVersion::new(1, 53, 0);
/// assert_eq!(version.to_wire(), 79_104);
/// assert_eq!(version.to_string(), "1.53.0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SemanticVersion(i32);

impl SemanticVersion {
    /// The version `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self(i32::from_be_bytes([0, major, minor, patch]))
    }

    /// A version read from shared memory.
    #[must_use]
    pub const fn from_wire(version: i32) -> Self {
        Self(version)
    }

    /// The integer that stands for the version.
    #[must_use]
    pub const fn to_wire(self) -> i32 {
        self.0
    }

    /// Differs between versions that do not understand each other. Above 255 or negative in an
    /// integer that no version is.
    #[must_use]
    pub const fn major(self) -> i32 {
        self.0 >> 16
    }

    /// Grows with additions.
    #[must_use]
    pub const fn minor(self) -> u8 {
        self.0.to_be_bytes()[2]
    }

    /// Grows with repairs.
    #[must_use]
    pub const fn patch(self) -> u8 {
        self.0.to_be_bytes()[3]
    }
}

impl fmt::Display for SemanticVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major(), self.minor(), self.patch())
    }
}

/// Version of the file layout that this crate writes, and the lowest minor that it reads.
pub const CNC_VERSION: SemanticVersion = SemanticVersion::new(0, 2, 0);

/// Version of the commands and events, the value of
/// [`SystemCounter::ControlProtocolVersion`](super::SystemCounter::ControlProtocolVersion).
pub const CONTROL_PROTOCOL_VERSION: SemanticVersion = SemanticVersion::new(1, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_bytes() {
        assert_eq!(CNC_VERSION.to_wire(), 512);
        assert_eq!(CONTROL_PROTOCOL_VERSION.to_wire(), 65_536);
        let version = SemanticVersion::from_wire(0x0001_0203);
        assert_eq!(
            (version.major(), version.minor(), version.patch()),
            (1, 2, 3)
        );
        assert!(SemanticVersion::from_wire(-1).major() < 0);
    }
}
