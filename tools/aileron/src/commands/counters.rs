//! `aileron counters`: every counter with its type, ids, owner and key.

use std::fmt::Write as _;

use aileron::concurrent::CounterRecord;
use serde_json::json;

use super::stat::counter_json;
use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome};
use crate::snapshot::Snapshot;

/// Options of `counters`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only counters of this type id
    #[arg(long = "type", value_name = "ID")]
    type_id: Option<i32>,

    /// Only counters of this client; −1 for those of the driver
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    owner: Option<i64>,

    /// Print keys too, in hexadecimal, without the zeros at their end
    #[arg(long)]
    keys: bool,
}

/// Lists the counters.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let snapshot = Snapshot::take(&common.open()?);
    let wanted = snapshot.counters.iter().filter(|record| {
        arguments.type_id.is_none_or(|id| id == record.type_id)
            && arguments.owner.is_none_or(|id| id == record.owner_id)
    });
    if common.json {
        let counters: Vec<_> = wanted
            .map(|record| {
                let mut value = counter_json(record);
                value["key"] = json!(key_text(record));
                value
            })
            .collect();
        print_json(&json!({ "time_ms": snapshot.time.get(), "counters": counters }))?;
        return Ok(Outcome::Fine);
    }
    let mut text = String::from(
        "   id       type           value     registration  owner  reference  label\n",
    );
    for record in wanted {
        let _ = writeln!(
            text,
            "{:>5} {:>10} {:>15} {:>16} {:>6} {:>10}  {}",
            record.id.get(),
            record.type_id,
            record.value,
            record.registration_id.get(),
            record.owner_id,
            record.reference_id,
            record.label,
        );
        if arguments.keys {
            let _ = writeln!(text, "      key {}", key_text(record));
        }
    }
    print(&text)?;
    Ok(Outcome::Fine)
}

fn key_text(record: &CounterRecord) -> String {
    let end = record.key.iter().rposition(|byte| *byte != 0);
    let mut text = String::new();
    for byte in &record.key[..end.map_or(0, |last| last + 1)] {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
