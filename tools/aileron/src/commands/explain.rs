//! `aileron explain`: does each stream flow, and if not, why?

use std::fmt::Write as _;
use std::time::Duration;

use aileron::base::ClientId;
use aileron::runtime::format_utc;
use serde_json::{Value, json};

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome};
use crate::directory::Directory;
use crate::explain::{
    Basis, Cause, Explanation, Finding, Flow, Observation, Since, Size, StreamName, explain,
};
use crate::machine::MachineFacts;
use crate::snapshot::Snapshot;
use crate::text::{bytes_text, duration_text};

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Milliseconds to watch the driver
    #[arg(short, long, value_name = "MS", default_value_t = 300)]
    period: u64,

    /// Only this stream
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    stream: Option<i32>,

    /// Only this session
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    session: Option<i32>,
}

/// Looks twice and explains the difference.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    let mut explanation = watch(&directory, Duration::from_millis(arguments.period));
    narrow(&mut explanation, arguments);
    if common.json {
        print_json(&explanation_json(&explanation))?;
    } else {
        print(&to_text(&explanation))?;
    }
    Ok(if explanation.has_stall() {
        Outcome::Trouble
    } else {
        Outcome::Fine
    })
}

/// Observes a driver for a while and explains what was seen.
#[must_use]
pub fn watch(directory: &Directory, period: Duration) -> Explanation {
    let observe = || {
        let snapshot = Snapshot::take(directory);
        Observation {
            machine: MachineFacts::gather(directory, &snapshot),
            snapshot,
        }
    };
    let first = observe();
    std::thread::sleep(period);
    explain(&[first, observe()])
}

/// What concerns all streams stays.
fn narrow(explanation: &mut Explanation, arguments: &Arguments) {
    let is_wanted = |name: &StreamName| {
        arguments.stream.is_none_or(|id| id == name.stream_id)
            && arguments.session.is_none_or(|id| id == name.session_id)
    };
    explanation
        .findings
        .retain(|finding| finding.stream.as_ref().is_none_or(is_wanted));
    explanation
        .verdicts
        .retain(|verdict| is_wanted(&verdict.stream));
}

/// The explanation as `aileron explain` prints it: each stream with what limits it, then what
/// concerns all.
#[must_use]
pub fn to_text(explanation: &Explanation) -> String {
    let mut text = String::new();
    for verdict in &explanation.verdicts {
        let flow = match verdict.flow {
            Flow::Flows => "flows",
            Flow::Idle => "idle",
            Flow::Stalled => "STALLS",
        };
        let rate = bytes_per_second(verdict.bytes_per_second);
        let limit = if verdict.limiter.holds_up() {
            format!(", limited by {}", verdict.limiter.party)
        } else {
            String::new()
        };
        let stream = stream_text(&verdict.stream);
        let _ = writeln!(text, "{flow:7} {stream}, {rate}/s{limit}");
        let own = explanation.findings.iter();
        for finding in own.filter(|finding| finding.stream.as_ref() == Some(&verdict.stream)) {
            push_finding(&mut text, finding);
        }
    }
    let shown = |finding: &&Finding| {
        let streams = explanation.verdicts.iter();
        !streams
            .into_iter()
            .any(|v| finding.stream.as_ref() == Some(&v.stream))
    };
    for finding in explanation.findings.iter().filter(shown) {
        push_finding(&mut text, finding);
    }
    if explanation.verdicts.is_empty() && explanation.findings.is_empty() {
        text.push_str("the driver has no streams\n");
    }
    if !explanation.is_aileron {
        text.push_str(
            "\nThis driver keeps Aeron's counters alone: what is marked (likely) is concluded.\n",
        );
    }
    text
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a rate is shown with few digits"
)]
fn bytes_per_second(rate: f64) -> String {
    bytes_text(rate as i64)
}

fn stream_text(stream: &StreamName) -> String {
    let kind = if stream.is_publication {
        "publication"
    } else {
        "image"
    };
    let StreamName {
        id,
        session_id,
        stream_id,
        channel,
        ..
    } = stream;
    format!("{kind} {id} of stream {stream_id}, session {session_id}, {channel}")
}

fn push_finding(text: &mut String, finding: &Finding) {
    let kind = if finding.is_stall { "stall" } else { "warning" };
    let doubt = match finding.basis {
        Basis::Exact => "",
        Basis::BestEffort => " (likely)",
    };
    let _ = writeln!(text, "  {kind}: {}{doubt}", finding.cause);
    let _ = writeln!(text, "    what:  {}", finding.what);
    let _ = writeln!(text, "    who:   {}", finding.party);
    if let Some(size) = finding.size {
        let _ = writeln!(text, "    size:  {}", size_text(size));
    }
    let since = match finding.since {
        Since::At(time) => format_utc(time),
        Since::AtLeast(ns) => format!("at least {} ago", duration_text(ns)),
    };
    let _ = writeln!(text, "    since: {since}");
    let _ = writeln!(text, "    do:    {}", finding.advice);
}

fn size_text(size: Size) -> String {
    match size {
        Size::Bytes(bytes) => bytes_text(bytes),
        Size::Ns(ns) => duration_text(ns),
        Size::Of(have, wanted) => format!("{have} of {wanted}"),
        Size::Count(1) => "once".to_owned(),
        Size::Count(count) => format!("{count} times"),
    }
}

fn explanation_json(explanation: &Explanation) -> Value {
    let findings: Vec<Value> = explanation.findings.iter().map(finding_json).collect();
    let verdicts: Vec<Value> = explanation
        .verdicts
        .iter()
        .map(|verdict| {
            let flow = match verdict.flow {
                Flow::Flows => "flows",
                Flow::Idle => "idle",
                Flow::Stalled => "stalls",
            };
            json!({
                "stream": stream_json(&verdict.stream),
                "flow": flow,
                "bytes_per_second": verdict.bytes_per_second,
                "limited_by": verdict.limiter.party,
                "cause": verdict.limiter.cause.map(Cause::name),
            })
        })
        .collect();
    json!({
        "has_stall": explanation.has_stall(),
        "is_aileron": explanation.is_aileron,
        "streams": verdicts,
        "findings": findings,
    })
}

fn stream_json(stream: &StreamName) -> Value {
    json!({
        "kind": if stream.is_publication { "publication" } else { "image" },
        "id": stream.id,
        "session_id": stream.session_id,
        "stream_id": stream.stream_id,
        "channel": stream.channel,
    })
}

fn finding_json(finding: &Finding) -> Value {
    let size = match finding.size {
        None => Value::Null,
        Some(Size::Bytes(bytes)) => json!({ "bytes": bytes }),
        Some(Size::Ns(ns)) => json!({ "ns": ns }),
        Some(Size::Of(have, wanted)) => json!({ "have": have, "wanted": wanted }),
        Some(Size::Count(count)) => json!({ "count": count }),
    };
    let since = match finding.since {
        Since::At(time) => json!({ "time_ms": time.get() }),
        Since::AtLeast(ns) => json!({ "at_least_ns": ns }),
    };
    json!({
        "cause": finding.cause.name(),
        "is_stall": finding.is_stall,
        "is_exact": finding.basis == Basis::Exact,
        "stream": finding.stream.as_ref().map(stream_json),
        "party": finding.party,
        "client_id": finding.client_id.map(ClientId::get),
        "size": size,
        "since": since,
        "what": finding.what,
        "advice": finding.advice,
    })
}
