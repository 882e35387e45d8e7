//! How much of a CPU the threads of a driver use: `/proc/<pid>/task`.

use std::collections::BTreeMap;

/// Clock ticks of the kernel in a second; the same on every Linux that people run.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of each named thread of a process, in ticks; empty where the system does not tell.
pub(super) fn cpu_ticks(pid: i64) -> BTreeMap<String, u64> {
    let mut threads = BTreeMap::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return threads;
    };
    for task in tasks.flatten() {
        if let Ok(stat) = std::fs::read_to_string(task.path().join("stat"))
            && let Some((name, ticks)) = parse(&stat)
        {
            *threads.entry(name).or_insert(0) += ticks;
        }
    }
    threads
}

/// Share of a CPU that so many ticks in so many nanoseconds are.
#[expect(clippy::cast_precision_loss, reason = "shown in per cent")]
pub(super) fn share(ticks: u64, elapsed_ns: i64) -> Option<f64> {
    (elapsed_ns > 0).then(|| {
        let seconds = elapsed_ns as f64 / 1e9;
        (ticks as f64 / TICKS_PER_SECOND / seconds).clamp(0.0, 1.0)
    })
}

/// Whether a thread of this name runs the agent: alone, as `sender`, or with others, as
/// `[sender, receiver]`, which the kernel cuts off.
pub(super) fn runs(thread: &str, agent: &str) -> bool {
    let thread = thread.trim_start_matches("aeron-md-");
    if let Some(agents) = thread.strip_prefix('[') {
        let mut agents = agents.trim_end_matches(']').split(',').map(str::trim);
        return agents.any(|one| !one.is_empty() && agent.starts_with(one));
    }
    !thread.is_empty() && agent.starts_with(thread)
}

/// Name and ticks in user and system mode. The name is in parentheses and may contain any.
fn parse(stat: &str) -> Option<(String, u64)> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = after.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name.to_owned(), user + system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_a_thread_is_read_whatever_its_name() {
        let stat = "77 (a (odd) name) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1 0 99";
        assert_eq!(parse(stat), Some(("a (odd) name".to_owned(), 42)));
        assert_eq!(parse("77 nonsense"), None);
        assert_eq!(share(50, 1_000_000_000), Some(0.5));
        assert_eq!(share(50, 0), None);
    }

    #[test]
    fn agents_are_found_by_the_names_of_their_threads() {
        assert!(runs("conductor", "conductor"));
        assert!(runs("aeron-md-sender", "sender"));
        assert!(runs("[sender,receiver", "receiver"));
        assert!(
            runs("[conductor,send", "sender"),
            "the kernel cuts names off"
        );
        assert!(!runs("[sender,receive", "conductor"));
        assert!(!runs("main", "sender"));
    }
}
