//! The aeron directory: where it is, whether a driver lives in it, and its renewal at start
//! (`cnc.md` §1).

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access::Access;
use super::clock::SystemClock;
use super::start_lock::StartLock;
use crate::base::{EpochMillis, NULL_VALUE};
use crate::cnc::{Cnc, CncError};
use crate::concurrent::read_error_log;
use crate::memory::{map_file, map_file_read_only};
use crate::sys;

/// Name of the command-and-control file in the directory.
pub(super) const CNC_FILE_NAME: &str = "cnc.dat";
/// Name of the loss report in the directory.
pub(super) const LOSS_REPORT_FILE_NAME: &str = "loss-report.dat";
/// Name of the file of events in the directory.
pub(super) const EVENTS_FILE_NAME: &str = "events.dat";
/// Folders of the log buffers.
pub(super) const LOG_FOLDERS: [&str; 2] = ["publications", "images"];

/// How long to wait between looks at a file that another process is still writing.
const POLL_PERIOD: Duration = Duration::from_millis(1);

/// The directory that drivers and clients use unless told otherwise: `AERON_DIR` if set, else
/// `/dev/shm/aeron-<user>` where that file system exists, else `<tmp>/aeron-<user>`.
///
/// ```
/// println!("{}", aileron::runtime::default_directory().display());
/// ```
#[must_use]
pub fn default_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("AERON_DIR").filter(|d| !d.is_empty()) {
        return directory.into();
    }
    let user = std::env::var("USER")
        .ok()
        .filter(|user| !user.is_empty())
        .or_else(sys::user_name)
        .unwrap_or_else(|| "default".to_owned());
    let shared_memory = Path::new("/dev/shm");
    let parent = if shared_memory.is_dir() {
        shared_memory.into()
    } else {
        std::env::temp_dir()
    };
    parent.join(format!("aeron-{user}"))
}

/// Maps the CnC file of a directory. With `is_read_only` nothing can be written through it.
///
/// # Errors
/// The file is missing or cannot be mapped; or it is not (yet) that of a driver.
pub fn map_cnc(directory: &Path, is_read_only: bool) -> Result<Cnc, MapCncError> {
    let path = directory.join(CNC_FILE_NAME);
    let failed = |source| MapCncError::Io {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(!is_read_only)
        .open(&path)
        .map_err(failed)?;
    let length = usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(usize::MAX);
    let map = if is_read_only {
        map_file_read_only
    } else {
        map_file
    };
    let buffer = map(&file, length).map_err(failed)?;
    Cnc::attach(buffer).map_err(|source| MapCncError::Content {
        path: path.clone(),
        source,
    })
}

/// Why a CnC file could not be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum MapCncError {
    /// Opening or mapping failed.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The bytes are not those of a driver that is ready.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: CncError,
    },
}

impl fmt::Display for MapCncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "cannot map {}: {source}", path.display()),
            Self::Content { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for MapCncError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Content { source, .. } => Some(source),
        }
    }
}

/// Whether a driver keeps its heartbeat fresh in `directory`: not older than `timeout`.
///
/// ```
/// let nowhere = std::path::Path::new("/nowhere");
/// assert!(!aileron::runtime::is_driver_active(nowhere, std::time::Duration::from_secs(10)));
/// ```
#[must_use]
pub fn is_driver_active(directory: &Path, timeout: Duration) -> bool {
    map_cnc(directory, true)
        .is_ok_and(|cnc| is_fresh(cnc.to_driver().consumer_heartbeat(), timeout))
}

fn is_fresh(heartbeat: EpochMillis, timeout: Duration) -> bool {
    let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    SystemClock::epoch().since(heartbeat) <= timeout_ms
}

/// What is to happen with a directory that is there already.
#[derive(Clone, Debug)]
pub(super) struct DirectoryPolicy {
    pub(super) access: Access,
    pub(super) delete_on_start: bool,
    pub(super) warn_if_exists: bool,
    /// Age of a heartbeat at which its driver counts as dead.
    pub(super) driver_timeout: Duration,
}

/// Why a driver cannot have its directory.
#[derive(Debug)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Another driver lives there.
    ActiveDriver {
        /// Its CnC file.
        cnc_file: PathBuf,
    },
    /// The CnC file is damaged or of another version, so its driver cannot be told dead.
    Incompatible {
        /// The file.
        cnc_file: PathBuf,
        /// What is wrong with it.
        source: CncError,
    },
    /// An operation on the file system failed.
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ActiveDriver { cnc_file } => {
                write!(f, "Active media driver detected: {}", cnc_file.display())
            }
            Self::Incompatible { cnc_file, source } => write!(
                f,
                "{}: {source}; set aeron.dir.delete.on.start=true to replace the directory",
                cnc_file.display()
            ),
            Self::Io {
                action,
                path,
                source,
            } => {
                write!(f, "cannot {action} {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for DirectoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ActiveDriver { .. } => None,
            Self::Incompatible { source, .. } => Some(source),
            Self::Io { source, .. } => Some(source),
        }
    }
}

