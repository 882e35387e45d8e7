//! The reference of all settings, as Markdown: what `docs/configuration.md` holds.

use std::fmt::Write as _;

use crate::client::ClientConfig;
use crate::driver::config::DriverConfig;

/// How settings are set.
const INTRODUCTION: &str = include_str!("reference/introduction.md");
/// What settings mean to each other.
const RULES: &str = include_str!("reference/rules.md");

/// The reference of all settings of driver and client as Markdown.
///
/// ```
/// let text = aileron::runtime::configuration_reference();
/// assert!(text.contains("`aeron.mtu.length`"));
/// ```
#[must_use]
pub fn configuration_reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    write_driver(&mut text);
    write_refused(&mut text);
    write_client(&mut text);
    text.push_str(RULES);
    text
}

fn write_driver(text: &mut String) {
    let mut section = "";
    for option in DriverConfig::options() {
        if option.section != section {
            section = option.section;
            let _ = writeln!(
                text,
                "\n## {section}\n\n\
                 | Property, environment | URI | Default | Unit | Allowed | Meaning |\n\
                 |---|---|---|---|---|---|"
            );
        }
        let default = match option.default.as_str() {
            "" => "unset".to_owned(),
            value => code(value),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {default} | {} | {} | {} |",
            names(option.property, option.environment),
            code(option.uri_parameter),
            option.unit,
            escaped(&option.range),
            escaped(option.meaning),
        );
    }
}

fn write_refused(text: &mut String) {
    text.push_str(
        "\n## Refused\n\n\
         What other drivers have and this one does not. A value that changes nothing is accepted; \
         any other stops the start, so that nothing is ignored in silence.\n\n\
         | Property, environment | Accepted | Meaning | Why it is refused |\n|---|---|---|---|\n",
    );
    for option in DriverConfig::refused_options() {
        let accepted: Vec<_> = option.accepted.iter().map(|value| code(value)).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            names(option.property, option.environment),
            accepted.join(", "),
            option.meaning,
            escaped(option.reason),
        );
    }
}

fn write_client(text: &mut String) {
    text.push_str(
        "\n## Client\n\n\
         | Property, environment | Setter | Default | Unit | Allowed | Meaning |\n\
         |---|---|---|---|---|---|\n",
    );
    for option in ClientConfig::options() {
        let restriction = match option.restriction {
            "" => String::new(),
            reason => format!(" Only the default is accepted: {reason}."),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {}{restriction} |",
            names(option.property, option.environment),
            code(option.setter),
            code(option.default),
            option.unit,
            option.range,
            option.meaning,
        );
    }
}

/// A property and, below it, its variable.
fn names(property: &str, environment: &str) -> String {
    match environment {
        "" => code(property),
        name => format!("{}<br>{}", code(property), code(name)),
    }
}

fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{}`", escaped(text))
    }
}

/// A bar would end the cell.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
