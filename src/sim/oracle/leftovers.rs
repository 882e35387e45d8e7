//! What is left of streams and clients on a driver.

use crate::base::CounterId;
use crate::sim::host::SimDriver;
use crate::sim::network::SimNetwork;
use crate::sim::people::STATIC_TYPE_ID;

/// Whatever a driver still holds that is not its own, in words. Empty once it has let go of all.
pub(in crate::sim) fn leftovers(driver: &SimDriver, network: &SimNetwork) -> Vec<String> {
    let mut left = Vec::new();
    for id in passing(driver) {
        let label = driver.counters.label(id).unwrap_or_default();
        left.push(format!("counter {id}: {label}"));
    }
    let logs = driver.store.paths().into_iter();
    left.extend(logs.map(|path| format!("log {path}")));
    for (address, own) in driver.addresses.into_iter().zip(driver.own_sockets) {
        let sockets = network.open_sockets_of(address).saturating_sub(own);
        if sockets > 0 {
            left.push(format!("{sockets} sockets of {address}"));
        }
    }
    left
}

/// Whether there are any counters left, which is quicker to tell than which.
pub(in crate::sim) fn has_counters(driver: &SimDriver) -> bool {
    passing(driver).next().is_some()
}

/// Counters that have to go; static ones stay as long as the driver.
fn passing(driver: &SimDriver) -> impl Iterator<Item = CounterId> {
    let ids = driver.counter_ids();
    ids.filter(|id| driver.counters.type_id(*id) != Some(STATIC_TYPE_ID))
}