/// Makes `directory` a fresh aeron directory for a driver, unless another driver is alive in it.
/// Warnings are for a person and go to `warn`. The lock is to be held until the driver shows itself
/// in the directory.
pub(super) fn prepare(
    directory: &Path,
    policy: &DirectoryPolicy,
    warn: &dyn Fn(&str),
) -> Result<StartLock, DirectoryError> {
    if directory.is_dir() && !policy.delete_on_start {
        // This may have to wait for a driver that is just starting, so it comes before the lock,
        // behind which it is repeated and finds what is true then.
        check_abandoned(directory, policy, &|_| {})?;
    }
    let lock = StartLock::acquire(directory, policy.driver_timeout);
    if directory.is_dir() {
        if policy.warn_if_exists {
            warn(&format!("{} exists", directory.display()));
        }
        if !policy.delete_on_start {
            check_abandoned(directory, policy, warn)?;
            save_error_log(directory, policy.access, warn);
            save_events(directory, warn);
        }
        remove(directory)?;
    }
    let create = |path: &Path| {
        let created = policy.access.create_directory(path);
        created.map_err(io_error("create", path))
    };
    create(directory)?;
    for folder in LOG_FOLDERS {
        create(&directory.join(folder))?;
    }
    Ok(lock)
}

/// Whether the CnC file in `directory` is the one that `cnc` was mapped from, as far as one can
/// tell by its driver and its time.
pub(super) fn is_home_of(directory: &Path, cnc: &Cnc) -> bool {
    map_cnc(directory, true).is_ok_and(|found| {
        found.pid() == cnc.pid() && found.start_timestamp() == cnc.start_timestamp()
    })
}

