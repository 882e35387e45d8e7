//! Is the driver alive, and do its agents get round to their work?

use aileron::base::EpochMillis;
use aileron::cnc::SystemCounter;

use super::{Basis, Case, Cause, Since, Size};
use crate::text::duration_text;

/// A driver that was not heard of for longer is dead to its clients.
const DRIVER_TIMEOUT_MS: i64 = 10_000;
/// The conductor beats once a second: more than two of these were missed.
const HEARTBEAT_MS: i64 = 2_500;
/// An agent that tells when it was last alive does so several times in this.
const ALIVE_MS: i64 = 300;

pub(super) fn look(case: &mut Case<'_>) {
    look_at_process(case);
    if case.has(Cause::DriverGone) || case.has(Cause::DriverStopped) {
        return;
    }
    look_at_agents(case);
    if !case.has(Cause::SenderStalled) {
        look_at_sender(case);
    }
    if !case.has(Cause::ReceiverStalled) {
        look_at_receiver(case);
    }
}

fn look_at_process(case: &mut Case<'_>) {
    let snapshot = case.snapshot();
    let driver = &snapshot.driver;
    let party = format!("the driver with pid {}", driver.pid);
    let Some(age_ms) = snapshot.heartbeat_age_ms() else {
        let finding = case.report(Cause::DriverGone, party);
        finding.what = format!("the driver with pid {} has shut down", driver.pid);
        "start a driver; its clients have to connect again".clone_into(&mut finding.advice);
        return;
    };
    let machine = case.machine();
    // Without a process there is no state; processes of other containers cannot be seen.
    let is_absent = machine.sees_processes && machine.driver_state.is_none_or(|s| s == 'Z');
    let age = duration_text(age_ms.saturating_mul(1_000_000));
    if is_absent && age_ms > HEARTBEAT_MS || age_ms > DRIVER_TIMEOUT_MS {
        let is_certain = is_absent || machine.driver_state.is_none();
        let finding = case.report(Cause::DriverGone, party);
        finding.size = Some(Size::Ns(age_ms.saturating_mul(1_000_000)));
        finding.since = Since::At(driver.heartbeat);
        finding.basis = if is_certain {
            Basis::Exact
        } else {
            Basis::BestEffort
        };
        finding.what = format!(
            "the driver with pid {} died: its heartbeat is {age} old",
            driver.pid
        );
        "start it again; its clients have to connect again".clone_into(&mut finding.advice);
    } else if machine.driver_state == Some('T') || machine.driver_state == Some('t') {
        let finding = case.report(Cause::DriverStopped, party);
        finding.size = Some(Size::Ns(age_ms.saturating_mul(1_000_000)));
        finding.since = Since::At(driver.heartbeat);
        finding.what = format!(
            "the process {} of the driver is stopped by a signal or a debugger; its heartbeat is \
             {age} old",
            driver.pid
        );
        finding.advice = format!(
            "kill -CONT {}; clients give it up after {}",
            driver.pid,
            duration_text(DRIVER_TIMEOUT_MS * 1_000_000)
        );
    }
}

fn stalled(case: &mut Case<'_>, agent: &str, ns: i64, since: Since, basis: Basis) {
    let cause = match agent {
        "sender" => Cause::SenderStalled,
        "receiver" => Cause::ReceiverStalled,
        _ => Cause::ConductorStalled,
    };
    let driver = &case.snapshot().driver;
    let (pid, mode) = (driver.pid, driver.threading_mode.clone());
    let finding = case.report(cause, format!("the {agent} of the driver with pid {pid}"));
    finding.size = Some(Size::Ns(ns));
    finding.since = since;
    finding.basis = basis;
    finding.what = format!("the {agent} has done nothing for {}", duration_text(ns));
    finding.advice = format!(
        "see what its thread does (top -H -p {pid}; /proc/{pid}/task/*/stack): no CPU left for it \
         ({mode}), a suspended machine, or code of yours in the driver that blocks"
    );
}

/// Agents that tell when they were last alive; of the others the conductor does.
fn look_at_agents(case: &mut Case<'_>) {
    let snapshot = case.snapshot();
    let mut is_known = false;
    for agent in &snapshot.system.agents {
        let Some(alive) = agent.alive else { continue };
        is_known = true;
        let age_ms = snapshot.time.since(alive);
        if age_ms > ALIVE_MS {
            let since = Since::At(alive);
            stalled(
                case,
                agent.name,
                age_ms.saturating_mul(1_000_000),
                since,
                Basis::Exact,
            );
        }
    }
    let age_ms = snapshot.heartbeat_age_ms().unwrap_or(0);
    if !is_known && age_ms > HEARTBEAT_MS {
        let since = Since::At(EpochMillis(snapshot.driver.heartbeat.get()));
        stalled(
            case,
            "conductor",
            age_ms.saturating_mul(1_000_000),
            since,
            Basis::Exact,
        );
    }
}

/// Something may be sent, and nothing is.
fn look_at_sender(case: &mut Case<'_>) {
    let has_sent = case.rates.system.bytes_sent > 0.0;
    let waits = case.snapshot().publications.iter().any(|now| {
        let Some(earlier) = case.earlier(now) else {
            return false;
        };
        let may_send = now.sender_window() > Some(i64::from(now.log.map_or(0, |l| l.mtu_length)));
        now.sender_position == earlier.sender_position
            && earlier.unsent() > Some(0)
            && now.unsent() > Some(0)
            && may_send
            && now.frame_length_at_front.is_some_and(|length| length > 0)
            && now.log.is_some_and(|log| log.is_connected)
    });
    if waits && !has_sent && case.rates.elapsed_ns > 0 {
        let (ns, since) = (case.rates.elapsed_ns, case.observed());
        stalled(case, "sender", ns, since, Basis::BestEffort);
    }
}

/// Something arrived, and nobody takes it.
fn look_at_receiver(case: &mut Case<'_>) {
    let received = |o: &super::Observation| o.snapshot.system.get(SystemCounter::BytesReceived);
    if received(case.before) != received(case.now) || case.rates.elapsed_ns <= 0 {
        return;
    }
    let queue = |observation: &super::Observation, local: std::net::SocketAddr| {
        let all = observation.machine.sockets.iter().flatten();
        all.filter(|s| s.local == local)
            .map(|s| s.receive_queue)
            .max()
            .unwrap_or(0)
    };
    let channels = case
        .snapshot()
        .channels
        .iter()
        .filter(|channel| !channel.is_send);
    let addresses = channels.flat_map(|channel| &channel.addresses);
    let waiting = addresses
        .filter_map(|address| address.address.parse().ok())
        .any(|local| queue(case.before, local) > 0 && queue(case.now, local) > 0);
    if waiting {
        let (ns, since) = (case.rates.elapsed_ns, case.observed());
        stalled(case, "receiver", ns, since, Basis::BestEffort);
    }
}
