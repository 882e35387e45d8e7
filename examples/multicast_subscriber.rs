//! Joins a multicast group, in mid-stream if need be, and checks that from there on nothing is
//! missing.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::collections::BTreeMap;

use aileron::runtime::Idler;
use aileron::{FragmentAssembler, StreamId};
use clap::Parser;
use common::{Connection, Outcome, running};

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 10;

/// Take what a `multicast_publisher` sends. Start as many as you like.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel to subscribe to: the group, and the interface to join it on
    #[arg(
        short,
        long,
        default_value = "aeron:udp?endpoint=224.20.30.39:20125|interface=localhost"
    )]
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
                "{} sends session {}, joined at {}",
                image.source_identity(),
                image.session_id(),
                image.join_position()
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
    let mut next = BTreeMap::new();
    let mut received = 0;
    while running.goes_on() && arguments.messages.is_none_or(|wanted| received < wanted) {
        let work =
            subscription.poll_assembled(&mut assembler, FRAGMENT_LIMIT, |message, header| {
                received += 1;
                let text = String::from_utf8_lossy(message);
                let session_id = header.session_id();
                println!("session {session_id} at {}: {text}", header.position());
                let number = text.split(' ').next().and_then(|n| n.parse::<u64>().ok());
                let Some(number) = number else { return };
                // What was sent before this subscriber joined is none of its business.
                let due = next.insert(session_id, number + 1).unwrap_or(number);
                if number != due {
                    println!("session {session_id}: {due} was due");
                }
            });
        idler.idle(work);
    }
    Ok(())
}
