//! Spies: subscriptions to what the same driver sends.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

fn reader(client: &Client, channel: &str) -> Reader {
    Reader::new(client.add_subscription(channel, STREAM).expect("added"))
}

fn writer(client: &Client, channel: &str) -> Writer {
    Writer::new(client.add_publication(channel, STREAM).expect("added"))
}

fn spy(channel: &str) -> String {
    format!("aeron-spy:{channel}")
}

/// A unicast channel, and a group.
fn networks() -> [String; 2] {
    [udp(), multicast()]
}

/// Ways to let spies alone connect a publication: parameters of its channel, settings.
const SIMULATIONS: [(&str, &[(&str, &str)]); 2] = [
    ("|ssc=true", &[]),
    ("", &[("aeron.spies.simulate.connection", "true")]),
];

#[test]
fn row_12_1_spy_and_network_subscription_read_the_same() {
    for channel in networks() {
        let world = World::start(&[]);
        let client = world.client();
        let (mut remote, mut local) = (reader(&client, &channel), reader(&client, &spy(&channel)));
        let mut writer = writer(&client, &channel);
        wait_until("both", || {
            remote.subscription.is_connected() && local.subscription.is_connected()
        });
        exchange(&mut writer, &mut [&mut remote, &mut local], THREE_TERMS);
        assert_eq!((remote.count(), local.count()), (THREE_TERMS, THREE_TERMS));
    }
}

#[test]
fn row_12_2_a_spy_follows_its_tag() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    for tag in [1, 2] {
        let tagged = channel.replace("endpoint", &format!("tags={tag}|endpoint"));
        let mut remote = reader(&client, &tagged);
        let mut local = reader(&client, &format!("aeron-spy:aeron:udp?tags={tag}"));
        let mut writer = writer(&client, &format!("{tagged}|linger=0"));
        wait_until("both", || {
            remote.subscription.is_connected() && local.subscription.is_connected()
        });
        exchange(&mut writer, &mut [&mut remote, &mut local], 10);
        writer.publication.close();
        wait_until("the end", || {
            !remote.subscription.is_connected() && !local.subscription.is_connected()
        });
        let status = remote.subscription.channel_status_id();
        remote.subscription.close();
        wait_until("the endpoints to be closed", || {
            client.counters().iter().all(|counter| {
                counter.id != status && counter.type_id != counter_type::SEND_CHANNEL_STATUS
            })
        });
    }
}

#[test]
fn row_12_3_a_spy_alone_connects_nothing() {
    for channel in networks() {
        let world = World::start(&[]);
        let client = world.client();
        let local = reader(&client, &spy(&channel));
        let mut writer = writer(&client, &channel);
        wait_until("the spy", || local.subscription.is_connected());
        let is_unconnected = stays(Duration::from_millis(500), || {
            writer.offer() == Offered::NotConnected && !writer.publication.is_connected()
        });
        assert!(is_unconnected, "{channel}");
    }
}

#[test]
fn row_12_4_a_spy_may_simulate_a_connection() {
    for channel in networks() {
        for (parameter, settings) in SIMULATIONS {
            let world = World::start(settings);
            let client = world.client();
            let local = reader(&client, &spy(&channel));
            let writer = writer(&client, &format!("{channel}{parameter}"));
            wait_until("the spy", || local.subscription.is_connected());
            wait_until("the publication", || writer.publication.is_connected());
        }
    }
}

#[test]
fn row_12_5_a_spy_reads_all_without_anybody_on_the_network() {
    for channel in networks() {
        for (parameter, settings) in SIMULATIONS {
            let world = World::start(settings);
            let client = world.client();
            let mut local = reader(&client, &spy(&channel));
            let mut writer = writer(&client, &format!("{channel}{parameter}"));
            exchange(&mut writer, &mut [&mut local], THREE_TERMS);
            assert_eq!(local.count(), THREE_TERMS);
        }
    }
}

#[test]
fn row_12_6_a_slow_network_subscriber_gets_all_too() {
    for channel in networks() {
        let world = World::start(&[]);
        let client = world.client();
        let (mut remote, mut local) = (reader(&client, &channel), reader(&client, &spy(&channel)));
        let mut writer = writer(&client, &format!("{channel}|ssc=true"));
        wait_until("both", || {
            remote.subscription.is_connected()
                && local.subscription.is_connected()
                && writer.publication.is_connected()
        });
        let mut pressed = 0;
        for _ in 0..THREE_TERMS {
            writer.send(|| {
                // It reads only when the publisher cannot go on.
                pressed += 1;
                local.poll();
                if pressed % 10 == 0 {
                    remote.poll();
                }
            });
            local.poll();
        }
        assert!(pressed > 0, "the network subscriber was not slow");
        exchange(&mut writer, &mut [&mut remote, &mut local], 1);
        assert_eq!(
            (remote.count(), local.count()),
            (THREE_TERMS + 1, THREE_TERMS + 1)
        );
    }
}

