//! Two network namespaces, joined by two paths:
//!
//! ```text
//!            path1: 10.99.1.1 fd99:1::1 ---- 10.99.1.2 fd99:1::2
//!   here                                                        there
//!            path2: 10.99.2.1 fd99:2::1 ---- 10.99.2.2 fd99:2::2
//! ```
//!
//! Every device has a second IPv4 address, which begins with 10.97 instead of 10.99.

use std::io::Write as _;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// An end of the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Where the publisher is.
    Here,
    /// Where the subscriber is.
    There,
}

/// The namespaces; gone when dropped.
#[derive(Debug)]
pub(crate) struct Network {
    here: String,
    there: String,
}

impl Network {
    /// Makes a pair of namespaces; says why not, past the capture of the test harness, where that
    /// is not permitted.
    pub(crate) fn make(test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("aileron-{}-{number}-{end}", std::process::id());
        let network = Self {
            here: name("here"),
            there: name("there"),
        };
        if let Err(why) = network.build() {
            let line = format!("\nSKIPPED {test}: no network namespaces: {why}\n");
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
            return None;
        }
        Some(network)
    }

    fn build(&self) -> Result<(), String> {
        let (here, there) = (&self.here, &self.there);
        ip(&format!("netns add {here}"))?;
        ip(&format!("netns add {there}"))?;
        for end in [here, there] {
            ip(&format!("-n {end} link set lo up"))?;
        }
        for path in 1..=2 {
            let peer = format!("peer name path{path} netns {there}");
            ip(&format!(
                "link add path{path} netns {here} type veth {peer}"
            ))?;
            for (place, end) in (1..).zip([here, there]) {
                let device = format!("dev path{path}");
                for net in ["10.99", "10.97"] {
                    let address = format!("{net}.{path}.{place}/24");
                    ip(&format!("-n {end} addr add {address} {device}"))?;
                }
                ip(&format!(
                    "-n {end} addr add fd99:{path}::{place}/64 {device} nodad"
                ))?;
                ip(&format!("-n {end} link set path{path} up"))?;
            }
        }
        Ok(())
    }

    /// The command line that runs what follows it at one end.
    pub(crate) fn within(&self, end: End) -> [&str; 4] {
        ["ip", "netns", "exec", self.name(end)]
    }

    /// Takes one end of a path down, so that nothing gets through either way.
    pub(crate) fn cut(&self, path: u32, end: End) {
        self.link(path, end, "down");
    }

    /// Takes that end up again.
    pub(crate) fn heal(&self, path: u32, end: End) {
        self.link(path, end, "up");
    }

    fn link(&self, path: u32, end: End, state: &str) {
        let name = self.name(end);
        ip(&format!("-n {name} link set path{path} {state}")).expect("a path's state");
    }

    fn name(&self, end: End) -> &str {
        match end {
            End::Here => &self.here,
            End::There => &self.there,
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Those that were never made are no concern; the paths go with their namespaces.
        for name in [&self.here, &self.there] {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

/// Runs iproute2 with these words.
fn ip(words: &str) -> Result<(), String> {
    let Output { status, stderr, .. } = Command::new("ip")
        .args(words.split(' '))
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&stderr);
    Err(format!("ip {words}: {}", stderr.trim()))
}
