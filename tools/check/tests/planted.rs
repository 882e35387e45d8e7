//! A machine that suits, and one misconfiguration planted at a time: the check finds each, and
//! nothing else.

use std::fs;
use std::path::Path;

use aileron::DriverConfig;
use aileron_check::{Kind, Machine, Plan, PlannedStream, Storage, check};
use tempfile::TempDir;

const ROOM: Storage = Storage {
    total: 8 << 30,
    available: 8 << 30,
};

/// A machine on which nothing is wrong.
fn sound() -> TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let files = [
        ("proc/sys/net/core/rmem_max", "16777216\n"),
        ("proc/sys/net/core/rmem_default", "212992\n"),
        ("proc/sys/net/core/wmem_max", "16777216\n"),
        ("proc/sys/net/ipv4/igmp_max_memberships", "20\n"),
        ("proc/sys/vm/max_map_count", "65530\n"),
        ("proc/sys/vm/swappiness", "60\n"),
        ("proc/swaps", "Filename Type Size Used Priority\n"),
        (
            "proc/mounts",
            "overlay / overlay rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\nnone /huge hugetlbfs rw 0 0\n",
        ),
        (
            "proc/meminfo",
            "MemTotal: 16 kB\nHugePages_Total: 0\nHugePages_Free: 0\n",
        ),
        ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3,6\n"),
        ("proc/self/cgroup", "0::/kube/pod\n"),
        (
            "proc/self/limits",
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   4096   files\n",
        ),
        (
            "proc/net/route",
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth1\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n",
        ),
        ("sys/class/net/eth0/mtu", "1500\n"),
        ("sys/class/net/eth0/flags", "0x1003\n"),
        ("sys/class/net/eth1/mtu", "1400\n"),
        ("sys/class/net/eth1/flags", "0x3\n"),
        ("sys/class/net/lo/mtu", "65536\n"),
        ("sys/fs/cgroup/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/kube/pod/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/kube/pod/memory.max", "max\n"),
        ("sys/fs/cgroup/kube/pod/pids.max", "max\n"),
        (
            "sys/devices/system/clocksource/clocksource0/current_clocksource",
            "tsc\n",
        ),
        (
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            "performance\n",
        ),
    ];
    for (path, text) in files {
        write(root.path(), path, text);
    }
    root
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it has one")).expect("made");
    fs::write(path, text).expect("written");
}

fn config(properties: &[&str]) -> DriverConfig {
    let mut builder = DriverConfig::builder().dir("/dev/shm/aeron-planted");
    for property in properties {
        builder = builder.define(property);
    }
    builder.build().expect("legal")
}

fn plan(channels: &[&str]) -> Plan {
    let both = |channel: &&str| [true, false].map(|is| PlannedStream::new(is, channel));
    let streams = channels.iter().flat_map(both);
    Plan {
        streams: streams.collect::<Result<_, _>>().expect("channels"),
    }
}

/// What is found on a sound machine with one file changed.
fn found(file: Option<(&str, &str)>, properties: &[&str], channels: &[&str]) -> Vec<Kind> {
    found_with(file, properties, channels, ROOM)
}

fn found_with(
    file: Option<(&str, &str)>,
    properties: &[&str],
    channels: &[&str],
    storage: Storage,
) -> Vec<Kind> {
    let root = sound();
    if let Some((path, text)) = file {
        write(root.path(), path, text);
    }
    let machine = Machine::planted(root.path()).with_storage(storage);
    let report = check(&config(properties), &plan(channels), &machine);
    for problem in &report.problems {
        let texts = [&problem.what, &problem.why, &problem.fix];
        assert!(texts.iter().all(|text| !text.is_empty()), "{problem:?}");
        assert!(report.text().contains(problem.kind.name()));
    }
    report.problems.iter().map(|problem| problem.kind).collect()
}

const STREAM: &str = "aeron:udp?endpoint=192.168.0.9:40123|term-length=1m";
const GROUP: &str = "aeron:udp?endpoint=224.0.1.1:40456|term-length=1m";
const SPINNING: [&str; 3] = [
    "aeron.conductor.idle.strategy=spin",
    "aeron.sender.idle.strategy=noop",
    "aeron.receiver.idle.strategy=noop",
];

#[test]
fn a_sound_machine_suits() {
    assert_eq!(
        found(None, &[], &[STREAM, GROUP, "aeron:ipc?term-length=1m"]),
        []
    );
    assert_eq!(
        found(None, &SPINNING, &[STREAM]),
        [],
        "five CPUs for three threads"
    );
    let bare = tempfile::tempdir().expect("a directory");
    let machine = Machine::planted(bare.path()).with_storage(ROOM);
    let report = check(&config(&[]), &plan(&[STREAM]), &machine);
    assert_eq!(
        report.problems,
        [],
        "what is not told is not held against the machine"
    );
}

