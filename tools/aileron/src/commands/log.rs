//! `aileron log`: what is in a log buffer, frame by frame.
//!
//! A term is walked from its start: each frame tells its length. Where none can start, nothing was
//! written yet, a claim is not committed, or the file is corrupt; with `--zeroes` the walk goes on
//! behind what is empty, to the frames beyond a gap.

use std::fmt::Write as _;
use std::path::PathBuf;

use aileron::logbuffer::LogKind;
use aileron::memory::AtomicBuffer;
use clap::ValueEnum;
use serde_json::{Value, json};

use super::{print, print_json};
use crate::cli::{CommandResult, Common, Outcome, failed};
use crate::log_files::{LogFile, LogFolder};

/// Frames start at multiples of this.
const FRAME_ALIGNMENT: usize = 32;
/// Bytes of a frame's header.
const HEADER_LENGTH: usize = 32;
/// Terms of a log.
const TERM_COUNT: usize = 3;

/// How bodies are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Upper-case hexadecimal without separators
    Hex,
    /// Text; bytes that are not ASCII are dots
    Ascii,
    /// Not at all
    None,
}

/// Options of `log`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file, or the id of a publication or image of the driver
    #[arg(value_name = "FILE_OR_ID")]
    log: String,

    /// Most bytes of a body to show
    #[arg(value_name = "MAX_BYTES")]
    body_max: Option<usize>,

    /// How to show bodies
    #[arg(short, long, value_enum, default_value = "hex")]
    format: Format,

    /// Go on behind bytes that are zero, in steps of 32
    #[arg(short, long)]
    zeroes: bool,

    /// Only this term of the file, 0 to 2
    #[arg(long, value_name = "INDEX", value_parser = clap::value_parser!(u8).range(0..3))]
    term: Option<u8>,

    /// Most frames to show per term
    #[arg(short = 'n', long, value_name = "COUNT")]
    frames: Option<usize>,
}

/// Shows the log.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let path = path_of(common, &arguments.log)?;
    let log = LogFile::open(&path).map_err(|error| failed(&path, &error))?;
    let terms: Vec<Term> = (0..TERM_COUNT)
        .filter(|index| {
            arguments
                .term
                .is_none_or(|only| usize::from(only) == *index)
        })
        .map(|index| read_term(&log, index, arguments))
        .collect();
    if common.json {
        print_json(&log_json(&path, &log, &terms, arguments))?;
    } else {
        print(&page(&path, &log, &terms, arguments))?;
    }
    Ok(Outcome::Fine)
}

/// A number is the id of a publication or image of the driver in the directory.
fn path_of(common: &Common, log: &str) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let Ok(id) = log.parse::<i64>() else {
        return Ok(log.into());
    };
    let directory = common.directory();
    let places = [LogFolder::Publications, LogFolder::Images].map(|folder| {
        directory
            .join(folder.name())
            .join(format!("{id}.logbuffer"))
    });
    let found = places.iter().find(|path| path.exists()).cloned();
    found.ok_or_else(|| {
        let [publications, images] = places.map(|path| path.display().to_string());
        format!("no log with id {id}: neither {publications} nor {images} exists").into()
    })
}

/// A stretch of a term.
enum Stretch {
    Frame(Frame),
    /// Nothing was written there, or not yet; bytes.
    Empty {
        offset: usize,
        length: usize,
    },
    /// A claim that is not committed; its length as stored.
    Claimed {
        offset: usize,
        length: i32,
    },
    /// A length that no frame has.
    Corrupt {
        offset: usize,
        length: i32,
    },
}

struct Frame {
    offset: usize,
    length: i32,
    version: u8,
    flags: u8,
    type_id: u16,
    term_offset: i32,
    session_id: i32,
    stream_id: i32,
    term_id: i32,
    reserved_value: i64,
    body: Vec<u8>,
}

struct Term {
    index: usize,
    stretches: Vec<Stretch>,
}

