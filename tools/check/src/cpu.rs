//! CPUs, threads, clocks.

use aileron::DriverConfig;
use aileron::driver::config::{IdleStrategy, ThreadingMode};

use crate::{Kind, Machine, Report};

/// Clocks that are read without a trap into the kernel.
const FAST_CLOCKS: [&str; 4] = [
    "tsc",
    "kvm-clock",
    "hyperv_clocksource_tsc_page",
    "arch_sys_counter",
];

pub(crate) fn check(config: &DriverConfig, machine: &Machine, report: &mut Report) {
    let threads = threads(config);
    let busy = threads
        .iter()
        .filter(|(_, idle)| never_sleeps(*idle))
        .count();
    let allowed = machine.allowed_cpus();
    cpus(config, allowed.as_deref(), busy, report);
    quotas(machine, busy, threads.len() + 2, report);
    let clock = machine.text("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if let Some(clock) = clock.filter(|clock| !FAST_CLOCKS.contains(&clock.as_str())) {
        report.add(
            Kind::ClockSource,
            false,
            format!("the clock source is {clock}"),
            "agents read the clock each cycle, and with this one each reading costs a microsecond",
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource, or \
             clocksource=tsc on the kernel's command line, where the CPU's counter is reliable"
                .to_owned(),
        );
    }
    let governor = machine.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    if let Some(governor) = governor.filter(|governor| governor != "performance") {
        report.add(
            Kind::CpuGovernor,
            false,
            format!("CPUs run with the governor {governor}"),
            "a CPU that has slowed down takes milliseconds to be fast again when a burst comes",
            "cpupower frequency-set -g performance".to_owned(),
        );
    }
}

/// The threads of a threading mode, with how they idle.
fn threads(config: &DriverConfig) -> Vec<(&'static str, IdleStrategy)> {
    match config.threading_mode() {
        ThreadingMode::Dedicated => vec![
            ("conductor", config.conductor_idle_strategy()),
            ("sender", config.sender_idle_strategy()),
            ("receiver", config.receiver_idle_strategy()),
        ],
        ThreadingMode::SharedNetwork => vec![
            ("conductor", config.conductor_idle_strategy()),
            ("sender and receiver", config.sharednetwork_idle_strategy()),
        ],
        ThreadingMode::Shared => vec![("all agents", config.shared_idle_strategy())],
        ThreadingMode::Invoker => Vec::new(),
    }
}

const fn never_sleeps(idle: IdleStrategy) -> bool {
    matches!(
        idle,
        IdleStrategy::Noop | IdleStrategy::Spin | IdleStrategy::Yield
    )
}

fn cpus(config: &DriverConfig, allowed: Option<&[usize]>, busy: usize, report: &mut Report) {
    let Some(allowed) = allowed else { return };
    let count = allowed.len();
    let mode = config.threading_mode().name();
    // The application wants one as well.
    if busy >= count && busy > 0 {
        report.add(
            Kind::CpuCount,
            false,
            format!("{busy} threads of a {mode} driver never sleep, and there are {count} CPUs"),
            "threads that spin take turns instead of running side by side, and whoever polls waits",
            "-Daeron.threading.mode=SHARED or SHARED_NETWORK, or idle strategies that sleep \
             (backoff)"
                .to_owned(),
        );
    }
    let pinned = [
        ("conductor", config.conductor_cpu_affinity()),
        ("sender", config.sender_cpu_affinity()),
        ("receiver", config.receiver_cpu_affinity()),
    ];
    for (agent, cpu) in pinned {
        let Some(cpu) = cpu.map(usize::from) else {
            continue;
        };
        // With a cpuset, numbers are indexes into it.
        let is_allowed = if config.cpuset_affinity() {
            cpu < count
        } else {
            allowed.contains(&cpu)
        };
        if !is_allowed {
            report.add(
                Kind::CpuNotAllowed,
                true,
                format!("the {agent} is to run on CPU {cpu}, which this process may not use"),
                "the thread stays where the system puts it, next to others",
                format!("one of {allowed:?}, or more CPUs for the process (taskset, cpuset)"),
            );
        }
    }
}

fn quotas(machine: &Machine, busy: usize, threads: usize, report: &mut Report) {
    let limits = machine.group_limits("cpu.max");
    let milli = limits.iter().filter_map(|text| {
        let (quota, period) = text.split_once(' ')?;
        Some(quota.parse::<usize>().ok()? * 1000 / period.parse::<usize>().ok()?.max(1))
    });
    if let Some(milli) = milli.min().filter(|milli| *milli < busy * 1000) {
        report.add(
            Kind::CpuQuota,
            false,
            format!(
                "{busy} threads never sleep, and the container has a quota of {milli} milli-CPUs"
            ),
            "once the quota is used up all threads stop for the rest of each 100 ms",
            "a whole CPU for each thread that spins (docker run --cpus, resources.limits.cpu), or \
             idle strategies that sleep"
                .to_owned(),
        );
    }
    let limits = machine.group_limits("pids.max");
    let least = limits
        .iter()
        .filter_map(|text| text.parse::<usize>().ok())
        .min();
    if let Some(limit) = least.filter(|limit| *limit < threads) {
        report.add(
            Kind::ThreadLimit,
            true,
            format!("the driver starts {threads} threads, the container may have {limit}"),
            "the driver cannot start",
            format!(
                "docker run --pids-limit {}, or TasksMax= of systemd",
                threads + 16
            ),
        );
    }
}
