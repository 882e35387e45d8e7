//! What Rust owes its users: whatever is dropped, in whatever order, nothing is left behind.

use aileron::client::Counter;
use aileron::{Client, Image, Publication, StreamId, Subscription};

use crate::support;
use crate::world::{IPC, STREAM, World, receive, send, udp, wait_for, wait_until};

const STREAM_ID: StreamId = StreamId(STREAM);

#[test]
fn row_19_4_a_claim_that_is_dropped_is_aborted() {
    for channel in [IPC.to_owned(), udp()] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publication = client.add_publication(&channel, STREAM).expect("added");
        let own = client.own();
        let concurrent = own.add_publication(&channel, STREAM_ID).expect("added");
        let mut exclusive = own
            .add_exclusive_publication(&channel, STREAM_ID)
            .expect("added");
        wait_until("both to be connected", || {
            subscription.image_count() == 2 && concurrent.is_connected() && exclusive.is_connected()
        });
        for number in 0..200 {
            drop(concurrent.try_claim(100));
            drop(exclusive.try_claim(100));
            let message = [number; 10];
            wait_until("room for a message", || exclusive.offer(&message).is_ok());
            send(&publication, &message);
            assert_eq!(receive(&subscription, 2), [message; 2]);
        }
    }
}

/// A handle of each kind.
struct Handles {
    client: Option<Client>,
    publication: Option<Publication>,
    subscription: Option<Subscription>,
    image: Option<Image>,
    counter: Option<Counter>,
}

impl Handles {
    fn new(world: &World, channel: &str) -> Self {
        let client = support::connect(world.dir());
        let subscription = client.add_subscription(channel, STREAM_ID).expect("added");
        let publication = client.add_publication(channel, STREAM_ID).expect("added");
        let image = wait_for("an image", || {
            subscription.image_by_session(publication.session_id())
        });
        let counter = client.add_counter(3000, &[], "counts").expect("added");
        wait_until("a message to be sent", || {
            publication.offer(&[1; 2000]).is_ok()
        });
        Self {
            client: Some(client),
            publication: Some(publication),
            subscription: Some(subscription),
            image: Some(image),
            counter: Some(counter),
        }
    }

    fn drop_one(&mut self, which: usize, closes: bool) {
        match which {
            0 => {
                let client = self.client.take();
                if closes {
                    client.expect("once").close();
                }
            }
            1 => drop(self.publication.take()),
            2 => drop(self.subscription.take()),
            3 => drop(self.image.take()),
            _ => drop(self.counter.take()),
        }
    }

    /// Uses whatever is left: nothing it needs may be unmapped.
    fn use_all(&mut self) {
        if let Some(publication) = &self.publication {
            let _ = publication.offer(&[2; 100]);
            let _ = (publication.position(), publication.is_connected());
        }
        if let Some(subscription) = &mut self.subscription {
            subscription.poll(10, |payload, _| assert!(payload[0] > 0));
        }
        if let Some(image) = &self.image {
            let _ = (
                image.position(),
                image.is_end_of_stream(),
                image.term_length(),
            );
        }
        if let Some(counter) = &self.counter {
            counter.set(counter.get() + 1);
            let _ = counter.label();
        }
    }
}

/// All orders of five things.
fn orders() -> Vec<Vec<usize>> {
    let mut orders = vec![vec![]];
    for next in 0..5 {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<usize>| {
                (0..=order.len()).map(move |at| {
                    let mut longer = order.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect();
    }
    orders
}

#[test]
fn row_19_5_handles_are_dropped_in_every_order() {
    let world = World::start(&[("aeron.publication.linger.timeout", "1ms")]);
    let watcher = world.client();
    // Those of the watcher and of the driver.
    let own_heartbeat = watcher.add_counter(1, &[], "").expect("added");
    let baseline = watcher.counters().len();
    let orders = orders();
    assert_eq!(orders.len(), 120);
    for (number, order) in orders.iter().enumerate() {
        // A channel that is being closed is refused for a while, hence another each time.
        let channel = if number % 2 == 0 {
            IPC.to_owned()
        } else {
            udp()
        };
        let mut handles = Handles::new(&world, &channel);
        for which in order {
            handles.drop_one(*which, number % 4 < 2);
            handles.use_all();
        }
    }
    wait_until("all counters to be gone", || {
        watcher.counters().len() == baseline
    });
    for folder in ["publications", "images"] {
        wait_until("all logs to be gone", || {
            let mut logs = std::fs::read_dir(world.dir().join(folder)).expect("a folder");
            logs.next().is_none()
        });
    }
    drop(own_heartbeat);
}
