//! What is measured each period, and whether it stayed the same.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::failure::Failure;

/// Growth of anonymous memory that is none: the allocator's and the threads' comings and goings.
const GROWTH_TOLERATED_KIB: u64 = 1024;
/// Samples below which growth cannot be told from a beginning.
const SAMPLES_MIN: usize = 12;

/// How many of everything the two drivers hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    /// `driver thing`, and how many.
    pub(crate) counts: Vec<(String, i64)>,
}

impl Holdings {
    /// What differs from `before`.
    pub(crate) fn compared_with(&self, before: &Self) -> String {
        let mut parts = Vec::new();
        for ((name, now), (_, then)) in self.counts.iter().zip(&before.counts) {
            if now != then {
                parts.push(format!("{name} {now} instead of {then}"));
            }
        }
        parts.join(", ")
    }
}

/// Anonymous memory of processes that live from beginning to end, KiB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) Vec<(String, u64)>);

impl Memory {
    pub(crate) fn json(&self) -> String {
        let parts: Vec<_> = self
            .0
            .iter()
            .map(|(name, kib)| format!("{}:{kib}", crate::report::quoted(name)))
            .collect();
        format!("{{{}}}", parts.join(","))
    }

    pub(crate) fn compared(first: &Self, last: &Self) -> String {
        let mut text = String::new();
        for ((name, then), (_, now)) in first.0.iter().zip(&last.0) {
            let _ = writeln!(text, "  {name:<24} {then:>8} {now:>8}");
        }
        text.trim_end().to_owned()
    }
}

/// Anonymous memory of a process, KiB; shared memory and files are counted as what drivers hold.
pub(crate) fn anonymous_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    line.and_then(|line| line.split_ascii_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// All samples.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<(Duration, Holdings, Memory)>);

impl Samples {
    pub(crate) fn add(&mut self, at: Duration, holdings: Holdings, memory: Memory) {
        self.0.push((at, holdings, memory));
    }

    /// Medians of memory in the second and in the last quarter.
    pub(crate) fn ends(&self) -> (Memory, Memory) {
        let quarter = self.0.len() / 4;
        let second = &self.0[quarter..(2 * quarter).max(quarter)];
        let last = &self.0[self.0.len() - quarter..];
        (medians(second), medians(last))
    }

    /// Whose memory has grown.
    pub(crate) fn growth(&self) -> Option<Failure> {
        if self.0.len() < SAMPLES_MIN {
            return None;
        }
        let (first, last) = self.ends();
        let grown = first
            .0
            .iter()
            .zip(&last.0)
            .find(|((_, then), (_, now))| *now > *then + GROWTH_TOLERATED_KIB + *then / 20);
        grown.map(|((name, then), (_, now))| {
            Failure::Leak(format!("memory of {name} grew from {then} to {now} KiB"))
        })
    }

    /// What the drivers held, which was the same in all samples.
    pub(crate) fn holdings(&self) -> String {
        let mut text = String::from("held by the drivers whenever all were there:");
        if let Some((_, holdings, _)) = self.0.last() {
            for (name, count) in &holdings.counts {
                let _ = write!(text, " {name} {count};");
            }
        }
        text
    }

    /// All samples, with a line of names.
    pub(crate) fn csv(&self) -> String {
        let mut text = String::from("seconds");
        if let Some((_, holdings, memory)) = self.0.first() {
            for (name, _) in &holdings.counts {
                let _ = write!(text, ",{name}");
            }
            for (name, _) in &memory.0 {
                let _ = write!(text, ",{name} KiB");
            }
        }
        for (at, holdings, memory) in &self.0 {
            let _ = write!(text, "\n{:.1}", at.as_secs_f64());
            for (_, count) in &holdings.counts {
                let _ = write!(text, ",{count}");
            }
            for (_, kib) in &memory.0 {
                let _ = write!(text, ",{kib}");
            }
        }
        text.push('\n');
        text
    }
}

fn medians(samples: &[(Duration, Holdings, Memory)]) -> Memory {
    let Some((_, _, any)) = samples.first() else {
        return Memory::default();
    };
    let median = |index: usize| {
        let mut all: Vec<_> = samples
            .iter()
            .map(|(_, _, memory)| memory.0[index].1)
            .collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    let named = any.0.iter().enumerate();
    Memory(
        named
            .map(|(index, (name, _))| (name.clone(), median(index)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(kib: impl Fn(u64) -> u64) -> Samples {
        let mut samples = Samples::default();
        for second in 0..40 {
            let memory = Memory(vec![("driver".to_owned(), kib(second))]);
            samples.add(Duration::from_secs(second), Holdings::default(), memory);
        }
        samples
    }

    #[test]
    fn growth_is_seen_and_noise_is_not() {
        assert_eq!(samples(|second| 5000 + second % 7).growth(), None);
        assert_eq!(
            samples(|second| if second < 8 { 100 } else { 5000 }).growth(),
            None
        );
        assert!(samples(|second| 5000 + 100 * second).growth().is_some());
        assert!(
            samples(|_| 5000)
                .csv()
                .starts_with("seconds,driver KiB\n0.0,5000\n")
        );
    }
}
