//! Many sources of one subscription.

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

const SETTINGS: &[(&str, &str)] = &[("aeron.image.liveness.timeout", "2s")];
/// How a stream begins that several publications send.
const BEGINNING: &str = "session-id=4242|init-term-id=3|term-id=3|term-offset=0";

fn many_sources(client: &Client) -> Reader {
    Reader::new(client.add_subscription(MANUAL, STREAM).expect("added"))
}

fn writer(client: &Client, channel: &str) -> Writer {
    Writer::new(
        client
            .add_exclusive_publication(channel, STREAM)
            .expect("added"),
    )
}

fn transports(reader: &Reader) -> i32 {
    let images = reader.subscription.images();
    images.first().map_or(0, Image::active_transport_count)
}

#[test]
fn row_14_20_any_kind_of_destination_is_heard() {
    let control = dynamic();
    let (unicast, group) = (udp(), multicast());
    for (publication, destination) in [
        (unicast.clone(), unicast),
        (group.clone(), group),
        (control.clone(), with(&control, "endpoint=localhost:0")),
    ] {
        let world = World::start(&[]);
        let client = world.client();
        let mut reader = many_sources(&client);
        let added = reader.subscription.add_destination_async(&destination);
        finish(added.expect("sent"));
        let mut writer = writer(&client, &publication);
        exchange(&mut writer, &mut [&mut reader], THREE_TERMS);
        assert_eq!(reader.count(), THREE_TERMS);
    }
}

#[test]
fn row_14_21_an_image_goes_with_its_destination() {
    let world = World::start(SETTINGS);
    let client = world.client();
    let mut reader = many_sources(&client);
    let channel = udp();
    reader
        .subscription
        .add_destination(&channel)
        .expect("added");
    let mut writer = writer(&client, &channel);
    exchange(&mut writer, &mut [&mut reader], 10);
    finish(
        reader
            .subscription
            .remove_destination_async(&channel)
            .expect("sent"),
    );
    wait_until("the image to go", || !reader.subscription.is_connected());
    wait_until("the publication to notice", || {
        !writer.publication.is_connected()
    });
}

/// A destination that is within the driver: its image comes and goes with publication and
/// destination.
fn comes_and_goes(publication: &str, destination: &str) {
    for added_first in [true, false] {
        for publication_ends in [true, false] {
            let world = World::start(&[]);
            let client = world.client();
            let mut reader = many_sources(&client);
            let add = || {
                reader
                    .subscription
                    .add_destination(destination)
                    .expect("added");
            };
            if added_first {
                add();
            }
            let mut writer = writer(&client, publication);
            if !added_first {
                add();
            }
            exchange(&mut writer, &mut [&mut reader], 10);
            if publication_ends {
                writer.publication.close();
            } else {
                reader
                    .subscription
                    .remove_destination(destination)
                    .expect("removed");
            }
            wait_until("the image to go", || reader.subscription.events().len() > 1);
            wait_until("none to be left", || reader.subscription.image_count() == 0);
            let events = reader.subscription.events();
            let came: Vec<_> = events.iter().map(|event| event.is_available).collect();
            assert_eq!(came, [true, false]);
        }
    }
}

#[test]
fn row_14_22_a_spy_is_a_destination() {
    let channel = udp();
    comes_and_goes(&with(&channel, "ssc=true"), &format!("aeron-spy:{channel}"));
}

#[test]
fn row_14_23_shared_memory_is_a_destination() {
    comes_and_goes(IPC, IPC);
}

#[test]
fn row_14_24_subscriptions_with_destinations_do_not_mix() {
    let world = World::start(&[]);
    let client = world.client();
    let mut streams: Vec<_> = (0..2)
        .map(|_| {
            let (channel, reader) = (udp(), many_sources(&client));
            reader
                .subscription
                .add_destination(&channel)
                .expect("added");
            (writer(&client, &channel), reader)
        })
        .collect();
    for (writer, reader) in &mut streams {
        exchange(writer, &mut [reader], 20);
    }
    for (_, reader) in &mut streams {
        reader.poll();
        assert_eq!(
            (reader.count(), reader.subscription.events().len()),
            (20, 1)
        );
    }
}

