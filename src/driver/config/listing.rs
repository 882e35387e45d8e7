//! The table read out: effective values with their sources, and the reference of all options.

use std::fmt;
use std::fmt::Write as _;

use super::DriverConfig;
use super::refused::{NOT_YET, REFUSED};
use super::sources::Source;
use super::table::ROWS;

/// An option's effective value.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let config = DriverConfig::builder().define("aeron.mtu.length=8k").build().unwrap();
/// let mtu = config.settings().find(|setting| setting.name == "aeron.mtu.length").unwrap();
/// assert_eq!(mtu.to_string(), "aeron.mtu.length=8k (-D)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Property name.
    pub name: &'static str,
    /// The value in the form in which it can be set; empty if unset.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} ({})", self.name, self.value, self.source)
    }
}

/// What there is to know about an option.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let mut options = DriverConfig::options();
/// let mtu = options.find(|option| option.property == "aeron.mtu.length").unwrap();
/// assert_eq!((mtu.environment, mtu.default.as_str()), ("AERON_MTU_LENGTH", "1408"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionDoc {
    /// Heading that it stands under.
    pub section: &'static str,
    /// Property name.
    pub property: &'static str,
    /// Environment variable; empty if there is none.
    pub environment: &'static str,
    /// Unit or kind of value.
    pub unit: &'static str,
    /// Default as text; empty if unset.
    pub default: String,
    /// Allowed values; empty if any.
    pub range: String,
    /// Meaning.
    pub meaning: &'static str,
    /// Why no value but the default is accepted; empty if others are.
    pub restriction: &'static str,
}

impl DriverConfig {
    /// Effective values in the order of the table.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        ROWS.iter().enumerate().map(|(index, row)| Setting {
            name: row.info.property,
            value: (row.show)(self),
            source: self.sources.get(index).cloned().unwrap_or_default(),
        })
    }

    /// What is odd about the configuration without being wrong: unknown names, arguments that
    /// nothing takes, socket buffers that the system cuts short.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All options in the order of the table.
    pub fn options() -> impl Iterator<Item = OptionDoc> {
        let defaults = Self::default();
        ROWS.iter().map(move |row| {
            let restriction = NOT_YET.iter().find(|(field, _)| *field == row.info.field);
            OptionDoc {
                section: row.info.section,
                property: row.info.property,
                environment: row.info.env,
                unit: (row.unit)(),
                default: (row.show)(&defaults),
                range: (row.range)(),
                meaning: row.info.doc.trim(),
                restriction: restriction.map_or("", |(_, reason)| reason),
            }
        })
    }

    /// The reference of all options as Markdown.
    #[must_use]
    pub fn reference() -> String {
        let mut text = String::new();
        let mut section = "";
        for option in Self::options() {
            if option.section != section {
                section = option.section;
                let _ = writeln!(
                    text,
                    "\n## {section}\n\n\
                     | Property, environment | Default | Unit | Allowed | Meaning |\n\
                     |---|---|---|---|---|"
                );
            }
            let environment = match option.environment {
                "" => String::new(),
                name => format!("<br>`{name}`"),
            };
            let default = match option.default.as_str() {
                "" => "unset".to_owned(),
                value => format!("`{}`", escaped(value)),
            };
            let restriction = match option.restriction {
                "" => String::new(),
                reason => format!(" **Only the default is accepted:** {reason}."),
            };
            let _ = writeln!(
                text,
                "| `{}`{environment} | {default} | {} | {} | {}{restriction} |",
                option.property,
                option.unit,
                escaped(&option.range),
                escaped(option.meaning),
            );
        }
        text.push_str("\n## Refused\n\n| Property | Why |\n|---|---|\n");
        for refused in REFUSED {
            let _ = writeln!(text, "| `{}` | {} |", refused.property, refused.reason);
        }
        text
    }
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
