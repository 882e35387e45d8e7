//! Are the clients alive?

use super::{Case, Cause, Since, Size};
use crate::text::duration_text;

/// Clients beat twice a second: three of these were missed.
const SILENT_MS: i64 = 1_600;
/// For how long a client that was given up is worth telling.
const GONE_MS: i64 = 60_000;

pub(super) fn look(case: &mut Case<'_>) {
    let snapshot = case.snapshot();
    let liveness_ns = snapshot.driver.client_liveness_timeout_ns;
    if !case.has(Cause::DriverGone) && !case.has(Cause::DriverStopped) {
        for client in &snapshot.clients {
            let age_ms = snapshot.time.since(client.heartbeat);
            // One that said that it closes is at 0 until the driver comes round to it.
            if age_ms <= SILENT_MS || client.heartbeat.get() == 0 {
                continue;
            }
            let title = client.title();
            let age_ns = age_ms.saturating_mul(1_000_000);
            let finding = case.report(Cause::ClientSilent, format!("client {title}"));
            finding.is_stall = false;
            finding.size = Some(Size::Ns(age_ns));
            finding.since = Since::At(client.heartbeat);
            finding.what = format!(
                "client {title} has been silent for {}",
                duration_text(age_ns)
            );
            finding.advice = format!(
                "see whether its process is stopped, starved or blocked in a callback, or, if it \
                 drives its conductor itself, forgets to; the driver gives it up after {}",
                duration_text(liveness_ns)
            );
        }
    }
    for client in &snapshot.gone_clients {
        let age_ms = snapshot.time.since(client.heartbeat);
        let is_again = snapshot
            .clients
            .iter()
            .any(|other| other.client_id == client.client_id);
        if client.heartbeat.get() <= 0 || age_ms > GONE_MS || is_again {
            continue;
        }
        let title = client.title();
        let age_ns = age_ms.saturating_mul(1_000_000);
        let finding = case.report(Cause::ClientTimedOut, format!("client {title}"));
        finding.size = Some(Size::Ns(age_ns));
        finding.since = Since::At(client.heartbeat);
        finding.what = format!(
            "client {title} was given up by the driver: it was last heard of {} ago, and {} are \
             allowed; its publications and subscriptions are gone",
            duration_text(age_ns),
            duration_text(liveness_ns)
        );
        "connect it again; if it was alive, see what held it up for so long (a debugger, a long \
         callback, garbage collection, a suspended machine), or raise \
         aeron.client.liveness.timeout"
            .clone_into(&mut finding.advice);
    }
}
