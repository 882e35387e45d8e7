//! Response channels: a server answers each client on a stream of its own.

use super::bench::{ANY, Bench};
use crate::peer::{Client, Image, Publication, Subscription, code};
use crate::world::{
    IPC, STREAM, await_connection, free_port, receive, send, udp, wait_for, wait_until,
};

/// Stream of the answers.
const ANSWERS: i32 = 2002;
/// Small enough that many terms pass quickly.
const MESSAGE_LENGTH: usize = 992;

/// Where requests and answers go.
struct Channels {
    requests: String,
    /// Of answers, for both sides, less what each adds.
    answers: String,
}

impl Channels {
    fn udp() -> Self {
        let control = free_port();
        Self {
            requests: udp(),
            answers: format!("aeron:udp?control=localhost:{control}|control-mode=response"),
        }
    }

    fn ipc() -> Self {
        Self {
            requests: format!("{IPC}?alias=requests"),
            answers: format!("{IPC}?control-mode=response"),
        }
    }
}

/// A client's half of a conversation.
struct Asker {
    request: Publication,
    answers: Subscription,
}

impl Asker {
    fn start(client: &Client, channels: &Channels, is_exclusive: bool) -> Self {
        let answers = client
            .add_subscription(&channels.answers, ANSWERS)
            .expect("a response subscription");
        let id = answers.registration_id();
        let uri = format!("{}|response-correlation-id={id}", channels.requests);
        let request = client
            .add_publication_of(is_exclusive, &uri, STREAM)
            .expect("a request publication");
        Self { request, answers }
    }

    /// The server's image of its requests.
    fn image(&self, server: &Subscription) -> Image {
        wait_for("the image of the requests", || {
            server.image_by_session(self.request.session_id())
        })
    }

    /// The server's answering publication, connected.
    fn answered_by(
        &self,
        server: &Bench,
        requests: &Subscription,
        channels: &Channels,
    ) -> Publication {
        let uri = answer_uri(channels, self.image(requests).correlation_id());
        let publication = server.publish(&uri, ANSWERS);
        await_connection(&publication, &self.answers);
        publication
    }
}

fn answer_uri(channels: &Channels, image: i64) -> String {
    format!("{}|response-correlation-id={image}", channels.answers)
}

/// Two clients ask, and each gets its own answers only.
fn converse(channels: &Channels, is_exclusive: bool) {
    let bench = Bench::start(&[]);
    let requests = bench.subscribe(&channels.requests, STREAM);
    let clients = [bench.world.client(), bench.world.client()];
    let askers = clients
        .each_ref()
        .map(|client| Asker::start(client, channels, is_exclusive));
    let answers = askers
        .each_ref()
        .map(|asker| asker.answered_by(&bench, &requests, channels));
    for asker in &askers {
        await_connection(&asker.request, &requests);
    }
    for (number, (asker, answer)) in askers.iter().zip(&answers).enumerate() {
        let words = format!("request {number}");
        send(&asker.request, words.as_bytes());
        assert_eq!(receive(&requests, 1), [words.as_bytes()]);
        let words = format!("answer {number}");
        send(answer, words.as_bytes());
    }
    for (number, (asker, answer)) in askers.iter().zip(&answers).enumerate() {
        let words = format!("answer {number}");
        assert_eq!(receive(&asker.answers, 1), [words.as_bytes()]);
        let images = asker.answers.images();
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].session_id(), answer.session_id());
        assert_eq!(asker.answers.poll(1, |_, _| {}), 0);
    }
}

#[test]
fn row_15_1_each_client_gets_its_own_answers() {
    converse(&Channels::udp(), false);
}

#[test]
fn row_15_2_both_directions_are_connected() {
    let bench = Bench::start(&[]);
    let channels = Channels::udp();
    let requests = bench.subscribe(&channels.requests, STREAM);
    let asker = Asker::start(&bench.client, &channels, false);
    let answer = asker.answered_by(&bench, &requests, &channels);
    wait_until("both directions", || {
        asker.request.is_connected()
            && requests.is_connected()
            && answer.is_connected()
            && asker.answers.is_connected()
    });
}

#[test]
fn row_15_3_each_client_gets_its_own_answers_in_shared_memory() {
    for is_exclusive in [false, true] {
        converse(&Channels::ipc(), is_exclusive);
    }
}

