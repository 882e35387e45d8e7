//! Asks a `response_server`, and waits for each answer, which comes on a stream of its own.
//!
//! The client adds a subscription for the answers first, in control mode `response`, and then a
//! publication for the requests that names it. There may be many clients; each gets its own answers
//! and no others.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::time::{Duration, Instant};

use aileron::client::Publication;
use aileron::runtime::Idler;
use aileron::{FragmentAssembler, OfferError, StreamId};
use clap::Parser;
use common::{Connection, Outcome, Running, running};

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 10;

/// Send requests, one after the other, and print the answers.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Channel of the requests
    #[arg(short, long, default_value = "aeron:udp?endpoint=localhost:20127")]
    channel: String,
    /// Stream of the requests
    #[arg(short, long, default_value_t = 1001)]
    stream: i32,
    /// Channel of the answers; its control address is the server's
    #[arg(
        long,
        default_value = "aeron:udp?control-mode=response|control=localhost:20128"
    )]
    response_channel: String,
    /// Stream of the answers
    #[arg(long, default_value_t = 1002)]
    response_stream: i32,
    /// Begins each request
    #[arg(long, default_value = "hello")]
    text: String,
    /// Requests to send
    #[arg(short = 'n', long, default_value_t = 10)]
    messages: u64,
    /// Milliseconds between requests
    #[arg(short, long, default_value_t = 100)]
    interval: u64,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let client = &session.client;
    let response_stream = StreamId(arguments.response_stream);
    let mut answers = client.add_subscription(&*arguments.response_channel, response_stream)?;
    let separator = if arguments.channel.contains('?') {
        '|'
    } else {
        '?'
    };
    let channel = format!(
        "{}{separator}response-correlation-id={}",
        arguments.channel,
        answers.registration_id()
    );
    let requests = client.add_publication(&*channel, StreamId(arguments.stream))?;
    let running = running()?;
    println!("asking on {channel}, stream {}", arguments.stream);
    if !running.wait_until(|| requests.is_connected() && answers.is_connected()) {
        return Ok(());
    }
    println!(
        "session {} is answered by {}",
        requests.session_id(),
        answers
            .image_at(0)
            .map_or_else(String::new, |image| format!(
                "session {} of {}",
                image.session_id(),
                image.source_identity()
            ))
    );
    let mut assembler = FragmentAssembler::new();
    for number in 0..arguments.messages {
        let asked = Instant::now();
        offer(&requests, &format!("{} {number}", arguments.text), &running)?;
        let mut is_answered = false;
        let mut idler = Idler::backoff();
        while running.goes_on() && !is_answered {
            let work = answers.poll_assembled(&mut assembler, FRAGMENT_LIMIT, |answer, _| {
                is_answered = true;
                let answer = String::from_utf8_lossy(answer);
                println!("answer after {:?}: {answer}", asked.elapsed());
            });
            if answers.has_no_images() && !is_answered {
                return Err("the server has left".into());
            }
            idler.idle(work);
        }
        let next = asked + Duration::from_millis(arguments.interval);
        running.wait_until(|| Instant::now() >= next);
    }
    Ok(())
}

fn offer(requests: &Publication, text: &str, running: &Running) -> Result<(), OfferError> {
    let mut outcome = Ok(());
    running.wait_until(|| match requests.offer(text.as_bytes()) {
        Ok(_) => true,
        Err(error) if error.is_retryable() => false,
        Err(error) => {
            outcome = Err(error);
            true
        }
    });
    outcome
}