#[test]
fn row_14_25_a_subscription_by_tag_shares_the_destinations() {
    let world = World::start(&[]);
    let client = world.client();
    let add = |channel: &str| Reader::new(client.add_subscription(channel, STREAM).expect("added"));
    let mut owners = [1, 2].map(|tag| add(&with(MANUAL, &format!("tags={tag}"))));
    let mut guests = [1, 2].map(|tag| add(&format!("aeron:udp?tags={tag}")));
    let mut writers = owners.each_ref().map(|owner| {
        let channel = udp();
        owner.subscription.add_destination(&channel).expect("added");
        writer(&client, &channel)
    });
    for ((writer, owner), guest) in writers.iter_mut().zip(&mut owners).zip(&mut guests) {
        all_have_images(&[owner, guest]);
        exchange(writer, &mut [owner, guest], 20);
    }
    for reader in owners.iter_mut().chain(&mut guests) {
        reader.poll();
        assert_eq!(
            (reader.count(), reader.subscription.events().len()),
            (20, 1)
        );
    }
}

fn all_have_images(readers: &[&Reader]) {
    wait_until("images", || {
        readers
            .iter()
            .all(|reader| reader.subscription.is_connected())
    });
}

#[test]
fn row_14_26_subscriptions_of_one_tagged_destination_get_all() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = with(MANUAL, "tags=31");
    let mut readers = [channel.as_str(), channel.as_str()]
        .map(|channel| Reader::new(client.add_subscription(channel, STREAM).expect("added")));
    let source = udp();
    readers[0]
        .subscription
        .add_destination(&source)
        .expect("added");
    let mut writer = writer(&client, &source);
    let [one, two] = &mut readers;
    all_have_images(&[one, two]);
    exchange(&mut writer, &mut [one, two], THREE_TERMS);
    assert_eq!([one.count(), two.count()], [THREE_TERMS; 2]);
}

#[test]
fn row_14_27_another_publication_takes_over() {
    let world = World::start(&[]);
    let client = world.client();
    let mut reader = many_sources(&client);
    let channels = [udp(), udp()];
    for channel in &channels {
        reader.subscription.add_destination(channel).expect("added");
    }
    let mut first = writer(&client, &with(&channels[0], BEGINNING));
    exchange(&mut first, &mut [&mut reader], 30);
    let offset = first.publication.position();
    let here = BEGINNING.replace("offset=0", &format!("offset={offset}"));
    let mut second = writer(&client, &with(&channels[1], &here));
    second.skip_to(first.count());
    exchange(&mut second, &mut [&mut reader], 30);
    wait_until("two transports", || transports(&reader) == 2);
    assert_eq!(reader.count(), 60);
    assert_eq!(reader.subscription.events().len(), 1);
}

#[test]
fn row_14_28_publications_of_the_same_stream_are_merged() {
    let world = World::start(&[]);
    let client = world.client();
    let mut reader = many_sources(&client);
    let [mut fast, mut slow] = [udp(), udp()].map(|channel| {
        reader
            .subscription
            .add_destination(&channel)
            .expect("added");
        writer(&client, &with(&channel, BEGINNING))
    });
    wait_until("two transports", || transports(&reader) == 2);
    for round in 1..=30 {
        for _ in 0..3 {
            fast.send(|| {
                reader.poll();
            });
        }
        // In the end they have sent the same.
        while slow.count() < round * 2 {
            slow.send(|| {
                reader.poll();
            });
        }
    }
    exchange(&mut fast, &mut [&mut reader], 1);
    let behind = fast.count() - slow.count();
    for _ in 0..behind {
        slow.send(|| {
            reader.poll();
        });
    }
    let end = slow.publication.position();
    assert_eq!(end, fast.publication.position());
    wait_until("both to be sent", || {
        let counters = client.counters();
        let sent = counters
            .iter()
            .filter(|counter| counter.type_id == counter_type::SENDER_POSITION);
        sent.filter(|counter| counter.value == end).count() == 2
    });
    reader.poll();
    assert_eq!(reader.count(), fast.count());
    assert_eq!(reader.subscription.events().len(), 1);
}

