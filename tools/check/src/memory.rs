//! Storage for logs, pages, mappings, open files.

use aileron::DriverConfig;

use crate::{Kind, Machine, Plan, Report};

/// Sections of `cnc.dat` beside counters and errors: commands, events, header; bytes, rounded up.
const CNC_REST: u64 = 3 << 20;
/// Files that a driver and its clients have open beside logs and sockets.
const FILES_AT_REST: i64 = 64;
/// Mappings of a process with its libraries and threads.
const MAPS_AT_REST: i64 = 512;

pub(crate) fn check(config: &DriverConfig, plan: &Plan, machine: &Machine, report: &mut Report) {
    let budget = budget(config, plan);
    storage(config, machine, budget, report);
    huge_pages(config, machine, budget, report);
    limits(plan, machine, budget, report);
    let swaps = machine.text("/proc/swaps").unwrap_or_default();
    let swappiness = machine.number("/proc/sys/vm/swappiness").unwrap_or(0);
    if swaps.lines().count() > 1 && swappiness > 0 {
        report.add(
            Kind::Swap,
            false,
            format!("swap is on, with a swappiness of {swappiness}"),
            "pages of logs that were swapped out hold a stream up for milliseconds",
            "swapoff -a, or sysctl -w vm.swappiness=0".to_owned(),
        );
    }
}

/// Bytes of all files of the directory.
fn budget(config: &DriverConfig, plan: &Plan) -> u64 {
    let size = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let cnc = 5 * size(config.counters_buffer_length()) + size(config.error_buffer_length());
    let logs: u64 = plan
        .streams
        .iter()
        .map(|stream| stream.log_length(config))
        .sum();
    CNC_REST + cnc + size(config.loss_report_buffer_length()) + logs
}

fn storage(config: &DriverConfig, machine: &Machine, budget: u64, report: &mut Report) {
    let path = config.dir();
    if let Some(storage) = machine
        .storage(path)
        .filter(|storage| storage.available < budget)
    {
        let total = budget + storage.total.saturating_sub(storage.available);
        let mega = total.div_ceil(1 << 20);
        report.add(
            Kind::StorageTooSmall,
            true,
            format!(
                "the directory {} needs {budget} bytes for the planned streams, {} are left",
                path.display(),
                storage.available
            ),
            "streams are refused when there is no room for their logs; without storage checks the \
             driver dies of a bus error",
            format!(
                "mount -o remount,size={mega}m /dev/shm (docker run --shm-size={mega}m), or \
                 shorter terms (term-length=)"
            ),
        );
    }
    let kind = machine.file_system(path);
    if let Some(kind) = kind.filter(|k| !["tmpfs", "ramfs", "hugetlbfs"].contains(&k.as_str())) {
        report.add(
            Kind::StorageNotMemory,
            false,
            format!(
                "the directory {} is on {kind}, not on a file system in memory",
                path.display()
            ),
            "the kernel writes the logs to a disk, and each page that it writes holds a stream up",
            "-Daeron.dir=/dev/shm/aeron-NAME, or mount a tmpfs there".to_owned(),
        );
    }
}

fn huge_pages(config: &DriverConfig, machine: &Machine, budget: u64, report: &mut Report) {
    let page = config.file_page_size();
    if page <= 4096 {
        return;
    }
    let kind = machine.file_system(config.dir());
    if kind.as_deref().is_some_and(|kind| kind != "hugetlbfs") {
        report.add(
            Kind::HugePages,
            true,
            format!("aeron.file.page.size is {page}, but the directory is not on hugetlbfs"),
            "files are only made longer, and their pages stay small",
            format!(
                "mount -t hugetlbfs -o pagesize={page} none DIRECTORY, and -Daeron.dir= below it"
            ),
        );
        return;
    }
    let info = machine.text("/proc/meminfo").unwrap_or_default();
    let value = |name: &str| {
        let rest = info.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    let needed = budget.div_ceil(u64::try_from(page).unwrap_or(u64::MAX));
    if let Some(free) = value("HugePages_Free:").filter(|free| *free < needed) {
        report.add(
            Kind::HugePages,
            true,
            format!("{needed} huge pages are needed, {free} are free"),
            "making a log without free pages kills the driver at the first touch",
            format!("sysctl -w vm.nr_hugepages={needed}"),
        );
    }
}

fn limits(plan: &Plan, machine: &Machine, budget: u64, report: &mut Report) {
    let streams = i64::try_from(plan.streams.len()).unwrap_or(i64::MAX);
    // A socket for each, and for a moment the file of its log.
    let files = FILES_AT_REST + 2 * streams;
    if let Some(limit) = machine
        .process_limit("Max open files")
        .filter(|limit| *limit < files)
    {
        report.add(
            Kind::FileLimit,
            true,
            format!("{files} files may be open at once, the process is allowed {limit}"),
            "sockets and logs beyond the limit cannot be opened",
            format!("ulimit -n {files}, or LimitNOFILE={files} in the unit of systemd"),
        );
    }
    let maps = MAPS_AT_REST + 2 * streams;
    let limit = machine.number("/proc/sys/vm/max_map_count");
    if let Some(limit) = limit.filter(|limit| *limit < maps) {
        report.add(
            Kind::MapLimit,
            true,
            format!("{maps} mappings are needed, the kernel allows {limit}"),
            "logs beyond the limit cannot be mapped",
            format!("sysctl -w vm.max_map_count={maps}"),
        );
    }
    let allowed = machine.group_limits("memory.max");
    let least = allowed
        .iter()
        .filter_map(|text| text.parse::<u64>().ok())
        .min();
    if let Some(limit) = least.filter(|limit| *limit < budget) {
        report.add(
            Kind::MemoryLimit,
            true,
            format!("{budget} bytes of shared memory are planned, the container may use {limit}"),
            "logs count as memory of whoever touches them first: the kernel kills the driver",
            format!(
                "a memory limit of at least {} MiB (docker run -m, resources.limits.memory)",
                budget.div_ceil(1 << 20) + 64
            ),
        );
    }
}
