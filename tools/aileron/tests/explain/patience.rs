//! Waiting for what a scenario needs, and for the finding that it is about.

use std::time::{Duration, Instant};

use aileron::client::{Publication, Subscription};
use aileron_cli::Directory;
use aileron_cli::commands::explain::watch;
use aileron_cli::explain::{Cause, Explanation, Finding, Size};

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

/// Explains until there is a finding of this cause with this as a part of its party, and a size
/// that suits; what was brought about may take its time, not the explanation.
pub(crate) fn expect(
    directory: &Directory,
    cause: Cause,
    party: &str,
    suits: impl Fn(Option<Size>) -> bool,
) -> Finding {
    assert!(!party.is_empty(), "somebody has to be blamed");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let explanation = explain(directory);
        let mut findings = explanation.findings.iter();
        let is_it = |f: &&Finding| f.cause == cause && f.party.contains(party) && suits(f.size);
        if let Some(finding) = findings.find(is_it) {
            assert!(
                !finding.what.is_empty() && !finding.advice.is_empty(),
                "{finding:?}"
            );
            return finding.clone();
        }
        assert!(
            Instant::now() < deadline,
            "no {cause} of {party} and that size: {:#?}",
            explanation.findings
        );
    }
}

/// Nothing of it can be counted.
pub(crate) fn no_size(size: Option<Size>) -> bool {
    size.is_none()
}

/// Just this.
pub(crate) fn exactly(wanted: Size) -> impl Fn(Option<Size>) -> bool {
    move |size| size == Some(wanted)
}

/// So many bytes or more.
pub(crate) fn bytes_from(least: i64) -> impl Fn(Option<Size>) -> bool {
    move |size| matches!(size, Some(Size::Bytes(bytes)) if bytes >= least)
}

/// For so long or longer.
pub(crate) fn lasts_from(least: Duration) -> impl Fn(Option<Size>) -> bool {
    let least = i64::try_from(least.as_nanos()).expect("not for ever");
    move |size| matches!(size, Some(Size::Ns(ns)) if ns >= least)
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