fn read_term(log: &LogFile, index: usize, arguments: &Arguments) -> Term {
    let length = usize::try_from(log.log().metadata().term_length()).unwrap_or(0);
    let bytes = log.bytes().slice(index * length..(index + 1) * length);
    let mut stretches = Vec::new();
    let (mut offset, mut frames) = (0, 0);
    while offset < length && frames < arguments.frames.unwrap_or(usize::MAX) {
        let frame_length = bytes.load_i32_acquire(offset);
        let Ok(size) = usize::try_from(frame_length) else {
            let length = frame_length;
            stretches.push(Stretch::Claimed { offset, length });
            break;
        };
        if size == 0 {
            let end = end_of_zeroes(&bytes, offset);
            let is_tail = end == length;
            let length = end - offset;
            if !is_tail || stretches.is_empty() {
                stretches.push(Stretch::Empty { offset, length });
            }
            if is_tail || !arguments.zeroes {
                break;
            }
            offset = end;
            continue;
        }
        if size < HEADER_LENGTH || size > length - offset {
            let length = frame_length;
            stretches.push(Stretch::Corrupt { offset, length });
            break;
        }
        let body_max = arguments.body_max.unwrap_or(usize::MAX);
        stretches.push(Stretch::Frame(read_frame(&bytes, offset, size, body_max)));
        frames += 1;
        offset += size.next_multiple_of(FRAME_ALIGNMENT);
    }
    Term { index, stretches }
}

/// Where the next frame starts, or the term ends.
fn end_of_zeroes(bytes: &AtomicBuffer, from: usize) -> usize {
    (from..bytes.len())
        .step_by(FRAME_ALIGNMENT)
        .find(|at| bytes.load_i32_acquire(*at) != 0)
        .unwrap_or(bytes.len())
}

fn read_frame(bytes: &AtomicBuffer, offset: usize, size: usize, body_max: usize) -> Frame {
    let mut header = [0; HEADER_LENGTH];
    bytes.read_bytes(offset, &mut header);
    let i32_at = |at: usize| {
        header[at..]
            .first_chunk()
            .map_or(0, |b| i32::from_le_bytes(*b))
    };
    let mut body = vec![0; (size - HEADER_LENGTH).min(body_max)];
    bytes.read_bytes(offset + HEADER_LENGTH, &mut body);
    Frame {
        offset,
        length: i32_at(0),
        version: header[4],
        flags: header[5],
        type_id: u16::from_le_bytes([header[6], header[7]]),
        term_offset: i32_at(8),
        session_id: i32_at(12),
        stream_id: i32_at(16),
        term_id: i32_at(20),
        reserved_value: header[24..]
            .first_chunk()
            .map_or(0, |b| i64::from_le_bytes(*b)),
        body,
    }
}

fn body_text(body: &[u8], format: Format) -> Option<String> {
    match format {
        Format::Hex => Some(body.iter().map(|byte| format!("{byte:02X}")).collect()),
        Format::Ascii => Some(body.iter().map(|byte| printable(*byte)).collect()),
        Format::None => None,
    }
}

const fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        byte as char
    } else {
        '.'
    }
}

const fn kind_text(kind: Option<LogKind>) -> &'static str {
    match kind {
        Some(LogKind::Concurrent) => "concurrent publication",
        Some(LogKind::Exclusive) => "exclusive publication",
        Some(LogKind::Image) => "image",
        None => "unknown kind",
    }
}

fn page(path: &std::path::Path, log: &LogFile, terms: &[Term], arguments: &Arguments) -> String {
    let metadata = log.log().metadata();
    let rule = "=".repeat(70);
    let mut text = format!(
        "{rule}\n{} ({})\n{rule}\n",
        path.display(),
        kind_text(log.log().kind())
    );
    let _ = writeln!(text, "   Is Connected: {}", metadata.is_connected());
    let _ = writeln!(text, "Initial term id: {}", metadata.initial_term_id());
    let _ = writeln!(text, "     Term Count: {}", metadata.active_term_count());
    let _ = writeln!(
        text,
        "   Active index: {}",
        metadata.active_term_count().rem_euclid(3)
    );
    let _ = writeln!(text, "    Term length: {}", metadata.term_length());
    let _ = writeln!(text, "     MTU length: {}", metadata.mtu_length());
    let _ = writeln!(text, "      Page Size: {}", metadata.page_size());
    let _ = writeln!(
        text,
        "   EOS Position: {}",
        metadata.end_of_stream_position()
    );
    let _ = writeln!(text, "       Position: {}\n", log.log().producer_position());
    for index in 0..TERM_COUNT {
        let raw = metadata.raw_tail(index);
        let (term_id, offset) = (raw >> 32, raw & i64::from(u32::MAX));
        let _ = writeln!(
            text,
            "Index {index} Term Meta Data termOffset={offset} termId={term_id} rawTail={raw}"
        );
    }
    for term in terms {
        let _ = writeln!(text, "\n{rule}\nIndex {} Term Data\n", term.index);
        for stretch in &term.stretches {
            push_stretch(&mut text, stretch, arguments.format);
        }
    }
    text
}

