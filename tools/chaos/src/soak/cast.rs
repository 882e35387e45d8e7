//! Who takes part in a soak, and what happens to them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use aileron::base::Rng;
use aileron_chaos::fate;
use aileron_chaos::proxy::Proxy;

use super::sample::{Holdings, Memory, anonymous_kib};
use crate::failure::Failure;
use crate::possessions::Possessions;
use crate::scene::free_port;
use crate::stage::{Kind, Side, Stage};
use crate::timing::Timing;

/// Microseconds between the bursts of a publisher.
const BREATH_US: u64 = 2_000;
/// How long somebody adds and drops things.
const CHURN: Duration = Duration::from_millis(500);

/// A part, and who plays it at the moment.
#[derive(Debug)]
struct Part {
    name: &'static str,
    kind: Kind,
    side: Side,
    channel: String,
    stream: i32,
    is_exclusive: bool,
    /// Played by one process from beginning to end.
    is_steady: bool,
    player: Option<usize>,
}

/// All parts, and the two drivers.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) stage: Stage,
    pub(crate) timing: Timing,
    parts: Vec<Part>,
    next_sender: u32,
    _path: Proxy,
}

impl Cast {
    pub(crate) fn new(root: &Path, timing: Timing) -> Result<Self, Failure> {
        let port = free_port()?;
        let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let lossy = fate::Path {
            loss: 0.01,
            duplicate: 0.01,
            reorder: 0.01,
            delay: Duration::from_micros(500),
            jitter: Duration::from_millis(1),
            held_back: Duration::from_millis(3),
        };
        let (forward, backward) = (lossy.drawn_from(1), lossy.drawn_from(2));
        let path = Proxy::start(target, Box::new(forward), Box::new(backward))
            .map_err(|error| Failure::setup("proxy", error))?;
        let mut cast = Self {
            stage: Stage::new(root),
            timing,
            parts: parts(port, path.address())?,
            next_sender: 0,
            _path: path,
        };
        // Subscribers first, so that nobody misses anything.
        cast.parts.sort_by_key(|part| part.kind == Kind::Publisher);
        Ok(cast)
    }

    fn driver(&self, side: Side) -> Option<usize> {
        let drivers = self.stage.living(Kind::Driver);
        drivers
            .into_iter()
            .find(|index| self.stage.actors[*index].side == side)
    }

    fn directory(&self, side: Side) -> std::path::PathBuf {
        self.stage.root.join(match side {
            Side::Near => "near",
            Side::Far => "far",
        })
    }

    /// Whoever is missing comes back; all are connected.
    pub(crate) fn complete(&mut self) -> Result<(), Failure> {
        for side in [Side::Near, Side::Far] {
            if self.driver(side).is_none() {
                self.start_driver(side)?;
            }
        }
        for index in 0..self.parts.len() {
            let player = self.parts[index].player;
            let is_there = player.is_some_and(|player| {
                let actor = &self.stage.actors[player];
                actor.is_alive() && !actor.may_end
            });
            if !is_there {
                self.start_part(index)?;
            }
        }
        let (start, limit) = (Instant::now(), self.timing.watchdog());
        for publisher in self.stage.living(Kind::Publisher) {
            let what = format!("a connection of {}", self.stage.actors[publisher].name);
            self.stage.wait(&what, start, limit, |stage| {
                let last = stage.last_of(publisher, &["connected", "disconnected"]);
                (last == Some("connected")).then_some(())
            })?;
        }
        Ok(())
    }

    fn start_driver(&mut self, side: Side) -> Result<(), Failure> {
        let mut arguments = vec!["driver".to_owned(), "--dir".to_owned()];
        arguments.push(self.directory(side).display().to_string());
        let properties = self.timing.properties();
        arguments.extend(
            properties
                .into_iter()
                .map(|property| format!("-D{property}")),
        );
        let name = format!("{side:?}-driver").to_lowercase();
        self.start(name, (Kind::Driver, side), &arguments)?;
        Ok(())
    }

    fn start_part(&mut self, index: usize) -> Result<(), Failure> {
        self.next_sender += 1;
        let sender = self.next_sender;
        let part = &self.parts[index];
        let ms = |duration: Duration| duration.as_millis().to_string();
        let is_publisher = part.kind == Kind::Publisher;
        let mut arguments: Vec<_> = [
            if is_publisher {
                "publisher"
            } else {
                "subscriber"
            },
            "--dir",
            &self.directory(part.side).display().to_string(),
            "--driver-timeout",
            &ms(self.timing.driver),
            "--keepalive",
            &ms(self.timing.keepalive),
            "--channel",
            &part.channel,
            "--stream",
            &part.stream.to_string(),
        ]
        .map(str::to_owned)
        .to_vec();
        if is_publisher {
            arguments.extend(["--sender".to_owned(), sender.to_string()]);
            arguments.extend(["--breath".to_owned(), BREATH_US.to_string()]);
            if part.is_exclusive {
                arguments.push("--exclusive".to_owned());
            }
        }
        let name = format!("{}-{sender}", part.name);
        let role = (part.kind, part.side);
        let player = self.start(name, role, &arguments)?;
        self.parts[index].player = Some(player);
        Ok(())
    }