#[test]
fn row_12_7_a_spy_reads_on_when_the_network_subscriber_leaves() {
    for channel in networks() {
        let world = World::start(&[]);
        let client = world.client();
        let (mut remote, mut local) = (reader(&client, &channel), reader(&client, &spy(&channel)));
        let mut writer = writer(&client, &format!("{channel}|ssc=true"));
        wait_until("both", || {
            remote.subscription.is_connected() && local.subscription.is_connected()
        });
        exchange(&mut writer, &mut [&mut remote, &mut local], THREE_TERMS / 2);
        remote.subscription.close();
        exchange(&mut writer, &mut [&mut local], THREE_TERMS);
        assert_eq!(local.count(), THREE_TERMS / 2 + THREE_TERMS);
    }
}

#[test]
fn row_12_8_a_spy_of_a_dynamic_publication_without_receivers_reads_all() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = dynamic();
    let mut local = reader(&client, &spy(&channel));
    let mut writer = writer(&client, &format!("{channel}|ssc=true"));
    exchange(&mut writer, &mut [&mut local], THREE_TERMS);
    assert_eq!(local.count(), THREE_TERMS);
    assert_eq!(world.system_counter(SystemCounter::ShortSends), 0);
}

#[test]
fn row_12_9_the_publication_does_not_notice_who_leaves() {
    for channel in networks() {
        let world = World::start(&[]);
        let client = world.client();
        let (remote, mut local) = (reader(&client, &channel), reader(&client, &spy(&channel)));
        let mut writer = writer(&client, &format!("{channel}|ssc=true"));
        wait_until("all", || {
            remote.subscription.is_connected()
                && local.subscription.is_connected()
                && writer.publication.is_connected()
        });
        let status = remote.subscription.channel_status_id();
        remote.subscription.close();
        // Long enough for the receiver's image to drain and for status messages to be missed.
        let mut gone_since = None;
        wait_until("the receiver to be gone for long", || {
            for _ in 0..1000 {
                assert!(writer.publication.is_connected());
            }
            local.poll();
            let is_there = client.counters().iter().any(|counter| counter.id == status);
            let beats = world.system_counter(SystemCounter::HeartbeatsSent);
            let since = *gone_since.get_or_insert(beats);
            if is_there {
                gone_since = None;
            }
            beats > since + 30
        });
        exchange(&mut writer, &mut [&mut local], 10);
    }
}

#[test]
fn row_12_10_spies_come_and_go_while_somebody_publishes() {
    for channel in networks() {
        let world = World::start(&[]);
        let is_over = AtomicBool::new(false);
        let publish = |dir: &Path| {
            let client = Client::connect(dir);
            let mut writer = writer(&client, &format!("{channel}|ssc=true"));
            let mut steady = reader(&client, &spy(&channel));
            while !is_over.load(Ordering::Acquire) {
                writer.send(|| {
                    steady.poll();
                });
            }
            exchange(&mut writer, &mut [&mut steady], 100);
            writer.count()
        };
        std::thread::scope(|scope| {
            let dir = world.dir();
            let publishing = scope.spawn(move || publish(dir));
            let client = world.client();
            let pending: Vec<_> = (0..100)
                .map(|_| {
                    client
                        .add_subscription_async(&spy(&channel), STREAM)
                        .expect("sent")
                })
                .collect();
            let spies: Vec<_> = pending.into_iter().map(finish).collect();
            wait_until("all to have read something", || {
                for spy in &spies {
                    spy.poll(10, |_, _| {});
                }
                spies
                    .iter()
                    .all(|spy| spy.images().first().is_some_and(|i| i.position() > 0))
            });
            drop(spies);
            wait_until("their counters to go", || {
                let counters = client.counters();
                let positions = counters
                    .iter()
                    .filter(|counter| counter.type_id == counter_type::SUBSCRIBER_POSITION);
                positions.count() == 1
            });
            is_over.store(true, Ordering::Release);
            assert!(publishing.join().expect("no panic") > 100);
        });
    }
}

#[test]
fn row_12_11_a_spy_sees_its_stream_only() {
    for channel in [udp(), dynamic()] {
        let world = World::start(&[]);
        let client = world.client();
        let spies = |streams: [i32; 2]| {
            streams.map(|stream| {
                client
                    .add_subscription(&spy(&channel), stream)
                    .expect("added")
            })
        };
        let streams = [STREAM, STREAM + 1];
        let before = spies(streams);
        let publications = streams.map(|stream| {
            client
                .add_publication(&format!("{channel}|ssc=true"), stream)
                .expect("added")
        });
        let after = spies(streams);
        for both in [&before, &after] {
            for (spy, publication) in both.iter().zip(&publications) {
                wait_until("an image", || spy.is_connected());
                let sessions: Vec<_> = spy
                    .images()
                    .iter()
                    .map(|image| image.session_id())
                    .collect();
                assert_eq!(sessions, [publication.session_id()]);
            }
        }
    }
}

#[test]
fn row_12_12_a_spy_of_a_port_chosen_later_is_by_tag() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = "aeron:udp?control=localhost:0|control-mode=dynamic|tags=55|ssc=true";
    let mut writer = writer(&client, channel);
    let mut local = reader(&client, "aeron-spy:aeron:udp?tags=55");
    wait_until("the spy", || local.subscription.is_connected());
    exchange(&mut writer, &mut [&mut local], THREE_TERMS);
    poll_all(&mut [&mut local]);
    assert_eq!(local.count(), THREE_TERMS);
}
