//! Loss and repair.

use aileron::cnc::{SystemCounter, counter_types as types};

use super::streams::{exchange, messages};
use super::traffic::with;
use crate::peer::{Client, Publication, Subscription};
use crate::world::{STREAM, World, await_connection, free_port, multicast, send, udp, wait_until};

/// A stream that begins in term 0, with terms that hold all that a row sends.
const START: &str = "init-term-id=0|term-id=0|term-offset=0|term-length=1m";
/// Property of the interceptors that hide what is received.
const INTERCEPTORS: &str = "aeron.udp.channel.incoming.interceptors";
const FIXED_LOSS: &str = "aeron.udp.channel.transport.bindings.fixed.loss.args";
const MULTI_GAP_LOSS: &str = "aeron.udp.channel.transport.bindings.multi.gap.loss.args";
/// Length of the gap of the rows with one.
const GAP: i64 = 100_000;
/// Of a gap the first frame may be missing: the generator counts a heartbeat as its first sight.
const FRAME: i64 = 1408;

fn lossy(args: &str) -> World {
    World::start(&[(INTERCEPTORS, "fixed-loss"), (FIXED_LOSS, args)])
}

fn open(client: &Client, published: &str, subscribed: &str) -> (Publication, Subscription) {
    let subscription = client.add_subscription(subscribed, STREAM).expect("added");
    let publication = client.add_publication(published, STREAM).expect("added");
    await_connection(&publication, &subscription);
    (publication, subscription)
}

/// Sum of the counters of a type.
fn sum(client: &Client, type_id: i32) -> i64 {
    let counters = client.counters();
    let of_type = counters.iter().filter(|counter| counter.type_id == type_id);
    of_type.map(|counter| counter.value).sum()
}

#[test]
fn row_9_1_random_loss_loses_no_message() {
    let world = World::start(&[
        ("aeron.debug.receive.data.loss.rate", "0.1"),
        ("aeron.debug.receive.data.loss.seed", "901"),
    ]);
    let client = world.client();
    for channel in [udp(), multicast()] {
        for batch in [1, 20] {
            let (publication, subscription) = open(&client, &channel, &channel);
            exchange(&publication, &subscription, &messages(300, 1000), batch);
            publication.close();
            subscription.close();
        }
    }
    assert!(world.system_counter(SystemCounter::NaksSent) > 0);
    assert!(world.system_counter(SystemCounter::RetransmitsSent) > 0);
}

/// One gap, repaired; returns how many NAKs were sent and how often was retransmitted.
fn one_gap(subscription_parameters: &str) -> (i64, i64) {
    let world = lossy(&format!("term-id=0|term-offset=0|length={GAP}"));
    let client = world.client();
    let channel = udp();
    let subscribed = with(&channel, subscription_parameters);
    let (publication, subscription) = open(&client, &with(&channel, START), &subscribed);
    exchange(&publication, &subscription, &messages(400, 1000), 50);

    let naks_sent = world.system_counter(SystemCounter::NaksSent);
    assert!(naks_sent > 0);
    assert_eq!(sum(&client, types::RECEIVER_NAKS_SENT_TYPE_ID), naks_sent);
    wait_until("the NAKs to be counted", || {
        let received = world.system_counter(SystemCounter::NaksReceived);
        received == naks_sent && sum(&client, types::SENDER_NAKS_RECEIVED_TYPE_ID) == received
    });
    let retransmits = world.system_counter(SystemCounter::RetransmitsSent);
    assert!(
        (1..=naks_sent).contains(&retransmits),
        "{retransmits} for {naks_sent}"
    );
    let retransmitted = world.system_counter(SystemCounter::RetransmittedBytes);
    assert!(retransmitted >= GAP - FRAME, "{retransmitted} bytes");
    let sent = world.system_counter(SystemCounter::BytesSent);
    assert!(
        sent >= publication.position() + retransmitted,
        "{sent} bytes"
    );
    (naks_sent, retransmits)
}

#[test]
fn row_9_2_a_gap_is_repaired() {
    one_gap("reliable=true");
}

#[test]
fn row_9_3_naks_that_come_often_do_not_multiply_what_is_sent() {
    let (naks, retransmits) = one_gap("nak-delay=100us");
    assert!(retransmits <= naks);
    // The gap grows while it arrives, so there is a NAK for each part of it; but none of them is
    // answered more than once while it lingers.
    assert!(
        retransmits <= 2 * (GAP / FRAME + 1),
        "{retransmits} for {naks}"
    );
}

