//! Each cause of a stall, brought about on a real driver with real clients: `explain` names the
//! cause, the party and the size, within a second.

#[path = "../../../aileronmd/tests/book/pages.rs"]
mod pages;
mod patience;
mod relay;
mod rig;
#[path = "../../../../tests/support/mod.rs"]
mod support;

mod absent;
mod agents;
mod book;
mod network;
mod processes;
mod refused;
mod slow;

/// None is left out.
#[test]
fn every_cause_is_brought_about() {
    let scenarios = [
        include_str!("absent.rs"),
        include_str!("agents.rs"),
        include_str!("network.rs"),
        include_str!("processes.rs"),
        include_str!("refused.rs"),
        include_str!("slow.rs"),
    ];
    for cause in aileron_cli::explain::Cause::ALL {
        let is_expected = |text: &&str| text.contains(&format!("Cause::{cause:?},"));
        assert!(scenarios.iter().any(is_expected), "{cause}");
    }
}
