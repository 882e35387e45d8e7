//! Which CPUs the driver's threads run on.
//!
//! A setting such as `aeron.sender.cpu.affinity` is a CPU number, or, with
//! `aeron.driver.cpuset.affinity`, an index into the CPUs that the process's control group may use:
//! the same settings then suit every container. In that case the choice is looked at: threads that
//! share a core, and threads far apart from each other, cost latency that is hard to explain later.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::driver::config::{DriverConfig, ThreadingMode};

/// CPUs of the driver's threads; `None` leaves a thread to the operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CpuPlan {
    pub(super) conductor: Option<usize>,
    pub(super) sender: Option<usize>,
    pub(super) receiver: Option<usize>,
    pub(super) resources: Option<usize>,
}

/// The CPUs that the settings mean on this machine, and what is unwise about them.
///
/// # Errors
/// An index is beyond the set of CPUs, or the set is not to be had.
pub(super) fn plan(config: &DriverConfig) -> Result<(CpuPlan, Vec<String>), String> {
    let numbers = CpuPlan {
        conductor: config.conductor_cpu_affinity().map(usize::from),
        sender: config.sender_cpu_affinity().map(usize::from),
        receiver: config.receiver_cpu_affinity().map(usize::from),
        resources: config.resource_agent_cpu_affinity().map(usize::from),
    };
    if !config.cpuset_affinity() {
        return Ok((numbers, Vec::new()));
    }
    let cpus = cpus_of_process().ok_or("the CPUs of this process are not to be found out")?;
    let plan = pick(&numbers, &cpus)?;
    let used = plan.used(config.threading_mode());
    Ok((plan, concerns(&used, &cpus, &describe)))
}

impl CpuPlan {
    /// The threads that there are in a mode and that are pinned.
    fn used(&self, mode: ThreadingMode) -> Vec<(&'static str, usize)> {
        let conductor = ("conductor", self.conductor);
        let sender = ("sender", self.sender);
        let receiver = ("receiver", self.receiver);
        let resources = ("resource agent", self.resources);
        let threads = match mode {
            ThreadingMode::Dedicated => vec![conductor, sender, receiver, resources],
            ThreadingMode::SharedNetwork => vec![conductor, sender, resources],
            ThreadingMode::Shared | ThreadingMode::Invoker => vec![conductor],
        };
        threads
            .into_iter()
            .filter_map(|(name, cpu)| Some((name, cpu?)))
            .collect()
    }
}

/// Replaces indexes by the CPUs that they stand for.
fn pick(indexes: &CpuPlan, cpus: &[usize]) -> Result<CpuPlan, String> {
    let pick = |option: &str, index: Option<usize>| match index {
        None => Ok(None),
        Some(index) => match cpus.get(index) {
            Some(cpu) => Ok(Some(*cpu)),
            None => Err(format!(
                "{option}={index} is beyond the {} CPUs of the cpuset",
                cpus.len()
            )),
        },
    };
    Ok(CpuPlan {
        conductor: pick("aeron.conductor.cpu.affinity", indexes.conductor)?,
        sender: pick("aeron.sender.cpu.affinity", indexes.sender)?,
        receiver: pick("aeron.receiver.cpu.affinity", indexes.receiver)?,
        resources: pick(
            "aeron.driver.native.resource.agent.cpu.affinity",
            indexes.resources,
        )?,
    })
}

/// Where a CPU is within the machine. What is not known is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct CpuPlace {
    /// CPUs of the same core.
    siblings: Vec<usize>,
    die: String,
    /// CPUs that share its last cache.
    cache: String,
}

/// What is unwise about pinning these threads to these CPUs.
fn concerns(
    used: &[(&str, usize)],
    cpus: &[usize],
    describe: &dyn Fn(usize) -> CpuPlace,
) -> Vec<String> {
    let mut concerns = Vec::new();
    let places: Vec<_> = used.iter().map(|(_, cpu)| describe(*cpu)).collect();
    for (at, (name, cpu)) in used.iter().enumerate() {
        for ((other_name, other), place) in used[..at].iter().zip(&places) {
            if other == cpu {
                concerns.push(format!("{other_name} and {name} are both on CPU {cpu}"));
            } else if place.siblings.contains(cpu) {
                concerns.push(format!(
                    "{other_name} on CPU {other} and {name} on CPU {cpu} share a core"
                ));
            }
        }
    }
    for ((name, cpu), place) in used.iter().zip(&places) {
        let outside: Vec<_> = place
            .siblings
            .iter()
            .filter(|sibling| !cpus.contains(sibling))
            .collect();
        if !outside.is_empty() {
            concerns.push(format!(
                "{name} on CPU {cpu} shares its core with {outside:?}, not of the cpuset"
            ));
        }
    }
    let spread = |what: &str, of: &dyn Fn(&CpuPlace) -> String| {
        let distinct: BTreeSet<_> = places.iter().map(of).collect();
        (distinct.len() > 1).then(|| format!("the CPUs of the driver are on different {what}"))
    };
    concerns.extend(spread("dies", &|place| place.die.clone()));
    concerns.extend(spread("last-level caches", &|place| place.cache.clone()));
    concerns
}

