//! What the machine knows about a driver that its own files do not tell: sockets, processes,
//! storage.
//!
//! All of it is read from `/proc` as far as it may be seen; what may not be seen is absent, and
//! explanations do without.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::directory::Directory;
use crate::explain::endpoint_of;
use crate::snapshot::Snapshot;

/// As long as looking at processes may take.
const LOOK_MAX: Duration = Duration::from_millis(200);

/// A UDP socket of the driver's machine.
///
/// ```
/// use aileron_cli::SocketFacts;
/// let local = ([127, 0, 0, 1], 40123).into();
/// let socket = SocketFacts { local, receive_queue: 0, send_queue: 0, drops: 2 };
/// assert_eq!(socket.local.port(), 40123);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built field by field in tests")]
pub struct SocketFacts {
    /// What it is bound to.
    pub local: SocketAddr,
    /// Bytes that arrived and nobody has taken yet.
    pub receive_queue: u64,
    /// Bytes that were sent and have not left.
    pub send_queue: u64,
    /// Datagrams that the kernel threw away because there was no room.
    pub drops: u64,
}

/// What the machine tells.
///
/// ```
/// assert_eq!(aileron_cli::MachineFacts::default().driver_state, None);
/// ```
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "built field by field in tests")]
pub struct MachineFacts {
    /// All UDP sockets in the network namespace of the driver; `None` if they may not be seen.
    pub sockets: Option<Vec<SocketFacts>>,
    /// State of the driver's process as `ps` has it (`T` stopped); `None` if it is not there.
    pub driver_state: Option<char>,
    /// Whether processes can be seen at all, so that an absent one is gone.
    pub sees_processes: bool,
    /// Processes that have a log mapped, by the log's id; the driver is not among them.
    pub log_users: BTreeMap<i64, BTreeSet<u32>>,
    /// Addresses named by channels that are this machine's own.
    pub own_addresses: BTreeSet<IpAddr>,
    /// Bytes of storage left for the directory.
    pub storage_available: Option<u64>,
}

impl MachineFacts {
    /// Looks at `/proc`, for what concerns this driver.
    #[must_use]
    pub fn gather(directory: &Directory, snapshot: &Snapshot) -> Self {
        Self {
            log_users: log_users_in_time(directory.path(), snapshot.driver.pid),
            ..Self::glance(directory, snapshot)
        }
    }

    /// As [`Self::gather`], without looking at every process of the machine: who has a log mapped
    /// is not known then.
    #[must_use]
    pub fn glance(directory: &Directory, snapshot: &Snapshot) -> Self {
        let proc = Path::new("/proc");
        let driver = proc.join(snapshot.driver.pid.to_string());
        let net = if driver.join("net/udp").exists() {
            driver.join("net")
        } else {
            proc.join("net")
        };
        let stat = std::fs::read_to_string(driver.join("stat")).ok();
        let named = snapshot.publications.iter().map(|p| p.channel.as_str());
        let addresses = named.filter_map(endpoint_of).map(|address| address.ip());
        let unique: BTreeSet<IpAddr> = addresses.collect();
        Self {
            sockets: sockets(&net),
            driver_state: stat.as_deref().and_then(process_state),
            sees_processes: proc.join("self/stat").exists(),
            log_users: BTreeMap::new(),
            own_addresses: unique.into_iter().filter(is_own).collect(),
            storage_available: aileron::sys::usable_space(directory.path()).ok(),
        }
    }

    /// Datagrams dropped by the sockets on a port.
    #[must_use]
    pub fn drops_on(&self, port: u16) -> u64 {
        let all = self.sockets.iter().flatten();
        all.filter(|socket| socket.local.port() == port)
            .map(|s| s.drops)
            .sum()
    }

    /// Whether any socket is bound to this address; `None` if sockets may not be seen.
    #[must_use]
    pub fn is_bound(&self, address: SocketAddr) -> Option<bool> {
        let sockets = self.sockets.as_ref()?;
        Some(sockets.iter().any(|socket| {
            let ip = socket.local.ip();
            socket.local.port() == address.port() && (ip.is_unspecified() || ip == address.ip())
        }))
    }

    /// The processes that have a log mapped, as text: ` (pid 12 or 13)`; empty for none.
    #[must_use]
    pub fn users_text(&self, log_id: i64) -> String {
        let Some(users) = self
            .log_users
            .get(&log_id)
            .filter(|users| !users.is_empty())
        else {
            return String::new();
        };
        let pids: Vec<String> = users.iter().map(u32::to_string).collect();
        format!(" (pid {})", pids.join(" or "))
    }
}

