//! Prints every message of a stream, and who joins and leaves.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use aileron::runtime::Idler;
use aileron::{FragmentAssembler, StreamId};
use clap::Parser;
use common::{Connection, Outcome, running};

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 10;

/// Print the messages of a channel.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to subscribe to
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20121")]
    channel: String,
    /// Stream within the channel
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Stop after so many messages
    #[arg(short = 'n', long)]
    messages: Option<u64>,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let mut subscription = session
        .client
        .subscription(&*arguments.channel, StreamId(arguments.stream))
        .on_available_image(|image| {
            println!(
                "{} joined as session {}",
                image.source_identity(),
                image.session_id()
            );
        })
        .on_unavailable_image(|image| println!("session {} left", image.session_id()))
        .add()?;
    let running = running()?;
    println!(
        "subscribed to {} on stream {}",
        arguments.channel, arguments.stream
    );
    let mut assembler = FragmentAssembler::new();
    let mut idler = Idler::backoff();
    let mut received = 0;
    while running.goes_on() && arguments.messages.is_none_or(|wanted| received < wanted) {
        let work =
            subscription.poll_assembled(&mut assembler, FRAGMENT_LIMIT, |message, header| {
                received += 1;
                println!(
                    "message to stream {} from session {}, {} bytes at {}: {}",
                    header.stream_id(),
                    header.session_id(),
                    message.len(),
                    header.position(),
                    String::from_utf8_lossy(message),
                );
            });
        idler.idle(work);
    }
    Ok(())
}
