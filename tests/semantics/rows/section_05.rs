//! What becomes of sockets and ports: statuses of channels, addresses in use, ports that the driver
//! or the operating system chooses, and that all of it is given back.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use aileron::cnc::SystemCounter;

use super::bench::{ANY, Bench};
use crate::peer::{LIBRARY, Publication, Refusal, Subscription, channel_status, code};
use crate::world::{
    IPC, STREAM, THREADING_MODES, await_connection, free_port, multicast, receive, send, udp,
    wait_for, wait_until,
};

/// Type of the counters that say where a socket is bound.
const LOCAL_ADDRESS_TYPE: i32 = 14;
/// How often a row opens the same thing again.
const ROUNDS: usize = 10;

/// The modes of drivers that run by themselves.
fn threading_modes() -> impl Iterator<Item = [(&'static str, &'static str); 1]> {
    let modes = THREADING_MODES.iter().filter(|mode| **mode != "INVOKER");
    modes.map(|mode| [("aeron.threading.mode", *mode)])
}

impl Bench {
    /// The sockets that something has, as their counters say.
    fn sockets_of(&self, registration_id: i64) -> usize {
        let counters = self.client.counters();
        let own = counters.iter().filter(|counter| {
            counter.type_id == LOCAL_ADDRESS_TYPE && counter.registration_id == registration_id
        });
        own.count()
    }

    fn errors(&self) -> i64 {
        self.world.system_counter(SystemCounter::Errors)
    }
}

fn endpoint(port: u16) -> String {
    format!("aeron:udp?endpoint=localhost:{port}")
}

/// A message from `publication` comes to `subscription`.
fn carries(publication: &Publication, subscription: &Subscription) {
    await_connection(publication, subscription);
    send(publication, b"hello");
    assert_eq!(receive(subscription, 1), [b"hello"]);
}

#[test]
fn row_5_1_channels_become_active() {
    let bench = Bench::start(&[]);
    for uri in [udp(), multicast()] {
        let publication = bench.publish(&uri, STREAM);
        let subscription = bench.subscribe(&uri, STREAM);
        wait_until("active channels", || {
            publication.channel_status() == channel_status::ACTIVE
                && subscription.channel_status() == channel_status::ACTIVE
        });
    }
    for uri in [
        "aeron:udp?endpoint",
        "aeron:tcp?endpoint=localhost:1",
        "udp",
    ] {
        bench.refuses_publication(uri, code::INVALID_CHANNEL, &[uri]);
        bench.refuses_subscription(uri, code::INVALID_CHANNEL, &[uri]);
    }
}

#[test]
fn row_5_2_two_drivers_send_from_one_port() {
    let (first, second) = (Bench::start(&[]), Bench::start(&[]));
    let uri = format!("{}|interface=localhost:{}", udp(), free_port());
    let _publication = first.publish(&uri, STREAM);
    second.refuses_publication(&uri, ANY, &[&uri]);
}

/// The second driver is refused what the first has open, and gets it once the first has closed it.
fn contend<T>(
    settings: &[(&str, &str)],
    uri: &str,
    add: impl Fn(&Bench, &str) -> Result<T, Refusal>,
    check: impl Fn(&Bench, T),
) {
    let (first, second) = (Bench::start(settings), Bench::start(settings));
    let open = add(&first, uri).expect("a free port");
    for _ in 0..3 {
        let words = ["in use", uri];
        second.refuses(code::GENERIC_ERROR, &words, || add(&second, uri));
    }
    drop(open);
    wait_until("the socket's end", || {
        let counters = first.client.counters();
        counters
            .iter()
            .all(|counter| counter.type_id != LOCAL_ADDRESS_TYPE)
    });
    check(&second, add(&second, uri).expect("the port is free"));
}

#[test]
fn row_5_3_two_drivers_listen_at_one_port() {
    for settings in threading_modes() {
        let subscribe = |bench: &Bench, uri: &str| bench.client.add_subscription(uri, STREAM);
        let uri = udp();
        contend(&settings, &uri, subscribe, |bench, subscription| {
            carries(&bench.publish(&uri, STREAM), &subscription);
        });
    }
}

