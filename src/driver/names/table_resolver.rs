//! Names from a table, with a switch per row (`driver.md` §15.2): for tests of what happens when a
//! name moves.

use std::net::IpAddr;

use crate::base::EpochMillis;
use crate::cnc::counter_labels::name_entry_label;
use crate::cnc::counter_types::{NAME_ENTRY_TYPE_ID, NameEntryKey};
use crate::concurrent::{AtomicCounter, CounterSpec, CountersFull, CountersManager};
use crate::driver::config::NameEntry;
use crate::port::{NameResolver, ResolveError, Tick};

/// Value of a row's counter: the name does not resolve.
const DISABLED: i64 = -1;
/// Value of a row's counter: the second host counts.
const MOVED: i64 = 1;

/// A row and the counter that says which of its hosts counts. Anybody may write the counter.
struct Row {
    entry: NameEntry,
    switch: AtomicCounter,
}

/// See the module's documentation. Names without a row are left to the resolver behind.
pub(super) struct TableResolver {
    rows: Vec<Row>,
    base: Box<dyn NameResolver>,
}

impl TableResolver {
    /// Makes the table that `text` describes, with a counter for each row.
    pub(super) fn new(
        text: &str,
        base: Box<dyn NameResolver>,
        manager: &mut CountersManager,
        now: EpochMillis,
    ) -> Result<Self, CountersFull> {
        // A configuration that was built has a table that parses.
        let entries = NameEntry::parse_table(text).unwrap_or_default();
        let rows = entries
            .into_iter()
            .map(|entry| {
                let key = NameEntryKey {
                    name: entry.name.clone(),
                };
                let spec = CounterSpec {
                    type_id: NAME_ENTRY_TYPE_ID,
                    key: &key.encode(),
                    label: &name_entry_label(&entry.name, &entry.initial, &entry.re_resolution),
                    ..CounterSpec::default()
                };
                let switch = manager.allocate(&spec, now)?;
                Ok(Row { entry, switch })
            })
            .collect::<Result<_, CountersFull>>()?;
        Ok(Self { rows, base })
    }
}

impl NameResolver for TableResolver {
    fn resolve(&mut self, host: &str, is_re_resolution: bool) -> Result<IpAddr, ResolveError> {
        let row = self.rows.iter().find(|row| row.entry.name == host);
        let Some(Row { entry, switch }) = row else {
            return self.base.resolve(host, is_re_resolution);
        };
        let target = match switch.get() {
            DISABLED => {
                return Err(ResolveError {
                    name: host.to_owned(),
                    reason: "its row in the table is disabled".to_owned(),
                });
            }
            MOVED => &entry.re_resolution,
            _ => &entry.initial,
        };
        match target.parse() {
            Ok(address) => Ok(address),
            Err(_) => self.base.resolve(target, is_re_resolution),
        }
    }

    fn lookup(&mut self, endpoint: &str) -> Option<String> {
        self.base.lookup(endpoint)
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.base.do_work(tick)
    }

    fn rest_ns(&self) -> i64 {
        self.base.rest_ns()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::AtomicBuffer;
    use crate::port::StaticResolver;

    #[test]
    fn the_counter_of_a_row_chooses_its_host() {
        let (metadata, values) = (AtomicBuffer::heap(4096), AtomicBuffer::heap(1024));
        let mut manager = CountersManager::new(metadata, values, 0).expect("room");
        let text = "feed,10.0.0.1,localhost|other,nowhere,[::1]";
        let base = Box::new(StaticResolver::default());
        let mut table =
            TableResolver::new(text, base, &mut manager, EpochMillis(0)).expect("room for two");
        let reader = manager.reader();
        let key = NameEntryKey {
            name: "feed".to_owned(),
        };
        let id = reader
            .find_by_type_and_key(NAME_ENTRY_TYPE_ID, &key.encode())
            .expect("allocated");
        assert_eq!(
            reader.record(id).expect("allocated").label,
            "NameEntry{name='feed', initialResolutionHost='10.0.0.1', \
             reResolutionHost='localhost'}"
        );
        assert_eq!(reader.value(id), Some(0));
        let switch = table.rows[0].switch.clone();
        let first = Ok(IpAddr::from([10, 0, 0, 1]));
        assert_eq!(table.resolve("feed", false), first);
        assert_eq!(
            table.resolve("feed", true),
            first,
            "the counter alone decides"
        );
        switch.set(MOVED);
        assert_eq!(
            table.resolve("feed", true),
            Ok(IpAddr::from([127, 0, 0, 1]))
        );
        switch.set(DISABLED);
        let error = table.resolve("feed", true).expect_err("disabled");
        assert_eq!(error.name, "feed");
        let error = table
            .resolve("other", false)
            .expect_err("its host is unknown");
        assert_eq!(error.name, "nowhere");
        assert!(
            table.resolve("localhost", false).is_ok(),
            "not in the table"
        );
        assert!(
            table.resolve("fee", false).is_err(),
            "names match as a whole"
        );
    }
}
