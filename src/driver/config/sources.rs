//! Where settings come from, and how their texts are taken apart.
//!
//! From the weakest to the strongest: default, preset, environment, `-D`, property files from left
//! to right, setters. An empty value takes back what weaker texts said.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
///
/// ```
/// use aileron::driver::config::Source;
/// assert_eq!(Source::Default.to_string(), "default");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Source {
    /// Nobody set it.
    #[default]
    Default,
    /// A preset.
    Preset(&'static str),
    /// An environment variable.
    Environment(String),
    /// `-Dname=value`.
    Define,
    /// A line of a property file: its name and the number of the line, from 1.
    File(String, usize),
    /// A setter of the builder.
    Setter,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Define => f.write_str("-D"),
            Self::File(name, line) => write!(f, "{name}:{line}"),
            Self::Setter => f.write_str("setter"),
        }
    }
}

/// `name=value` from a source of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) source: Source,
}

/// Splits `name=value` or `name:value`, blanks trimmed. `None` without a separator or a name.
pub(super) fn parse_property(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(['=', ':'])?;
    let name = name.trim();
    (!name.is_empty()).then_some((name, value.trim()))
}

/// A logical line of a property file, with the number of its first physical line.
struct Line {
    number: usize,
    text: String,
}

/// Joins lines that end in a backslash with the next and drops comments and empty lines. A comment
/// is not continued.
fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut is_continued = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, raw) in text.lines().enumerate() {
        let trimmed = raw.trim_start();
        if !is_continued && (trimmed.trim().is_empty() || trimmed.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = raw.bytes().rev().take_while(|byte| *byte == b'\\').count();
        let continues = backslashes % 2 == 1;
        let part = if continues {
            &trimmed[..trimmed.len() - 1]
        } else {
            trimmed
        };
        match lines.last_mut() {
            Some(line) if is_continued => line.text.push_str(part),
            _ => lines.push(Line {
                number: index + 1,
                text: part.to_owned(),
            }),
        }
        is_continued = continues;
    }
    lines
}

/// Reads a property file. Lines that are no property come back as errors with their number.
pub(super) fn parse_properties(file: &str, text: &str) -> Vec<Result<Entry, (usize, String)>> {
    let parse = |line: Line| match parse_property(&line.text) {
        Some((name, value)) => Ok(Entry {
            name: name.to_owned(),
            value: value.to_owned(),
            source: Source::File(file.to_owned(), line.number),
        }),
        None => Err((line.number, line.text)),
    };
    logical_lines(text).into_iter().map(parse).collect()
}

/// Whether `env` is the environment form of a property name: upper case, `_` for `.`.
pub(super) fn is_environment_form(property: &str, env: &str) -> bool {
    let form = |byte: u8| match byte {
        b'.' => b'_',
        other => other.to_ascii_uppercase(),
    };
    property.len() == env.len() && property.bytes().map(form).eq(env.bytes())
}

/// A bundle of settings for a purpose. Everything else that is said beats it.
///
/// ```
/// use aileron::driver::config::{DriverConfig, Preset};
/// let config = DriverConfig::builder().preset(Preset::Throughput).build().unwrap();
/// assert_eq!(config.mtu_length(), 8192);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// Short round trips: spinning threads, large buffers, small batches.
    LowLatency,
    /// Much data: large frames and buffers.
    Throughput,
    /// Shared memory only: one spinning thread.
    Ipc,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::LowLatency, Self::Throughput, Self::Ipc];

    /// The name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LowLatency => "low-latency",
            Self::Throughput => "throughput",
            Self::Ipc => "ipc",
        }
    }

    /// The preset of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    pub(super) const fn properties(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::LowLatency => &[
                ("aeron.term.buffer.sparse.file", "false"),
                ("aeron.socket.so_rcvbuf", "2m"),
                ("aeron.socket.so_sndbuf", "2m"),
                ("aeron.rcv.initial.window.length", "2m"),
                ("aeron.threading.mode", "DEDICATED"),
                ("aeron.conductor.idle.strategy", "spin"),
                ("aeron.sender.idle.strategy", "noop"),
                ("aeron.receiver.idle.strategy", "noop"),
                ("aeron.network.publication.max.messages.per.send", "2"),
            ],
            Self::Throughput => &[
                ("aeron.term.buffer.sparse.file", "false"),
                ("aeron.mtu.length", "8k"),
                ("aeron.socket.so_rcvbuf", "2m"),
                ("aeron.socket.so_sndbuf", "2m"),
                ("aeron.rcv.initial.window.length", "2m"),
            ],
            Self::Ipc => &[
                ("aeron.term.buffer.sparse.file", "false"),
                ("aeron.ipc.mtu.length", "8k"),
                ("aeron.threading.mode", "SHARED"),
                ("aeron.shared.idle.strategy", "spin"),
            ],
        }
    }
}