#[test]
fn row_5_4_two_drivers_want_other_ports() {
    for settings in threading_modes() {
        let control = format!("control=localhost:{}", free_port());
        let subscribe = |bench: &Bench, uri: &str| bench.client.add_subscription(uri, STREAM);
        let publish = |bench: &Bench, uri: &str| bench.client.add_publication(uri, STREAM);

        let member = format!("{}|{control}", udp());
        let source = format!("aeron:udp?{control}|control-mode=dynamic|linger=0");
        contend(&settings, &member, subscribe, |bench, subscription| {
            carries(&bench.publish(&source, STREAM), &subscription);
        });
        contend(&settings, &source, publish, |bench, publication| {
            carries(&publication, &bench.subscribe(&member, STREAM));
        });
        let to = udp();
        let bound = format!("{to}|interface=localhost:{}|linger=0", free_port());
        contend(&settings, &bound, publish, |bench, publication| {
            carries(&publication, &bench.subscribe(&to, STREAM));
        });
    }
}

#[test]
fn row_5_5_a_destination_at_a_port_in_use() {
    for settings in threading_modes() {
        let (first, second) = (Bench::start(&settings), Bench::start(&settings));
        let (busy, other) = (free_port(), free_port());
        let occupier = first.subscribe(&endpoint(busy), STREAM);
        let subscription = second.subscribe("aeron:udp?control-mode=manual", STREAM);
        subscription
            .add_destination(&endpoint(other))
            .expect("a free port");
        for _ in 0..3 {
            let words = ["in use", &endpoint(busy)];
            second.refuses(ANY, &words, || {
                subscription.add_destination(&endpoint(busy))
            });
            assert_eq!(subscription.channel_status(), channel_status::ACTIVE);
        }
        drop(occupier);
        wait_until("the socket's end", || {
            let counters = first.client.counters();
            counters
                .iter()
                .all(|counter| counter.type_id != LOCAL_ADDRESS_TYPE)
        });
        subscription
            .add_destination(&endpoint(busy))
            .expect("a free port");
        let _publications = [busy, other].map(|port| second.publish(&endpoint(port), STREAM));
        wait_until("both images", || subscription.image_count() == 2);
        let mut ports: Vec<u16> = subscription
            .local_addresses()
            .iter()
            .map(SocketAddr::port)
            .collect();
        ports.sort_unstable();
        let mut expected = [busy, other];
        expected.sort_unstable();
        assert_eq!(ports, expected);
    }
}

#[test]
fn row_5_6_a_subscription_again_and_again() {
    for settings in threading_modes() {
        let bench = Bench::start(&settings);
        let uri = udp();
        for _ in 0..ROUNDS {
            let subscription = bench.subscribe(&uri, STREAM);
            let status = |bench: &Bench| {
                let id = subscription.channel_status_id();
                let mut counters = bench.client.counters();
                counters.retain(|counter| counter.id == id);
                counters.pop()
            };
            let counter = status(&bench).expect("a status counter");
            assert_eq!(counter.registration_id, subscription.registration_id());
            let id = counter.id;
            subscription.close();
            wait_until("the counter's end", || {
                bench
                    .client
                    .counters()
                    .iter()
                    .all(|counter| counter.id != id)
            });
        }
        assert_eq!(bench.errors(), 0);
    }
}

#[test]
fn row_5_7_a_subscription_again_at_once() {
    for settings in threading_modes() {
        let bench = Bench::start(&settings);
        let uri = udp();
        for _ in 0..ROUNDS {
            let subscription = wait_for("the subscription", || {
                match bench.client.add_subscription(&uri, STREAM) {
                    Ok(subscription) => Some(subscription),
                    Err(refusal) => {
                        refusal.assert(code::RESOURCE_TEMPORARILY_UNAVAILABLE, &[]);
                        None
                    }
                }
            });
            subscription.close();
        }
        assert_eq!(bench.errors(), 0);
    }
}

