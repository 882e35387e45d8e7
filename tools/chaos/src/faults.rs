//! Faults, and what everybody is to be told of them.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use aileron::base::Rng;
use nix::sys::signal::Signal;

use crate::failure::Failure;
use crate::network::End;
use crate::plan::{Fault, Victim};
use crate::report::Told;
use crate::scene::Scene;
use crate::stage::{Kind, Side};

/// Path of the namespaces that is cut.
const PATH: u32 = 1;

/// Somebody who is to be told something.
struct Expected {
    who: usize,
    prefix: String,
    what: &'static str,
    bound: Duration,
}

impl Scene {
    /// Lets a fault happen, and waits until everybody concerned was told.
    pub(crate) fn strike(&mut self, fault: Fault, rng: &mut Rng) -> Result<(), Failure> {
        match fault {
            Fault::Kill(victim @ (Victim::Publisher | Victim::Subscriber)) => {
                let Some(index) = self.draw(victim, rng) else {
                    return Ok(());
                };
                let expected = self.mourners(index);
                let since = self.stage.kill(index);
                self.await_end(index)?;
                self.hear(expected, since)
            }
            Fault::Kill(victim) | Fault::PowerLoss(victim) => {
                let is_machine = matches!(fault, Fault::PowerLoss(_));
                self.lose_driver(side_of(victim), is_machine)
            }
            Fault::DieOffering { stores } => self.die(Victim::Publisher, stores, rng),
            Fault::DiePolling { stores } => self.die(Victim::Subscriber, stores, rng),
            Fault::DieAdding { stores } => self.die_adding(stores),
            Fault::Pause(victim) => self.pause(victim, rng),
            Fault::LongPause(victim @ (Victim::Publisher | Victim::Subscriber)) => {
                self.long_pause_of_a_client(victim, rng)
            }
            Fault::LongPause(victim) => self.long_pause_of_a_driver(side_of(victim)),
            Fault::StorageFull => self.fill_storage(),
            Fault::NoFiles => self.take_files(),
            Fault::Cut => self.cut(),
            Fault::LongCut => self.long_cut(),
            Fault::ClockStep { ms } => self.step_clock(ms),
        }
    }

    /// One of the living.
    fn draw(&self, victim: Victim, rng: &mut Rng) -> Option<usize> {
        let kind = match victim {
            Victim::Publisher => Kind::Publisher,
            Victim::Subscriber => Kind::Subscriber,
            Victim::Near | Victim::Far => return self.driver(side_of(victim)),
        };
        let living = self.stage.living(kind);
        let index = usize::try_from(rng.below(living.len() as u64)).unwrap_or(0);
        living.get(index).copied()
    }

    fn await_end(&mut self, index: usize) -> Result<(), Failure> {
        let what = format!("the end of {}", self.stage.actors[index].name);
        let limit = self.timing.watchdog();
        let ended = |stage: &mut crate::stage::Stage| stage.actors[index].status;
        self.stage.wait(&what, Instant::now(), limit, ended)?;
        Ok(())
    }

    /// The session by which a subscriber hears a publisher.
    fn session(&self, subscriber: usize, publisher: usize) -> Option<String> {
        let prefix = format!("first {} ", self.sender_of(publisher));
        let words = self.stage.last_of(subscriber, &[&prefix])?;
        words.rsplit(' ').next().map(str::to_owned)
    }

    /// Who is to be told when this client dies.
    fn mourners(&self, victim: usize) -> Vec<Expected> {
        let others = |kind| {
            let living = self.stage.living(kind);
            living.into_iter().filter(move |index| *index != victim)
        };
        if self.stage.actors[victim].kind == Kind::Publisher {
            let told = others(Kind::Subscriber).filter_map(|subscriber| {
                let session = self.session(subscriber, victim)?;
                // The stream goes on while somebody else sends on it.
                let is_shared = others(Kind::Publisher)
                    .any(|other| self.session(subscriber, other).as_ref() == Some(&session));
                (!is_shared).then(|| Expected {
                    who: subscriber,
                    prefix: format!("gone {session}"),
                    what: "a publisher's death, its subscriber",
                    bound: self.timing.publisher_death(),
                })
            });
            return told.collect();
        }
        if others(Kind::Subscriber).next().is_some() {
            return Vec::new();
        }
        let told = others(Kind::Publisher).map(|publisher| Expected {
            who: publisher,
            prefix: "disconnected".to_owned(),
            what: "the last subscriber's death, its publisher",
            bound: self.timing.subscriber_death(),
        });
        told.collect()
    }