/// A kind of finding, the file that brings it about (path and contents), options and channels.
type Case = (
    Kind,
    Option<(&'static str, &'static str)>,
    &'static [&'static str],
    &'static [&'static str],
);

#[test]
fn each_planted_misconfiguration_is_found() {
    let cases: &[Case] = &[
        (
            Kind::ReceiveBufferLimit,
            Some(("proc/sys/net/core/rmem_max", "212992")),
            &["aeron.socket.so_rcvbuf=2m"],
            &[],
        ),
        (
            Kind::SendBufferLimit,
            Some(("proc/sys/net/core/wmem_max", "212992")),
            &["aeron.socket.so_sndbuf=2m"],
            &[],
        ),
        (
            Kind::WindowExceedsBuffer,
            None,
            &[],
            &["aeron:udp?endpoint=192.168.0.9:40123|term-length=4m|rcv-wnd=2m"],
        ),
        (
            Kind::StorageNotMemory,
            Some(("proc/mounts", "/dev/sda1 / ext4 rw 0 0")),
            &[],
            &[],
        ),
        (Kind::HugePages, None, &["aeron.file.page.size=2m"], &[]),
        (
            Kind::Swap,
            Some((
                "proc/swaps",
                "Filename Type Size Used Priority\n/swap file 1 0 -2\n",
            )),
            &[],
            &[],
        ),
        (
            Kind::MemoryLimit,
            Some(("sys/fs/cgroup/kube/memory.max", "33554432")),
            &[],
            &[STREAM],
        ),
        (
            Kind::CpuCount,
            Some(("proc/self/status", "Cpus_allowed_list:\t0-1")),
            &SPINNING,
            &[],
        ),
        (
            Kind::CpuNotAllowed,
            None,
            &["aeron.sender.cpu.affinity=5"],
            &[],
        ),
        (
            Kind::CpuQuota,
            Some(("sys/fs/cgroup/kube/pod/cpu.max", "150000 100000")),
            &SPINNING,
            &[],
        ),
        (
            Kind::ThreadLimit,
            Some(("sys/fs/cgroup/kube/pod/pids.max", "3")),
            &[],
            &[],
        ),
        (
            Kind::CpuGovernor,
            Some((
                "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                "powersave",
            )),
            &[],
            &[],
        ),
        (
            Kind::FileLimit,
            Some((
                "proc/self/limits",
                "Max open files            64   64   files",
            )),
            &[],
            &[STREAM],
        ),
        (
            Kind::MapLimit,
            Some(("proc/sys/vm/max_map_count", "100")),
            &[],
            &[STREAM],
        ),
        (
            Kind::InterfaceMtu,
            None,
            &["aeron.mtu.length=8k"],
            &[STREAM],
        ),
        (
            Kind::InterfaceMtu,
            None,
            &[],
            &["aeron:udp?endpoint=10.1.2.3:40123|term-length=1m"],
        ),
        (
            Kind::MulticastRoute,
            Some(("proc/net/route", "Iface\tDestination\n")),
            &[],
            &[GROUP],
        ),
        (
            Kind::MulticastInterface,
            Some(("sys/class/net/eth0/flags", "0x3")),
            &[],
            &[GROUP],
        ),
        (
            Kind::GroupLimit,
            Some(("proc/sys/net/ipv4/igmp_max_memberships", "0")),
            &[],
            &[GROUP],
        ),
        (
            Kind::ClockSource,
            Some((
                "sys/devices/system/clocksource/clocksource0/current_clocksource",
                "hpet",
            )),
            &[],
            &[],
        ),
    ];
    let mut kinds = Vec::new();
    for (kind, file, properties, channels) in cases {
        assert_eq!(
            found(*file, properties, channels),
            [*kind],
            "{file:?} {properties:?}"
        );
        kinds.push(*kind);
    }
    let small = Storage {
        total: 64 << 20,
        available: 60 << 20,
    };
    assert_eq!(
        found_with(None, &[], &["aeron:ipc"], small),
        [Kind::StorageTooSmall]
    );
    kinds.push(Kind::StorageTooSmall);
    let missing: Vec<_> = Kind::ALL
        .iter()
        .filter(|kind| !kinds.contains(kind))
        .collect();
    assert!(missing.is_empty(), "never planted: {missing:?}");
}

#[test]
fn huge_pages_that_are_not_there_are_found_on_their_file_system() {
    let root = sound();
    let machine = Machine::planted(root.path()).with_storage(ROOM);
    let config = DriverConfig::builder()
        .dir("/huge/aeron")
        .define("aeron.file.page.size=2m")
        .build()
        .expect("legal");
    let report = check(&config, &Plan::default(), &machine);
    assert_eq!(report.problems.len(), 1, "{report:?}");
    assert!(report.problems[0].what.contains("0 are free"), "{report:?}");
    assert!(report.is_fatal());
}
