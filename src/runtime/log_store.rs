//! Log buffers as mapped files: the driver creates and deletes them, clients open them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::access::Access;
use crate::logbuffer::{
    LogBuffer, LogName, LogOpener, LogSpec, LogStore, OpenError, StoreError, log_length,
};
use crate::memory::{AtomicBuffer, map_file};
use crate::sys;

/// Creates log files below an aeron directory (`logbuffer.md` §2, `driver.md` §16).
///
/// A sparse log takes its storage on first touch, and where there is none left by then the touch
/// ends the process. So the store promises no storage twice: what its sparse logs have not taken
/// yet does not count as usable. Departs from Aeron, which looks at each log alone.
#[derive(Debug)]
pub(super) struct MappedLogStore {
    directory: PathBuf,
    access: Access,
    placement: Placement,
    /// Logs that exist, by the path announced.
    logs: BTreeMap<String, LogFile>,
    /// Bytes of the sparse ones among them, whether taken or not.
    sparse_length: u64,
}

/// Which memory logs are to have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placement {
    /// Whether to ask for huge pages.
    pub(super) wants_huge_pages: bool,
    /// The NUMA node that it comes from, as long as that has any.
    pub(super) numa_node: Option<u8>,
}

impl Placement {
    /// Asks for it. To be done before the first touch, which decides.
    fn apply(&self, buffer: &AtomicBuffer) -> io::Result<()> {
        let named = |what: String| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"))
        };
        if self.wants_huge_pages {
            let what = "no huge pages, which aileron.log.huge.pages asks for".to_owned();
            buffer.advise_huge_pages().map_err(named(what))?;
        }
        if let Some(node) = self.numa_node {
            let what =
                format!("no memory of NUMA node {node}, which aileron.log.numa.node asks for");
            sys::prefer_numa_node(buffer.addresses(), node).map_err(named(what))?;
        }
        Ok(())
    }
}

/// A file that the store created.
#[derive(Clone, Copy, Debug)]
struct LogFile {
    length: u64,
    is_sparse: bool,
    device: u64,
    inode: u64,
}

/// Unit of [`Metadata::blocks`], bytes.
const BLOCK_LENGTH: u64 = 512;

impl LogFile {
    fn of(file: &File, length: u64, is_sparse: bool) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok(Self {
            length,
            is_sparse,
            device,
            inode,
        })
    }

    /// Bytes that it can take at most after it was created.
    const fn sparse_length(&self) -> u64 {
        if self.is_sparse { self.length } else { 0 }
    }

    fn is(&self, metadata: &Metadata) -> bool {
        (metadata.dev(), metadata.ino()) == (self.device, self.inode)
    }

    /// Bytes of the file at `path` that have no storage yet.
    fn untaken(&self, path: &str) -> u64 {
        match fs::metadata(path) {
            Ok(metadata) if self.is(&metadata) => {
                let taken = metadata.blocks().saturating_mul(BLOCK_LENGTH);
                self.length.saturating_sub(taken)
            }
            // Somebody removed it. Whatever it has yet to take is not known.
            Ok(_) | Err(_) => 0,
        }
    }
}

impl MappedLogStore {
    pub(super) fn new(directory: &Path, access: Access) -> Self {
        Self {
            directory: directory.to_owned(),
            access,
            placement: Placement::default(),
            logs: BTreeMap::new(),
            sparse_length: 0,
        }
    }

    /// Which memory new logs are to have.
    pub(super) fn with_placement(self, placement: Placement) -> Self {
        Self { placement, ..self }
    }

    /// Bytes that the logs have not taken yet.
    fn promised(&self) -> u64 {
        let logs = self.logs.iter().filter(|(_, file)| file.is_sparse);
        logs.map(|(path, file)| file.untaken(path)).sum()
    }
}

impl LogStore for MappedLogStore {
    /// Whoever wants storage checks makes them before.
    fn create(
        &mut self,
        name: &LogName,
        spec: &LogSpec,
    ) -> Result<(LogBuffer, String), StoreError> {
        let path = self.directory.join(name.to_string());
        let length = log_length(spec.term_length, spec.page_size);
        let created = create_log(&path, length, spec, self.access, self.placement);
        let (log, file) = created.inspect_err(|error| {
            if !matches!(error, StoreError::Exists(_)) {
                let _ = fs::remove_file(&path);
            }
        })?;
        let path = path.to_string_lossy().into_owned();
        self.sparse_length += file.sparse_length();
        self.logs.insert(path.clone(), file);
        Ok((log, path))
    }

