//! Options of a client by their names: properties and environment variables of Aeron's clients
//! (`client.md` §1).

use std::time::Duration;

use super::{ClientConfig, ConnectError};
use crate::uri::parse_duration;

/// Reads a text into the configuration; the error says what was expected.
type Apply = fn(ClientConfig, &str) -> Result<ClientConfig, String>;

/// What there is to know about an option of a client.
///
/// ```
/// use aileron::client::ClientConfig;
/// let mut options = ClientConfig::options();
/// let name = options.find(|option| option.property == "aeron.client.name").unwrap();
/// assert_eq!(name.environment, "AERON_CLIENT_NAME");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOptionDoc {
    /// Property name; empty if the option has none.
    pub property: &'static str,
    /// Environment variable; empty if there is none.
    pub environment: &'static str,
    /// Setter; empty if there is none.
    pub setter: &'static str,
    /// Default as text; empty if unset.
    pub default: &'static str,
    /// Unit or kind of value.
    pub unit: &'static str,
    /// Allowed values; empty if any.
    pub range: &'static str,
    /// Meaning.
    pub meaning: &'static str,
    /// Why no value but the default is accepted; empty if others are.
    pub restriction: &'static str,
}

struct Row {
    doc: ClientOptionDoc,
    /// Absent where whoever connects the client applies the option.
    apply: Option<Apply>,
}

const fn doc(
    property: &'static str,
    environment: &'static str,
    setter: &'static str,
) -> ClientOptionDoc {
    ClientOptionDoc {
        property,
        environment,
        setter,
        default: "",
        unit: "",
        range: "",
        meaning: "",
        restriction: "",
    }
}

/// All options with a name.
static ROWS: &[Row] = &[
    Row {
        doc: ClientOptionDoc {
            default: "/dev/shm/aeron-default",
            unit: "path",
            meaning: "Directory of the driver to connect to; the user's name takes the place of \
                      `default`.",
            ..doc("aeron.dir", "AERON_DIR", "Context::dir")
        },
        apply: None,
    },
    Row {
        doc: ClientOptionDoc {
            default: "10000",
            unit: "ms",
            range: "1 to 2^63 - 1",
            meaning: "How long an answer of the driver may take, and age of its heartbeat at which \
                      it is dead.",
            ..doc(
                "aeron.driver.timeout",
                "AERON_DRIVER_TIMEOUT",
                "driver_timeout",
            )
        },
        apply: Some(|config, text| {
            let is_decimal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let ms = text.parse().ok().filter(|ms| is_decimal && *ms > 0);
            let ms = ms.ok_or("not a number of milliseconds")?;
            Ok(config.driver_timeout(Duration::from_millis(ms)))
        }),
    },
    Row {
        doc: ClientOptionDoc {
            unit: "text",
            range: "up to 100 bytes",
            meaning: "Name in the label of the client's heartbeat counter.",
            ..doc("aeron.client.name", "AERON_CLIENT_NAME", "client_name")
        },
        apply: Some(|config, text| Ok(config.client_name(text))),
    },
    Row {
        doc: ClientOptionDoc {
            default: "16ms",
            unit: "duration",
            range: "0 to 1s",
            meaning: "How long an idle conductor sleeps.",
            ..doc(
                "aeron.client.idle.sleep.duration",
                "AERON_CLIENT_IDLE_SLEEP_DURATION",
                "idle_sleep",
            )
        },
        apply: Some(|config, text| Ok(config.idle_sleep(duration(text)?))),
    },
    Row {
        doc: ClientOptionDoc {
            default: "3s",
            unit: "duration",
            meaning: "How long the log of an image stays mapped after the image went away.",
            ..doc(
                "aeron.client.resource.linger.duration",
                "AERON_CLIENT_RESOURCE_LINGER_DURATION",
                "resource_linger",
            )
        },
        apply: Some(|config, text| Ok(config.resource_linger(duration(text)?))),
    },
    Row {
        doc: ClientOptionDoc {
            default: "0",
            unit: "duration",
            meaning: "Wait before files are unmapped when a client closes.",
            restriction: "a file stays mapped as long as a handle on it exists",
            ..doc("aeron.client.close.linger.duration", "", "")
        },
        apply: Some(|config, text| {
            if duration(text)?.is_zero() {
                return Ok(config);
            }
            Err("not supported: a file stays mapped as long as a handle on it exists".to_owned())
        }),
    },
    Row {
        doc: ClientOptionDoc {
            default: "false",
            unit: "bool",
            range: "true, false, 1, 0, on, off",
            meaning: "Touches each page of a log when it is mapped.",
            ..doc(
                "aeron.pre.touch.mapped.memory",
                "AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY",
                "pre_touch",
            )
        },
        apply: Some(|config, text| Ok(config.pre_touch(flag(text)?))),
    },
    Row {
        doc: ClientOptionDoc {
            default: "false",
            unit: "bool",
            range: "true, false, 1, 0, on, off",
            meaning: "Asks for huge pages under logs. Aeron has no such option.",
            ..doc(
                "aileron.log.huge.pages",
                "AILERON_LOG_HUGE_PAGES",
                "huge_pages",
            )
        },
        apply: Some(|config, text| Ok(config.huge_pages(flag(text)?))),
    },
    Row {
        doc: ClientOptionDoc {
            default: "500ms",
            unit: "duration",
            range: "shorter than the driver's `aeron.client.liveness.timeout`",
            meaning: "How often the driver is told that the client lives.",
            ..doc("", "", "keepalive_interval")
        },
        apply: None,
    },
    Row {
        doc: ClientOptionDoc {
            default: "a thread",
            meaning: "Whether the application drives the client's conductor itself.",
            ..doc("", "", "Context::connect_invoked")
        },
        apply: None,
    },
];

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "on" => Ok(true),
        "false" | "0" | "off" => Ok(false),
        _ => Err("not one of true, false, 1, 0, on, off".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let ns = parse_duration(text).and_then(|ns| u64::try_from(ns).ok());
    let ns = ns.ok_or("not a duration (digits with optional ns, us, ms or s)")?;
    Ok(Duration::from_nanos(ns))
}

