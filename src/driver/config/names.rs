//! The table of names (`aeron.name.resolver.supplier=csv_table`), and whether names are gossiped.

use super::{DriverConfig, NameResolverSupplier};

/// Most rows of a table; each has a counter.
const ROWS_MAX: usize = 256;

/// A name and the two hosts that it may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameEntry {
    /// The name, as it stands in channels.
    pub(crate) name: String,
    /// Where it leads at first: an address, or a name for the operating system.
    pub(crate) initial: String,
    /// Where it leads once its counter says so.
    pub(crate) re_resolution: String,
}

impl NameEntry {
    /// Takes `name,host,host` rows apart that are joined by `|`. The error says what is wrong.
    pub(crate) fn parse_table(text: &str) -> Result<Vec<Self>, String> {
        let rows = text.split('|').map(Self::parse).collect::<Option<Vec<_>>>();
        let rows = rows.ok_or("must be rows of name,initialHost,reResolutionHost joined by |")?;
        if rows.len() > ROWS_MAX {
            return Err(format!("must have at most {ROWS_MAX} rows"));
        }
        Ok(rows)
    }

    fn parse(row: &str) -> Option<Self> {
        let mut columns = row.split(',').map(str::trim);
        let mut next = || columns.next().filter(|text| !text.is_empty());
        let entry = Self {
            name: next()?.to_owned(),
            initial: next()?.to_owned(),
            re_resolution: next()?.to_owned(),
        };
        columns.next().is_none().then_some(entry)
    }
}

impl DriverConfig {
    /// Whether this driver and others tell each other their names: because an interface for it is
    /// set, as with the Java driver, or because the supplier says so, as with the C driver.
    pub(crate) fn gossips(&self) -> bool {
        !self.resolver_interface.is_empty() || self.name_resolver == NameResolverSupplier::Driver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_three_columns() {
        let rows = NameEntry::parse_table("a,10.0.0.1,10.0.0.2|b, c ,d").expect("well-formed");
        assert_eq!(rows.len(), 2);
        assert_eq!((&*rows[1].initial, &*rows[1].re_resolution), ("c", "d"));
        for bad in [
            "", "a", "a,b", "a,b,", "a,b,c,d", "a,b,c|", "|a,b,c", ",b,c",
        ] {
            assert!(NameEntry::parse_table(bad).is_err(), "{bad}");
        }
        let many = vec!["a,b,c"; ROWS_MAX + 1].join("|");
        let error = NameEntry::parse_table(&many).expect_err("too many");
        assert!(error.contains("256"), "{error}");
    }
}