#[test]
fn row_5_8_a_publication_again_at_once() {
    // Its endpoint outlives it for so long.
    let bench = Bench::start(&[("aeron.publication.linger.timeout", "60s")]);
    let control = free_port();
    for uri in [
        format!("aeron:udp?control=localhost:{control}|control-mode=dynamic"),
        format!("{}|control=localhost:{}", udp(), free_port()),
        IPC.to_owned(),
    ] {
        for _ in 0..ROUNDS {
            let publication = bench.publish(&uri, STREAM);
            let status = publication.channel_status();
            match status {
                channel_status::ACTIVE => {}
                channel_status::INITIALIZING => assert_ne!(uri, IPC),
                // Aeron's C client knows no status of shared memory.
                _ => assert!(uri == IPC && LIBRARY != "aileron", "{uri}: {status}"),
            }
            publication.close();
        }
    }
    assert_eq!(bench.errors(), 0);
}

#[test]
fn row_5_9_two_subscriptions_with_one_destination_of_a_group() {
    let bench = Bench::start(&[]);
    let group = multicast();
    let [first, second] = [0; 2].map(|_| {
        let subscription = bench.subscribe("aeron:udp?control-mode=manual", STREAM);
        subscription.add_destination(&group).expect("added");
        subscription
    });
    let publication = bench.publish(&group, STREAM);
    carries(&publication, &second);
    first.remove_destination(&group).expect("removed");
    wait_until("the end of the first socket", || {
        bench.sockets_of(first.registration_id()) == 0
    });
    let counters = bench.client.counters();
    let id = second.registration_id();
    let socket = counters
        .iter()
        .find(|counter| counter.type_id == LOCAL_ADDRESS_TYPE && counter.registration_id == id);
    assert_eq!(socket.expect("a socket").value, channel_status::ACTIVE);
    carries(&publication, &second);
}

#[test]
fn row_5_10_a_port_of_the_systems_choice() {
    let bench = Bench::start(&[]);
    let subscription = bench.subscribe("aeron:udp?endpoint=localhost:0", STREAM);
    let address = subscription.resolved_endpoint().expect("an address");
    let port = address.strip_prefix("127.0.0.1:").expect("the loopback");
    assert_ne!(port, "0");
    let uri = subscription.resolved_channel().expect("a channel");
    // Some clients keep the host, others put the address in its place.
    let expected =
        ["localhost", "127.0.0.1"].map(|host| format!("aeron:udp?endpoint={host}:{port}"));
    assert!(expected.contains(&uri), "{uri}");
    carries(&bench.publish(&uri, STREAM), &subscription);
}

#[test]
fn row_5_11_ports_of_the_systems_choice_differ() {
    let bench = Bench::start(&[]);
    let tagged = |tag| format!("aeron:udp?endpoint=localhost:0|tags={tag}");
    let first = bench.subscribe(&tagged(1001), STREAM);
    let second = bench.subscribe(&tagged(1002), STREAM);
    let third = bench.subscribe("aeron:udp?tags=1001", STREAM);
    assert_ne!(first.resolved_endpoint(), second.resolved_endpoint());
    assert_eq!(first.resolved_endpoint(), third.resolved_endpoint());
    assert!(first.resolved_endpoint().is_some());
}

#[test]
fn row_5_12_a_port_of_the_systems_choice_in_ipv6() {
    let bench = Bench::start(&[]);
    let subscription = bench.subscribe("aeron:udp?endpoint=[::1]:0", STREAM);
    let address = subscription.resolved_endpoint().expect("an address");
    let port = address.strip_prefix("[::1]:").expect("the loopback");
    let port: u16 = port.parse().expect("a port");
    let publication = bench.publish(&format!("aeron:udp?endpoint=[::1]:{port}"), STREAM);
    carries(&publication, &subscription);
}

