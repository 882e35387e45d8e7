//! What is left of streams and clients on a driver.

use crate::sim::host::SimDriver;
use crate::sim::network::SimNetwork;

/// Whatever a driver still holds that is not its own, in words. Empty once it has let go of all.
pub(in crate::sim) fn leftovers(driver: &SimDriver, network: &SimNetwork) -> Vec<String> {
    let mut left = Vec::new();
    for id in driver.counter_ids() {
        let label = driver.counters.label(id).unwrap_or_default();
        left.push(format!("counter {id}: {label}"));
    }
    let logs = driver.store.paths().into_iter();
    left.extend(logs.map(|path| format!("log {path}")));
    for address in driver.addresses {
        let sockets = network.open_sockets_of(address);
        if sockets > 0 {
            left.push(format!("{sockets} sockets of {address}"));
        }
    }
    left
}

/// Whether there are any counters left, which is quicker to tell than which.
pub(in crate::sim) fn has_counters(driver: &SimDriver) -> bool {
    driver.counter_ids().next().is_some()
}