fn push_stretch(text: &mut String, stretch: &Stretch, format: Format) {
    let _ = match stretch {
        Stretch::Frame(frame) => {
            let kind = if frame.type_id == 0 {
                "PADDING"
            } else {
                "DATA"
            };
            let _ = writeln!(
                text,
                "{}: {kind} Header{{frame-length={} version={} flags={:08b} type={} \
                 term-offset={} session-id={} stream-id={} term-id={} reserved-value={}}}",
                frame.offset,
                frame.length,
                frame.version,
                frame.flags,
                frame.type_id,
                frame.term_offset,
                frame.session_id,
                frame.stream_id,
                frame.term_id,
                frame.reserved_value,
            );
            match body_text(&frame.body, format) {
                Some(body) => writeln!(text, "{body}"),
                None => Ok(()),
            }
        }
        Stretch::Empty { offset, length } => writeln!(text, "{offset}: empty, {length} bytes"),
        Stretch::Claimed { offset, length } => writeln!(
            text,
            "{offset}: claimed, not committed, {} bytes",
            length.unsigned_abs()
        ),
        Stretch::Corrupt { offset, length } => {
            writeln!(text, "{offset}: corrupt, a frame of length {length}")
        }
    };
}

fn log_json(path: &std::path::Path, log: &LogFile, terms: &[Term], arguments: &Arguments) -> Value {
    let metadata = log.log().metadata();
    let terms: Vec<Value> = terms
        .iter()
        .map(|term| {
            let stretches = term.stretches.iter();
            let stretches: Vec<Value> = stretches
                .map(|s| stretch_json(s, arguments.format))
                .collect();
            json!({
                "index": term.index,
                "raw_tail": metadata.raw_tail(term.index),
                "stretches": stretches,
            })
        })
        .collect();
    json!({
        "file": path,
        "kind": kind_text(log.log().kind()),
        "is_connected": metadata.is_connected(),
        "initial_term_id": metadata.initial_term_id().0,
        "active_term_count": metadata.active_term_count(),
        "term_length": metadata.term_length(),
        "mtu_length": metadata.mtu_length(),
        "page_size": metadata.page_size(),
        "end_of_stream_position": metadata.end_of_stream_position().get(),
        "position": log.log().producer_position().get(),
        "terms": terms,
    })
}

fn stretch_json(stretch: &Stretch, format: Format) -> Value {
    match stretch {
        Stretch::Frame(frame) => json!({
            "kind": if frame.type_id == 0 { "padding" } else { "data" },
            "offset": frame.offset,
            "length": frame.length,
            "flags": frame.flags,
            "type": frame.type_id,
            "term_offset": frame.term_offset,
            "session_id": frame.session_id,
            "stream_id": frame.stream_id,
            "term_id": frame.term_id,
            "reserved_value": frame.reserved_value,
            "body": body_text(&frame.body, format),
        }),
        Stretch::Empty { offset, length } => {
            json!({ "kind": "empty", "offset": offset, "length": length })
        }
        Stretch::Claimed { offset, length } => {
            json!({ "kind": "claimed", "offset": offset, "length": length })
        }
        Stretch::Corrupt { offset, length } => {
            json!({ "kind": "corrupt", "offset": offset, "length": length })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_shown_as_asked() {
        assert_eq!(body_text(b"\x0aZ", Format::Hex).as_deref(), Some("0A5A"));
        assert_eq!(body_text(b"\x0aZ", Format::Ascii).as_deref(), Some(".Z"));
        assert_eq!(body_text(b"Z", Format::None), None);
    }

    #[test]
    fn zeroes_end_where_a_frame_starts() {
        let bytes = AtomicBuffer::heap(256);
        assert_eq!(end_of_zeroes(&bytes, 32), 256);
        bytes.store_i32_relaxed(96, -64);
        assert_eq!(end_of_zeroes(&bytes, 32), 96);
    }
}