#[test]
fn row_5_13_two_destinations_with_ports_of_the_systems_choice() {
    let bench = Bench::start(&[]);
    let subscription = bench.subscribe("aeron:udp?control-mode=manual", STREAM);
    for _ in 0..2 {
        subscription.add_destination(&endpoint(0)).expect("added");
    }
    let addresses = subscription.local_addresses();
    assert_eq!(addresses.len(), 2);
    assert_ne!(addresses[0], addresses[1]);
    let publications: Vec<_> = addresses
        .iter()
        .map(|address| {
            bench
                .client
                .add_exclusive_publication(&endpoint(address.port()), STREAM)
        })
        .map(|added| added.expect("a publication"))
        .collect();
    for publication in &publications {
        carries(publication, &subscription);
    }
    assert_eq!(subscription.image_count(), 2);
}

#[test]
fn row_5_14_a_control_port_of_the_systems_choice() {
    let bench = Bench::start(&[]);
    let uri = "aeron:udp?control=localhost:0|control-mode=dynamic";
    let publication = bench.publish(uri, STREAM);
    let address = publication.local_addresses()[0];
    assert_ne!(address.port(), 0);
    let subscription = bench.subscribe(&format!("{}|control={address}", udp()), STREAM);
    carries(&publication, &subscription);
}

/// A port and the one after it, both free.
fn two_free_ports() -> u16 {
    wait_for("two ports in a row", || {
        let port = free_port();
        let next = UdpSocket::bind(("127.0.0.1", port.checked_add(1)?));
        next.is_ok().then_some(port)
    })
}

#[test]
fn row_5_15_ports_of_the_drivers_choice() {
    let (low, single) = (two_free_ports(), free_port());
    let high = low + 1;
    let (receiver, sender) = (format!("{low} {high}"), format!("{single} {single}"));
    let bench = Bench::start(&[
        ("aeron.receiver.wildcard.port.range", &receiver),
        ("aeron.sender.wildcard.port.range", &sender),
        ("aeron.publication.linger.timeout", "1us"),
    ]);
    let listen = || {
        bench
            .client
            .add_subscription("aeron:udp?endpoint=localhost:0", STREAM)
    };
    let port = |subscription: &Subscription| subscription.local_addresses()[0].port();
    let first = listen().expect("the first port");
    let second = listen().expect("the second port");
    assert_eq!([port(&first), port(&second)], [low, high]);
    let words = [&format!("no available ports in range {receiver}")[..]];
    bench.refuses(ANY, &words, listen);
    let id = first.registration_id();
    drop(first);
    wait_until("the socket's end", || bench.sockets_of(id) == 0);
    let again = listen().expect("a port that is free again");
    assert_eq!(port(&again), low);

    let uri = "aeron:udp?control=localhost:0|control-mode=dynamic";
    let publish = || bench.client.add_exclusive_publication(uri, STREAM);
    let publication = publish().expect("the only port");
    assert_eq!(publication.local_addresses()[0].port(), single);
    let words = [&format!("no available ports in range {sender}")[..]];
    bench.refuses(ANY, &words, publish);
    let id = publication.registration_id();
    publication.close();
    wait_until("the socket's end", || bench.sockets_of(id) == 0);
    let again = publish().expect("a port that is free again");
    assert_eq!(again.local_addresses()[0].port(), single);
}

#[test]
fn row_5_16_a_port_outlives_whoever_opened_it() {
    for suffix in ["alias=second", "session-id=77"] {
        let bench = Bench::start(&[]);
        let uri = "aeron:udp?endpoint=localhost:0|tags=1001";
        let first = bench.subscribe(uri, STREAM);
        let second = bench.subscribe(&format!("aeron:udp?tags=1001|{suffix}"), STREAM);
        let address = first.resolved_endpoint().expect("an address");
        first.close();
        let uri = format!("aeron:udp?endpoint={address}|session-id=77");
        carries(&bench.publish(&uri, STREAM), &second);
        assert_eq!(second.resolved_endpoint(), Some(address));
    }
}

