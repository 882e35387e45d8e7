//! The committed record: instructions per operation by scenario, as JSON of one line each.

use std::fmt;

/// Rise that is still accepted, as a share of what was recorded.
const TOLERANCE: f64 = 0.05;
/// Instructions that are accepted however few there were.
const TOLERANCE_MIN: f64 = 1.0;
/// The entry that names the compiler.
const COMPILER: &str = "rustc";

/// Instructions per operation of each scenario, and who compiled it.
pub(crate) struct Record {
    compiler: String,
    counts: Vec<(String, f64)>,
}

/// What becomes of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// About as recorded.
    Same,
    /// Fewer by more than the tolerance.
    Fewer,
    /// More by more than the tolerance.
    More,
    /// Nothing was recorded.
    Unknown,
}

impl Verdict {
    pub(crate) const fn is_acceptable(self) -> bool {
        matches!(self, Self::Same | Self::Fewer)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "",
            Self::Fewer => "fewer: worth recording",
            Self::More => "MORE than 5% above the record",
            Self::Unknown => "NOT in the record",
        })
    }
}

impl Record {
    pub(crate) fn new() -> Self {
        let version = std::process::Command::new("rustc")
            .arg("--version")
            .output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        // "rustc 1.95.0 (…)"
        let word = version
            .ok()
            .and_then(|text| Some(text.split(' ').nth(1)?.to_owned()));
        Self {
            compiler: word.unwrap_or_default(),
            counts: Vec::new(),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut record = Self {
            compiler: String::new(),
            counts: Vec::new(),
        };
        for line in text.lines().filter(|line| line.contains(':')) {
            let fields = line.trim().trim_end_matches(',').split_once(':');
            let (name, value) = fields.ok_or_else(|| format!("no entry of a record: {line}"))?;
            let (name, value) = (name.trim_matches('"'), value.trim());
            if name == COMPILER {
                value.trim_matches('"').clone_into(&mut record.compiler);
            } else {
                let count = value.parse().map_err(|_| format!("no count: {line}"))?;
                record.set(name, count);
            }
        }
        Ok(record)
    }

    pub(crate) fn set(&mut self, name: &str, count: f64) {
        self.counts.push((name.to_owned(), count));
    }

    pub(crate) fn compiler(&self) -> &str {
        &self.compiler
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.counts
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
    }

    pub(crate) fn count(&self, name: &str) -> Option<f64> {
        let found = self.iter().find(|(other, _)| *other == name);
        found.map(|(_, count)| count)
    }

    /// What becomes of `now`, and what was recorded.
    pub(crate) fn judge(&self, name: &str, now: f64) -> (Verdict, Option<f64>) {
        let Some(was) = self.count(name) else {
            return (Verdict::Unknown, None);
        };
        let tolerance = (was * TOLERANCE).max(TOLERANCE_MIN);
        let verdict = if now > was + tolerance {
            Verdict::More
        } else if now < was - tolerance {
            Verdict::Fewer
        } else {
            Verdict::Same
        };
        (verdict, Some(was))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{{")?;
        for (name, count) in self.iter() {
            writeln!(f, "  \"{name}\": {count:.1},")?;
        }
        writeln!(f, "  \"{COMPILER}\": \"{}\"", self.compiler)?;
        writeln!(f, "}}")
    }
}
