//! `aileron events`: what the driver wrote into its event log, and what it writes from now on.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aileron::concurrent::{EventReader, EventRecord, EventSet};
use aileron::runtime::{event_to_json, event_to_text, last_events_path, open_events};

use super::{pause, print, stop_flag};
use crate::cli::{CommandResult, Common, Outcome};

/// Between looks for new events.
const FOLLOW_PERIOD: Duration = Duration::from_millis(50);

/// Options of `events`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Go on until interrupted
    #[arg(short, long)]
    follow: bool,

    /// Only what happens from now on; implies --follow
    #[arg(short, long)]
    new: bool,

    /// Only these: kinds, such as NAK_SENT, and families: command, reply, life, state, nak,
    /// flow-control, resolver, error
    #[arg(short, long, value_name = "LIST", default_value = "all", value_parser = EventSet::parse)]
    only: EventSet,

    /// Only of this agent: conductor, sender, receiver or resources
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,

    /// Only of this stream
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    stream: Option<i32>,

    /// Only of this session
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    session: Option<i32>,

    /// Only of this client
    #[arg(long, value_name = "ID")]
    client: Option<i64>,

    /// Only those whose text contains this, such as part of a channel
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Only the last so many of those
    #[arg(long, value_name = "COUNT")]
    last: Option<usize>,

    /// The events of the driver that died last in this directory
    #[arg(long, conflicts_with_all = ["follow", "new", "file"])]
    died: bool,

    /// Read this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["follow", "new"])]
    file: Option<PathBuf>,
}

impl Arguments {
    fn wants(&self, event: &EventRecord) -> bool {
        let has = |name: &str, value: Option<i64>| {
            value.is_none_or(|wanted| event.value(name) == Some(wanted))
        };
        // Kinds of a newer driver are shown unless others are asked for.
        let is_of_kind = event.kind().map_or(self.only == EventSet::all(), |kind| {
            self.only.contains(kind)
        });
        is_of_kind
            && self
                .agent
                .as_deref()
                .is_none_or(|agent| agent == event.agent())
            && has("stream-id", self.stream.map(i64::from))
            && has("session-id", self.session.map(i64::from))
            && has("client-id", self.client)
            && self
                .text
                .as_deref()
                .is_none_or(|text| event.text().contains(text))
    }
}

/// Prints the events there are, and those to come.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.directory();
    let path = match &arguments.file {
        Some(file) => file.clone(),
        None if arguments.died => last_events_path(&directory),
        None => directory,
    };
    let mut reader = open_events(&path)?;
    let line = |event: &EventRecord| {
        let line = if common.json {
            event_to_json(event)
        } else {
            event_to_text(event)
        };
        line + "\n"
    };
    let is_endless = arguments.follow || arguments.new;
    // Before anything is printed: whoever sees the first line may interrupt.
    let stop = is_endless.then(stop_flag).transpose()?;
    if arguments.new {
        reader.skip_to_end();
    } else {
        let mut lines = take(&mut reader, arguments, &line);
        if let Some(last) = arguments.last {
            lines.drain(..lines.len().saturating_sub(last));
        }
        print(&lines.concat())?;
    }
    let Some(stop) = stop else {
        return Ok(Outcome::Fine);
    };
    let mut lost = reader.lost();
    while !stop.load(Ordering::Relaxed) {
        let lines = take(&mut reader, arguments, &line);
        if reader.lost() > lost {
            let missed = reader.lost() - lost;
            super::complain(&format!(
                "{missed} events were written over before they were read"
            ));
            lost = reader.lost();
        }
        if lines.is_empty() {
            pause(FOLLOW_PERIOD, &stop);
        } else {
            print(&lines.concat())?;
        }
    }
    Ok(Outcome::Fine)
}

/// The lines of the events that are there and wanted.
fn take(
    reader: &mut EventReader,
    arguments: &Arguments,
    line: &dyn Fn(&EventRecord) -> String,
) -> Vec<String> {
    /// Events read at a time: a busy driver may write as fast as one reads.
    const BATCH: usize = 1 << 17;
    let events = std::iter::from_fn(|| reader.next_event()).take(BATCH);
    let wanted = events.filter(|event| arguments.wants(event));
    wanted.map(|event| line(&event)).collect()
}
