//! Publishes as fast as the subscribers take it, and prints the rate each second.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::StreamId;
use aileron::runtime::Idler;
use clap::Parser;
use common::{Connection, Outcome, running};

/// Publish messages as fast as possible.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to publish on
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20121")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Bytes of a message
    #[arg(short, long, default_value_t = 32)]
    length: usize,
    /// Messages to publish; without it, until Ctrl-C
    #[arg(short = 'n', long)]
    messages: Option<u64>,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let stream = StreamId(arguments.stream);
    let mut publication = session
        .client
        .add_exclusive_publication(&*arguments.channel, stream)?;
    let running = running()?;
    println!(
        "streaming {} byte messages to {}",
        arguments.length, arguments.channel
    );
    let mut message = vec![0u8; arguments.length];
    let mut idler = Idler::backoff();
    let (mut sent, mut sent_at_report, mut refused) = (0u64, 0u64, 0u64);
    let mut report = Instant::now();
    while running.goes_on() && arguments.messages.is_none_or(|wanted| sent < wanted) {
        if let Some(number) = message.first_chunk_mut::<8>() {
            *number = sent.to_le_bytes();
        }
        match publication.offer(&message) {
            Ok(_) => {
                sent += 1;
                idler.idle(1);
            }
            Err(error) if error.is_retryable() => {
                refused += 1;
                idler.idle(0);
            }
            Err(error) => return Err(error.into()),
        }
        if (sent + refused).is_multiple_of(1024) && report.elapsed() >= Duration::from_secs(1) {
            print_rate(
                sent - sent_at_report,
                arguments.length,
                report.elapsed(),
                refused,
            );
            (sent_at_report, refused, report) = (sent, 0, Instant::now());
        }
    }
    println!("published {sent} messages");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
fn print_rate(messages: u64, length: usize, elapsed: Duration, refused: u64) {
    let rate = messages as f64 / elapsed.as_secs_f64();
    println!(
        "{rate:.3e} messages/s, {:.3} MB/s, {refused} offers refused",
        rate * length as f64 / 1e6
    );
}
