//! Publish and receive: by way of another process.

use super::streams::message;
use crate::peer::{Action, Client};
use crate::support::child::{Part, dismissal, say};
use crate::world::{IPC, STREAM, World, start_role, udp, wait_until};

/// Echoes what one stream brings on another, until it is let go.
pub(super) fn play_echo(part: &Part) {
    let [channel, pairs] = part.arguments.as_slice() else {
        panic!("a channel and a number");
    };
    let client = Client::connect(&part.directory);
    let ends: Vec<_> = (0..pairs.parse().expect("a number"))
        .map(|pair: i32| {
            let request = client.add_subscription(channel, STREAM + 2 * pair);
            let response = client.add_publication(channel, STREAM + 2 * pair + 1);
            (request.expect("added"), response.expect("added"))
        })
        .collect();
    say("ready");
    let dismissed = dismissal();
    while dismissed.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
        let mut work = 0;
        for (request, response) in &ends {
            work += request.controlled_poll_assembled(10, |bytes, _| {
                if response.offer(bytes).position().is_some() {
                    Action::Commit
                } else {
                    Action::Abort
                }
            });
        }
        if work == 0 {
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
    }
}

/// Random data through another process and back.
fn echo(channel: &str, pairs: i32) {
    const TOTAL: usize = 1024 * 1024;
    const CHUNK: usize = 4000;
    let world = World::start(&[]);
    let client = world.client();
    let child = start_role("echo", world.dir(), &[channel, &pairs.to_string()]);
    child.await_words("ready");
    let data = message(25, TOTAL);
    let mut ends: Vec<_> = (0..pairs)
        .map(|pair| {
            let request = client
                .add_publication(channel, STREAM + 2 * pair)
                .expect("added");
            let response = client.add_subscription(channel, STREAM + 2 * pair + 1);
            (
                request,
                response.expect("added"),
                0,
                Vec::with_capacity(TOTAL),
            )
        })
        .collect();
    wait_until("the whole echo", || {
        for (request, response, sent, echoed) in &mut ends {
            for _ in 0..8 {
                let chunk = &data[*sent..TOTAL.min(*sent + CHUNK)];
                if !chunk.is_empty() && request.offer(chunk).position().is_some() {
                    *sent += chunk.len();
                }
                response.poll_assembled(16, |bytes, _| echoed.extend_from_slice(bytes));
            }
        }
        ends.iter().all(|(_, _, _, echoed)| echoed.len() >= TOTAL)
    });
    assert!(ends.iter().all(|(_, _, _, echoed)| *echoed == data));
    drop(ends);
    assert!(child.dismiss().success());
}

#[test]
fn row_6_25_another_process_echoes_random_data() {
    echo(&udp(), 1);
    echo(IPC, 1);
}

#[test]
fn row_6_25_another_process_echoes_random_data_of_ten_pairs() {
    echo(IPC, 10);
}