    fn start(
        &mut self,
        name: String,
        role: (Kind, Side),
        arguments: &[String],
    ) -> Result<usize, Failure> {
        let since = Instant::now();
        let index = self.stage.start(name, role, &[], arguments)?;
        let limit = self.timing.watchdog();
        self.stage.await_words(index, "ready", since, limit)?;
        Ok(index)
    }

    /// Something happens to somebody.
    pub(crate) fn disturb(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        match rng.below(10) {
            0 => self.kill_far_driver(),
            1 => self.churn(),
            _ => self.disturb_a_client(rng),
        }
    }

    fn disturb_a_client(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        let mortal: Vec<_> = self
            .parts
            .iter()
            .filter(|part| !part.is_steady)
            .filter_map(|part| part.player)
            .collect();
        let index = usize::try_from(rng.below(mortal.len() as u64)).unwrap_or(0);
        let player = mortal[index];
        if rng.chance(1, 2) {
            let limit = self.timing.watchdog();
            return self.stage.dismiss(&[player], limit);
        }
        self.stage.kill(player);
        self.await_end(player)
    }

    fn await_end(&mut self, index: usize) -> Result<(), Failure> {
        let what = format!("the end of {}", self.stage.actors[index].name);
        let limit = self.timing.watchdog();
        let ended = |stage: &mut Stage| stage.actors[index].status;
        self.stage.wait(&what, Instant::now(), limit, ended)?;
        Ok(())
    }

    fn kill_far_driver(&mut self) -> Result<(), Failure> {
        let Some(driver) = self.driver(Side::Far) else {
            return Ok(());
        };
        let clients = self.stage.clients_of(Side::Far);
        for client in &clients {
            self.stage.actors[*client].may_end = true;
        }
        let since = self.stage.kill(driver);
        let limit = self.timing.driver + self.timing.granularity() + self.timing.slack;
        for client in clients {
            let told = "told driver-timeout";
            self.stage.await_words(client, told, since, limit)?;
            self.await_end(client)?;
        }
        self.await_end(driver)
    }

    /// A client adds and drops things, and is killed at it.
    fn churn(&mut self) -> Result<(), Failure> {
        let ms = |duration: Duration| duration.as_millis().to_string();
        let arguments = [
            "adder",
            "--dir",
            &self.directory(Side::Near).display().to_string(),
            "--driver-timeout",
            &ms(self.timing.driver),
            "--keepalive",
            &ms(self.timing.keepalive),
            "--stream",
            "999",
        ]
        .map(str::to_owned);
        let name = format!("adder-{}", self.stage.actors.len());
        let adder = self.start(name, (Kind::Adder, Side::Near), &arguments)?;
        self.stage.order(adder, "churn");
        self.stage.pass(CHURN)?;
        self.stage.kill(adder);
        self.await_end(adder)
    }

    /// How many of everything the drivers hold.
    pub(crate) fn holdings(&self) -> Result<Holdings, Failure> {
        let mut counts = Vec::new();
        for side in [Side::Near, Side::Far] {
            let driver = self.driver(side);
            let pid = driver.map(|driver| self.stage.actors[driver].process.id());
            let possessions = pid.and_then(|pid| Possessions::of(&self.directory(side), pid));
            let possessions =
                possessions.ok_or_else(|| Failure::Setup(format!("no {side:?} driver")))?;
            let side = format!("{side:?}").to_lowercase();
            for (name, count) in possessions.counts() {
                counts.push((format!("{side} {name}"), count));
            }
        }
        Ok(Holdings { counts })
    }

    /// Waits until the drivers hold what they held at first.
    pub(crate) fn settle(&mut self, first: &Holdings) -> Result<Holdings, Failure> {
        let (start, limit) = (Instant::now(), 2 * self.timing.watchdog());
        loop {
            let now = self.holdings()?;
            let difference = now.compared_with(first);
            if difference.is_empty() {
                return Ok(now);
            }
            if start.elapsed() > limit {
                let ms = limit.as_millis();
                return Err(Failure::Leak(format!("after {ms} ms {difference}")));
            }
            self.stage.pass(Duration::from_millis(20))?;
        }
    }

