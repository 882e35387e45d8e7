//! Many destinations of one publication.

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

/// Receivers that hear nothing are gone soon.
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.image.liveness.timeout", "2s"),
    ("aeron.publication.connection.timeout", "2s"),
];

fn reader(client: &Client, channel: &str) -> Reader {
    Reader::new(client.add_subscription(channel, STREAM).expect("added"))
}

fn writer(client: &Client, channel: &str) -> Writer {
    Writer::new(client.add_publication(channel, STREAM).expect("added"))
}

/// A publication to destinations added by hand, and its readers at two of them.
fn manual(client: &Client) -> (Writer, [String; 2], [Reader; 2]) {
    let writer = writer(client, MANUAL);
    let destinations = [udp(), udp()];
    let readers = destinations
        .each_ref()
        .map(|channel| reader(client, channel));
    (writer, destinations, readers)
}

fn all_are_connected(readers: &[&Reader]) {
    wait_until("images", || {
        readers
            .iter()
            .all(|reader| reader.subscription.is_connected())
    });
}

#[test]
fn row_14_1_receivers_anywhere_and_a_spy_get_all() {
    for drivers in [1, 2] {
        let worlds: Vec<_> = (0..drivers).map(|_| World::start(&[])).collect();
        let clients: Vec<_> = worlds.iter().map(World::client).collect();
        let control = dynamic();
        let receiver = with(&control, "endpoint=localhost:0");
        let mut near = reader(&clients[0], &receiver);
        let mut far = reader(&clients[drivers - 1], &receiver);
        let mut spy = reader(&clients[0], &format!("aeron-spy:{control}"));
        let mut writer = writer(&clients[0], &control);
        all_are_connected(&[&near, &far, &spy]);
        wait_until("the publication", || writer.publication.is_connected());
        exchange(
            &mut writer,
            &mut [&mut near, &mut far, &mut spy],
            THREE_TERMS,
        );
        assert_eq!([near.count(), far.count(), spy.count()], [THREE_TERMS; 3]);
    }
}

#[test]
fn row_14_2_destinations_come_and_go_on_request() {
    let world = World::start(SETTINGS);
    let client = world.client();
    let (mut writer, destinations, [mut one, mut two]) = manual(&client);
    for destination in &destinations {
        finish(
            writer
                .publication
                .add_destination_async(destination)
                .expect("sent"),
        );
    }
    all_are_connected(&[&one, &two]);
    exchange(&mut writer, &mut [&mut one, &mut two], 50);
    finish(
        writer
            .publication
            .remove_destination_async(&destinations[0])
            .expect("sent"),
    );
    wait_until("its image to go", || !one.subscription.is_connected());
    exchange(&mut writer, &mut [&mut two], 50);
    assert_eq!([one.count(), two.count()], [50, 100]);
}

#[test]
fn row_14_3_two_ports_of_one_driver_get_all() {
    let world = World::start(&[]);
    let client = world.client();
    let (mut writer, destinations, [mut one, mut two]) = manual(&client);
    for destination in &destinations {
        writer
            .publication
            .add_destination(destination)
            .expect("added");
    }
    all_are_connected(&[&one, &two]);
    exchange(&mut writer, &mut [&mut one, &mut two], THREE_TERMS);
    assert_eq!([one.count(), two.count()], [THREE_TERMS; 2]);
}

#[test]
fn row_14_4_a_subscription_to_a_session_of_a_dynamic_publication() {
    let world = World::start(&[]);
    let client = world.client();
    let control = with(&dynamic(), "session-id=4321");
    let mut reader = reader(&client, &with(&control, "endpoint=localhost:0"));
    let mut writer = writer(&client, &control);
    exchange(&mut writer, &mut [&mut reader], THREE_TERMS);
    assert_eq!(reader.count(), THREE_TERMS);
}

#[test]
fn row_14_5_the_other_goes_on_when_a_destination_is_removed() {
    let world = World::start(SETTINGS);
    let client = world.client();
    let (mut writer, destinations, [mut one, mut two]) = manual(&client);
    for destination in &destinations {
        writer
            .publication
            .add_destination(destination)
            .expect("added");
    }
    all_are_connected(&[&one, &two]);
    exchange(&mut writer, &mut [&mut one, &mut two], THREE_TERMS / 2);
    writer
        .publication
        .remove_destination(&destinations[0])
        .expect("removed");
    exchange(&mut writer, &mut [&mut two], THREE_TERMS / 2);
    wait_until("its image to go", || !one.subscription.is_connected());
    one.poll();
    assert_eq!([one.count(), two.count()], [THREE_TERMS / 2, THREE_TERMS]);
    assert!(two.subscription.is_connected());
}

