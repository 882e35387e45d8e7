//! The driver or a client does not get round to its work.

use std::sync::mpsc;
use std::time::Duration;

use aileron::base::{Nanos, Position};
use aileron::driver::{
    CongestionController, FlowControlStrategy, RebuildProgress, ReceiverFeedback, WindowDecision,
};
use aileron::{Context, DriverConfig};
use aileron_cli::explain::{Basis, Cause, Since, Size};

use crate::rig::{LOOPBACK, Rig, STREAM, resolved, wait_connected, wait_until};

/// Blocks whoever calls it until the other end is dropped.
#[derive(Debug)]
struct Block(Option<mpsc::Receiver<()>>);

impl Block {
    fn wait(&mut self) {
        if let Some(gate) = self.0.take() {
            let _ = gate.recv_timeout(Duration::from_secs(30));
        }
    }
}

#[derive(Debug)]
struct BlockedSender(Block);

impl FlowControlStrategy for BlockedSender {
    fn on_status_message(
        &mut self,
        feedback: &ReceiverFeedback,
        limit: Position,
        _now: Nanos,
    ) -> Position {
        self.0.wait();
        limit.max(feedback.edge())
    }
}

#[derive(Debug)]
struct BlockedConductor(Block);

impl CongestionController for BlockedConductor {
    fn on_track_rebuild(&mut self, _progress: &RebuildProgress, _now: Nanos) -> WindowDecision {
        self.0.wait();
        WindowDecision {
            window_length: 65_536,
            force_status_message: false,
        }
    }

    fn initial_window_length(&self) -> i32 {
        65_536
    }

    fn max_window_length(&self) -> i32 {
        65_536
    }
}

/// A gate that one block, the first that asks, waits at.
fn gate() -> (
    mpsc::Sender<()>,
    std::sync::Mutex<Option<mpsc::Receiver<()>>>,
) {
    let (sender, receiver) = mpsc::channel();
    (sender, std::sync::Mutex::new(Some(receiver)))
}

fn take(slot: &std::sync::Mutex<Option<mpsc::Receiver<()>>>) -> Block {
    Block(slot.lock().ok().and_then(|mut slot| slot.take()))
}

fn stalled_for(size: Option<Size>) -> bool {
    matches!(size, Some(Size::Ns(300_000_000..)))
}

#[test]
fn a_sender_that_is_blocked() {
    let (open, slot) = gate();
    let config = DriverConfig::builder()
        .flow_control_supplier(move |_| Some(Box::new(BlockedSender(take(&slot)))))
        .build()
        .expect("legal");
    let rig = Rig::of(config);
    let subscription = rig.subscribe(LOOPBACK);
    let _publication = rig.publish(&resolved(&subscription));
    let finding = rig.expect(Cause::SenderStalled, |f| stalled_for(f.size));
    assert!(
        finding.is_stall && finding.basis == Basis::Exact,
        "{finding:?}"
    );
    assert!(
        finding.party.starts_with("the sender of the driver"),
        "{}",
        finding.party
    );
    assert!(matches!(finding.since, Since::At(_)));
    drop(open);
    wait_until("the sender", || !rig.explain().has_stall());
}

#[test]
fn a_conductor_that_is_blocked() {
    let (open, slot) = gate();
    let config = DriverConfig::builder()
        .congestion_control_supplier(move |_| Some(Box::new(BlockedConductor(take(&slot)))))
        .build()
        .expect("legal");
    let rig = Rig::of(config);
    let subscription = rig.subscribe(LOOPBACK);
    let _publication = rig.publish(&resolved(&subscription));
    let finding = rig.expect(Cause::ConductorStalled, |f| stalled_for(f.size));
    assert!(
        finding.is_stall && finding.basis == Basis::Exact,
        "{finding:?}"
    );
    drop(open);
    wait_until("the conductor", || !rig.explain().has_stall());
}

#[test]
fn a_driver_that_has_shut_down() {
    let Rig {
        client,
        directory,
        driver,
    } = Rig::with(&["aeron.dir.delete.on.shutdown=false"]);
    drop(client);
    driver.close();
    let explanation = aileron_cli::commands::explain::watch(&directory, Duration::from_millis(50));
    assert!(explanation.has_stall(), "{explanation:?}");
    assert_eq!(explanation.findings[0].cause, Cause::DriverGone);
    assert!(
        explanation.findings[0].what.contains("shut down"),
        "{explanation:?}"
    );
}

#[test]
fn a_client_that_falls_silent_and_is_given_up() {
    let rig = Rig::with(&[
        "aeron.client.liveness.timeout=4s",
        "aeron.timer.interval=100ms",
    ]);
    let context = Context::new()
        .dir(rig.driver.directory())
        .client_name("sleepy");
    let (client, mut invoker) = context.connect_invoked().expect("a client");
    let publication = client
        .add_publication("aeron:ipc", STREAM)
        .expect("a publication");
    let subscription = rig.subscribe("aeron:ipc");
    // A client gives its name with its first heartbeat; nobody drives it from then on.
    let id = client.client_id();
    wait_until("its name", || {
        invoker.do_work();
        let snapshot = aileron_cli::Snapshot::take(&rig.directory);
        snapshot
            .client(id)
            .is_some_and(|client| client.name == "sleepy")
    });
    let finding = rig.expect(Cause::ClientSilent, |f| f.party.contains("sleepy"));
    assert!(!finding.is_stall && matches!(finding.size, Some(Size::Ns(1_600_000_000..))));
    let finding = rig.expect(Cause::ClientTimedOut, |f| f.party.contains("sleepy"));
    assert!(
        finding.is_stall && finding.what.contains("4 s are allowed"),
        "{}",
        finding.what
    );
    assert!(finding.party.contains(&id.to_string()), "{}", finding.party);
    drop((publication, subscription, invoker));
}

#[test]
fn the_exit_code_tells_whether_something_stalls() {
    let rig = Rig::new();
    let explain = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_aileron"));
        command
            .arg("--dir")
            .arg(rig.driver.directory())
            .arg("explain")
            .args(arguments);
        command.output().expect("it runs")
    };
    assert_eq!(explain(&["-p", "20"]).status.code(), Some(0));
    let publication = rig.publish("aeron:ipc");
    let output = explain(&["-p", "20"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("STALLS  publication"), "{text}");
    assert!(text.contains("stall: no-subscriber"), "{text}");
    assert_eq!(
        explain(&["-p", "20", "--stream", "5"]).status.code(),
        Some(0)
    );
    let json = explain(&["-p", "20", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["findings"][0]["cause"], "no-subscriber");
    let subscription = rig.subscribe("aeron:ipc");
    wait_connected(&publication);
    drop(subscription);
}
