//! Where the figures were measured and how the program was built.

use std::fmt;
use std::fs;

use crate::json::Json;

/// The machine and the build.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cpu: String,
    cpus: usize,
    kernel: String,
    load: String,
}

const RUSTC: &str = env!("BENCH_RUSTC");
const BUILD: &str = env!("BENCH_BUILD");
const C_COMPILER: &str = env!("BENCH_CC");

impl Machine {
    /// Asks the operating system, as of now.
    pub(crate) fn detect() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned());
        let release = read("/proc/sys/kernel/osrelease");
        let load = read("/proc/loadavg");
        Self {
            cpu,
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }

    pub(crate) fn json(&self) -> Json {
        Json::Object(vec![
            ("cpu", self.cpu.as_str().into()),
            ("cpus", self.cpus.into()),
            ("kernel", self.kernel.as_str().into()),
            ("load_average", self.load.as_str().into()),
            ("rustc", RUSTC.into()),
            ("build", BUILD.into()),
            ("cc", C_COMPILER.into()),
        ])
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cpus,
            kernel,
            load,
        } = self;
        writeln!(
            f,
            "machine:  {cpu}, {cpus} CPUs, {kernel}, load average {load}"
        )?;
        write!(f, "build:    {RUSTC}; {BUILD}; C by {C_COMPILER}")
    }
}

/// Nanoseconds that this thread has run and has waited for a CPU; zeros where the kernel does not
/// tell.
pub(crate) fn thread_times() -> (u64, u64) {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
