//! Answers each client on a stream of its own: response channels.
//!
//! A client's request stream says, by a correlation id, where the client listens for the answer.
//! The server adds a publication for that id; the drivers find out the rest. So the server needs to
//! know neither address nor port of any client, and no client sees the answers to another.
#![expect(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod common;

use std::collections::BTreeMap;

use aileron::client::{Image, Subscription};
use aileron::runtime::Idler;
use aileron::{Client, ExclusivePublication, FragmentAssembler, OfferError, SessionId, StreamId};
use clap::Parser;
use common::{Connection, Outcome, Running, running};

/// Fragments taken per poll.
const FRAGMENT_LIMIT: usize = 10;

/// Answer requests in capitals, each client's on a stream of its own.
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
    /// Channel of the answers; its control address is this machine's
    #[arg(
        long,
        default_value = "aeron:udp?control-mode=response|control=localhost:20128"
    )]
    response_channel: String,
    /// Stream of the answers
    #[arg(long, default_value_t = 1002)]
    response_stream: i32,
}

fn main() -> Outcome {
    let arguments = Arguments::parse();
    let session = arguments.connection.open()?;
    let mut requests = session
        .client
        .add_subscription(&*arguments.channel, StreamId(arguments.stream))?;
    let running = running()?;
    println!(
        "subscribed to {} on stream {}",
        arguments.channel, arguments.stream
    );
    let mut server = Server {
        client: session.client.clone(),
        channel: arguments.response_channel,
        stream: StreamId(arguments.response_stream),
        answers: BTreeMap::new(),
    };
    let mut assembler = FragmentAssembler::new();
    let mut idler = Idler::backoff();
    let mut waiting = Vec::new();
    while running.goes_on() {
        let work = requests.poll_assembled(&mut assembler, FRAGMENT_LIMIT, |request, header| {
            waiting.push((header.session_id(), request.to_vec()));
        });
        server.greet(&requests.images())?;
        for (session_id, request) in waiting.drain(..) {
            server.answer(session_id, &request, &requests, &running)?;
        }
        idler.idle(work);
    }
    Ok(())
}

/// What the clients are answered on, by the session of their requests.
struct Server {
    client: Client,
    channel: String,
    stream: StreamId,
    answers: BTreeMap<SessionId, ExclusivePublication>,
}

impl Server {
    /// Adds a publication for each client that has come, and drops those of clients that have left.
    fn greet(&mut self, images: &[Image]) -> Outcome {
        self.answers.retain(|session_id, _| {
            let stays = images.iter().any(|i| i.session_id() == *session_id);
            if !stays {
                println!("session {session_id} left");
            }
            stays
        });
        for image in images {
            let session_id = image.session_id();
            if self.answers.contains_key(&session_id) {
                continue;
            }
            let id = image.correlation_id();
            let channel = format!("{}|response-correlation-id={id}", self.channel);
            // Refused if this client does not ask for answers.
            let answers = self
                .client
                .add_exclusive_publication(channel, self.stream)?;
            println!(
                "session {session_id} of {} is answered as session {}",
                image.source_identity(),
                answers.session_id()
            );
            self.answers.insert(session_id, answers);
        }
        Ok(())
    }

    /// Answers a request, unless its client has left.
    fn answer(
        &mut self,
        session_id: SessionId,
        request: &[u8],
        requests: &Subscription,
        running: &Running,
    ) -> Result<(), OfferError> {
        let Some(answers) = self.answers.get_mut(&session_id) else {
            return Ok(());
        };
        let answer = request.to_ascii_uppercase();
        let mut outcome = Ok(());
        running.wait_until(|| match answers.offer(&answer) {
            Ok(_) => true,
            // The first answer waits for the client's side of the stream.
            Err(error) if error.is_retryable() => requests.image_by_session(session_id).is_none(),
            Err(error) => {
                outcome = Err(error);
                true
            }
        });
        outcome
    }
}
