//! One client.

use aileron::base::{ClientId, CounterId, EpochMillis};

/// A client as its heartbeat shows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientView {
    /// The client.
    pub client_id: ClientId,
    /// The counter of its heartbeat.
    pub counter_id: CounterId,
    /// When it was last alive; 0 once it said that it closes.
    pub heartbeat: EpochMillis,
    /// The name that it gave itself; empty for none.
    pub name: String,
    /// Version of its library; empty if it did not say.
    pub version: String,
}

impl ClientView {
    pub(super) fn new(
        client_id: ClientId,
        counter_id: CounterId,
        heartbeat: EpochMillis,
        label: &str,
    ) -> Self {
        // `client-heartbeat: id=1 name=me version=1.53.0 commit=abc`; a name may hold blanks.
        let after = |text: &str, key: &str| {
            let (_, rest) = text.split_once(key)?;
            Some(rest.to_owned())
        };
        let name = after(label, " name=").unwrap_or_default();
        let name = name
            .split(" version=")
            .next()
            .unwrap_or_default()
            .to_owned();
        let version = after(label, " version=").unwrap_or_default();
        let version = version.split(' ').next().unwrap_or_default().to_owned();
        Self {
            client_id,
            counter_id,
            heartbeat,
            name,
            version,
        }
    }

    /// `12`, or `12 'orders'` for one with a name.
    #[must_use]
    pub fn title(&self) -> String {
        if self.name.is_empty() {
            self.client_id.to_string()
        } else {
            format!("{} '{}'", self.client_id, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_version_come_from_the_label() {
        let view = |label| ClientView::new(ClientId(1), CounterId(2), EpochMillis(3), label);
        let whole = view("client-heartbeat: id=1 name=my feed version=1.53.0 commit=abc");
        assert_eq!(
            (whole.name.as_str(), whole.version.as_str()),
            ("my feed", "1.53.0")
        );
        assert_eq!(whole.title(), "1 'my feed'");
        let fresh = view("client-heartbeat: id=1");
        assert_eq!((fresh.name.as_str(), fresh.title().as_str()), ("", "1"));
    }
}
