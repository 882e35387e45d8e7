//! File space: how much is left, and taking it at once.

use std::fs::File;
use std::io;
use std::path::Path;

/// Bytes that this process may still write to the file system that holds `path`.
///
/// # Errors
/// What the operating system answers.
pub fn usable_space(path: &Path) -> io::Result<u64> {
    let statistics = nix::sys::statvfs::statvfs(path)?;
    #[expect(
        clippy::useless_conversion,
        reason = "the field widths differ between systems"
    )]
    Ok(u64::from(statistics.blocks_available())
        .saturating_mul(u64::from(statistics.fragment_size())))
}

/// Gives `file` a length of `length` bytes with all its blocks taken, so that a full file system
/// shows itself here as an error and not later as a signal on first touch.
///
/// # Errors
/// What the operating system answers, `StorageFull` among it.
#[cfg(target_os = "linux")]
pub fn allocate_file(file: &File, length: u64) -> io::Result<()> {
    let bytes = i64::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
    let flags = nix::fcntl::FallocateFlags::empty();
    match nix::fcntl::fallocate(file, flags, 0, bytes) {
        Ok(()) => Ok(()),
        Err(nix::errno::Errno::EOPNOTSUPP) => file.set_len(length),
        Err(error) => Err(error.into()),
    }
}

/// Gives `file` a length of `length` bytes; its blocks are taken on first touch on this system.
///
/// # Errors
/// What the operating system answers.
#[cfg(not(target_os = "linux"))]
pub fn allocate_file(file: &File, length: u64) -> io::Result<()> {
    file.set_len(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_reported_and_can_be_taken() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(usable_space(directory.path()).expect("asked") > 0);
        let file = tempfile::tempfile().expect("a file");
        allocate_file(&file, 10_000).expect("allocated");
        assert_eq!(file.metadata().expect("its length").len(), 10_000);
        assert!(usable_space(Path::new("/does/not/exist")).is_err());
    }
}