/// A stream that is live, and a copy of it for those who come late.
struct Replayed {
    live: Writer,
    /// Where those who come late find the live stream.
    live_at: String,
    steady: Reader,
    client: Client,
    world: World,
}

impl Replayed {
    fn new() -> Self {
        let world = World::start(&[]);
        let client = world.client();
        let (near, live_at) = (udp(), udp());
        let steady = Reader::new(client.add_subscription(&near, STREAM).expect("added"));
        let live = writer(&client, &with(MANUAL, BEGINNING));
        for destination in [&near, &live_at] {
            live.publication
                .add_destination(destination)
                .expect("added");
        }
        Self {
            live,
            live_at,
            steady,
            client,
            world,
        }
    }

    fn go_on(&mut self, count: u64) {
        exchange(&mut self.live, &mut [&mut self.steady], count);
    }

    /// Reads the stream from message `from` on: first a copy, then what is live.
    fn catch_up(&mut self, from: u64) {
        let late = self.world.client();
        let mut reader = many_sources(&late);
        let copied = udp();
        let at = from * MESSAGE_FRAME_LENGTH;
        let (term, offset) = (3 + at / 65536, at % 65536);
        let here = format!("session-id=4242|init-term-id=3|term-id={term}|term-offset={offset}");
        let mut copy = writer(&self.client, &with(&copied, &here));
        copy.skip_to(from);
        reader.subscription.add_destination(&copied).expect("added");
        while copy.count() < self.live.count() {
            copy.send(|| {
                reader.poll();
            });
        }
        catch_up(&copy, &mut [&mut reader]);
        assert_eq!(reader.count(), self.live.count() - from);
        reader
            .subscription
            .add_destination(&self.live_at)
            .expect("added");
        exchange(&mut self.live, &mut [&mut self.steady, &mut reader], 20);
        wait_until("both transports", || transports(&reader) == 2);
        reader
            .subscription
            .remove_destination(&copied)
            .expect("removed");
        copy.publication.close();
        exchange(
            &mut self.live,
            &mut [&mut self.steady, &mut reader],
            THREE_TERMS,
        );
        wait_until("one transport", || transports(&reader) == 1);
        assert_eq!(reader.count(), self.live.count() - from);
        assert_eq!(reader.subscription.events().len(), 1);
    }
}

#[test]
fn row_14_29_who_comes_late_catches_up_and_goes_live() {
    let mut scene = Replayed::new();
    scene.go_on(100);
    scene.catch_up(0);
}

#[test]
fn row_14_30_who_was_away_catches_up_and_goes_live() {
    let mut scene = Replayed::new();
    let client = scene.world.client();
    let mut reader = many_sources(&client);
    reader
        .subscription
        .add_destination(&scene.live_at)
        .expect("added");
    wait_until("an image", || reader.subscription.is_connected());
    exchange(&mut scene.live, &mut [&mut scene.steady, &mut reader], 50);
    client.close();
    drop(reader);
    scene.go_on(100);
    let port = scene.live_at.rsplit(':').next().expect("a port");
    wait_until("its port to be free", || {
        let counters = scene.client.counters();
        let mut addresses = counters
            .iter()
            .filter(|counter| counter.type_id == counter_type::LOCAL_ADDRESS);
        addresses.all(|address| !address.label.ends_with(port))
    });
    scene.catch_up(50);
}
