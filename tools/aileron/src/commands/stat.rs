//! `aileron stat`: the counters of a driver, once or again and again.

use std::fmt::Write as _;

use aileron::cnc::counter_types::StreamKey;
use aileron::concurrent::CounterRecord;
use aileron::runtime::format_utc;
use regex::Regex;

use super::{Interval, print, print_json, watch};
use crate::cli::{CommandResult, Common, Outcome};
use crate::snapshot::Snapshot;
use crate::text::thousands;

/// Types of the counters that belong to one stream (`cnc.md` §12.1).
const STREAM_TYPES: [i32; 8] = [1, 2, 3, 4, 5, 9, 10, 12];

/// Options of `stat`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Show the counters once instead of refreshing
    #[arg(long)]
    once: bool,

    /// Whether to go on refreshing; `false` is the same as --once
    #[arg(short, long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    watch: bool,

    #[command(flatten)]
    interval: Interval,

    /// Only counters of this type id
    #[arg(long = "type", value_name = "ID")]
    type_id: Option<i32>,

    /// Only stream counters of this registration id, and the system counter of this id
    #[arg(long, value_name = "ID")]
    identity: Option<i64>,

    /// Only stream counters of this session
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    session: Option<i32>,

    /// Only stream counters of this stream
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    stream: Option<i32>,

    /// Only stream counters whose channel matches this regular expression
    #[arg(long, value_name = "REGEX")]
    channel: Option<Regex>,
}

/// Shows what the arguments ask for.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    if common.json {
        print_json(&json(&Snapshot::take(&directory), arguments))?;
    } else if arguments.once || !arguments.watch {
        print(&page(&Snapshot::take(&directory), arguments))?;
    } else {
        watch(arguments.interval.get(), || {
            Ok(page(&Snapshot::take(&directory), arguments))
        })?;
    }
    Ok(Outcome::Fine)
}

/// The screen as text.
fn page(snapshot: &Snapshot, arguments: &Arguments) -> String {
    let mut text = String::new();
    let driver = &snapshot.driver;
    let age = snapshot.time.since(driver.heartbeat);
    let _ = writeln!(
        text,
        "{} - Aeron Stat (CnC v{}), pid {}, heartbeat age {age}ms",
        format_utc(snapshot.time),
        driver.cnc_version,
        driver.pid,
    );
    let _ = writeln!(text, "{}", "=".repeat(70));
    let records: Vec<_> = select(snapshot, arguments).collect();
    let widths = records.iter().map(|record| record.id.to_string().len());
    let width = widths.max().unwrap_or(1);
    for record in records {
        let value = thousands(record.value);
        let _ = writeln!(
            text,
            "{:>width$}: {value:>26} - {}",
            record.id.get(),
            record.label
        );
    }
    text
}

fn json(snapshot: &Snapshot, arguments: &Arguments) -> serde_json::Value {
    let counters: Vec<_> = select(snapshot, arguments).map(counter_json).collect();
    serde_json::json!({
        "time_ms": snapshot.time.get(),
        "cnc_version": snapshot.driver.cnc_version,
        "pid": snapshot.driver.pid,
        "heartbeat_ms": snapshot.driver.heartbeat.get(),
        "counters": counters,
    })
}

/// One counter, without its key.
pub(super) fn counter_json(record: &CounterRecord) -> serde_json::Value {
    serde_json::json!({
        "id": record.id.get(),
        "value": record.value,
        "type": record.type_id,
        "registration_id": record.registration_id.get(),
        "owner_id": record.owner_id,
        "reference_id": record.reference_id,
        "label": record.label,
    })
}

fn select<'a>(
    snapshot: &'a Snapshot,
    arguments: &'a Arguments,
) -> impl Iterator<Item = &'a CounterRecord> {
    let all = snapshot.counters.iter();
    all.filter(|record| is_wanted(record, arguments))
}

/// The filters of the classic tool: those of streams leave other counters alone.
fn is_wanted(record: &CounterRecord, arguments: &Arguments) -> bool {
    fn is<T: PartialEq>(wanted: Option<T>, actual: T) -> bool {
        wanted.is_none_or(|wanted| wanted == actual)
    }
    if !is(arguments.type_id, record.type_id) {
        return false;
    }
    let channel = arguments.channel.as_ref();
    let matches_channel = |text: &str| channel.is_none_or(|regex| regex.is_match(text));
    match record.type_id {
        0 => {
            let id = record.key.first_chunk::<4>();
            let id = id.map_or(-1, |key| i32::from_le_bytes(*key));
            is(arguments.identity, i64::from(id))
        }
        type_id if STREAM_TYPES.contains(&type_id) => {
            let Some(key) = StreamKey::decode(&record.key) else {
                return true;
            };
            is(arguments.identity, key.registration_id.get())
                && is(arguments.session, key.session_id.get())
                && is(arguments.stream, key.stream_id.get())
                && matches_channel(&key.channel)
        }
        6 | 7 => matches_channel(&record.label),
        _ => true,
    }
}
