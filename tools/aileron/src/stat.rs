//! `aileron stat`: the counters of a driver, once or again and again.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aileron::cnc::Cnc;
use aileron::cnc::counter_types::StreamKey;
use aileron::concurrent::CounterRecord;
use aileron::runtime::{MapCncError, SystemClock, format_utc, map_cnc};
use regex::Regex;

/// Between looks at whether the person wants to stop, and at a file that is not ready.
const POLL_PERIOD: Duration = Duration::from_millis(20);
/// Types of the counters that belong to one stream (`cnc.md` §12.1).
const STREAM_TYPES: [i32; 8] = [1, 2, 3, 4, 5, 9, 10, 12];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Show the counters once instead of refreshing
    #[arg(long)]
    once: bool,

    /// Print one JSON object and exit
    #[arg(long)]
    json: bool,

    /// Milliseconds between refreshes
    #[arg(short = 'u', long, default_value = "1000")]
    interval: NonZeroU64,

    /// Milliseconds to wait for a driver to be ready
    #[arg(short, long, default_value_t = 1000)]
    timeout: u64,

    /// Only counters of this type id
    #[arg(long = "type")]
    type_id: Option<i32>,

    /// Only stream counters of this registration id, and the system counter of this id
    #[arg(long)]
    identity: Option<i64>,

    /// Only stream counters of this session
    #[arg(long)]
    session: Option<i32>,

    /// Only stream counters of this stream
    #[arg(long)]
    stream: Option<i32>,

    /// Only stream counters whose channel matches this regular expression
    #[arg(long)]
    channel: Option<Regex>,
}

/// Shows what the arguments ask for.
pub(crate) fn run(directory: &Path, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let cnc = wait_for(directory, Duration::from_millis(arguments.timeout))?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    if arguments.json {
        return print(&format!("{}\n", json(&cnc, arguments)));
    }
    if arguments.once {
        return print(&page(&cnc, arguments));
    }
    while !stop.load(Ordering::Relaxed) {
        print(&format!("\x1b[2J\x1b[H{}", page(&cnc, arguments)))?;
        let next = Instant::now() + Duration::from_millis(arguments.interval.get());
        while Instant::now() < next && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(POLL_PERIOD.min(Duration::from_millis(arguments.interval.get())));
        }
    }
    Ok(())
}

fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader of a pipe went away: that is how `| head` ends.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Maps the CnC file, waiting for a driver that is just starting.
fn wait_for(directory: &Path, timeout: Duration) -> Result<Cnc, MapCncError> {
    let deadline = Instant::now() + timeout;
    loop {
        match map_cnc(directory, true) {
            Err(MapCncError::Content { source, .. })
                if source.is_retryable() && Instant::now() < deadline =>
            {
                std::thread::sleep(POLL_PERIOD);
            }
            outcome => return outcome,
        }
    }
}

/// The screen as text.
fn page(cnc: &Cnc, arguments: &Arguments) -> String {
    let mut text = String::new();
    let age = SystemClock::epoch().since(cnc.to_driver().consumer_heartbeat());
    let _ = writeln!(
        text,
        "{} - Aeron Stat (CnC v{}), pid {}, heartbeat age {age}ms",
        format_utc(SystemClock::epoch()),
        cnc.version(),
        cnc.pid(),
    );
    let _ = writeln!(text, "{}", "=".repeat(70));
    let records = select(cnc, arguments);
    let width = records
        .iter()
        .map(|r| r.id.to_string().len())
        .max()
        .unwrap_or(1);
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

fn json(cnc: &Cnc, arguments: &Arguments) -> serde_json::Value {
    let counters: Vec<serde_json::Value> = select(cnc, arguments)
        .iter()
        .map(|record| {
            serde_json::json!({
                "id": record.id.get(),
                "value": record.value,
                "type": record.type_id,
                "registration_id": record.registration_id.get(),
                "owner_id": record.owner_id,
                "reference_id": record.reference_id,
                "label": record.label,
            })
        })
        .collect();
    serde_json::json!({
        "time_ms": SystemClock::epoch().get(),
        "cnc_version": cnc.version().to_string(),
        "pid": cnc.pid(),
        "heartbeat_ms": cnc.to_driver().consumer_heartbeat().get(),
        "counters": counters,
    })
}

fn select(cnc: &Cnc, arguments: &Arguments) -> Vec<CounterRecord> {
    let mut records = Vec::new();
    cnc.counters().for_each(|record| {
        if is_wanted(record, arguments) {
            records.push(record.clone());
        }
    });
    records
}

/// The filters of the classic tool: those of streams leave other counters alone.
fn is_wanted(record: &CounterRecord, arguments: &Arguments) -> bool {
    if arguments
        .type_id
        .is_some_and(|wanted| wanted != record.type_id)
    {
        return false;
    }
    let matches_channel = |channel: &str| {
        arguments
            .channel
            .as_ref()
            .is_none_or(|regex| regex.is_match(channel))
    };
    match record.type_id {
        0 => {
            let id = record
                .key
                .first_chunk::<4>()
                .map_or(-1, |key| i32::from_le_bytes(*key));
            arguments
                .identity
                .is_none_or(|wanted| wanted == i64::from(id))
        }
        type_id if STREAM_TYPES.contains(&type_id) => {
            let Some(key) = StreamKey::decode(&record.key) else {
                return true;
            };
            arguments
                .identity
                .is_none_or(|wanted| wanted == key.registration_id.get())
                && arguments
                    .session
                    .is_none_or(|wanted| wanted == key.session_id.get())
                && arguments
                    .stream
                    .is_none_or(|wanted| wanted == key.stream_id.get())
                && matches_channel(&key.channel)
        }
        6 | 7 => matches_channel(&record.label),
        _ => true,
    }
}

/// `-1234567` as `-1,234,567`.
fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_grouped_by_thousands() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(-999), "-999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(i64::MIN), "-9,223,372,036,854,775,808");
    }
}