    /// Waits until all are told, and notes how long it took.
    fn hear(&mut self, expected: Vec<Expected>, since: Instant) -> Result<(), Failure> {
        for Expected {
            who,
            prefix,
            what,
            bound,
        } in expected
        {
            let limit = bound + self.timing.granularity() + self.timing.slack;
            let said = self.stage.await_words(who, &prefix, since, limit)?;
            self.told.push(Told {
                what,
                after: said.at.saturating_duration_since(since),
                bound,
                granularity: self.timing.granularity(),
            });
        }
        Ok(())
    }

    /// Kills a driver; with `is_machine` its clients at the same time.
    fn lose_driver(&mut self, side: Side, is_machine: bool) -> Result<(), Failure> {
        let Some(driver) = self.driver(side) else {
            return Ok(());
        };
        let mut expected = self.told_from_afar(side);
        let clients = self.stage.clients_of(side);
        if is_machine {
            for client in &clients {
                self.stage.kill(*client);
            }
        } else {
            expected.extend(self.told_of_their_driver(&clients));
        }
        let since = self.stage.kill(driver);
        self.await_end(driver)?;
        self.hear(expected, since)?;
        // Until then nobody may start in its place.
        let until = self.timing.driver + self.timing.granularity();
        self.stage.pass(until.saturating_sub(since.elapsed()))?;
        clients
            .into_iter()
            .try_for_each(|client| self.await_end(client))
    }

    /// What clients are told whose driver is dead, or seems so. They close.
    fn told_of_their_driver(&mut self, clients: &[usize]) -> Vec<Expected> {
        let bound = self.timing.driver;
        let told = clients.iter().map(|client| {
            self.stage.actors[*client].may_end = true;
            Expected {
                who: *client,
                prefix: "told driver-timeout".to_owned(),
                what: "its driver's death, a client",
                bound,
            }
        });
        told.collect()
    }

    /// What the clients of the other driver are told when one falls silent.
    fn told_from_afar(&self, silent: Side) -> Vec<Expected> {
        if !self.plan.layout.has_two_drivers() {
            return Vec::new();
        }
        if silent == Side::Far {
            let told = self.stage.living(Kind::Publisher).into_iter();
            return told
                .map(|publisher| Expected {
                    who: publisher,
                    prefix: "disconnected".to_owned(),
                    what: "the subscribers' machine silent, a publisher",
                    bound: self.timing.connection,
                })
                .collect();
        }
        let mut expected = Vec::new();
        for subscriber in self.stage.living(Kind::Subscriber) {
            let publishers = self.stage.living(Kind::Publisher).into_iter();
            let mut sessions: Vec<_> = publishers
                .filter_map(|publisher| self.session(subscriber, publisher))
                .collect();
            sessions.sort();
            sessions.dedup();
            expected.extend(sessions.into_iter().map(|session| Expected {
                who: subscriber,
                prefix: format!("gone {session}"),
                what: "the publishers' machine silent, a subscriber",
                bound: self.timing.silence(),
            }));
        }
        expected
    }

    /// A client ends at one of its own stores.
    fn die(&mut self, victim: Victim, stores: u64, rng: &mut Rng) -> Result<(), Failure> {
        let Some(index) = self.draw(victim, rng) else {
            return Ok(());
        };
        let expected = self.mourners(index);
        self.stage.actors[index].may_end = true;
        self.stage.order(index, &format!("die {stores}"));
        self.await_end(index)?;
        let end = self.stage.log.iter().rev().find(|said| said.child == index);
        let since = end.map_or_else(Instant::now, |said| said.at);
        self.hear(expected, since)
    }

    /// A client that adds and drops things ends at one of its stores; nobody else is concerned.
    fn die_adding(&mut self, stores: u64) -> Result<(), Failure> {
        let adder = self.start_adder()?;
        let since = Instant::now();
        self.stage.order(adder, "churn");
        self.stage.actors[adder].may_end = true;
        self.stage.order(adder, &format!("die {stores}"));
        self.await_end(adder)?;
        self.stays_untold(since, self.timing.driver / 2)
    }