/// Two groups on one port.
fn two_groups() -> [String; 2] {
    let port = free_port();
    [39, 41].map(|last| format!("aeron:udp?endpoint=224.20.30.{last}:{port}|interface=localhost"))
}

/// A subscription to a group, by itself or by way of a destination.
fn join(bench: &Bench, group: &str, is_destination: bool) -> Subscription {
    if !is_destination {
        return bench.subscribe(group, STREAM);
    }
    let subscription = bench.subscribe("aeron:udp?control-mode=manual", STREAM);
    subscription.add_destination(group).expect("added");
    subscription
}

#[test]
fn row_5_17_two_groups_on_one_port() {
    for (first, second) in [(false, false), (true, true), (false, true), (true, false)] {
        let bench = Bench::start(&[]);
        let groups = two_groups();
        let subscriptions = [
            join(&bench, &groups[0], first),
            join(&bench, &groups[1], second),
        ];
        let publications = [0, 1].map(|at| bench.publish(&groups[at], STREAM));
        for (publication, subscription) in publications.iter().zip(&subscriptions) {
            carries(publication, subscription);
        }
        for (publication, subscription) in publications.iter().zip(&subscriptions) {
            let images = subscription.images();
            assert_eq!(images.len(), 1);
            assert_eq!(images[0].session_id(), publication.session_id());
        }
    }
}

#[test]
fn row_5_18_the_stream_of_another_group_on_the_port() {
    for is_destination in [false, true] {
        let bench = Bench::start(&[]);
        let [quiet, busy] = two_groups();
        let listener = join(&bench, &quiet, is_destination);
        let subscription = join(&bench, &busy, is_destination);
        let publication = bench.publish(&busy, STREAM);
        for _ in 0..ROUNDS {
            carries(&publication, &subscription);
        }
        assert!(listener.events().is_empty());
    }
}

#[test]
fn row_5_19_one_address_twice() {
    let manual = "aeron:udp?control-mode=manual";
    let bench = Bench::start(&[]);
    let uri = udp();
    let words = ["in use"];
    let plain = bench.subscribe(&uri, STREAM);
    let first = bench.subscribe(manual, STREAM);
    let second = bench.subscribe(manual, STREAM);
    bench.refuses(ANY, &words, || first.add_destination(&uri));
    let id = plain.registration_id();
    plain.close();
    wait_until("the socket's end", || bench.sockets_of(id) == 0);
    first.add_destination(&uri).expect("a free port");
    bench.refuses_subscription(&uri, ANY, &words);
    bench.refuses(ANY, &words, || second.add_destination(&uri));
    let any = uri.replace("localhost", "0.0.0.0");
    bench.refuses(ANY, &words, || second.add_destination(&any));
}

#[test]
fn row_5_20_ports_of_a_closed_subscription() {
    let bench = Bench::start(&[]);
    let uris = [udp(), udp()];
    let open = || {
        let subscription = bench.subscribe("aeron:udp?control-mode=manual", STREAM);
        for uri in &uris {
            subscription.add_destination(uri).expect("a free port");
        }
        subscription
    };
    for _ in 0..3 {
        let subscription = open();
        let id = subscription.registration_id();
        subscription.close();
        wait_until("the sockets' end", || bench.sockets_of(id) == 0);
    }
    let _plain = uris.each_ref().map(|uri| bench.subscribe(uri, STREAM));
}

#[test]
fn row_5_22_all_sockets_are_given_back() {
    let bench = Bench::start(&[]);
    let (plain, member, control) = (free_port(), free_port(), free_port());
    let subscription = bench.subscribe("aeron:udp?control-mode=manual", STREAM);
    subscription
        .add_destination(&endpoint(plain))
        .expect("added");
    let uri = format!("{}|control=localhost:{control}", endpoint(member));
    subscription.add_destination(&uri).expect("added");
    let id = subscription.registration_id();
    assert_eq!(bench.sockets_of(id), 2);
    subscription.close();
    wait_until("the counters' end", || bench.sockets_of(id) == 0);
    for port in [plain, member] {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
    }
}
