//! Mutual exclusion of drivers that start on the same directory at the same time.
//!
//! Looking whether a directory is abandoned and replacing it are several steps; without a lock, one
//! driver could delete what another has just created, and both would believe to be alone.
//! Departs from Aeron, which has no such lock: the file formats are not touched by it.
#![forbid(unsafe_code)]

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// Between attempts to get the lock.
const POLL_PERIOD: Duration = Duration::from_millis(1);

/// Held from before a driver looks at its directory until its CnC file is ready. The lock is the
/// operating system's on the folder that holds the directory: it leaves no file behind, and ends
/// with its process.
#[derive(Debug)]
pub(super) struct StartLock {
    #[cfg_attr(not(test), expect(dead_code, reason = "kept for its lock"))]
    folder: Option<File>,
}

impl StartLock {
    /// Waits for the lock, at most for `timeout`. Where there is no such lock to be had the driver
    /// starts without.
    pub(super) fn acquire(directory: &Path, timeout: Duration) -> Self {
        Self {
            folder: Self::lock(directory, timeout),
        }
    }

    fn lock(directory: &Path, timeout: Duration) -> Option<File> {
        let absolute = std::path::absolute(directory).ok()?;
        // Folders that are missing yet are created below the first that is there.
        let folder = absolute.ancestors().skip(1).find(|path| path.is_dir())?;
        let folder = File::open(folder).ok()?;
        let start = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => return Some(folder),
                Err(TryLockError::WouldBlock) if start.elapsed() < timeout => {
                    std::thread::sleep(POLL_PERIOD);
                }
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_gets_the_lock_of_afolder() {
        let folder = tempfile::tempdir().expect("a folder");
        let directory = folder.path().join("not/there/yet");
        let none = Duration::ZERO;
        let first = StartLock::acquire(&directory, none);
        assert!(first.folder.is_some());
        assert!(StartLock::acquire(&directory, none).folder.is_none());
        drop(first);
        assert!(StartLock::acquire(&directory, none).folder.is_some());
    }
}
