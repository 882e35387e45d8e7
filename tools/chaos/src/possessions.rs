//! What a driver holds: counters, log files, file descriptors, mappings. After all clients are gone
//! it must be what it was before they came.

use std::fs;
use std::path::Path;

use aileron::cnc::{Cnc, SystemCounter};
use aileron::runtime::map_cnc;

/// What a driver holds at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Possessions {
    /// Allocated counters: id, type, label.
    counters: Vec<(i32, i32, String)>,
    /// Log files, by folder and name.
    logs: Vec<String>,
    /// Open file descriptors of the process.
    files: usize,
    /// Of those, sockets.
    sockets: usize,
    /// Mappings of files below the directory.
    mappings: usize,
    /// The driver's own count of bytes mapped.
    mapped_bytes: i64,
}

impl Possessions {
    /// Of the driver on `directory`, which is process `pid`. `None` when it cannot be looked at.
    pub(crate) fn of(directory: &Path, pid: u32) -> Option<Self> {
        let cnc = map_cnc(directory, true).ok()?;
        let process = Path::new("/proc").join(pid.to_string());
        let descriptors: Vec<_> = fs::read_dir(process.join("fd")).ok()?.flatten().collect();
        let is_socket = |path: &Path| {
            fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        let maps = fs::read_to_string(process.join("maps")).ok()?;
        let place = directory.to_string_lossy();
        Some(Self {
            counters: counters(&cnc),
            logs: logs(directory),
            files: descriptors.len(),
            sockets: descriptors.iter().filter(|d| is_socket(&d.path())).count(),
            mappings: maps.lines().filter(|line| line.contains(&*place)).count(),
            mapped_bytes: cnc
                .counters()
                .value(SystemCounter::BytesCurrentlyMapped.counter_id())
                .unwrap_or(0),
        })
    }

    /// How many of everything.
    pub(crate) fn counts(&self) -> [(&'static str, i64); 6] {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        [
            ("counters", count(self.counters.len())),
            ("logs", count(self.logs.len())),
            ("file descriptors", count(self.files)),
            ("sockets", count(self.sockets)),
            ("mappings", count(self.mappings)),
            ("bytes mapped", self.mapped_bytes),
        ]
    }

    /// What `self` has more, or less, than `before`; empty if it is the same.
    pub(crate) fn compared_with(&self, before: &Self) -> String {
        let mut parts = Vec::new();
        let more: Vec<_> = self
            .counters
            .iter()
            .filter(|c| !before.counters.contains(c))
            .collect();
        let less: Vec<_> = before
            .counters
            .iter()
            .filter(|c| !self.counters.contains(c))
            .collect();
        if !more.is_empty() {
            parts.push(format!("counters {more:?}"));
        }
        if !less.is_empty() {
            parts.push(format!("counters that are gone {less:?}"));
        }
        if self.logs != before.logs {
            parts.push(format!("logs {:?}", self.logs));
        }
        for (name, now, then) in [
            ("file descriptors", self.files, before.files),
            ("sockets", self.sockets, before.sockets),
            ("mappings", self.mappings, before.mappings),
        ] {
            if now != then {
                parts.push(format!("{now} {name} instead of {then}"));
            }
        }
        if self.mapped_bytes != before.mapped_bytes {
            let (now, then) = (self.mapped_bytes, before.mapped_bytes);
            parts.push(format!("{now} bytes mapped instead of {then}"));
        }
        parts.join("; ")
    }
}

fn counters(cnc: &Cnc) -> Vec<(i32, i32, String)> {
    let mut counters = Vec::new();
    cnc.counters().for_each(|record| {
        counters.push((record.id.get(), record.type_id, record.label.to_string()));
    });
    counters
}

fn logs(directory: &Path) -> Vec<String> {
    let mut logs = Vec::new();
    for folder in ["publications", "images"] {
        let entries = fs::read_dir(directory.join(folder))
            .into_iter()
            .flatten()
            .flatten();
        logs.extend(entries.map(|entry| format!("{folder}/{}", entry.file_name().display())));
    }
    logs.sort();
    logs
}

/// The errors that a driver recorded, for the report of a failure.
pub(crate) fn errors_of(directory: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    if let Ok(cnc) = map_cnc(directory, true) {
        aileron::concurrent::read_error_log(
            &cnc.error_log_buffer(),
            aileron::base::EpochMillis(0),
            |error| texts.push(error.text.to_string()),
        );
    }
    texts
}