#[test]
fn row_15_4_a_client_that_goes_early() {
    // It may go before its answers have a publication, and after.
    for is_answered in [false, true] {
        let bench = Bench::start(&[("aeron.image.liveness.timeout", "1s")]);
        let channels = Channels::udp();
        let requests = bench.subscribe(&channels.requests, STREAM);
        let early = Asker::start(&bench.client, &channels, true);
        let late = Asker::start(&bench.client, &channels, true);
        let image = early.image(&requests).correlation_id();
        let answered = is_answered.then(|| early.answered_by(&bench, &requests, &channels));
        early.answers.close();
        let unheard =
            answered.unwrap_or_else(|| bench.publish(&answer_uri(&channels, image), ANSWERS));
        let answer = late.answered_by(&bench, &requests, &channels);
        send(&answer, b"for the second");
        assert_eq!(receive(&late.answers, 1), [b"for the second"]);
        wait_until("the disconnection of the first", || !unheard.is_connected());
        assert!(answer.is_connected());
    }
}

#[test]
fn row_15_5_a_response_subscription_that_asked_for_nothing() {
    for channels in [Channels::udp(), Channels::ipc()] {
        let bench = Bench::start(&[]);
        let requests = bench.subscribe(&channels.requests, STREAM);
        let asker = Asker::start(&bench.client, &channels, false);
        let idle = bench.subscribe(&channels.answers, ANSWERS);
        let answer = asker.answered_by(&bench, &requests, &channels);
        for _ in 0..10 {
            send(&answer, b"not for all");
            assert_eq!(receive(&asker.answers, 1), [b"not for all"]);
        }
        assert!(!idle.is_connected());
        assert!(idle.events().is_empty());
    }
}

#[test]
fn row_15_6_what_publications_share() {
    let bench = Bench::start(&[]);
    let channels = Channels::udp();
    let ids = [0; 2].map(|_| {
        let subscription = bench.subscribe(&channels.answers, ANSWERS);
        let id = subscription.registration_id();
        (subscription, id)
    });
    let publish = |id: Option<i64>| {
        let parameter = id.map_or(String::new(), |id| format!("|response-correlation-id={id}"));
        bench.publish(&format!("{}{parameter}", channels.requests), STREAM)
    };
    let (first, second) = (Some(ids[0].1), Some(ids[1].1));
    let all = [None, None, first, first, second].map(|id| (id, publish(id)));
    for (id, publication) in &all {
        for (other_id, other) in &all {
            let is_shared =
                publication.original_registration_id() == other.original_registration_id();
            assert_eq!(is_shared, id == other_id, "{id:?} and {other_id:?}");
        }
    }
}

#[test]
fn row_15_7_answers_that_nobody_asked_for() {
    let bench = Bench::start(&[("aeron.image.liveness.timeout", "1s")]);
    let channels = Channels::udp();
    let requests = bench.subscribe(&channels.requests, STREAM);
    let publication = bench.publish(&channels.requests, STREAM);
    await_connection(&publication, &requests);
    let image = requests.images()[0].correlation_id();
    let refuses = |id: i64, words: &str| {
        let uri = answer_uri(&channels, id);
        bench.refuses_publication(&uri, code::GENERIC_ERROR, &[words]);
    };
    refuses(image, "did not request a response channel");

    let asker = Asker::start(&bench.client, &channels, true);
    let gone = asker.image(&requests).correlation_id();
    asker.request.close();
    wait_until("the end of the image", || requests.image_count() == 1);
    // It is unavailable to the subscriber a little before the driver forgets it.
    let not_found = format!("image.correlationId={gone} not found");
    refuses(gone, &not_found);
    refuses(123_456, "image.correlationId=123456 not found");
    let words = ["control-mode=response was specified, but no response-correlation-id set"];
    bench.refuses_publication(&channels.answers, ANY, &words);
}

#[test]
fn row_15_8_a_request_for_answers_that_nobody_awaits() {
    let bench = Bench::start(&[]);
    let uri = format!("{}|response-correlation-id=123456", udp());
    bench.refuses_publication(
        &uri,
        code::GENERIC_ERROR,
        &["response-correlation-id=123456"],
    );
}