    /// Memory of those who are there from beginning to end.
    pub(crate) fn memory(&self) -> Memory {
        let mut memory = vec![("this process".to_owned(), anonymous_kib(std::process::id()))];
        let mut add = |name: &str, index: usize| {
            let pid = self.stage.actors[index].process.id();
            memory.push((name.to_owned(), anonymous_kib(pid)));
        };
        if let Some(driver) = self.driver(Side::Near) {
            add("near driver", driver);
        }
        for part in self.parts.iter().filter(|part| part.is_steady) {
            if let Some(player) = part.player {
                add(part.name, player);
            }
        }
        Memory(memory)
    }

    /// Every publisher sends its last message, and its subscribers get it; then all close. Returns
    /// how many messages there were.
    pub(crate) fn finish(&mut self) -> Result<u64, Failure> {
        let (since, limit) = (Instant::now(), 2 * self.timing.watchdog());
        let publishers = self.stage.living(Kind::Publisher);
        for publisher in &publishers {
            self.stage.order(*publisher, "finish");
        }
        let mut messages = 0;
        for publisher in publishers {
            let said = self.stage.await_words(publisher, "sent ", since, limit)?;
            let words = said.words.unwrap_or_default();
            let total: u64 = words[5..].parse().unwrap_or(0);
            messages += total;
            let name = &self.stage.actors[publisher].name;
            let sender = name.rsplit('-').next().unwrap_or_default().to_owned();
            let complete = format!("complete {sender} {total}");
            for subscriber in self.listeners(publisher) {
                self.stage
                    .await_words(subscriber, &complete, since, limit)?;
            }
        }
        let mut all = self.stage.clients_of(Side::Near);
        all.extend(self.stage.clients_of(Side::Far));
        self.stage.dismiss(&all, limit)?;
        let drivers = self.stage.living(Kind::Driver);
        self.stage.dismiss(&drivers, limit)?;
        Ok(messages)
    }

    /// Subscribers of a publisher's stream.
    fn listeners(&self, publisher: usize) -> Vec<usize> {
        let stream = self
            .parts
            .iter()
            .find(|part| part.player == Some(publisher))
            .map(|part| part.stream);
        let parts = self.parts.iter().filter(|part| Some(part.stream) == stream);
        parts
            .filter(|part| part.kind == Kind::Subscriber)
            .filter_map(|part| part.player)
            .collect()
    }
}

/// The parts of the play.
fn parts(port: u16, proxy: SocketAddr) -> Result<Vec<Part>, Failure> {
    let steady = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()?);
    let control = free_port()?;
    let fan_out = format!("aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=min");
    let fan_in = || -> Result<_, Failure> {
        let own = free_port()?;
        Ok(format!(
            "aeron:udp?endpoint=127.0.0.1:{own}|control=127.0.0.1:{control}|control-mode=dynamic"
        ))
    };
    let ipc = || "aeron:ipc".to_owned();
    let lossy = |address: &dyn std::fmt::Display| format!("aeron:udp?endpoint={address}");
    let target = format!("127.0.0.1:{port}");
    let part = |name, kind, side, channel, stream| Part {
        name,
        kind,
        side,
        channel,
        stream,
        is_exclusive: stream % 2 == 1,
        is_steady: stream < 10,
        player: None,
    };
    use Kind::{Publisher, Subscriber};
    use Side::{Far, Near};
    Ok(vec![
        part("steady-ipc-subscriber", Subscriber, Near, ipc(), 1),
        part("steady-ipc-publisher", Publisher, Near, ipc(), 1),
        part("steady-udp-subscriber", Subscriber, Near, steady.clone(), 2),
        part("steady-udp-publisher", Publisher, Near, steady, 2),
        part("ipc-subscriber", Subscriber, Near, ipc(), 10),
        part("ipc-subscriber", Subscriber, Near, ipc(), 10),
        part("ipc-publisher", Publisher, Near, ipc(), 10),
        part("ipc-publisher", Publisher, Near, ipc(), 10),
        part("exclusive-subscriber", Subscriber, Near, ipc(), 11),
        part("exclusive-publisher", Publisher, Near, ipc(), 11),
        part("lossy-subscriber", Subscriber, Far, lossy(&target), 12),
        part("lossy-publisher", Publisher, Near, lossy(&proxy), 12),
        part("fan-subscriber", Subscriber, Far, fan_in()?, 13),
        part("fan-subscriber", Subscriber, Far, fan_in()?, 13),
        part("fan-publisher", Publisher, Near, fan_out, 13),
    ])
}