/// The CPUs that this process may use, in ascending order: those of its control group, or else of
/// its affinity mask.
fn cpus_of_process() -> Option<Vec<usize>> {
    cpus_of_control_group().or_else(|| {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        parse_list(list)
    })
}

/// The cpuset of the control group (version 2) of this process, or of the next one above it.
fn cpus_of_control_group() -> Option<Vec<usize>> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    root.join(path)
        .ancestors()
        .take_while(|group| group.starts_with(root))
        .find_map(|group| {
            let text = fs::read_to_string(group.join("cpuset.cpus.effective")).ok()?;
            parse_list(&text)
        })
}

/// Where a CPU is, as the operating system tells.
fn describe(cpu: usize) -> CpuPlace {
    let read = |file: &str| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/{file}");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.trim().to_owned()
    };
    let package = read("topology/physical_package_id");
    CpuPlace {
        siblings: parse_list(&read("topology/thread_siblings_list")).unwrap_or_default(),
        die: format!("{package}/{}", read("topology/die_id")),
        cache: read("cache/index3/shared_cpu_list"),
    }
}

/// Reads `0-3,8`; `None` if it is empty or anything else.
fn parse_list(text: &str) -> Option<Vec<usize>> {
    /// No machine has more.
    const CPUS_MAX: usize = 8192;
    let mut cpus = BTreeSet::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if first > last || last >= CPUS_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(parse_list(" 0-2,8\n"), Some(vec![0, 1, 2, 8]));
        assert_eq!(parse_list("5"), Some(vec![5]));
        for bad in ["", "-", "1-", "a", "3-1", "1,,2", "0-99999999999"] {
            assert_eq!(parse_list(bad), None, "{bad}");
        }
    }

    #[test]
    fn indexes_stand_for_the_cpus_of_the_set() {
        let indexes = CpuPlan {
            conductor: Some(0),
            sender: Some(2),
            ..CpuPlan::default()
        };
        let plan = pick(&indexes, &[4, 5, 300]).expect("within the set");
        assert_eq!((plan.conductor, plan.sender), (Some(4), Some(300)));
        assert_eq!(plan.receiver, None);
        let error = pick(&indexes, &[4, 5]).expect_err("beyond the set");
        assert_eq!(
            error,
            "aeron.sender.cpu.affinity=2 is beyond the 2 CPUs of the cpuset"
        );
    }

    /// Cores of two CPUs each, dies of two cores.
    fn machine(cpu: usize) -> CpuPlace {
        let (core, die) = (cpu / 2, cpu / 4);
        CpuPlace {
            siblings: vec![core * 2, core * 2 + 1],
            die: die.to_string(),
            cache: die.to_string(),
        }
    }

    #[test]
    fn unwise_choices_are_named() {
        let all: Vec<_> = (0..8).collect();
        let concerns_of = |used: &[_], cpus: &[_]| concerns(used, cpus, &machine);
        let apart = [("conductor", 0), ("sender", 2)];
        assert_eq!(concerns_of(&apart, &all), Vec::<String>::new());
        assert_eq!(
            concerns_of(&[("conductor", 0), ("sender", 0)], &all),
            ["conductor and sender are both on CPU 0"]
        );
        assert_eq!(
            concerns_of(&[("conductor", 0), ("sender", 1)], &all),
            ["conductor on CPU 0 and sender on CPU 1 share a core"]
        );
        assert_eq!(
            concerns_of(&[("sender", 2)], &[0, 2, 4]),
            ["sender on CPU 2 shares its core with [3], not of the cpuset"]
        );
        assert_eq!(
            concerns_of(&[("conductor", 0), ("sender", 4)], &all),
            [
                "the CPUs of the driver are on different dies",
                "the CPUs of the driver are on different last-level caches"
            ]
        );
    }

    #[test]
    fn only_the_threads_of_the_mode_count() {
        let plan = CpuPlan {
            conductor: Some(1),
            sender: Some(1),
            receiver: Some(1),
            resources: None,
        };
        assert_eq!(plan.used(ThreadingMode::Dedicated).len(), 3);
        assert_eq!(plan.used(ThreadingMode::SharedNetwork).len(), 2);
        assert_eq!(plan.used(ThreadingMode::Shared), [("conductor", 1)]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_cpus() {
        assert!(!cpus_of_process().expect("known").is_empty());
    }
}
