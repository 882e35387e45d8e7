//! The driver or a client does not get round to its work.

use std::sync::mpsc;
use std::time::Duration;

use aileron::base::{Nanos, Position};
use aileron::driver::{
    CongestionController, FlowControlStrategy, RebuildProgress, ReceiverFeedback, WindowDecision,
};
use aileron::{Context, DriverConfig};
use aileron_cli::explain::{Basis, Cause, Finding, Since};

use crate::patience::{bytes_from, expect, lasts_from, no_size};
use crate::rig::{Busy, LOOPBACK, Rig, STREAM, resolved, wait_connected, wait_until};

/// What an agent is allowed.
const ALIVE: Duration = Duration::from_millis(300);
/// For how long a slow sender does something else, again and again; less than it is allowed.
const ERRAND: Duration = Duration::from_millis(50);

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
struct SlowSender;

impl FlowControlStrategy for SlowSender {
    fn on_status_message(
        &mut self,
        feedback: &ReceiverFeedback,
        limit: Position,
        _now: Nanos,
    ) -> Position {
        std::thread::sleep(ERRAND);
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

/// The agents of a driver of this process.
fn party(agent: &str) -> String {
    format!("the {agent} of the driver with pid {}", std::process::id())
}

/// Waits until it is known how long an agent has done nothing.
fn expect_stalled(rig: &Rig, cause: Cause, agent: &str) -> Finding {
    let finding = rig.expect_stall(cause, &party(agent), lasts_from(ALIVE));
    assert_eq!(finding.basis, Basis::Exact);
    assert!(matches!(finding.since, Since::At(_)));
    finding
}

/// A driver whose sender is blocked by its first status message, until the other end is dropped.
fn blocked_sender(threading_mode: &str) -> (Rig, mpsc::Sender<()>) {
    let (open, slot) = gate();
    let config = DriverConfig::builder()
        .define(&format!("aeron.threading.mode={threading_mode}"))
        .flow_control_supplier(move |_| Some(Box::new(BlockedSender(take(&slot)))))
        .build()
        .expect("legal");
    (Rig::of(config), open)
}

#[test]
fn a_sender_that_is_blocked() {
    let (rig, open) = blocked_sender("DEDICATED");
    let subscription = rig.subscribe(LOOPBACK);
    let _publication = rig.publish(&resolved(&subscription));
    expect_stalled(&rig, Cause::SenderStalled, "sender");
    let others = rig.explain().findings;
    assert!(
        others.iter().all(|f| f.cause != Cause::ReceiverStalled),
        "{others:?}"
    );
    drop(open);
    wait_until("the sender", || !rig.explain().has_stall());
}

/// No code of others runs in the receiver; but on one thread with the sender it waits with it.
#[test]
fn a_receiver_that_shares_the_thread_of_a_sender_that_is_blocked() {
    let (rig, open) = blocked_sender("SHARED_NETWORK");
    let subscription = rig.subscribe(LOOPBACK);
    let _publication = rig.publish(&resolved(&subscription));
    expect_stalled(&rig, Cause::ReceiverStalled, "receiver");
    expect_stalled(&rig, Cause::SenderStalled, "sender");
    drop(open);
    wait_until("both", || !rig.explain().has_stall());
}

#[test]
fn a_sender_that_is_slower_than_the_publisher() {
    let config = DriverConfig::builder()
        .flow_control_supplier(|_| Some(Box::new(SlowSender)))
        .build()
        .expect("legal");
    let rig = Rig::of(config);
    let mut subscription = rig.subscribe(LOOPBACK);
    // Publishers may fill less than receivers take.
    let channel = format!("{}|term-length=1m|pub-wnd=32k", resolved(&subscription));
    let publication = rig.publish(&channel);
    wait_connected(&publication);
    let id = publication.registration_id().get();
    let traffic = Busy::start(move || {
        // Up to the limit in one go, however seldom this thread gets a CPU.
        while publication.offer(&[1; 1024]).is_ok() {}
        subscription.poll(100, |_, _| {});
    });
    // Publishers wait, so what is not sent is about a window of 32 KiB.
    let half = bytes_from(16 << 10);
    let finding = rig.expect(Cause::SenderBehind, &party("sender"), half);
    assert!(!finding.is_stall, "it flows, slowly");
    assert_eq!(finding.stream.expect("a stream").id, id);
    drop(traffic);
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
    expect_stalled(&rig, Cause::ConductorStalled, "conductor");
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
    // It ended in order; for how long that is so nobody wrote down.
    let party = format!("the driver with pid {}", std::process::id());
    let finding = expect(&directory, Cause::DriverGone, &party, no_size);
    assert!(finding.is_stall, "{finding:?}");
    assert!(finding.what.contains("shut down"), "{}", finding.what);
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
    let party = format!("client {id} 'sleepy'");
    let silent = lasts_from(Duration::from_millis(1_600));
    let finding = rig.expect(Cause::ClientSilent, &party, silent);
    assert!(!finding.is_stall, "it may still come back");
    let given_up = lasts_from(Duration::from_secs(4));
    let finding = rig.expect_stall(Cause::ClientTimedOut, &party, given_up);
    assert!(finding.what.contains("4 s are allowed"), "{}", finding.what);
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
