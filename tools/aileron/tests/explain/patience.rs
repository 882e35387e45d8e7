//! Waiting for what a scenario needs, and for the finding that it is about.

use std::time::{Duration, Instant};

use aileron::client::{Publication, Subscription};
use aileron_cli::Directory;
use aileron_cli::commands::explain::watch;
use aileron_cli::explain::{Cause, Explanation, Finding};

/// Until something that a test brought about shows.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// As long as an explanation may take.
const SECOND: Duration = Duration::from_secs(1);
/// As long as it watches.
const PERIOD: Duration = Duration::from_millis(150);

/// One explanation, in time.
pub(crate) fn explain(directory: &Directory) -> Explanation {
    let start = Instant::now();
    let explanation = watch(directory, PERIOD);
    let elapsed = start.elapsed();
    assert!(elapsed < SECOND, "it took {elapsed:?}");
    explanation
}

/// Explains until a finding suits; what was brought about may take its time, not the explanation.
pub(crate) fn expect(
    directory: &Directory,
    cause: Cause,
    suits: impl Fn(&Finding) -> bool,
) -> Finding {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let explanation = explain(directory);
        let mut findings = explanation.findings.iter();
        if let Some(finding) = findings.find(|f| f.cause == cause && suits(f)) {
            assert!(
                !finding.what.is_empty() && !finding.advice.is_empty(),
                "{finding:?}"
            );
            assert!(!finding.party.is_empty(), "{finding:?}");
            return finding.clone();
        }
        assert!(
            Instant::now() < deadline,
            "no {cause}: {:#?}",
            explanation.findings
        );
    }
}

/// Waits for what a test needs before its scenario begins.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// The channel that a subscription is reached on.
pub(crate) fn resolved(subscription: &Subscription) -> String {
    let mut channel = None;
    wait_until("the bound address", || {
        channel = subscription.resolved_channel();
        channel.is_some()
    });
    channel.expect("it is bound")
}

/// Offers until nothing more is taken for a while; returns the bytes taken.
pub(crate) fn fill(publication: &Publication) -> usize {
    let message = [7; 1024];
    let mut bytes = 0;
    let mut refused = Instant::now();
    while refused.elapsed() < Duration::from_millis(100) {
        if publication.offer(&message).is_ok() {
            bytes += message.len();
            refused = Instant::now();
        } else {
            std::thread::yield_now();
        }
    }
    bytes
}
