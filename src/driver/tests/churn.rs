//! Many commands in no sensible order, from clients that come, die and send garbage: nothing of it
//! may stop a driver, and when all clients are gone nothing may be left.

use crate::base::{CorrelationId, Position, RegistrationId, Rng, StreamId};
use crate::command::{
    AddCounter, Command, RejectImage, RemoveCounter, RemoveDestinationById, command_id,
};
use crate::concurrent::CounterState;
use crate::driver::testing::{Available, Ready, Seen, World, small_config};
use crate::logbuffer::{LogOpener, reader};
use crate::sim::LinkFaults;

const DRIVERS: usize = 2;

const PUBLICATIONS: &[&str] = &[
    "aeron:ipc",
    "aeron:ipc?session-id=77",
    "aeron:ipc?alias=x|mtu=2k",
    "aeron:ipc?tags=1,2|session-id=4",
    "aeron:ipc?session-id=tag:2",
    "aeron:udp?endpoint=10.0.0.1:4000",
    "aeron:udp?endpoint=10.0.0.2:4000|ssc=true",
    "aeron:udp?endpoint=10.0.0.2:4000|linger=0|eos=false",
    "aeron:udp?endpoint=10.0.0.2:4001|tags=9",
    "aeron:udp?tags=9",
    "aeron:udp?control-mode=manual|tags=10",
    "aeron:udp?control-mode=manual|fc=min",
    "aeron:udp?control=10.0.0.1:5000|control-mode=dynamic",
    "aeron:udp?endpoint=224.20.30.39:4000|interface=10.0.0.1",
    "aeron:udp?endpoint=10.0.0.2:4000|response-correlation-id=prototype",
    "aeron:udp?endpoint=nowhere:1",
    "aeron:udp",
    "",
];

const SUBSCRIPTIONS: &[&str] = &[
    "aeron:ipc",
    "aeron:ipc?tether=false",
    "aeron:ipc?session-id=77",
    "aeron:ipc?control-mode=response",
    "aeron:udp?endpoint=10.0.0.1:4000",
    "aeron:udp?endpoint=10.0.0.2:4000",
    "aeron:udp?endpoint=10.0.0.2:4000|session-id=5",
    "aeron:udp?endpoint=10.0.0.2:4001|tether=false",
    "aeron:udp?endpoint=10.0.0.2:4000|reliable=false",
    "aeron:udp?control-mode=manual",
    "aeron:udp?control-mode=manual|tags=20",
    "aeron:udp?tags=20",
    "aeron:udp?endpoint=10.0.0.2:4002|control=10.0.0.1:5000",
    "aeron:udp?control=10.0.0.2:6000|control-mode=response",
    "aeron:udp?endpoint=224.20.30.39:4000|interface=10.0.0.2",
    "aeron-spy:aeron:udp?endpoint=10.0.0.2:4000",
    "aeron-spy:aeron:udp?endpoint=10.0.0.2:4000|tether=false",
    "aeron-spy:aeron:udp?tags=9",
    "aeron-spy",
    "aeron:ipc?session-id=many",
];

const DESTINATIONS: &[&str] = &[
    "aeron:udp?endpoint=10.0.0.1:4000",
    "aeron:udp?endpoint=10.0.0.2:4000",
    "aeron:udp?endpoint=10.0.0.1:0",
    "aeron:udp?endpoint=nowhere:7",
    "aeron:udp?endpoint=224.20.30.39:4000|interface=10.0.0.1",
    "aeron:udp?endpoint=10.0.0.2:4003|control=10.0.0.1:5000",
    "aeron:ipc",
    "aeron-spy:aeron:udp?endpoint=10.0.0.2:4000",
];

/// What the clients of one driver remember.
#[derive(Default)]
struct Memory {
    registrations: Vec<RegistrationId>,
    publications: Vec<Ready>,
    images: Vec<Available>,
}

struct Churn {
    rng: Rng,
    world: World,
    memories: Vec<Memory>,
}

