//! The directory of a driver, opened for looking.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aileron::cnc::Cnc;
use aileron::memory::{AtomicBuffer, map_file_read_only};
use aileron::runtime::{MapCncError, map_cnc};

use crate::log_files::LogFiles;

/// Between looks at a file that is not ready.
const POLL_PERIOD: Duration = Duration::from_millis(10);
/// Name of the file with what images have lost.
const LOSS_REPORT: &str = "loss-report.dat";

/// The files of a driver, mapped for reading only.
///
/// ```
/// use aileron_cli::{Directory, Snapshot};
/// let driver = aileron::MediaDriver::launch_embedded(Default::default())?;
/// let directory = Directory::open(driver.directory(), std::time::Duration::from_secs(1))?;
/// assert_eq!(Snapshot::take(&directory).driver.pid, i64::from(std::process::id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    cnc: Cnc,
    loss_report: Option<AtomicBuffer>,
    logs: RefCell<LogFiles>,
}

impl Directory {
    /// Opens the directory at `path`, waiting up to `timeout` for a driver that is just starting.
    ///
    /// # Errors
    /// There is no driver's directory at `path`, or it is not one that can be read.
    pub fn open(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        let deadline = Instant::now() + timeout;
        let cnc = loop {
            match map_cnc(path, true) {
                Ok(cnc) => break cnc,
                Err(MapCncError::Content { source, .. })
                    if source.is_retryable() && Instant::now() < deadline =>
                {
                    std::thread::sleep(POLL_PERIOD);
                }
                Err(source) => {
                    return Err(OpenError {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        };
        Ok(Self {
            loss_report: map_whole(&path.join(LOSS_REPORT)),
            logs: RefCell::new(LogFiles::new(path)),
            path: path.to_owned(),
            cnc,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command-and-control file. Nothing can be stored through it.
    #[must_use]
    pub const fn cnc(&self) -> &Cnc {
        &self.cnc
    }

    /// The loss report, if the driver keeps one.
    #[must_use]
    pub const fn loss_report(&self) -> Option<&AtomicBuffer> {
        self.loss_report.as_ref()
    }

    /// Whether another driver has replaced this one's file since it was opened.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        map_cnc(&self.path, true).is_ok_and(|now| {
            now.pid() != self.cnc.pid() || now.start_timestamp() != self.cnc.start_timestamp()
        })
    }

    pub(crate) const fn logs(&self) -> &RefCell<LogFiles> {
        &self.logs
    }
}

fn map_whole(path: &Path) -> Option<AtomicBuffer> {
    let file = File::open(path).ok()?;
    let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
    map_file_read_only(&file, length).ok()
}

/// Why a directory cannot be looked at; tells what to do about it.
///
/// ```
/// use aileron_cli::Directory;
/// let nowhere = std::path::Path::new("/nowhere");
/// let error = Directory::open(nowhere, std::time::Duration::ZERO).unwrap_err();
/// assert!(error.to_string().contains("no media driver in /nowhere"));
/// ```
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    source: MapCncError,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.source {
            MapCncError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                write!(
                    f,
                    "no media driver in {path}: it has no cnc.dat; start one there, or name \
                     another directory with --dir or AERON_DIR (`aileron drivers` lists those of \
                     this machine)"
                )
            }
            MapCncError::Io { source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                write!(
                    f,
                    "may not read {path}/cnc.dat: run as the user of the driver, or give that file \
                     read permission"
                )
            }
            MapCncError::Content { source, .. } if source.is_retryable() => {
                write!(
                    f,
                    "the driver in {path} is not ready ({source}): wait longer with --timeout, or \
                     remove the directory if a driver died there while it was starting"
                )
            }
            MapCncError::Io { .. } | MapCncError::Content { .. } | _ => {
                write!(f, "cannot read the driver in {path}: {}", self.source)
            }
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
