//! Receives files from `file_sender`s, with a progress bar, and checks them.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;
#[path = "common/transfer.rs"]
mod transfer;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use aileron::StreamId;
use aileron::runtime::Idler;
use clap::Parser;
use common::{Connection, Outcome, running};
use indicatif::{ProgressBar, ProgressStyle};
use transfer::Message;

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 64;

/// Receive files.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to subscribe to
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20126")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1003)]
    stream: i32,
    /// Folder to put the files in
    #[arg(short, long, default_value = ".")]
    output: PathBuf,
    /// Stop after so many files
    #[arg(short = 'n', long)]
    files: Option<u64>,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let stream = StreamId(arguments.stream);
    let mut subscription = session
        .client
        .add_subscription(&*arguments.channel, stream)?;
    let running = running()?;
    println!("waiting for files on {}", arguments.channel);
    let mut current: Option<Incoming> = None;
    let mut idler = Idler::backoff();
    let mut files = 0;
    while running.goes_on() && arguments.files.is_none_or(|wanted| files < wanted) {
        let mut outcome = Ok(());
        let work = subscription.poll(FRAGMENT_LIMIT, |payload, _| {
            if outcome.is_ok() {
                let message = Message::parse(payload);
                outcome = take(&mut current, message, &arguments.output, &mut files);
            }
        });
        outcome?;
        idler.idle(work);
    }
    Ok(())
}

/// A file that is arriving.
struct Incoming {
    transfer: u64,
    path: PathBuf,
    file: File,
    offset: u64,
    length: u64,
    checksum: crc32fast::Hasher,
    bar: ProgressBar,
}

fn take(
    current: &mut Option<Incoming>,
    message: Option<Message<'_>>,
    output: &Path,
    files: &mut u64,
) -> Outcome {
    match message.ok_or("a message that no file_sender wrote")? {
        Message::Start {
            transfer,
            length,
            name,
        } => {
            // The name is the sender's; only its last part may name a file here.
            let name = Path::new(name).file_name().ok_or("a file without a name")?;
            let path = output.join(name);
            let file = File::create(&path)
                .map_err(|error| format!("cannot create {}: {error}", path.display()))?;
            println!("receiving {} ({length} bytes)", path.display());
            let style = ProgressStyle::with_template(
                "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            )?;
            let bar = ProgressBar::new(length).with_style(style);
            let checksum = crc32fast::Hasher::new();
            *current = Some(Incoming {
                transfer,
                path,
                file,
                offset: 0,
                length,
                checksum,
                bar,
            });
        }
        Message::Chunk {
            transfer,
            offset,
            bytes,
        } => {
            let Some(file) = current.as_mut().filter(|file| file.transfer == transfer) else {
                return Ok(()); // Joined in the middle of this one.
            };
            if offset != file.offset {
                return Err(format!("expected offset {}, got {offset}", file.offset).into());
            }
            file.file.write_all(bytes)?;
            file.checksum.update(bytes);
            file.offset += bytes.len() as u64;
            file.bar.set_position(file.offset);
        }
        Message::End { transfer, checksum } => {
            let Some(file) = current.take_if(|file| file.transfer == transfer) else {
                return Ok(());
            };
            file.bar.finish();
            let actual = file.checksum.finalize();
            if file.offset != file.length || actual != checksum {
                return Err(format!(
                    "{} is damaged: {} of {} bytes, CRC-32 {actual:08x} instead of {checksum:08x}",
                    file.path.display(),
                    file.offset,
                    file.length
                )
                .into());
            }
            *files += 1;
            println!(
                "received {}, CRC-32 {checksum:08x} is right",
                file.path.display()
            );
        }
    }
    Ok(())
}