#[test]
fn row_15_9_two_answering_publications_for_one_image() {
    for channels in [Channels::udp(), Channels::ipc()] {
        let bench = Bench::start(&[]);
        let requests = bench.subscribe(&channels.requests, STREAM);
        let asker = Asker::start(&bench.client, &channels, false);
        let first = asker.answered_by(&bench, &requests, &channels);
        let second = asker.answered_by(&bench, &requests, &channels);
        assert_eq!(
            first.original_registration_id(),
            second.original_registration_id()
        );
        assert_ne!(first.registration_id(), second.registration_id());
    }
}

#[test]
fn row_15_10_many_terms_of_answers() {
    const TERMS: usize = 5;
    let bench = Bench::start(&[]);
    let channels = Channels::udp();
    let requests = bench.subscribe(&channels.requests, STREAM);
    let askers = [0; 2].map(|_| Asker::start(&bench.client, &channels, true));
    let answers = askers
        .each_ref()
        .map(|asker| asker.answered_by(&bench, &requests, &channels));
    let count = TERMS * 64;
    let (mut sent, mut received) = ([0; 2], [0; 2]);
    wait_until("all answers", || {
        for at in 0..2 {
            let message = [u8::try_from(sent[at] % 251).expect("small"); MESSAGE_LENGTH];
            if sent[at] < count && answers[at].offer(&message).position().is_some() {
                sent[at] += 1;
            }
            askers[at].answers.poll(10, |bytes, _| {
                let expected = u8::try_from(received[at] % 251).expect("small");
                assert_eq!(bytes, [expected; MESSAGE_LENGTH]);
                received[at] += 1;
            });
        }
        received == [count; 2]
    });
}

/// A publication that only holds the socket of answers.
fn prototype(bench: &Bench, channels: &Channels) -> Publication {
    let uri = format!("{}|response-correlation-id=prototype", channels.answers);
    let prototype = bench.client.add_exclusive_publication(&uri, ANSWERS);
    prototype.expect("a prototype")
}

#[test]
fn row_15_11_a_prototype_holds_the_endpoint() {
    for has_prototype in [true, false] {
        let bench = Bench::start(&[("aeron.publication.linger.timeout", "1us")]);
        let channels = Channels::udp();
        let prototype = has_prototype.then(|| prototype(&bench, &channels));
        let requests = bench.subscribe(&channels.requests, STREAM);
        let mut statuses = Vec::new();
        let askers = [0; 2].map(|_| Asker::start(&bench.client, &channels, true));
        for asker in &askers {
            let answer = asker.answered_by(&bench, &requests, &channels);
            let id = answer.channel_status_id();
            let counters = bench.client.counters();
            let status = counters.iter().find(|counter| counter.id == id);
            statuses.push(status.expect("a status").registration_id);
            answer.close();
            if !has_prototype {
                wait_until("the endpoint's end", || {
                    let counters = bench.client.counters();
                    counters
                        .iter()
                        .all(|counter| counter.type_id != 6 || counter.id != id)
                });
            }
        }
        assert_eq!(statuses[0] == statuses[1], has_prototype, "{statuses:?}");
        if let Some(prototype) = prototype {
            assert_eq!(statuses[0], prototype.registration_id());
            assert!(!prototype.is_connected());
        }
    }
}

#[test]
fn row_15_12_a_prototype_is_small_and_answers_are_not() {
    let world_settings = [("aeron.term.buffer.length", "512k")];
    let bench = Bench::start(&world_settings);
    let channels = Channels::udp();
    let prototype = prototype(&bench, &channels);
    let requests = bench.subscribe(&channels.requests, STREAM);
    let mut askers = Vec::new();
    for (parameter, length) in [
        ("|term-length=256k", 256 << 10),
        ("", 512 << 10),
        ("|term-length=1m", 1 << 20),
        ("|term-length=16m", 16 << 20),
    ] {
        let asker = Asker::start(&bench.client, &channels, true);
        let uri = answer_uri(&channels, asker.image(&requests).correlation_id());
        let answer = bench
            .client
            .add_exclusive_publication(&format!("{uri}{parameter}"), ANSWERS);
        let answer = answer.expect("an answer");
        assert_eq!(answer.term_length(), length);
        assert_eq!(prototype.term_length(), 64 << 10);
        askers.push(asker);
    }
}