impl ClientConfig {
    /// All options that have a name or a setter of their own, for documentation.
    pub fn options() -> impl Iterator<Item = ClientOptionDoc> {
        ROWS.iter().map(|row| row.doc)
    }

    /// Sets the option with this property name. The directory is not one: whoever connects takes
    /// it.
    ///
    /// ```
    /// use aileron::client::ClientConfig;
    /// let config = ClientConfig::default().property("aeron.client.name", "pricing")?;
    /// assert_eq!(config.name(), "pricing");
    /// # Ok::<(), aileron::client::ConnectError>(())
    /// ```
    ///
    /// # Errors
    /// There is no such option, or the text is no value of it.
    pub fn property(self, name: &str, text: &str) -> Result<Self, ConnectError> {
        let row = ROWS.iter().find(|row| row.doc.property == name);
        let found = row.and_then(|row| Some((row.doc.property, row.apply?)));
        let (option, apply) = found.ok_or_else(|| ConnectError::InvalidOption {
            option: "property",
            reason: format!("a client has no '{name}'"),
        })?;
        apply(self, text).map_err(|reason| ConnectError::InvalidOption {
            option,
            reason: format!("'{text}' is {reason}"),
        })
    }

    /// Takes the variables of an environment that are options of clients; those of drivers and all
    /// others mean nothing to it. An empty variable counts as unset.
    ///
    /// ```
    /// use aileron::client::ClientConfig;
    /// let variables = [("AERON_CLIENT_NAME".to_owned(), "pricing".to_owned())];
    /// assert_eq!(ClientConfig::default().environment(variables)?.name(), "pricing");
    /// # Ok::<(), aileron::client::ConnectError>(())
    /// ```
    ///
    /// # Errors
    /// A text is no value of its option.
    pub fn environment(
        self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConnectError> {
        let mut config = self;
        for (name, text) in variables {
            let text = text.trim();
            let is_named = |row: &&Row| !name.is_empty() && row.doc.environment == name;
            let row = ROWS.iter().find(is_named);
            if let Some(row) = row.filter(|row| row.apply.is_some() && !text.is_empty()) {
                config = config.property(row.doc.property, text)?;
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_what_a_fresh_configuration_has() {
        let fresh = ClientConfig::default();
        for row in ROWS {
            let (Some(_), false) = (row.apply, row.doc.default.is_empty()) else {
                continue;
            };
            let changed = ClientConfig::default()
                .driver_timeout(Duration::from_secs(1))
                .idle_sleep(Duration::ZERO)
                .resource_linger(Duration::ZERO)
                .pre_touch(true)
                .huge_pages(true);
            let read = changed
                .property(row.doc.property, row.doc.default)
                .expect("a default is a value");
            let same = match row.doc.setter {
                "driver_timeout" => read.driver_timeout == fresh.driver_timeout,
                "idle_sleep" => read.idle_sleep == fresh.idle_sleep,
                "resource_linger" => read.resource_linger == fresh.resource_linger,
                "pre_touch" => read.pre_touch == fresh.pre_touch,
                "huge_pages" => read.huge_pages == fresh.huge_pages,
                _ => row.doc.setter.is_empty(),
            };
            assert!(same, "{}", row.doc.property);
        }
    }

    #[test]
    fn variables_of_clients_are_taken_and_others_left() {
        let variables = [
            ("AERON_DRIVER_TIMEOUT", "250"),
            ("AERON_CLIENT_IDLE_SLEEP_DURATION", "2ms"),
            ("AERON_CLIENT_RESOURCE_LINGER_DURATION", " 1s "),
            ("AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY", "true"),
            ("AILERON_LOG_HUGE_PAGES", "on"),
            ("AERON_CLIENT_NAME", ""),
            ("AERON_MTU_LENGTH", "nonsense"),
            ("AERON_DIR", "/elsewhere"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = ClientConfig::default()
            .environment(variables)
            .expect("good");
        assert_eq!(config.driver_timeout, Duration::from_millis(250));
        assert_eq!(config.idle_sleep, Duration::from_millis(2));
        assert_eq!(config.resource_linger, Duration::from_secs(1));
        assert!(config.pre_touch);
        assert!(config.huge_pages);
        assert_eq!(config.name(), "");
    }

    #[test]
    fn bad_texts_are_refused_by_name_and_value() {
        for (property, bad) in [
            ("aeron.driver.timeout", "10s"),
            ("aeron.driver.timeout", "0"),
            ("aeron.driver.timeout", "-1"),
            ("aeron.client.idle.sleep.duration", "1h"),
            ("aeron.client.resource.linger.duration", "-1"),
            ("aeron.client.close.linger.duration", "1s"),
            ("aeron.pre.touch.mapped.memory", "TRUE"),
        ] {
            let error = ClientConfig::default()
                .property(property, bad)
                .expect_err(bad);
            let text = error.to_string();
            assert!(text.contains(property) && text.contains(bad), "{text}");
        }
        for unknown in ["aeron.mtu.length", "aeron.dir", ""] {
            assert!(ClientConfig::default().property(unknown, "1").is_err());
        }
    }
}
