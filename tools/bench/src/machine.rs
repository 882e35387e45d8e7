//! Where the figures were measured and how the program was built.

use std::fmt;
use std::fs;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// The machine and the build.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) kernel: String,
    /// Load average of the last 1, 5 and 15 minutes.
    pub(crate) load: String,
    pub(crate) rustc: String,
    pub(crate) build: String,
    pub(crate) cc: String,
    /// Largest socket buffers in bytes to be had: `net.core.rmem_max`, `net.core.wmem_max`.
    pub(crate) socket_buffers_max: (u64, u64),
}

const RUSTC: &str = env!("BENCH_RUSTC");
const BUILD: &str = env!("BENCH_BUILD");
const C_COMPILER: &str = env!("BENCH_CC");

impl Machine {
    /// Asks the operating system, as of now.
    pub(crate) fn detect() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned());
        let number = |name| {
            let text = read(&format!("/proc/sys/{name}"));
            text.trim().parse().unwrap_or(0)
        };
        let release = read("/proc/sys/kernel/osrelease");
        let load = read("/proc/loadavg");
        Self {
            cpu,
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            rustc: RUSTC.to_owned(),
            build: BUILD.to_owned(),
            cc: C_COMPILER.to_owned(),
            socket_buffers_max: (number("net/core/rmem_max"), number("net/core/wmem_max")),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cpus,
            kernel,
            load,
            rustc,
            build,
            cc,
            socket_buffers_max: (receive, send),
        } = self;
        writeln!(
            f,
            "machine:  {cpu}, {cpus} CPUs, {kernel}, load average {load}"
        )?;
        writeln!(
            f,
            "sockets:  buffers of at most {receive} (receive) and {send} (send) bytes"
        )?;
        write!(f, "build:    {rustc}; {build}; C by {cc}")
    }
}

/// Nanoseconds that this thread has run and has waited for a CPU; zeros where the kernel does not
/// tell.
pub(crate) fn thread_times() -> (u64, u64) {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Keeps this thread on the n-th of the CPUs that the process may use, so that the sides of a
/// measurement stay apart; does nothing where there are fewer.
pub(crate) fn pin_to_cpu(index: usize) {
    let this = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this) else {
        return;
    };
    let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
    let mut own = CpuSet::new();
    if let Some(cpu) = cpus.nth(index)
        && own.set(cpu).is_ok()
    {
        // Only a wish: without it the scheduler places the thread.
        let _ = sched_setaffinity(this, &own);
    }
}
