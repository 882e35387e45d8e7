//! A server at one end answers clients at either, each on a stream of its own; requests come over
//! one path, answers go over the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::TryRecvError;

use aileron::{ExclusivePublication, StreamId};

use super::network::{End, Network};
use super::roles::start;
use super::support::child::{Part, orders, repeat, say};
use super::support::{aeron_dir, connect, place, wait_for, wait_until};

const REQUESTS: StreamId = StreamId(2001);
const ANSWERS: StreamId = StreamId(2002);
const REQUEST_CHANNEL: &str = "aeron:udp?endpoint=10.99.1.2:40456";
const ANSWER_CHANNEL: &str = "aeron:udp?control-mode=response|control=10.99.2.2:40457";
/// Requests of a client.
const COUNT: u64 = 500;

#[test]
fn answers_take_another_path_than_requests() {
    let Some(network) = Network::make("answers_take_another_path_than_requests") else {
        return;
    };
    let places = [place(), place()];
    let directories = [aeron_dir(&places[0]), aeron_dir(&places[1])];
    let [here, there] = &directories;
    let drivers = [(End::Here, here), (End::There, there)].map(|(end, directory)| {
        let driver = start(&network, end, "driver", directory, &[]);
        driver.await_words("ready");
        driver
    });
    let server = start(&network, End::There, "server", there, &[]);
    server.await_words("serving");
    let clients = [(End::Here, here), (End::Here, here), (End::There, there)];
    let clients: Vec<_> = (1..)
        .zip(clients)
        .map(|(seed, (end, directory))| {
            start(&network, end, "client", directory, &[&format!("{seed}")])
        })
        .collect();
    for client in clients {
        let source = client.next_words().expect("it is answered");
        assert!(source.starts_with("from 10.99.2.2:"), "{source}");
        client.await_words("answered");
        assert!(client.dismiss().success());
    }
    assert!(server.dismiss().success());
    for driver in drivers {
        assert!(driver.dismiss().success());
    }
}

/// Sends back whatever comes, to each client its own. Says "serving".
pub(crate) fn serve(part: &Part) {
    let client = connect(&part.directory);
    let mut requests = client
        .add_subscription(REQUEST_CHANNEL, REQUESTS)
        .expect("a subscription");
    say("serving");
    let mut clients: BTreeMap<_, (ExclusivePublication, VecDeque<_>)> = BTreeMap::new();
    repeat(|| {
        for image in requests.images().iter() {
            clients.entry(image.session_id()).or_insert_with(|| {
                let id = image.correlation_id();
                let channel = format!("{ANSWER_CHANNEL}|response-correlation-id={id}");
                let answers = client.add_exclusive_publication(channel, ANSWERS);
                (answers.expect("a publication"), VecDeque::new())
            });
        }
        // Only those that have a publication by now are in the list that is polled.
        for image in requests.images().iter() {
            let Some((_, waiting)) = clients.get_mut(&image.session_id()) else {
                continue;
            };
            let Some(mut poller) = requests.image_poller(image.session_id()) else {
                continue;
            };
            poller.poll(16, |request, _| waiting.push_back(request.to_vec()));
        }
        for (answers, waiting) in clients.values_mut() {
            while let Some(request) = waiting.front() {
                match answers.offer(request) {
                    Ok(_) => drop(waiting.pop_front()),
                    Err(error) if error.is_retryable() => break,
                    Err(error) => panic!("an answer: {error}"),
                }
            }
        }
        std::thread::yield_now();
    });
}

/// Asks, and checks the answers. Says "from" whom they come, and "answered" when all have come.
pub(crate) fn ask(part: &Part) {
    let seed: u64 = part.arguments[0].parse().expect("a number");
    let client = connect(&part.directory);
    let mut answers = client
        .add_subscription(ANSWER_CHANNEL, ANSWERS)
        .expect("a subscription");
    let id = answers.registration_id();
    let channel = format!("{REQUEST_CHANNEL}|response-correlation-id={id}");
    let requests = client
        .add_publication(channel, REQUESTS)
        .expect("a publication");
    let orders = orders();
    let source = wait_for("the server", || {
        let image = answers.image_at(0)?;
        requests
            .is_connected()
            .then(|| image.source_identity().to_owned())
    });
    say(&format!("from {source}"));
    let message = |number: u64| [seed.to_le_bytes(), number.to_le_bytes()].concat();
    let (mut sent, mut received) = (0, 0);
    wait_until("the answers", || {
        if sent < COUNT {
            match requests.offer(&message(sent)) {
                Ok(_) => sent += 1,
                Err(error) => assert!(error.is_retryable(), "request {sent}: {error}"),
            }
        }
        answers.poll(16, |answer, _| {
            assert_eq!(answer, message(received), "answer {received}");
            received += 1;
        });
        received == COUNT
    });
    say("answered");
    while orders.try_recv() != Err(TryRecvError::Disconnected) {
        let more = answers.poll(16, |_, _| {});
        assert_eq!(more, 0, "an answer too many");
        std::thread::yield_now();
    }
}
