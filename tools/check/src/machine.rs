//! The machine, as the kernel's files show it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Room on a file system, bytes.
///
/// ```
/// let storage = aileron_check::Storage { total: 64 << 20, available: 60 << 20 };
/// assert!(storage.available < storage.total);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "two figures")]
pub struct Storage {
    /// All that it has.
    pub total: u64,
    /// What is left.
    pub available: u64,
}

/// A source of facts: a root directory, and the sizes of file systems.
///
/// ```
/// use aileron_check::{Machine, Storage};
/// let planted = Machine::planted("/nowhere").with_storage(Storage { total: 1, available: 1 });
/// assert_eq!(planted.number("/proc/sys/net/core/rmem_max"), None);
/// ```
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    /// `None`: ask the operating system.
    storage: Option<Storage>,
}

/// A row of `/proc/net/route`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) interface: String,
    pub(crate) destination: u32,
    pub(crate) mask: u32,
}

impl Machine {
    /// The machine that this runs on.
    #[must_use]
    pub fn this() -> Self {
        Self {
            root: PathBuf::from("/"),
            storage: None,
        }
    }

    /// A machine whose files are below `root`: `<root>/proc/…`, `<root>/sys/…`.
    #[must_use]
    pub fn planted(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            storage: None,
        }
    }

    /// The same, whose file systems have this much room.
    #[must_use]
    pub const fn with_storage(mut self, storage: Storage) -> Self {
        self.storage = Some(storage);
        self
    }

    /// A file of the kernel, without the white space around it.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let path = self.root.join(path.trim_start_matches('/'));
        Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
    }

    /// A file that holds a number.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// Room on the file system that `path` is on, or will be.
    #[must_use]
    pub fn storage(&self, path: &Path) -> Option<Storage> {
        if self.storage.is_some() {
            return self.storage;
        }
        let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
        let stat = nix::sys::statvfs::statvfs(existing).ok()?;
        let block = stat.fragment_size();
        Some(Storage {
            total: stat.blocks().saturating_mul(block),
            available: stat.blocks_available().saturating_mul(block),
        })
    }

    /// Type of the file system that `path` is on, such as `tmpfs`.
    #[must_use]
    pub fn file_system(&self, path: &Path) -> Option<String> {
        let mounts = self.text("/proc/mounts")?;
        let rows = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ');
            let (_, point, kind) = (fields.next()?, fields.next()?, fields.next()?);
            path.starts_with(point)
                .then(|| (point.len(), kind.to_owned()))
        });
        rows.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
    }

    /// The CPUs that this process may use.
    #[must_use]
    pub fn allowed_cpus(&self) -> Option<Vec<usize>> {
        let status = self.text("/proc/self/status")?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let mut cpus = Vec::new();
        for part in list.trim().split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            cpus.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
        }
        Some(cpus)
    }

    /// A file of this process's control group (version 2), looked for from the group upwards: a
    /// limit of a parent counts as well.
    #[must_use]
    pub fn group_limits(&self, file: &str) -> Vec<String> {
        let groups = self.text("/proc/self/cgroup").unwrap_or_default();
        let own = groups
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .unwrap_or("/");
        let mut found = BTreeMap::new();
        for ancestor in Path::new(own).ancestors() {
            let path = format!("/sys/fs/cgroup{}/{file}", ancestor.display());
            let path = path.replace("//", "/");
            if let Some(text) = self.text(&path) {
                found.insert(path, text);
            }
        }
        found.into_values().collect()
    }

    /// `/proc/self/limits`: the soft limit of this name; `None` where it is unlimited.
    #[must_use]
    pub fn process_limit(&self, name: &str) -> Option<i64> {
        let limits = self.text("/proc/self/limits")?;
        let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    }

    /// The interface that datagrams to an IPv4 address leave by.
    #[must_use]
    pub fn interface_to(&self, address: Ipv4Addr) -> Option<String> {
        if address.is_loopback() {
            return Some("lo".to_owned());
        }
        let address = u32::from(address);
        let routes = self.routes();
        let fitting = routes
            .into_iter()
            .filter(|r| address & r.mask == r.destination);
        fitting
            .max_by_key(|route| route.mask)
            .map(|route| route.interface)
    }

    pub(crate) fn routes(&self) -> Vec<Route> {
        let table = self.text("/proc/net/route").unwrap_or_default();
        let rows = table.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Addresses are in network byte order, printed as a number of the machine.
            let word =
                |at: usize| Some(u32::from_str_radix(fields.get(at)?, 16).ok()?.swap_bytes());
            Some(Route {
                interface: (*fields.first()?).to_owned(),
                destination: word(1)?,
                mask: word(7)?,
            })
        });
        rows.collect()
    }

    /// Longest packet that an interface carries, bytes.
    #[must_use]
    pub fn interface_mtu(&self, interface: &str) -> Option<i64> {
        self.number(&format!("/sys/class/net/{interface}/mtu"))
    }

    /// Whether an interface says that it does multicast.
    #[must_use]
    pub fn does_multicast(&self, interface: &str) -> Option<bool> {
        const IFF_MULTICAST: u32 = 0x1000;
        let flags = self.text(&format!("/sys/class/net/{interface}/flags"))?;
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).ok()?;
        Some(flags & IFF_MULTICAST != 0)
    }
}
