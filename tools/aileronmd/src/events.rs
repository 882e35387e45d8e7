//! The driver's events on standard error.
//!
//! The agents write into the file of events as always; this program reads that file between two
//! looks at whether it is time to stop. So printing never holds up an agent.

use std::io::Write;
use std::path::Path;

use aileron::concurrent::{EventReader, EventSet};
use aileron::runtime::{EventsError, event_to_json, event_to_text, open_events};

/// Events printed at a time, so that a flood does not keep a signal waiting.
const BATCH: usize = 4096;

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
}

/// The argument of `--events`.
#[derive(Clone, Debug)]
pub(crate) struct EventOutput {
    format: Format,
    /// As `aeron.event.log` takes it.
    pub(crate) list: String,
}

impl EventOutput {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (format, list) = text.split_once(':').unwrap_or((text, "all"));
        let format = match format {
            "text" => Format::Text,
            "json" => Format::Json,
            other => return Err(format!("'{other}' is no format: text or json")),
        };
        EventSet::parse(list)?;
        Ok(Self {
            format,
            list: list.to_owned(),
        })
    }
}

/// Prints what happens as it happens.
#[derive(Debug)]
pub(crate) struct EventPrinter {
    reader: EventReader,
    format: Format,
    lost: u64,
}

impl EventPrinter {
    pub(crate) fn open(directory: &Path, output: &EventOutput) -> Result<Self, EventsError> {
        Ok(Self {
            reader: open_events(directory)?,
            format: output.format,
            lost: 0,
        })
    }

    /// Prints what has been written down since the last call.
    pub(crate) fn print(&mut self, output: &mut impl Write) {
        for _ in 0..BATCH {
            let Some(event) = self.reader.next_event() else {
                break;
            };
            let line = match self.format {
                Format::Text => event_to_text(&event),
                Format::Json => event_to_json(&event),
            };
            let _ = writeln!(output, "{line}");
        }
        let lost = self.reader.lost() - self.lost;
        if lost > 0 {
            self.lost = self.reader.lost();
            let _ = match self.format {
                Format::Text => writeln!(output, "({lost} events were written over unread)"),
                Format::Json => writeln!(output, "{{\"lost\":{lost}}}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_is_a_format_with_or_without_a_list() {
        let output = EventOutput::parse("text").expect("a format");
        assert_eq!((output.format, &*output.list), (Format::Text, "all"));
        let output = EventOutput::parse("json:nak,CMD_OUT_ERROR").expect("a format");
        assert_eq!(
            (output.format, &*output.list),
            (Format::Json, "nak,CMD_OUT_ERROR")
        );
        assert!(EventOutput::parse("xml").is_err());
        assert!(EventOutput::parse("json:nonsense").is_err());
    }
}
