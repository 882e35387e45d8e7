//! `aileron loss`: what images have lost, as the classic `LossStat` shows it.

use std::fmt::Write as _;

use aileron::concurrent::LossObservation;
use aileron::runtime::format_utc;
use serde_json::json;

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome};
use crate::snapshot::Snapshot;

const HEADING: &str = "#OBSERVATION_COUNT,TOTAL_BYTES_LOST,FIRST_OBSERVATION,LAST_OBSERVATION,\
                       SESSION_ID,STREAM_ID,CHANNEL,SOURCE";

/// Options of `loss`.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Shows the loss report.
pub(crate) fn run(common: &Common, _arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    if directory.loss_report().is_none() {
        let path = directory.path().join("loss-report.dat");
        return Err(format!(
            "Loss report does not exist: {} (the driver did not make one, or it may not be read)",
            path.display()
        )
        .into());
    }
    let losses = Snapshot::take(&directory).losses;
    if common.json {
        let entries: Vec<_> = losses.iter().map(entry_json).collect();
        print_json(&json!({ "entries": entries }))?;
    } else {
        print(&page(&losses))?;
    }
    Ok(Outcome::Fine)
}

fn page(losses: &[LossObservation]) -> String {
    let mut text = format!("{HEADING}\n");
    for loss in losses {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{}",
            loss.observation_count,
            loss.total_bytes_lost,
            format_utc(loss.first),
            format_utc(loss.last),
            loss.session_id,
            loss.stream_id,
            loss.channel,
            loss.source_identity,
        );
    }
    let _ = writeln!(text, "{} loss entries", losses.len());
    text
}

fn entry_json(loss: &LossObservation) -> serde_json::Value {
    json!({
        "observation_count": loss.observation_count,
        "total_bytes_lost": loss.total_bytes_lost,
        "first_ms": loss.first.get(),
        "last_ms": loss.last.get(),
        "session_id": loss.session_id.get(),
        "stream_id": loss.stream_id.get(),
        "channel": loss.channel,
        "source": loss.source_identity,
    })
}