    /// Deletes the file that the store created at `path`, not one that has taken its place since:
    /// whoever removed the directory may have started another driver on it.
    fn delete(&mut self, path: &str) -> Result<(), StoreError> {
        let created = self.logs.get(path).copied();
        let is_other = |metadata| created.is_some_and(|file| !file.is(&metadata));
        if !fs::metadata(path).is_ok_and(is_other) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(path)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        if let Some(file) = self.logs.remove(path) {
            self.sparse_length -= file.sparse_length();
        }
        Ok(())
    }

    /// Looks at each log only where the answer depends on it.
    fn usable_space(&self, wanted: u64) -> Result<u64, StoreError> {
        let free = sys::usable_space(&self.directory)
            .map_err(failed(&self.directory.to_string_lossy()))?;
        let usable = free.saturating_sub(self.sparse_length);
        if usable > wanted {
            return Ok(usable);
        }
        Ok(free.saturating_sub(self.promised()))
    }
}

fn failed(path: &str) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io {
        path: path.to_owned(),
        source,
    }
}

fn create_log(
    path: &Path,
    length: u64,
    spec: &LogSpec,
    access: Access,
    placement: Placement,
) -> Result<(LogBuffer, LogFile), StoreError> {
    let name = path.to_string_lossy();
    let file = access.new_file().open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return StoreError::Exists(name.clone().into_owned());
        }
        failed(&name)(error)
    })?;
    file.set_len(length).map_err(failed(&name))?;
    let mapped = usize::try_from(length)
        .map_err(io::Error::other)
        .map_err(failed(&name))?;
    let buffer = map_file(&file, mapped).map_err(failed(&name))?;
    placement.apply(&buffer).map_err(failed(&name))?;
    if !spec.sparse {
        sys::allocate_file(&file, length).map_err(|error| {
            if error.kind() == io::ErrorKind::StorageFull {
                let available = sys::usable_space(path).unwrap_or(0);
                return StoreError::NoSpace {
                    needed: length,
                    available,
                };
            }
            failed(&name)(error)
        })?;
        pre_touch(&buffer, spec.page_size);
    }
    let created = LogFile::of(&file, length, spec.sparse).map_err(failed(&name))?;
    Ok((LogBuffer::initialise(buffer, spec)?, created))
}

/// Opens log files that a driver announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct MappedLogOpener {
    /// Whether to touch each page at once, so that no first touch comes on the data path.
    pub(super) pre_touches: bool,
    /// Which memory they are to have.
    pub(super) placement: Placement,
}

