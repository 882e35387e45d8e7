//! Who may use what a driver creates: directories and files with their modes from the first moment
//! on, so that there is none in which they are open to more.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Modes of directories and files, before the process's umask takes its bits from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    directory: u32,
    file: u32,
}

impl Access {
    /// As Aeron: whatever the umask leaves.
    pub(super) const SHARED: Self = Self {
        directory: 0o777,
        file: 0o666,
    };
    /// For the driver's own user.
    pub(super) const PRIVATE: Self = Self {
        directory: 0o700,
        file: 0o600,
    };

    pub(super) const fn new(is_private: bool) -> Self {
        if is_private {
            Self::PRIVATE
        } else {
            Self::SHARED
        }
    }

    /// Creates a directory that must not exist: one that is there may be somebody else's. Missing
    /// parents are created as the umask has it.
    pub(super) fn create_directory(self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            fs::create_dir_all(parent)?;
        }
        DirBuilder::new().mode(self.directory).create(path)
    }

    /// Options that create a file that must not exist, for reading and writing. A symbolic link in
    /// its place is not followed.
    pub(super) fn new_file(self) -> OpenOptions {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(self.file);
        options
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        let metadata = fs::metadata(path).expect("it exists");
        metadata.permissions().mode() & 0o777
    }

    #[test]
    fn what_is_private_is_so_whatever_the_umask() {
        let place = tempfile::tempdir().expect("a directory");
        let (shared, private) = (place.path().join("a/shared"), place.path().join("private"));
        Access::SHARED.create_directory(&shared).expect("created");
        Access::PRIVATE.create_directory(&private).expect("created");
        assert_eq!(mode(&private) & 0o077, 0);
        let file = private.join("file");
        Access::PRIVATE.new_file().open(&file).expect("created");
        assert_eq!(mode(&file) & 0o077, 0);
        // The same as the standard library makes, which is what the umask leaves.
        let (folder, open) = (place.path().join("folder"), shared.join("open"));
        fs::create_dir(&folder).expect("created");
        fs::write(place.path().join("plain"), "").expect("written");
        Access::SHARED.new_file().open(&open).expect("created");
        assert_eq!(mode(&shared), mode(&folder));
        assert_eq!(mode(&open), mode(&place.path().join("plain")));
    }

    #[test]
    fn what_is_there_is_not_taken_over() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("taken");
        Access::SHARED.create_directory(&path).expect("created");
        let again = Access::PRIVATE.create_directory(&path);
        assert_eq!(
            again.map_err(|error| error.kind()),
            Err(io::ErrorKind::AlreadyExists)
        );
        let (file, link) = (place.path().join("file"), place.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        Access::SHARED.new_file().open(&link).expect_err("a link");
        assert!(!file.exists());
    }
}