    /// Lets time pass in which nobody is told anything but what still comes of a death.
    fn stays_untold(&mut self, since: Instant, time: Duration) -> Result<(), Failure> {
        self.stage.pass(time)?;
        let prefixes = ["told", "gone", "disconnected", "ended"];
        let concerned =
            (0..self.stage.actors.len()).filter(|index| !self.stage.actors[*index].may_end);
        for index in concerned {
            let words = self.stage.words_of(index, since).find(|words| {
                prefixes.iter().any(|prefix| words.starts_with(prefix))
                    && !self.is_of_the_dead(index, words)
            });
            if let Some(words) = words {
                let name = &self.stage.actors[index].name;
                return Err(Failure::Late(format!("{name} without a reason: {words}")));
            }
        }
        Ok(())
    }

    /// Whether a subscriber says that a stream of which all publishers are dead has gone.
    ///
    /// That may be said twice: a driver that was stopped goes on sending what its clients left
    /// behind, until it learns of their end, and subscribers that gave the stream up take it for
    /// a new one.
    fn is_of_the_dead(&self, subscriber: usize, words: &str) -> bool {
        let Some(session) = words.strip_prefix("gone ") else {
            return false;
        };
        let actors = &self.stage.actors;
        let mut publishers = (0..actors.len())
            .filter(|index| actors[*index].kind == Kind::Publisher)
            .filter(|index| self.session(subscriber, *index).as_deref() == Some(session))
            .peekable();
        publishers.peek().is_some() && publishers.all(|index| !actors[index].is_alive())
    }

    /// Stops somebody for less than any timeout.
    fn pause(&mut self, victim: Victim, rng: &mut Rng) -> Result<(), Failure> {
        let Some(index) = self.draw(victim, rng) else {
            return Ok(());
        };
        let since = self.stage.signal(index, Signal::SIGSTOP);
        let outcome = self.stage.pass(self.timing.driver / 4);
        self.stage.signal(index, Signal::SIGCONT);
        outcome?;
        self.stays_untold(since, self.timing.driver / 3)
    }

    fn long_pause_of_a_client(&mut self, victim: Victim, rng: &mut Rng) -> Result<(), Failure> {
        let Some(index) = self.draw(victim, rng) else {
            return Ok(());
        };
        let expected = self.mourners(index);
        let since = self.stage.signal(index, Signal::SIGSTOP);
        let outcome = self.hear(expected, since).and_then(|()| {
            // Nobody may be concerned, and the driver has yet to notice.
            let time = self.timing.client + self.timing.granularity();
            self.stage.pass(time.saturating_sub(since.elapsed()))
        });
        self.stage.actors[index].may_end = true;
        let woken = self.stage.signal(index, Signal::SIGCONT);
        outcome?;
        let told = Expected {
            who: index,
            prefix: "told".to_owned(),
            what: "its own long sleep, a client",
            bound: self.timing.keepalive,
        };
        self.hear(vec![told], woken)?;
        self.await_end(index)
    }

    fn long_pause_of_a_driver(&mut self, side: Side) -> Result<(), Failure> {
        let Some(driver) = self.driver(side) else {
            return Ok(());
        };
        let clients = self.stage.clients_of(side);
        let mut expected = self.told_from_afar(side);
        expected.extend(self.told_of_their_driver(&clients));
        let since = self.stage.signal(driver, Signal::SIGSTOP);
        let outcome = self.hear(expected, since);
        self.stage.signal(driver, Signal::SIGCONT);
        outcome?;
        clients
            .into_iter()
            .try_for_each(|client| self.await_end(client))
    }

    /// Takes all room; new logs are refused, until there is room again.
    fn fill_storage(&mut self) -> Result<(), Failure> {
        let adder = self.start_adder()?;
        let since = Instant::now();
        let ballast = self.stage.root.join("ballast");
        fill(&ballast).map_err(|error| Failure::setup("ballast", error))?;
        let count = self.refused_after(adder, "aeron:ipc?term-length=1m")?;
        if count != 0 {
            return Err(Failure::Violation(format!("{count} logs without room")));
        }
        self.stays_untold(since, self.timing.driver / 5)?;
        fs::remove_file(&ballast).map_err(|error| Failure::setup("ballast", error))?;
        let room = self.refused_after(adder, "aeron:ipc?term-length=1m")?;
        if room == 0 {
            return Err(Failure::Violation(
                "no log although there is room".to_owned(),
            ));
        }
        self.stage.dismiss(&[adder], self.timing.watchdog())?;
        self.stays_untold(since, Duration::ZERO)
    }