impl LogOpener for MappedLogOpener {
    fn open(&self, path: &str) -> Result<LogBuffer, OpenError> {
        let failed = |source: io::Error| {
            if source.kind() == io::ErrorKind::NotFound {
                return OpenError::NotFound(path.to_owned());
            }
            OpenError::Io {
                path: path.to_owned(),
                source,
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let length = usize::try_from(length)
            .map_err(io::Error::other)
            .map_err(failed)?;
        let buffer = map_file(&file, length).map_err(failed)?;
        self.placement.apply(&buffer).map_err(failed)?;
        let log = LogBuffer::attach(buffer.clone()).map_err(|source| OpenError::Invalid {
            path: path.to_owned(),
            source,
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logbuffer::LogFileKind;

    fn store() -> (tempfile::TempDir, MappedLogStore) {
        let directory = tempfile::tempdir().expect("a directory");
        for folder in super::super::directory::LOG_FOLDERS {
            fs::create_dir(directory.path().join(folder)).expect("a folder");
        }
        let store = MappedLogStore::new(directory.path(), Access::SHARED);
        (directory, store)
    }

    fn opener(pre_touches: bool) -> MappedLogOpener {
        MappedLogOpener {
            pre_touches,
            placement: Placement::default(),
        }
    }

    #[test]
    fn logs_on_huge_pages_are_logs_or_the_error_names_the_option() {
        let (_directory, store) = store();
        let placement = Placement {
            wants_huge_pages: true,
            numa_node: None,
        };
        let mut store = store.with_placement(placement);
        let name = LogName {
            kind: LogFileKind::Publication,
            id: 8,
        };
        match store.create(&name, &small(false)) {
            Ok((log, path)) => {
                let opener = MappedLogOpener {
                    pre_touches: true,
                    placement,
                };
                log.set_connected(true);
                assert!(opener.open(&path).expect("opened").is_connected());
            }
            // A kernel without them.
            Err(error) => assert!(
                format!("{error:?}").contains("aileron.log.huge.pages"),
                "{error:?}"
            ),
        }
    }

    #[test]
    fn logs_of_a_numa_node_are_logs_or_the_error_names_the_option() {
        let (_directory, store) = store();
        let on_node = |node| Placement {
            wants_huge_pages: false,
            numa_node: Some(node),
        };
        let mut store = store.with_placement(on_node(0));
        let name = |id| LogName {
            kind: LogFileKind::Publication,
            id,
        };
        for sparse in [false, true] {
            match store.create(&name(i64::from(sparse)), &small(sparse)) {
                Ok((log, _)) => log.set_connected(true),
                // A kernel without nodes, or one that a container may not ask.
                Err(StoreError::Io { source, .. }) => assert!(
                    matches!(
                        source.kind(),
                        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
                    ) && source.to_string().contains("aileron.log.numa.node"),
                    "{source}"
                ),
                Err(error) => panic!("{error}"),
            }
        }
        // No machine has so many.
        let mut store = store.with_placement(on_node(255));
        let error = store.create(&name(9), &small(true)).expect_err("refused");
        let text = format!("{error:?}");
        assert!(
            text.contains("NUMA node 255, which aileron.log.numa.node"),
            "{text}"
        );
    }

    fn small(sparse: bool) -> LogSpec {
        LogSpec {
            term_length: 64 * 1024,
            sparse,
            ..LogSpec::default()
        }
    }

    #[test]
    fn a_log_is_created_once_opened_by_its_path_and_deleted() {
        for sparse in [true, false] {
            let (_directory, mut store) = store();
            let name = LogName {
                kind: LogFileKind::Publication,
                id: 7,
            };
            let (log, path) = store.create(&name, &small(sparse)).expect("created");
            assert!(path.ends_with("publications/7.logbuffer"), "{path}");
            let again = store.create(&name, &small(sparse)).expect_err("taken");
            assert!(matches!(again, StoreError::Exists(_)), "{again}");
            let opened = opener(true).open(&path).expect("opened");
            log.set_connected(true);
            assert!(opened.is_connected());
            store.delete(&path).expect("deleted");
            let gone = opener(false).open(&path).expect_err("gone");
            assert!(matches!(gone, OpenError::NotFound(_)), "{gone}");
        }
    }

    #[test]
    fn storage_is_promised_once() {
        let (_directory, mut store) = store();
        let before = store.usable_space(u64::MAX).expect("asked");
        let name = |id| LogName {
            kind: LogFileKind::Image,
            id,
        };
        // Other processes take and give back storage meanwhile, so the log is a large one.
        let spec = LogSpec {
            term_length: 1 << 30,
            sparse: true,
            ..LogSpec::default()
        };
        let length = log_length(spec.term_length, spec.page_size);
        if before < length + (1 << 30) {
            return;
        }
        let (_log, path) = store.create(&name(1), &spec).expect("created");
        let after = store.usable_space(u64::MAX).expect("asked");
        assert!(before.abs_diff(after) > length / 2, "{before} then {after}");
        let estimate = store.usable_space(1).expect("asked");
        assert!(
            estimate < before - length / 2,
            "{estimate}, not above {after}"
        );
        store.delete(&path).expect("deleted");
        let again = store.usable_space(u64::MAX).expect("asked");
        assert!(before.abs_diff(again) < length / 2, "{before} then {again}");
    }

    #[test]
    fn a_log_that_took_the_place_of_another_is_not_deleted_for_it() {
        let (_directory, mut store) = store();
        let name = LogName {
            kind: LogFileKind::Publication,
            id: 7,
        };
        let (_log, path) = store.create(&name, &small(true)).expect("created");
        fs::rename(&path, format!("{path}.old")).expect("renamed");
        fs::write(&path, "somebody else's").expect("written");
        store.delete(&path).expect("nothing to delete");
        assert!(Path::new(&path).exists());
    }

    #[test]
    fn a_file_that_is_no_log_is_refused() {
        let (directory, _) = store();
        let path = directory.path().join("publications/1.logbuffer");
        for length in [0, 100, 4096, 200_704] {
            fs::write(&path, vec![0xA5; length]).expect("written");
            let opened = opener(false).open(&path.to_string_lossy());
            assert!(opened.is_err(), "{length} bytes of garbage");
        }
    }
}