#[test]
fn row_9_4_many_gaps_are_repaired_one_by_one() {
    let args = "term-id=0|gap-radix=4096|gap-length=128|total-gaps=100";
    let world = World::start(&[(INTERCEPTORS, "multi-gap-loss"), (MULTI_GAP_LOSS, args)]);
    let client = world.client();
    let channel = udp();
    let (publication, subscription) = open(&client, &with(&channel, START), &channel);
    exchange(&publication, &subscription, &messages(5000, 100), 20);
    let naks = world.system_counter(SystemCounter::NaksSent);
    let retransmits = world.system_counter(SystemCounter::RetransmitsSent);
    assert!(
        (100..=200).contains(&retransmits),
        "{retransmits} for {naks}"
    );
    // A machine that stops for a moment makes a receiver ask again.
    assert!((100..=400).contains(&naks), "{retransmits} for {naks}");
}

#[test]
fn row_9_5_receivers_that_lose_the_same_are_both_repaired() {
    const LOSS: i64 = 20_000;
    let sender = World::start(&[]);
    let loss = format!("term-id=0|term-offset=0|length={LOSS}");
    let receivers = [lossy(&loss), lossy(&loss)];
    let control = format!("control=localhost:{}|control-mode=dynamic", free_port());
    let client = sender.client();
    let clients = [receivers[0].client(), receivers[1].client()];
    let subscribed = format!("aeron:udp?endpoint=localhost:0|{control}");
    let subscriptions = [
        clients[0]
            .add_subscription(&subscribed, STREAM)
            .expect("added"),
        clients[1]
            .add_subscription(&subscribed, STREAM)
            .expect("added"),
    ];
    let published = format!("aeron:udp?{control}|fc=min,g:/2|{START}");
    let publication = client.add_publication(&published, STREAM).expect("added");
    for subscription in &subscriptions {
        await_connection(&publication, subscription);
    }
    let sent = messages(40, 1000);
    for message in &sent {
        send(&publication, message);
    }
    for subscription in &subscriptions {
        assert_eq!(crate::world::receive(subscription, sent.len()), sent);
    }
    let retransmitted = sender.system_counter(SystemCounter::RetransmittedBytes);
    // Counted once, however many destinations there are (as the C driver does).
    assert!(retransmitted >= LOSS - FRAME, "{retransmitted} bytes");
    let naks = sender.system_counter(SystemCounter::NaksReceived);
    let retransmits = sender.system_counter(SystemCounter::RetransmitsSent);
    assert!(
        (1..=naks).contains(&retransmits),
        "{retransmits} for {naks}"
    );
}

#[test]
fn row_9_6_bytes_sent_include_what_is_sent_again() {
    let world = World::start(&[
        ("aeron.debug.receive.data.loss.rate", "0.2"),
        ("aeron.debug.receive.data.loss.seed", "906"),
    ]);
    let client = world.client();
    let channel = udp();
    // In one term: of padding only the header is sent.
    let (publication, subscription) = open(&client, &with(&channel, START), &channel);
    exchange(&publication, &subscription, &messages(300, 1000), 20);
    let again = world.system_counter(SystemCounter::RetransmittedBytes);
    assert!(again > 0);
    let sent = world.system_counter(SystemCounter::BytesSent);
    assert!(
        sent >= publication.position() + again,
        "{sent} bytes, {again} again"
    );
}

#[test]
fn row_9_7_an_unreliable_subscription_skips_what_is_lost() {
    let world = World::start(&[
        ("aeron.debug.receive.data.loss.rate", "0.2"),
        ("aeron.debug.receive.data.loss.seed", "907"),
    ]);
    let client = world.client();
    let channel = udp();
    let (publication, subscription) = open(&client, &channel, &with(&channel, "reliable=false"));
    let (mut sent, mut received) = (0, 0);
    wait_until("the final position", || {
        if sent < 500 && publication.offer(&[7; 1000]).position().is_some() {
            sent += 1;
        }
        received += subscription.poll(10, |bytes, _| assert_eq!(bytes, [7; 1000]));
        sent == 500 && subscription.images()[0].position() == publication.position()
    });
    assert!((1..500).contains(&received), "{received} messages");
    assert!(world.system_counter(SystemCounter::LossGapFills) > 0);
    assert_eq!(world.system_counter(SystemCounter::RetransmitsSent), 0);
}