impl Churn {
    fn new(seed: u64) -> Self {
        let drivers = u8::try_from(DRIVERS).expect("few");
        Self {
            rng: Rng::new(seed),
            world: World::new(drivers, &small_config()),
            memories: (0..DRIVERS).map(|_| Memory::default()).collect(),
        }
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.rng.below(length as u64)).expect("below a length")
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        let index = self.index(all.len());
        all.get(index).cloned()
    }

    /// Something that was registered here, or by chance nothing of the kind.
    fn registration(&mut self, driver: usize) -> RegistrationId {
        let known = self.memories[driver].registrations.clone();
        let known = self.one_of(&known);
        known.unwrap_or(RegistrationId(1_000_000))
    }

    fn remember(&mut self, driver: usize) {
        let memory = &mut self.memories[driver];
        for event in self.world.drivers[driver].take_events() {
            if let Seen::Ready(ready) = event {
                memory.publications.push(ready);
            } else if let Seen::Available(image) = event {
                memory.images.push(image);
            }
        }
    }

    fn act(&mut self) {
        let driver = self.index(DRIVERS);
        self.remember(driver);
        match self.rng.below(20) {
            0..=3 => self.add_publication(driver),
            4..=7 => self.add_subscription(driver),
            8 | 9 => self.remove(driver),
            10 | 11 => self.change_destinations(driver),
            12 => self.change_counters(driver),
            13 => self.reject(driver),
            14 => self.send_garbage(driver),
            15 | 16 => self.publish_and_poll(driver),
            17 => self.end_client(driver),
            _ => self.disturb(),
        }
        // Often the next command follows at once, sometimes things take their course.
        let ms = match self.rng.below(30) {
            0..=14 => 0,
            15..=27 => self.index(20),
            28 => 1_500,
            _ => self.index(12_000),
        };
        self.world.run_ms(ms);
    }

    fn add_publication(&mut self, driver: usize) {
        let mut channel = self.one_of(PUBLICATIONS).expect("some").to_owned();
        if self.rng.chance(1, 8) {
            let asked = self.registration(driver);
            channel = format!(
                "aeron:udp?control=10.0.0.1:6000|control-mode=response\
                 |response-correlation-id={asked}"
            );
        }
        let (stream, is_exclusive) = (self.stream(), self.rng.chance(1, 2));
        let id =
            self.world.drivers[driver].send_add_publication(&channel, stream.get(), is_exclusive);
        self.memories[driver].registrations.push(id.into());
    }

    fn add_subscription(&mut self, driver: usize) {
        let channel = self.one_of(SUBSCRIPTIONS).expect("some");
        let stream = self.stream();
        let id = self.world.drivers[driver].send_add_subscription(channel, stream.get());
        self.memories[driver].registrations.push(id.into());
    }

    fn remove(&mut self, driver: usize) {
        let id = self.registration(driver);
        let is_revoke = self.rng.chance(1, 4);
        let test_driver = &mut self.world.drivers[driver];
        if self.rng.chance(1, 2) {
            test_driver.send_remove_publication(id, is_revoke);
        } else {
            test_driver.send_remove_subscription(id);
        }
    }

    fn change_destinations(&mut self, driver: usize) {
        let id = self.registration(driver);
        let other = self.registration(driver);
        let channel = self.one_of(DESTINATIONS).expect("some");
        let kind = self.rng.below(6);
        let test_driver = &mut self.world.drivers[driver];
        let id = match kind {
            0 => test_driver.send_destination(Command::AddDestination, id, channel),
            1 => test_driver.send_destination(Command::RemoveDestination, id, channel),
            2 | 3 => test_driver.send_destination(Command::AddReceiveDestination, id, channel),
            4 => test_driver.send_destination(Command::RemoveReceiveDestination, id, channel),
            _ => test_driver.send(|client_id, correlation_id| {
                Command::RemoveDestinationById(RemoveDestinationById {
                    client_id,
                    correlation_id,
                    registration_id: id,
                    destination_registration_id: other,
                })
            }),
        };
        self.memories[driver].registrations.push(id.into());
    }

    fn change_counters(&mut self, driver: usize) {
        let registration_id = self.registration(driver);
        let is_addition = self.rng.chance(1, 2);
        let id = self.world.drivers[driver].send(|client_id, correlation_id| {
            if is_addition {
                Command::AddCounter(AddCounter {
                    client_id,
                    correlation_id,
                    type_id: 5_000,
                    key: &[7; 200],
                    label: &[0xe9; 500],
                })
            } else {
                Command::RemoveCounter(RemoveCounter {
                    client_id,
                    correlation_id,
                    registration_id,
                })
            }
        });
        self.memories[driver].registrations.push(id.into());
    }

    fn reject(&mut self, driver: usize) {
        let images = self.memories[driver].images.clone();
        let image = self.one_of(&images).map(|image| image.image);
        let reason = vec![0xff; self.index(1_200)];
        self.world.drivers[driver].send(|client_id, correlation_id| {
            Command::RejectImage(RejectImage {
                client_id,
                correlation_id,
                image_correlation_id: image.unwrap_or(CorrelationId(-5)),
                position: Position(i64::MIN),
                reason: &reason,
            })
        });
    }

    /// Bytes that look like a command to various degrees.
    fn send_garbage(&mut self, driver: usize) {
        let known = i32::try_from(self.rng.below(0x14)).expect("small");
        let type_id = if self.rng.chance(1, 9) {
            0x7f00
        } else {
            known.max(1)
        };
        // A static counter is meant to stay.
        if type_id == command_id::ADD_STATIC_COUNTER {
            return;
        }
        let length = self.index(80);
        let mut payload: Vec<u8> = (0..length)
            .map(|_| {
                if self.rng.chance(1, 2) {
                    0
                } else {
                    self.rng.next_u64().to_le_bytes()[0]
                }
            })
            .collect();
        // A client that lives would keep what the garbage made.
        if let Some(client) = payload.first_chunk_mut::<8>() {
            *client = 4_711i64.to_le_bytes();
        }
        self.world.drivers[driver].send_raw(type_id, &payload);
    }

    fn publish_and_poll(&mut self, driver: usize) {
        let (publications, images) = {
            let memory = &self.memories[driver];
            (memory.publications.clone(), memory.images.clone())
        };
        let length = self.index(9_000);
        let test_driver = &self.world.drivers[driver];
        for ready in publications {
            if test_driver.store.open(&ready.path).is_ok() && counter_is(test_driver, &ready) {
                test_driver.offer(&ready, &vec![1; length]);
            }
        }
        if self.rng.chance(1, 3) {
            return;
        }
        for image in images {
            let counters = test_driver.cnc.counters();
            let is_own = counters.record(image.position).is_some_and(|record| {
                record.state == CounterState::Allocated
                    && record.type_id == 4
                    && record.registration_id == image.subscription
            });
            let (Ok(log), true) = (test_driver.store.open(&image.path), is_own) else {
                continue;
            };
            let counter = test_driver.counter(image.position);
            let polled = reader::poll(&log, Position(counter.get()), 10, |_, _| {});
            counter.set(polled.position.get());
        }
    }

    /// The client says goodbye, or it does not.
    fn end_client(&mut self, driver: usize) {
        let is_polite = self.rng.chance(1, 2);
        let test_driver = &mut self.world.drivers[driver];
        if is_polite {
            test_driver.send_close();
        }
        test_driver.become_new_client();
    }

    fn disturb(&mut self) {
        let faults = match self.rng.below(4) {
            0 => LinkFaults {
                is_partitioned: true,
                ..LinkFaults::default()
            },
            1 => LinkFaults {
                loss_ppm: 200_000,
                reorder_ppm: 200_000,
                reorder_ns: 2_000_000,
                duplicate_ppm: 100_000,
                refuse_ppm: 100_000,
                ..LinkFaults::default()
            },
            _ => LinkFaults::default(),
        };
        self.world.network.set_default_faults(faults);
    }

    fn stream(&mut self) -> StreamId {
        StreamId(1_001 + i32::try_from(self.rng.below(2)).expect("small"))
    }

    /// All clients stop, and time passes.
    #[track_caller]
    fn end(mut self, seed: u64) {
        self.world.network.set_default_faults(LinkFaults::default());
        for driver in &mut self.world.drivers {
            driver.beats = false;
        }
        self.world.run_ms(45_000);
        for driver in &self.world.drivers {
            let left: Vec<_> = driver.counters().into_iter().map(|c| c.label).collect();
            assert_eq!(left, Vec::<String>::new(), "seed {seed}");
            assert_eq!(driver.extra_labels(), Vec::<String>::new(), "seed {seed}");
            let logs = driver.store.paths();
            assert_eq!(logs, Vec::<String>::new(), "seed {seed}");
        }
        assert_eq!(self.world.network.open_sockets(), 0, "seed {seed}");
    }
}

/// Whether the publication's limit is still its own.
fn counter_is(driver: &crate::driver::testing::TestDriver, ready: &Ready) -> bool {
    let record = driver.cnc.counters().record(ready.limit);
    record.is_some_and(|record| {
        record.state == CounterState::Allocated
            && record.type_id == 1
            && record.registration_id == ready.registration
    })
}

/// More seeds: set `AILERON_CHURN_SEEDS`.
#[test]
fn nothing_is_left_when_all_clients_are_gone() {
    let seeds = std::env::var("AILERON_CHURN_SEEDS").ok();
    let seeds = seeds.and_then(|seeds| seeds.parse().ok());
    for seed in 0..seeds.unwrap_or(1) {
        let mut churn = Churn::new(seed);
        for _ in 0..150 {
            churn.act();
        }
        churn.end(seed);
    }
}
