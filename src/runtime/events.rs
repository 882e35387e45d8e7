//! Reading a driver's file of events, and events as lines of text or JSON.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::directory::{EVENTS_FILE_NAME, format_utc};
use crate::base::EpochMillis;
use crate::concurrent::{EventReader, EventRecord, InvalidEventFile};
use crate::memory::map_file_read_only;

/// Why a file of events could not be read.
///
/// ```
/// use std::path::Path;
/// let error = aileron::runtime::open_events(Path::new("/nowhere")).unwrap_err();
/// assert!(error.to_string().contains("/nowhere/events.dat"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum EventsError {
    /// Opening or mapping failed.
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is no file of events.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: InvalidEventFile,
    },
}

impl fmt::Display for EventsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } if source.kind() == io::ErrorKind::NotFound => write!(
                f,
                "there is no {}: the driver writes events if it is started with \
                 aeron.event.log=all",
                path.display()
            ),
            Self::Io { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::Content { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for EventsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Content { source, .. } => Some(source),
        }
    }
}

/// Opens the events of the driver in an aeron directory, or those in a file that was kept.
///
/// ```
/// use aileron::concurrent::{EventKind, EventSet};
/// use aileron::{Context, DriverConfig, MediaDriver, StreamId, runtime};
/// let config = DriverConfig::builder().event_log(EventSet::all()).build().unwrap();
/// let driver = MediaDriver::launch_embedded(config)?;
/// let client = Context::new().dir(driver.directory()).connect()?;
/// client.add_publication("aeron:ipc", StreamId(7))?;
/// let mut events = runtime::open_events(driver.directory())?;
/// let mut names = std::iter::from_fn(|| events.next_event().map(|event| event.name()));
/// assert!(names.any(|name| name == "CMD_IN_ADD_PUBLICATION"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// There is no such file, it cannot be mapped, or it is no file of events.
pub fn open_events(directory_or_file: &Path) -> Result<EventReader, EventsError> {
    let path = if directory_or_file.is_file() {
        directory_or_file.to_owned()
    } else {
        directory_or_file.join(EVENTS_FILE_NAME)
    };
    let failed = |source| EventsError::Io {
        path: path.clone(),
        source,
    };
    let file = File::open(&path).map_err(failed)?;
    let length = usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(usize::MAX);
    if length == 0 {
        let source = InvalidEventFile::Magic(0);
        return Err(EventsError::Content { path, source });
    }
    let buffer = map_file_read_only(&file, length).map_err(failed)?;
    EventReader::attach(buffer).map_err(|source| EventsError::Content {
        path: path.clone(),
        source,
    })
}

/// The time of an event, in UTC to the microsecond.
#[must_use]
pub fn format_event_time(event: &EventRecord) -> String {
    let ns = event.epoch_ns();
    let text = format_utc(EpochMillis(ns.div_euclid(1_000_000)));
    let micros = ns.rem_euclid(1_000_000) / 1_000;
    let (upto_millis, _) = text.split_once('+').unwrap_or((&text, ""));
    format!("{}{micros:03}Z", upto_millis.replace(' ', "T"))
}

/// An event as a line of text: time, agent, name, values.
///
/// ```
/// use aileron::base::{EpochMillis, Nanos};
/// use aileron::concurrent::{EventFile, EventKind, EventReader, EventSet};
/// use aileron::memory::AtomicBuffer;
/// use aileron::runtime::{event_to_json, event_to_text};
/// let buffer = AtomicBuffer::heap(EventFile::length(1, 2));
/// let file = EventFile::create(buffer.clone(), &["sender"], (Nanos(0), EpochMillis(0)), 7)?;
/// file.writer(0, EventSet::all()).emit(Nanos(1_500), EventKind::CmdOutError, &[3, 2], "a \"b\"");
/// let event = EventReader::attach(buffer)?.next_event().unwrap();
/// assert_eq!(
///     event_to_text(&event),
///     "1970-01-01T00:00:00.000001Z sender CMD_OUT_ERROR correlation-id=3 error-code=2 \
///      error=a \"b\""
/// );
/// assert_eq!(
///     event_to_json(&event),
///     "{\"time\":\"1970-01-01T00:00:00.000001Z\",\"epoch_ns\":1500,\"agent\":\"sender\",\
///      \"number\":0,\"event\":\"CMD_OUT_ERROR\",\"code\":34,\"family\":\"reply\",\
///      \"correlation_id\":3,\"error_code\":2,\"error\":\"a \\\"b\\\"\"}"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn event_to_text(event: &EventRecord) -> String {
    format!("{} {event}", format_event_time(event))
}

/// An event as one JSON object on a line; names of values have underscores. See [`event_to_text`].
#[must_use]
pub fn event_to_json(event: &EventRecord) -> String {
    let mut json = String::from("{");
    let text = |json: &mut String, name: &str, value: &str| {
        push_json_string(json, &name.replace('-', "_"));
        json.push(':');
        push_json_string(json, value);
        json.push(',');
    };
    let number = |json: &mut String, name: &str, value: i64| {
        push_json_string(json, &name.replace('-', "_"));
        let _ = write!(json, ":{value},");
    };
    text(&mut json, "time", &format_event_time(event));
    number(&mut json, "epoch_ns", event.epoch_ns());
    text(&mut json, "agent", event.agent());
    number(&mut json, "number", event.number());
    text(&mut json, "event", &event.name());
    number(&mut json, "code", i64::from(event.code()));
    if let Some(kind) = event.kind() {
        text(&mut json, "family", kind.family().name());
    }
    for (name, value) in event.values() {
        number(&mut json, name, value);
    }
    if let Some(name) = event.text_name() {
        text(&mut json, name, event.text());
    }
    if event.is_cut() {
        json.push_str("\"is_cut\":true,");
    }
    json.pop();
    json.push('}');
    json
}

fn push_json_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}