/// Deletes a directory and all in it.
pub(super) fn remove(directory: &Path) -> Result<(), DirectoryError> {
    match fs::remove_dir_all(directory) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(io_error("delete", directory)(source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Succeeds when no driver is alive in `directory`.
fn check_abandoned(
    directory: &Path,
    policy: &DirectoryPolicy,
    warn: &dyn Fn(&str),
) -> Result<(), DirectoryError> {
    let cnc_file = directory.join(CNC_FILE_NAME);
    let clock = SystemClock::new();
    let deadline = clock.now().plus(policy.driver_timeout);
    loop {
        match map_cnc(directory, true) {
            Ok(cnc) if is_fresh(cnc.to_driver().consumer_heartbeat(), policy.driver_timeout) => {
                return Err(DirectoryError::ActiveDriver { cnc_file });
            }
            Ok(_) => return Ok(()),
            Err(MapCncError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(());
            }
            Err(MapCncError::Io { source, .. })
                if source.kind() != io::ErrorKind::UnexpectedEof =>
            {
                return Err(io_error("map", &cnc_file)(source));
            }
            Err(MapCncError::Content { source, .. }) if !source.is_retryable() => {
                return Err(DirectoryError::Incompatible { cnc_file, source });
            }
            Err(error) => {
                // A driver may be writing the file right now; one that died meanwhile never ends.
                // Departs from Aeron, whose Java driver does not start here. The file may claim to
                // be of the future.
                let is_over = clock.now().is_at_or_after(deadline);
                if is_over || age_of(&cnc_file) > policy.driver_timeout {
                    warn(&format!(
                        "{error}; its driver died while starting: replacing it"
                    ));
                    return Ok(());
                }
                std::thread::sleep(POLL_PERIOD);
            }
        }
    }
}

fn age_of(path: &Path) -> Duration {
    let modified = fs::metadata(path).and_then(|m| m.modified());
    modified
        .ok()
        .and_then(|m| m.elapsed().ok())
        .unwrap_or_default()
}

/// Keeps the events of a driver that did not close, next to its directory. There is one such file:
/// it is large, and a driver that fails over and over must not fill the memory.
fn save_events(directory: &Path, warn: &dyn Fn(&str)) {
    let died = map_cnc(directory, true)
        .is_ok_and(|cnc| cnc.to_driver().consumer_heartbeat().get() != NULL_VALUE);
    let from = directory.join(EVENTS_FILE_NAME);
    if !died || !from.exists() {
        return;
    }
    let to = last_events_path(directory);
    match fs::rename(&from, &to) {
        Ok(()) => warn(&format!("Existing events saved to: {}", to.display())),
        Err(error) => warn(&format!("cannot save events to {}: {error}", to.display())),
    }
}

/// Where the events of the last driver of a directory are that died: beside it.
///
/// ```
/// use std::path::Path;
/// let path = aileron::runtime::last_events_path(Path::new("/dev/shm/aeron-me"));
/// assert_eq!(path, Path::new("/dev/shm/aeron-me-last-events.dat"));
/// ```
#[must_use]
pub fn last_events_path(directory: &Path) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push("-last-events.dat");
    name.into()
}

/// Keeps the errors that a dead driver left behind, next to its directory.
fn save_error_log(directory: &Path, access: Access, warn: &dyn Fn(&str)) {
    let Ok(cnc) = map_cnc(directory, true) else {
        return;
    };
    let mut text = String::new();
    read_error_log(&cnc.error_log_buffer(), EpochMillis(0), |e| {
        text.push_str(&format!(
            "\n{} observations from {} to {} for:\n {}\n",
            e.observation_count,
            format_utc(e.first),
            format_utc(e.last),
            e.text
        ));
    });
    if text.is_empty() {
        return;
    }
    let stamp = format_utc(SystemClock::epoch()).replace([' ', ':', '.'], "-");
    let mut name = directory.as_os_str().to_owned();
    name.push(format!("-{stamp}-error.log"));
    let path = PathBuf::from(name);
    let file = access.new_file().open(&path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => warn(&format!("Existing errors saved to: {}", path.display())),
        Err(error) => warn(&format!(
            "cannot save errors to {}: {error}",
            path.display()
        )),
    }
}

/// A time as the tools write it, in UTC.
///
/// ```
/// use aileron::base::EpochMillis;
/// use aileron::runtime::format_utc;
/// assert_eq!(format_utc(EpochMillis(1_738_332_127_015)), "2025-01-31 14:02:07.015+0000");
/// ```
#[must_use]
pub fn format_utc(time: EpochMillis) -> String {
    let (days, ms) = (
        time.get().div_euclid(86_400_000),
        time.get().rem_euclid(86_400_000),
    );
    let (year, month, day) = civil_from_days(days);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, milli) = (ms / 1000 % 60, ms % 1000);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}+0000")
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Years run from March, so that the leap day is the last of its year; eras have 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Creates a file that must not exist, with all of `length` bytes taken.
pub(super) fn create_file(
    path: &Path,
    length: u64,
    access: Access,
) -> Result<File, DirectoryError> {
    let file = access
        .new_file()
        .open(path)
        .map_err(io_error("create", path))?;
    if let Err(error) = sys::allocate_file(&file, length) {
        let _ = fs::remove_file(path);
        return Err(io_error("allocate", path)(error));
    }
    Ok(file)
}

pub(super) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::Io {
        action,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::SystemTime;

    use super::*;
    use crate::cnc::{CncLengths, CncMetadata};
    use crate::concurrent::DistinctErrorLog;

    const LENGTHS: CncLengths = CncLengths {
        to_driver: 64 * 1024 + 768,
        to_clients: 64 * 1024 + 128,
        counter_values: 128 * 1024,
        error_log: 64 * 1024,
        page_size: 4096,
    };

    /// A directory whose CnC file has these bytes.
    fn with_cnc(bytes: &[u8]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(CNC_FILE_NAME), bytes).expect("written");
        directory
    }

    /// A directory that a driver used.
    fn used(heartbeat: EpochMillis) -> (tempfile::TempDir, Cnc) {
        let directory = tempfile::tempdir().expect("a directory");
        let length = LENGTHS.total_length().expect("small");
        let path = directory.path().join(CNC_FILE_NAME);
        let file = create_file(&path, length as u64, Access::SHARED).expect("created");
        let metadata = CncMetadata {
            client_liveness_timeout_ns: 1,
            start_timestamp: EpochMillis(1),
            pid: 1,
        };
        let buffer = map_file(&file, length).expect("mapped");
        let cnc = Cnc::create(buffer, &LENGTHS, &metadata).expect("lengths fit");
        cnc.to_driver().set_consumer_heartbeat(heartbeat);
        cnc.signal_ready();
        (directory, cnc)
    }

    /// Prepares a directory; returns what came of it and the warnings.
    fn prepared(directory: &Path) -> (Result<(), DirectoryError>, Vec<String>) {
        let policy = DirectoryPolicy {
            access: Access::SHARED,
            delete_on_start: false,
            warn_if_exists: false,
            driver_timeout: Duration::from_millis(200),
        };
        let warnings: RefCell<Vec<String>> = RefCell::default();
        let warn = |text: &str| warnings.borrow_mut().push(text.to_owned());
        let result = prepare(directory, &policy, &warn).map(drop);
        (result, warnings.into_inner())
    }

    #[track_caller]
    fn assert_fresh(directory: &Path) {
        assert!(!directory.join(CNC_FILE_NAME).exists());
        assert!(!directory.join("rubbish").exists());
        assert!(directory.join("publications").is_dir() && directory.join("images").is_dir());
    }

    #[test]
    fn directories_that_no_driver_uses_are_renewed() {
        let parent = tempfile::tempdir().expect("a directory");
        let missing = parent.path().join("not/yet");
        assert!(prepared(&missing).0.is_ok());
        assert_fresh(&missing);

        let unrelated = tempfile::tempdir().expect("a directory");
        fs::write(unrelated.path().join("rubbish"), "x").expect("written");
        assert!(prepared(unrelated.path()).0.is_ok());
        assert_fresh(unrelated.path());

        for heartbeat in [EpochMillis(-1), EpochMillis(1), EpochMillis(i64::MIN)] {
            let (directory, _cnc) = used(heartbeat);
            assert!(prepared(directory.path()).0.is_ok());
            assert_fresh(directory.path());
        }
    }

    #[test]
    fn a_live_driver_keeps_its_directory() {
        for ahead_ms in [0, 1_000_000] {
            let (directory, _cnc) = used(SystemClock::epoch().plus_ms(ahead_ms));
            let error = prepared(directory.path()).0.expect_err("taken");
            assert!(
                matches!(error, DirectoryError::ActiveDriver { .. }),
                "{error}"
            );
            assert!(directory.path().join(CNC_FILE_NAME).exists());
        }
    }

    #[test]
    fn a_file_that_does_not_tell_whether_its_driver_lives_is_left_alone() {
        let mut lengths = vec![0xff; 8192];
        lengths[..4].copy_from_slice(&crate::cnc::CNC_VERSION.to_wire().to_le_bytes());
        for bytes in [lengths, vec![0xa5; 8192], vec![0x01; 8192]] {
            let directory = with_cnc(&bytes);
            let path = directory.path().join(CNC_FILE_NAME);
            let file = File::options().write(true).open(&path).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH).expect("aged");
            let error = prepared(directory.path()).0.expect_err("who knows");
            assert!(
                matches!(error, DirectoryError::Incompatible { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("delete.on.start"), "{error}");
            assert_eq!(fs::read(&path).expect("still there"), bytes);
        }
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join(CNC_FILE_NAME)).expect("a folder");
        let error = prepared(directory.path()).0.expect_err("who knows");
        assert!(matches!(error, DirectoryError::Io { .. }), "{error}");
    }

    #[test]
    fn an_unfinished_file_of_the_future_is_not_waited_for_for_ever() {
        let directory = with_cnc(&[0; 8192]);
        let path = directory.path().join(CNC_FILE_NAME);
        let file = File::options().write(true).open(&path).expect("opened");
        let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
        file.set_modified(tomorrow).expect("dated");
        assert!(prepared(directory.path()).0.is_ok());
        assert_fresh(directory.path());
    }

    #[test]
    fn errors_of_a_dead_driver_are_kept_beside_its_directory() {
        let parent = tempfile::tempdir().expect("a directory");
        let (directory, cnc) = used(EpochMillis(-1));
        let moved = parent.path().join("aeron");
        fs::rename(directory.path(), &moved).expect("moved");
        let _ = DistinctErrorLog::new(cnc.error_log_buffer()).record(EpochMillis(5), 11, "it hurt");
        let (result, warnings) = prepared(&moved);
        assert!(result.is_ok());
        let saved = fs::read_dir(parent.path())
            .expect("listed")
            .map(|entry| entry.expect("an entry").path())
            .find(|path| path.to_string_lossy().ends_with("-error.log"))
            .expect("saved");
        assert!(
            fs::read_to_string(&saved)
                .expect("text")
                .contains("it hurt")
        );
        assert!(
            warnings.iter().any(|w| w.contains("-error.log")),
            "{warnings:?}"
        );
    }

    #[test]
    fn times_are_written_as_the_tools_write_them() {
        assert_eq!(format_utc(EpochMillis(0)), "1970-01-01 00:00:00.000+0000");
        assert_eq!(
            format_utc(EpochMillis(1_709_210_096_789)),
            "2024-02-29 12:34:56.789+0000"
        );
        assert_eq!(format_utc(EpochMillis(-1)), "1969-12-31 23:59:59.999+0000");
    }
}
