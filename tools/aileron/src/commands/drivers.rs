//! `aileron drivers`: the drivers of this machine.
//!
//! Looked for where drivers usually are (`/dev/shm/aeron-*`, the same below the directory for
//! temporary files, `AERON_DIR`, `--dir`), and among the files that running processes have mapped,
//! as far as they may be seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome};
use crate::directory::Directory;
use crate::snapshot::Snapshot;
use crate::text::duration_text;

/// A heartbeat older than this is that of a dead driver, as drivers and clients have it by default.
const DRIVER_TIMEOUT_MS: i64 = 10_000;

/// Options of `drivers`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also list directories whose driver is gone
    #[arg(short, long)]
    all: bool,
}

struct Found {
    path: PathBuf,
    snapshot: Snapshot,
}

impl Found {
    fn is_alive(&self) -> bool {
        self.snapshot.is_driver_alive(DRIVER_TIMEOUT_MS)
    }
}

/// Lists them.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let mut places = candidates(Path::new("/proc"));
    places.insert(common.directory());
    let found: Vec<Found> = places
        .into_iter()
        .filter_map(|path| {
            let directory = Directory::open(&path, Duration::ZERO).ok()?;
            let snapshot = Snapshot::take(&directory);
            Some(Found { path, snapshot })
        })
        .filter(|found| arguments.all || found.is_alive())
        .collect();
    if common.json {
        let drivers: Vec<_> = found.iter().map(found_json).collect();
        print_json(&json!({ "drivers": drivers }))?;
    } else if found.is_empty() {
        print(
            "no driver found: looked at /dev/shm/aeron-*, the directory for temporary files, \
             AERON_DIR, --dir, and the files mapped by the processes that may be seen\n",
        )?;
    } else {
        let text: Vec<_> = found.iter().map(found_text).collect();
        print(&text.concat())?;
    }
    Ok(Outcome::Fine)
}

fn found_text(found: &Found) -> String {
    let Snapshot { driver, .. } = &found.snapshot;
    let mut text = format!("{}\n", found.path.display());
    let state = match found.snapshot.heartbeat_age_ms() {
        None => "shut down".to_owned(),
        Some(age) if found.is_alive() => format!("alive, heartbeat {age} ms ago"),
        Some(age) => format!(
            "dead, heartbeat {} ago",
            duration_text(age.saturating_mul(1_000_000))
        ),
    };
    let up_ms = found.snapshot.time.since(driver.start);
    let _ = writeln!(
        text,
        "  pid {}, {state}, version {}, {}, started {} ago",
        driver.pid,
        driver.version,
        driver.threading_mode,
        duration_text(up_ms.saturating_mul(1_000_000)),
    );
    let _ = writeln!(
        text,
        "  {} clients, {} publications, {} images, {} distinct errors",
        found.snapshot.clients.len(),
        found.snapshot.publications.len(),
        found.snapshot.images.len(),
        found.snapshot.errors.len(),
    );
    text
}

fn found_json(found: &Found) -> serde_json::Value {
    let Snapshot { driver, .. } = &found.snapshot;
    json!({
        "dir": found.path,
        "pid": driver.pid,
        "is_alive": found.is_alive(),
        "heartbeat_age_ms": found.snapshot.heartbeat_age_ms(),
        "version": driver.version,
        "is_aileron": driver.is_aileron,
        "threading_mode": driver.threading_mode,
        "start_ms": driver.start.get(),
        "clients": found.snapshot.clients.len(),
        "publications": found.snapshot.publications.len(),
        "images": found.snapshot.images.len(),
        "errors": found.snapshot.errors.len(),
    })
}

/// Directories that may be a driver's.
fn candidates(proc: &Path) -> BTreeSet<PathBuf> {
    let mut places = BTreeSet::new();
    places.insert(aileron::runtime::default_directory());
    for parent in [PathBuf::from("/dev/shm"), std::env::temp_dir()] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(|e| e.file_name().to_string_lossy().starts_with("aeron-"));
        places.extend(named.map(|entry| entry.path()));
    }
    let processes = std::fs::read_dir(proc).into_iter().flatten().flatten();
    for process in processes {
        let is_process = process.file_name().to_string_lossy().parse::<u32>().is_ok();
        let maps = std::fs::read_to_string(process.path().join("maps"));
        if let (true, Ok(maps)) = (is_process, maps) {
            places.extend(mapped_directories(&maps));
        }
    }
    places
}

/// Directories whose `cnc.dat` appears in a process's `maps`.
fn mapped_directories(maps: &str) -> impl Iterator<Item = PathBuf> + '_ {
    maps.lines().filter_map(|line| {
        let path = &line[line.find('/')?..];
        Some(PathBuf::from(path.strip_suffix("/cnc.dat")?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_found_among_mapped_files() {
        let maps = "7f00-7f01 rw-s 00000000 00:19 5 /dev/shm/my drivers/a/cnc.dat\n\
                    7f02-7f03 r-xp 00000000 00:19 6 /usr/lib/libc.so.6\n\
                    7f04-7f05 rw-s 00000000 00:19 7 /dev/shm/b/cnc.dat (deleted)\n";
        let found: Vec<_> = mapped_directories(maps).collect();
        assert_eq!(found, [PathBuf::from("/dev/shm/my drivers/a")]);
    }
}
