//! Log buffers as mapped files: the driver creates and deletes them, clients open them.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::logbuffer::{
    LogBuffer, LogKind, LogName, LogOpener, LogSpec, LogStore, OpenError, StoreError, log_length,
};
use crate::memory::{AtomicBuffer, map_file};
use crate::sys;

/// Creates log files below an aeron directory (`logbuffer.md` §2, `driver.md` §16).
#[derive(Clone, Debug)]
pub(super) struct MappedLogStore {
    directory: PathBuf,
    performs_storage_checks: bool,
}

impl MappedLogStore {
    pub(super) fn new(directory: &Path, performs_storage_checks: bool) -> Self {
        Self { directory: directory.to_owned(), performs_storage_checks }
    }

    fn check_space(&self, needed: u64) -> Result<(), StoreError> {
        if !self.performs_storage_checks {
            return Ok(());
        }
        let available = self.usable_space()?;
        if available < needed {
            return Err(StoreError::NoSpace { needed, available });
        }
        Ok(())
    }
}

impl LogStore for MappedLogStore {
    fn create(
        &mut self,
        name: &LogName,
        spec: &LogSpec,
    ) -> Result<(LogBuffer, String), StoreError> {
        let folder = match name.kind {
            LogKind::Publication => "publications",
            LogKind::Image => "images",
        };
        let path = self.directory.join(folder).join(format!("{}.logbuffer", name.id));
        let length = log_length(spec.term_length, spec.page_size);
        self.check_space(length)?;
        let log = create_log(&path, length, spec).inspect_err(|error| {
            if !matches!(error, StoreError::Exists { .. }) {
                let _ = fs::remove_file(&path);
            }
        })?;
        Ok((log, path.to_string_lossy().into_owned()))
    }

    fn delete(&mut self, path: &str) -> Result<(), StoreError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::Io(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn usable_space(&self) -> Result<u64, StoreError> {
        sys::usable_space(&self.directory).map_err(StoreError::Io)
    }
}

fn create_log(path: &Path, length: u64, spec: &LogSpec) -> Result<LogBuffer, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(
        |error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                StoreError::Exists { path: path.to_string_lossy().into_owned() }
            }
            _ => StoreError::Io(error),
        },
    )?;
    if spec.sparse {
        file.set_len(length).map_err(StoreError::Io)?;
    } else {
        sys::allocate_file(&file, length).map_err(StoreError::Io)?;
    }
    let mapped = usize::try_from(length).map_err(io::Error::other).map_err(StoreError::Io)?;
    let buffer = map_file(&file, mapped).map_err(StoreError::Io)?;
    if !spec.sparse {
        pre_touch(&buffer, spec.page_size);
    }
    Ok(LogBuffer::initialise(buffer, spec)?)
}

/// Opens log files that a driver announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappedLogOpener {
    /// Whether to touch each page at once, so that no first touch comes on the data path.
    pub(super) pre_touches: bool,
}

impl LogOpener for MappedLogOpener {
    fn open(&self, path: &str) -> Result<LogBuffer, OpenError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(OpenError::Io)?;
        let length = file.metadata().map_err(OpenError::Io)?.len();
        let length = usize::try_from(length).map_err(io::Error::other).map_err(OpenError::Io)?;
        let buffer = map_file(&file, length).map_err(OpenError::Io)?;
        let log = LogBuffer::attach(buffer.clone())?;
        if self.pre_touches {
            pre_touch(&buffer, log.metadata().page_size());
        }
        Ok(log)
    }
}

/// Makes the kernel back every page now. Exchanging 0 for 0 leaves live data as it is.
fn pre_touch(buffer: &AtomicBuffer, page_size: i32) {
    let stride = usize::try_from(page_size).unwrap_or(4096).max(4096);
    for offset in (0..buffer.len()).step_by(stride) {
        let _ = buffer.compare_exchange_i32_seq_cst(offset, 0, 0);
    }
}
