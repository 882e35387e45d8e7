//! Servers that answer each client on a stream of its own, on addresses that the client chose.

use crate::harness::{Driver, Peer, Side, WATCHDOG, free_port, value};

/// Some in one frame, some in many.
const SIZES: &str = "16,31,1376,1377,8192,65536";
const COUNT: u64 = 120;
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.image.liveness.timeout", "2s"),
    ("aeron.publication.linger.timeout", "200ms"),
    ("aeron.threading.mode", "SHARED"),
];
const BOTH: [Side; 2] = [Side::Theirs, Side::Ours];

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Where a conversation takes place.
struct Place {
    request: String,
    response: String,
}

fn server(driver: &Driver, side: Side, place: &Place) -> (Peer, String) {
    let arguments = words(&format!(
        "--channel {} --response-channel {} --timeout {}",
        place.request,
        place.response,
        WATCHDOG.as_secs()
    ));
    let mut server = driver.client(side, "respond", &arguments);
    let ready = server.line("READY");
    (server, value(&ready, "endpoint").unwrap_or_default())
}

fn client(driver: &Driver, side: Side, place: &Place, seed: usize) -> Peer {
    let arguments = words(&format!(
        "--channel {} --response-channel {} --timeout {} \
         --seed {seed} --count {COUNT} --sizes {SIZES}",
        place.request,
        place.response,
        WATCHDOG.as_secs()
    ));
    driver.client(side, "request", &arguments)
}

/// All of `clients` talk to `server` at the same time. Each gets back what it sent and nothing
/// else: the seeds differ, and so does every message.
fn conversation(server: &mut Peer, mut clients: Vec<Peer>) {
    let mut sessions = Vec::new();
    for client in &mut clients {
        let ready = client.line("READY");
        sessions.push(value(&ready, "session").expect("a session"));
    }
    for (seed, client) in clients.iter_mut().enumerate() {
        let done = client.line("DONE");
        assert!(
            done.starts_with(&format!("seed={seed} messages={COUNT} ")),
            "{done}"
        );
    }
    let mut answered: Vec<_> = clients
        .iter()
        .map(|_| value(&server.line("ANSWERING"), "session").expect("a session"))
        .collect();
    sessions.sort();
    answered.sort();
    assert_eq!(answered, sessions, "each client is answered once");
    for client in clients {
        let left = client.stop();
        // The C client also says that the image goes when its subscription does.
        let expected = |line: &String| line == "CONNECTED" || line.starts_with("UNAVAILABLE ");
        assert!(left.iter().all(expected), "{left:?}");
    }
    for _ in &sessions {
        let gone = server.line("UNAVAILABLE");
        assert!(gone.ends_with("end-of-stream=true revoked=false"), "{gone}");
    }
}

/// A server on a driver, and a client of either side on a driver of either side.
fn over_udp(server_side: Side, driver_side: Side, host: &str) {
    let serving = Driver::launch(driver_side, SETTINGS);
    let drivers = BOTH.map(|side| Driver::launch(side, SETTINGS));
    let mut place = Place {
        request: format!("aeron:udp?endpoint={host}:0"),
        response: format!(
            "aeron:udp?control-mode=response|control={host}:{}",
            free_port()
        ),
    };
    let (mut server, endpoint) = server(&serving, server_side, &place);
    place.request = format!("aeron:udp?endpoint={endpoint}");
    let mut clients = Vec::new();
    for driver in &drivers {
        for side in BOTH {
            clients.push(client(driver, side, &place, clients.len()));
        }
    }
    conversation(&mut server, clients);
    drop(server.stop());
    serving.stop();
    drivers.into_iter().for_each(Driver::stop);
}

/// A server and a client of either side, all on one driver.
fn over_ipc(server_side: Side, driver_side: Side) {
    let driver = Driver::launch(driver_side, SETTINGS);
    let place = Place {
        request: "aeron:ipc".to_owned(),
        response: "aeron:ipc?control-mode=response".to_owned(),
    };
    let (mut server, _) = server(&driver, server_side, &place);
    let clients = (0..).zip(BOTH);
    let clients = clients.map(|(seed, side)| client(&driver, side, &place, seed));
    conversation(&mut server, clients.collect());
    drop(server.stop());
    driver.stop();
}

macro_rules! tests {
    ($($name:ident: $server:expr, $driver:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn over_udp_v4() {
                over_udp($server, $driver, "127.0.0.1");
            }

            #[test]
            fn over_udp_v6() {
                over_udp($server, $driver, "[::1]");
            }

            #[test]
            fn over_ipc() {
                super::over_ipc($server, $driver);
            }
        }
    )*};
}

tests! {
    theirs_alone: Side::Theirs, Side::Theirs;
    their_server_on_our_driver: Side::Theirs, Side::Ours;
    our_server_on_their_driver: Side::Ours, Side::Theirs;
    our_server: Side::Ours, Side::Ours;
}