    /// How many publications can be added until one is refused.
    fn refused_after(&mut self, adder: usize, channel: &str) -> Result<u64, Failure> {
        let since = Instant::now();
        self.stage.order(adder, &format!("add {channel}"));
        let limit = self.timing.watchdog();
        let said = self.stage.await_words(adder, "refused", since, limit)?;
        self.told.push(Told {
            what: "a lack of storage or files, whoever adds",
            after: said.at.saturating_duration_since(since),
            bound: self.timing.driver,
            granularity: self.timing.granularity(),
        });
        self.stage.order(adder, "drop");
        let words = said.words.unwrap_or_default();
        let count = words.split(' ').nth(1).and_then(|count| count.parse().ok());
        count.ok_or_else(|| Failure::Violation(format!("odd refusal: {words}")))
    }

    /// Lets the driver have no more files; new sockets are refused, until it may have them again.
    fn take_files(&mut self) -> Result<(), Failure> {
        const SPARE_FILES: u64 = 3;
        let Some(driver) = self.driver(Side::Near) else {
            return Ok(());
        };
        // What was dropped before is closed by then; the limit is set from what is open.
        let settling = self.timing.driver / 3;
        self.stage.pass(settling)?;
        let adder = self.start_adder()?;
        let since = Instant::now();
        let limit = self.timing.watchdog();
        self.stage.order(driver, &format!("files {SPARE_FILES}"));
        self.stage.await_words(driver, "limited", since, limit)?;
        let channel = "aeron:udp?endpoint=127.0.0.1:{n}";
        let few = self.refused_after(adder, channel)?;
        self.stage.pass(settling)?;
        let again = Instant::now();
        self.stage.order(driver, "files 30");
        self.stage.await_words(driver, "limited", again, limit)?;
        let more = self.refused_after(adder, channel)?;
        if more <= few {
            return Err(Failure::Violation(format!("{more} sockets, {few} before")));
        }
        let again = Instant::now();
        self.stage.order(driver, "files 1000");
        self.stage.await_words(driver, "limited", again, limit)?;
        self.stage.dismiss(&[adder], limit)?;
        self.stays_untold(since, Duration::ZERO)
    }

    fn cut(&mut self) -> Result<(), Failure> {
        let since = Instant::now();
        self.set_path(false);
        let outcome = self.stage.pass(self.timing.image / 4);
        self.set_path(true);
        outcome?;
        self.stays_untold(since, self.timing.image / 2)
    }

    fn long_cut(&mut self) -> Result<(), Failure> {
        let mut expected = self.told_from_afar(Side::Near);
        expected.extend(self.told_from_afar(Side::Far));
        self.set_path(false);
        // The command that cuts takes its time, and cuts at some point of it.
        let since = Instant::now();
        let outcome = self.hear(expected, since);
        let healed = Instant::now();
        self.set_path(true);
        outcome?;
        let limit = self.timing.watchdog();
        for (subscriber, publisher) in self.pairs() {
            let prefix = format!("first {} ", self.sender_of(publisher));
            self.stage.await_words(subscriber, &prefix, healed, limit)?;
        }
        Ok(())
    }

    fn set_path(&self, is_up: bool) {
        if let Some(network) = &self.network {
            if is_up {
                network.heal(PATH, End::There);
            } else {
                network.cut(PATH, End::There);
            }
        }
    }

    /// Steps everybody's wall clock, and steps it back.
    fn step_clock(&mut self, ms: i64) -> Result<(), Failure> {
        for ms in [ms, -ms] {
            let since = Instant::now();
            for index in 0..self.stage.actors.len() {
                if self.stage.actors[index].is_alive() {
                    self.stage.order(index, &format!("step {ms}"));
                }
            }
            self.stays_untold(since, self.timing.driver / 2)?;
        }
        Ok(())
    }
}

const fn side_of(victim: Victim) -> Side {
    match victim {
        Victim::Far | Victim::Subscriber => Side::Far,
        Victim::Near | Victim::Publisher => Side::Near,
    }
}

/// Writes a file until there is no room for more.
fn fill(path: &std::path::Path) -> std::io::Result<()> {
    let mut file = fs::File::create(path)?;
    let mut length = 1 << 20;
    let block = vec![1; length];
    while length > 0 {
        // A write that is cut short takes what there is; then less is tried.
        if file.write(&block[..length]).is_err() {
            length /= 2;
        }
    }
    Ok(())
}
