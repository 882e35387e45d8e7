//! Sends a file to a `file_receiver`, with a progress bar and a checksum.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;
#[path = "common/transfer.rs"]
mod transfer;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use aileron::runtime::Idler;
use aileron::{ExclusivePublication, StreamId};
use clap::Parser;
use common::{Connection, Outcome, Running, running};
use indicatif::{ProgressBar, ProgressStyle};
use transfer::{CHUNK_HEADER_LENGTH, Message};

/// Send a file.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to publish on
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20126")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1003)]
    stream: i32,
    /// The file
    file: PathBuf,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let mut file = File::open(&arguments.file)
        .map_err(|error| format!("cannot open {}: {error}", arguments.file.display()))?;
    let length = file.metadata()?.len();
    let name = arguments
        .file
        .file_name()
        .ok_or("the path names no file")?
        .to_string_lossy();
    let session = arguments.connection.open()?;
    let stream = StreamId(arguments.stream);
    let mut publication = session
        .client
        .add_exclusive_publication(&*arguments.channel, stream)?;
    let running = running()?;
    println!("waiting for a receiver on {}", arguments.channel);
    if !running.wait_until(|| publication.is_connected()) {
        return Ok(());
    }
    let transfer = session.client.next_correlation_id()?.get().unsigned_abs();
    let mut message = Vec::new();
    Message::Start {
        transfer,
        length,
        name: &name,
    }
    .encode(&mut message);
    offer(&mut publication, &message, &running)?;
    let bar = ProgressBar::new(length).with_style(ProgressStyle::with_template(
        "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    )?);
    let mut chunk = vec![0u8; publication.max_payload_length() - CHUNK_HEADER_LENGTH];
    let mut checksum = crc32fast::Hasher::new();
    let mut offset = 0;
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        checksum.update(&chunk[..read]);
        Message::Chunk {
            transfer,
            offset,
            bytes: &chunk[..read],
        }
        .encode(&mut message);
        offer(&mut publication, &message, &running)?;
        offset += read as u64;
        bar.set_position(offset);
    }
    let checksum = checksum.finalize();
    Message::End { transfer, checksum }.encode(&mut message);
    offer(&mut publication, &message, &running)?;
    bar.finish();
    println!("sent {offset} bytes of {name}, CRC-32 {checksum:08x}");
    // Closing tells receivers where the stream ends; an embedded driver must live until it is sent.
    drop(publication);
    if arguments.connection.embedded {
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn offer(publication: &mut ExclusivePublication, message: &[u8], running: &Running) -> Outcome {
    let mut idler = Idler::backoff();
    while running.goes_on() {
        match publication.offer(message) {
            Ok(_) => return Ok(()),
            Err(_) if !publication.is_connected() => return Err("the receiver went away".into()),
            Err(error) if error.is_retryable() => idler.idle(0),
            Err(error) => return Err(error.into()),
        }
    }
    Err("interrupted".into())
}