/// Only an address of this machine can be bound.
fn is_own(ip: &IpAddr) -> bool {
    ip.is_loopback() || (!ip.is_multicast() && UdpSocket::bind((*ip, 0)).is_ok())
}

/// `1234 (a name) S 1 …`; the name may hold anything.
fn process_state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

fn sockets(net: &Path) -> Option<Vec<SocketFacts>> {
    let mut all = Vec::new();
    let mut is_known = false;
    for table in ["udp", "udp6"] {
        if let Ok(text) = std::fs::read_to_string(net.join(table)) {
            is_known = true;
            all.extend(text.lines().skip(1).filter_map(parse_socket));
        }
    }
    is_known.then_some(all)
}

/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ref pointer drops`
fn parse_socket(line: &str) -> Option<SocketFacts> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let (send_queue, receive_queue) = fields.get(4)?.split_once(':')?;
    Some(SocketFacts {
        local: SocketAddr::new(parse_ip(address)?, port),
        receive_queue: u64::from_str_radix(receive_queue, 16).ok()?,
        send_queue: u64::from_str_radix(send_queue, 16).ok()?,
        drops: fields
            .get(12)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0),
    })
}

/// Words of 32 bits in the byte order of the machine.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for start in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(start..start + 8)?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    if let Ok(v4) = <[u8; 4]>::try_from(&bytes[..]) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    let v6 = <[u8; 16]>::try_from(&bytes[..]).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(v6)))
}

/// Looking at the mappings of a process waits for it to finish changing them, which may take any
/// time: then there are no users to tell.
fn log_users_in_time(directory: &Path, driver_pid: i64) -> BTreeMap<i64, BTreeSet<u32>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let directory = directory.to_owned();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(log_users(Path::new("/proc"), &directory, driver_pid));
    });
    receiver.recv_timeout(LOOK_MAX).unwrap_or_default()
}

fn log_users(proc: &Path, directory: &Path, driver_pid: i64) -> BTreeMap<i64, BTreeSet<u32>> {
    let mut users: BTreeMap<i64, BTreeSet<u32>> = BTreeMap::new();
    let prefix = directory.to_string_lossy().into_owned();
    for entry in std::fs::read_dir(proc).into_iter().flatten().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // A driver may be embedded in the process of a client: then nothing tells them apart.
        if i64::from(pid) == driver_pid {
            continue;
        }
        let Ok(maps) = std::fs::read_to_string(entry.path().join("maps")) else {
            continue;
        };
        for line in maps.lines() {
            let Some(at) = line.find(&prefix) else {
                continue;
            };
            let file = line[at..].strip_suffix(".logbuffer");
            let id = file.and_then(|file| file.rsplit('/').next()?.parse().ok());
            if let Some(id) = id {
                users.entry(id).or_default().insert(pid);
            }
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_read_from_the_table_of_the_kernel() {
        let line = "  414: 0100007F:9CBB 00000000:0000 07 00000010:00000280 00:00000000 00000000  \
                    1000        0 31337 2 0000000000000000 7";
        let socket = parse_socket(line).expect("a socket");
        assert_eq!(socket.local, ([127, 0, 0, 1], 40123).into());
        let queues = (socket.send_queue, socket.receive_queue);
        assert_eq!((queues, socket.drops), ((16, 640), 7));
        let v6 = "00000000000000000000000001000000";
        assert_eq!(parse_ip(v6), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(parse_socket("nonsense"), None);
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let Some(before) = sockets(Path::new("/proc/net")) else {
            eprintln!("skipped: this system has no /proc/net/udp");
            return;
        };
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = socket.local_addr().expect("its address");
        let is_there = |all: &[SocketFacts]| all.iter().any(|socket| socket.local == address);
        assert!(!is_there(&before));
        assert!(sockets(Path::new("/proc/net")).is_some_and(|all| is_there(&all)));
    }

    #[test]
    fn the_state_of_a_process_stands_behind_its_name() {
        assert_eq!(process_state("12 (a) b) T 1 12"), Some('T'));
        assert_eq!(process_state(""), None);
    }

    #[test]
    fn a_socket_on_all_addresses_is_bound_to_each() {
        let facts = MachineFacts {
            sockets: Some(vec![SocketFacts {
                local: ([0, 0, 0, 0], 9).into(),
                receive_queue: 0,
                send_queue: 0,
                drops: 3,
            }]),
            ..MachineFacts::default()
        };
        assert_eq!(facts.is_bound(([127, 0, 0, 1], 9).into()), Some(true));
        assert_eq!(facts.is_bound(([127, 0, 0, 1], 10).into()), Some(false));
        assert_eq!(facts.drops_on(9), 3);
        assert_eq!(
            MachineFacts::default().is_bound(([127, 0, 0, 1], 9).into()),
            None
        );
    }
}