/// The directory of driver and clients that are not told one. `variable` looks up an environment
/// variable, `account` is the name of the process's account in the user database, and
/// `has_shared_memory_directory` says whether `/dev/shm` is there.
///
/// ```
/// use aileron::driver::config::default_directory;
/// let user = |name: &str| (name == "USER").then(|| "ada".to_owned());
/// assert_eq!(default_directory(user, None, true).to_str(), Some("/dev/shm/aeron-ada"));
/// assert_eq!(default_directory(|_| None, None, false).to_str(), Some("/tmp/aeron-default"));
/// ```
#[must_use]
pub fn default_directory(
    variable: impl Fn(&str) -> Option<String>,
    account: Option<&str>,
    has_shared_memory_directory: bool,
) -> PathBuf {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let user = set("USER").or_else(|| account.map(str::to_owned));
    let parent = if has_shared_memory_directory {
        "/dev/shm".to_owned()
    } else {
        set("TMPDIR").unwrap_or_else(|| "/tmp".to_owned())
    };
    let user = user.unwrap_or_else(|| "default".to_owned());
    PathBuf::from(parent).join(format!("aeron-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, String, usize)> {
        let parsed = parse_properties("f", text).into_iter();
        parsed
            .map(|entry| match entry.expect("a property") {
                Entry {
                    name,
                    value,
                    source: Source::File(_, line),
                } => (name, value, line),
                entry => panic!("{entry:?}"),
            })
            .collect()
    }

    fn entry(name: &str, value: &str, line: usize) -> (String, String, usize) {
        (name.to_owned(), value.to_owned(), line)
    }

    #[test]
    fn properties_may_be_commented_trimmed_and_continued() {
        let text =
            "\u{feff}# comment \\\n\n  ! other\na.b = 1 \r\nc:d=e\nlist=x,\\\n   y,\\\n z\nlast=";
        let expected = [
            entry("a.b", "1", 4),
            entry("c", "d=e", 5),
            entry("list", "x,y,z", 6),
            entry("last", "", 9),
        ];
        assert_eq!(entries(text), expected);
    }

    #[test]
    fn a_continuation_may_look_like_a_comment_or_end_the_file() {
        assert_eq!(entries("a=1\\\n#2\n"), [entry("a", "1#2", 1)]);
        assert_eq!(entries("a=1\\"), [entry("a", "1", 1)]);
        assert_eq!(
            entries("a=1\\\\\nb=2"),
            [entry("a", "1\\\\", 1), entry("b", "2", 2)]
        );
        assert_eq!(
            entries("a=1\\\n\nb=2"),
            [entry("a", "1", 1), entry("b", "2", 3)]
        );
    }

    #[test]
    fn lines_without_separator_or_name_are_reported_with_their_number() {
        let parsed = parse_properties("f", "a=1\nnonsense\n=2\n");
        assert_eq!(parsed[1], Err((2, "nonsense".to_owned())));
        assert_eq!(parsed[2], Err((3, "=2".to_owned())));
    }

    #[test]
    fn the_default_directory_follows_user_account_and_tmpdir() {
        let none = |_: &str| None;
        assert_eq!(
            default_directory(none, Some("bob"), true),
            PathBuf::from("/dev/shm/aeron-bob")
        );
        assert_eq!(
            default_directory(none, None, true),
            PathBuf::from("/dev/shm/aeron-default")
        );
        let empty_user = |name: &str| (name == "USER").then(String::new);
        assert_eq!(
            default_directory(empty_user, Some("bob"), true),
            PathBuf::from("/dev/shm/aeron-bob")
        );
        let tmp = |name: &str| (name == "TMPDIR").then(|| "/var/tmp/".to_owned());
        assert_eq!(
            default_directory(tmp, None, false),
            PathBuf::from("/var/tmp/aeron-default")
        );
    }
}
