//! `aileron errors`: the distinct errors of a driver, as the classic `ErrorStat` shows them.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};

use aileron::base::EpochMillis;
use aileron::concurrent::{ErrorObservation, read_error_log};
use aileron::memory::map_file_read_only;
use aileron::runtime::format_utc;
use serde_json::json;

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome, failed};
use crate::snapshot::Snapshot;

/// Options of `errors`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Read the error log from this file instead of the driver's
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Bytes before the error log in that file
    #[arg(
        short,
        long,
        value_name = "BYTES",
        default_value_t = 0,
        requires = "file"
    )]
    offset: usize,
}

/// Shows the errors; their number does not change the exit code.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let errors = match &arguments.file {
        Some(path) => read_file(path, arguments.offset).map_err(|e| failed(path, &e))?,
        None => Snapshot::take(&common.open()?).errors,
    };
    if common.json {
        let errors: Vec<_> = errors.iter().map(error_json).collect();
        print_json(&json!({ "errors": errors }))?;
    } else {
        print(&page(&errors))?;
    }
    Ok(Outcome::Fine)
}

fn read_file(path: &Path, offset: usize) -> std::io::Result<Vec<ErrorObservation>> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if offset >= length || !offset.is_multiple_of(8) {
        return Err(std::io::Error::other(format!(
            "offset {offset} is not a multiple of 8 below the {length} bytes of the file"
        )));
    }
    let mut errors = Vec::new();
    let buffer = map_file_read_only(&file, length)?.slice(offset..length);
    read_error_log(&buffer, EpochMillis(0), |error| errors.push(error));
    Ok(errors)
}

fn page(errors: &[ErrorObservation]) -> String {
    let mut text = String::new();
    for error in errors {
        let _ = writeln!(
            text,
            "***\n{} observations from {} to {} for:\n {}",
            error.observation_count,
            format_utc(error.first),
            format_utc(error.last),
            error.text.trim_end(),
        );
    }
    let _ = writeln!(text, "\n{} distinct errors observed.", errors.len());
    text
}

fn error_json(error: &ErrorObservation) -> serde_json::Value {
    json!({
        "observation_count": error.observation_count,
        "first_ms": error.first.get(),
        "last_ms": error.last.get(),
        "text": error.text,
    })
}