#[test]
fn row_14_6_the_other_goes_on_when_a_destination_is_added() {
    let world = World::start(&[]);
    let client = world.client();
    let (mut writer, destinations, [mut one, mut two]) = manual(&client);
    writer
        .publication
        .add_destination(&destinations[0])
        .expect("added");
    exchange(&mut writer, &mut [&mut one], THREE_TERMS / 2);
    assert!(!two.subscription.is_connected());
    writer
        .publication
        .add_destination(&destinations[1])
        .expect("added");
    wait_until("an image", || two.subscription.is_connected());
    exchange(&mut writer, &mut [&mut one, &mut two], THREE_TERMS / 2);
    assert_eq!([one.count(), two.count()], [THREE_TERMS, THREE_TERMS / 2]);
}

#[test]
fn row_14_7_destinations_are_removed_by_id() {
    let world = World::start(SETTINGS);
    let client = world.client();
    let (mut writer, destinations, [mut one, mut two]) = manual(&client);
    let ids = destinations.each_ref().map(|destination| {
        writer
            .publication
            .add_destination(destination)
            .expect("added")
    });
    all_are_connected(&[&one, &two]);
    exchange(&mut writer, &mut [&mut one, &mut two], 10);
    let removal = writer.publication.remove_destination_by_id_async(ids[1]);
    finish(removal.expect("sent"));
    wait_until("its image to go", || !two.subscription.is_connected());
    exchange(&mut writer, &mut [&mut one], 10);
    assert!(writer.publication.is_connected());
    writer
        .publication
        .remove_destination_by_id(ids[0])
        .expect("removed");
    wait_until("nobody to be left", || {
        !one.subscription.is_connected() && !writer.publication.is_connected()
    });
    assert_eq!([one.count(), two.count()], [20, 10]);
}

#[test]
fn row_14_8_publications_to_one_destination_do_not_mix() {
    let world = World::start(&[]);
    let client = world.client();
    let destination = udp();
    let mut streams: Vec<_> = (0..2)
        .map(|n| {
            let subscription = client
                .add_subscription(&destination, STREAM + n)
                .expect("added");
            let publication = client.add_publication(MANUAL, STREAM + n).expect("added");
            publication.add_destination(&destination).expect("added");
            (Writer::new(publication), Reader::new(subscription))
        })
        .collect();
    for (writer, reader) in &mut streams {
        exchange(writer, &mut [reader], 20);
    }
    for (writer, reader) in &mut streams {
        reader.poll();
        assert_eq!(reader.count(), 20);
        let images = reader.subscription.images();
        let sessions: Vec<_> = images.iter().map(Image::session_id).collect();
        assert_eq!(sessions, [writer.publication.session_id()]);
    }
}

#[test]
fn row_14_9_a_control_address_alone_makes_no_destinations() {
    let world = World::start(&[]);
    let client = world.client();
    let control = format!("control=localhost:{}", free_port());
    let (right, wrong) = (with(&udp(), &control), with(&udp(), &control));
    let [mut right_one, wrong_one] =
        [&right, &wrong].map(|channel| reader(&client, &with(channel, "control-mode=dynamic")));
    let mut writer = writer(&client, &right);
    exchange(&mut writer, &mut [&mut right_one], THREE_TERMS);
    assert!(!wrong_one.subscription.is_connected());
    assert_eq!(wrong_one.subscription.events(), []);
}

#[test]
fn row_14_10_of_two_paths_each_message_is_read_once() {
    let world = World::start(&[]);
    let client = world.client();
    let mut writer = writer(&client, MANUAL);
    let mut reader = reader(&client, MANUAL);
    for path in [udp(), udp()] {
        reader.subscription.add_destination(&path).expect("added");
        writer.publication.add_destination(&path).expect("added");
    }
    wait_until("both paths", || {
        let images = reader.subscription.images();
        images
            .first()
            .is_some_and(|image| image.active_transport_count() == 2)
    });
    exchange(&mut writer, &mut [&mut reader], THREE_TERMS);
    assert_eq!(reader.count(), THREE_TERMS);
    assert_eq!(reader.subscription.image_count(), 1);
}
