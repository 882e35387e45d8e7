//! Things that go wrong once, and how they end.

use std::any::Any;
use std::net::{IpAddr, SocketAddr};

use super::{Cut, Run, Turn};
use crate::base::Nanos;
use crate::logbuffer::{LogFileKind, LogName, LogSpec, LogStore};
use crate::port::{BusyPoll, Network, TransportRole, TransportSpec};
use crate::sim::ledger::MessageState;
use crate::sim::network::LinkFaults;
use crate::sim::oracle::{EventWatch, Watch};
use crate::sim::people::{Outcome, write};
use crate::sim::plan::{IncidentKind, NameMove, host_name, place_address};
use crate::sim::sabotage::Sabotage;
use crate::sim::trace::Event;

/// Steps a claim may be held at most; far less than the unblock timeout.
const HOLD_STEP_NS: i64 = 1_000_000;
/// Bytes by which a sender's limit is raised where that is the sabotage.
const OVERRUN: i64 = 1 << 20;
/// What may wait before a link that is clogged, in bytes.
const CLOG_QUEUE_BYTES: u32 = 64 * 1024;
/// When somebody works again who never does.
const FOR_EVER: Nanos = Nanos(i64::MAX);

impl Run {
    /// Has everything happen that is due.
    pub(super) fn let_happen(&mut self) -> Outcome {
        while let Some(incident) = self.plan.incidents.get(self.next_incident)
            && incident.at <= self.step
        {
            self.next_incident += 1;
            if incident.is_absent {
                continue;
            }
            let kind = incident.kind.clone();
            self.happen(&kind)?;
        }
        Ok(())
    }

    fn happen(&mut self, kind: &IncidentKind) -> Outcome {
        let now = self.clock.now();
        match *kind {
            IncidentKind::Cut { from, to, ns } => {
                self.trace.push(Event::LinkCut { from, to });
                let faults = LinkFaults {
                    is_partitioned: true,
                    ..self.plan.faults
                };
                self.set_link(from, to, faults);
                let until = now.plus_ns(ns);
                self.cuts.push(Cut { from, to, until });
            }
            IncidentKind::Clog {
                from,
                to,
                ns,
                rate_bytes_per_ms,
            } => {
                self.trace.push(Event::Clogged { from, to, ns });
                let faults = LinkFaults {
                    rate_bytes_per_ms,
                    queue_bytes: CLOG_QUEUE_BYTES,
                    ..self.plan.link_faults(from, to)
                };
                self.set_link(from, to, faults);
                let until = now.plus_ns(ns);
                self.cuts.push(Cut { from, to, until });
            }
            IncidentKind::Rebind { driver } => {
                self.trace.push(Event::Rebound { driver });
                for address in self.drivers[driver].addresses {
                    self.network.rebind(address);
                }
            }
            IncidentKind::FillDisk { driver, ns } => {
                self.trace.push(Event::DiskFull { driver, ns });
                self.drivers[driver].store.set_full(true);
                self.full_disks.push((driver, now.plus_ns(ns)));
            }
            IncidentKind::EpochStep { ms } => {
                self.trace.push(Event::EpochStep { ms });
                self.clock.shift_epoch(ms);
            }
            IncidentKind::RestartDriver {
                driver,
                ns,
                takes_clients,
            } => {
                if self.dead_drivers.contains(&driver) {
                    return Ok(());
                }
                self.kill_driver(driver, takes_clients)?;
                self.restarts.push((driver, now.plus_ns(ns)));
            }
            IncidentKind::CutPlace {
                subscriber,
                place,
                ns,
            } => {
                self.trace.push(Event::PlaceCut { subscriber, place });
                let driver = self.plan.clients[self.plan.subscribers[subscriber].client].driver;
                let address = place_address(driver, subscriber, place);
                self.network.set_blocked(address, true);
                if self.sabotage == Some(Sabotage::CutBothPlaces) && ns.is_none() {
                    let other = place_address(driver, subscriber, 1 - place);
                    self.network.set_blocked(other, true);
                }
                if let Some(ns) = ns {
                    self.cut_places.push((address, now.plus_ns(ns)));
                }
            }
            IncidentKind::KillDriver { driver } => {
                self.restarts.retain(|(restarted, _)| *restarted != driver);
                self.kill_driver(driver, true)?;
            }
            IncidentKind::StallAgent { driver, agent, ns } => {
                let agents = &mut self.drivers[driver].agents;
                let agent = agent % agents.len();
                let slot = &mut agents[agent];
                if slot.stalled_until == FOR_EVER {
                    return Ok(());
                }
                slot.stalled_until = now.plus_ns(ns);
                let actor = format!("driver {driver} {:?}", slot.role);
                self.trace.push(Event::Stalled { actor, ns });
            }
            IncidentKind::StallClient { client, ns } => {
                self.clients[client].stalled_until = now.plus_ns(ns);
                let actor = format!("client {client}");
                self.trace.push(Event::Stalled { actor, ns });
            }
            IncidentKind::Kill {
                client,
                leaves_claim,
            } => self.kill(client, leaves_claim)?,
            IncidentKind::ClockStep { ns } => {
                self.trace.push(Event::ClockStep { ns });
                self.clock.advance(ns);
                self.network.advance(self.clock.now());
            }
            IncidentKind::HoldClaim { publisher, steps } => self.hold_claim(publisher, steps)?,
        }
        Ok(())
    }

    /// A driver dies, and with it perhaps all its clients, as when a machine loses its power.
    fn kill_driver(&mut self, driver: usize, takes_clients: bool) -> Outcome {
        self.trace.push(Event::DriverKilled { driver });
        let now = self.clock.now();
        for client in 0..self.clients.len() {
            if self.plan.clients[client].driver != driver {
                continue;
            }
            if takes_clients {
                self.bury(client, false)?;
            } else {
                self.clients[client].orphan(now);
            }
        }
        self.dead_drivers.insert(driver);
        for slot in &mut self.drivers[driver].agents {
            slot.stalled_until = FOR_EVER;
        }
        Ok(())
    }

    /// Starts the drivers that are to come back by now.
    pub(super) fn bring_back(&mut self, now: Nanos) -> Outcome {
        let is_due = |(_, at): &(usize, Nanos)| now.is_at_or_after(*at);
        for (driver, _) in self.full_disks.extract_if(.., |full| is_due(full)) {
            self.drivers[driver].store.set_full(false);
        }
        let due: Vec<_> = self
            .restarts
            .extract_if(.., |restart| is_due(restart))
            .collect();
        for (driver, _) in due {
            self.dead_drivers.remove(&driver);
            self.trace.push(Event::DriverStarted { driver });
            let rng = self.rng.fork();
            self.drivers[driver].restart(driver, &self.plan, &self.network, &self.clock, rng)?;
            self.watches[driver] = Watch::default();
            self.events[driver] = EventWatch::default();
            self.conducted[driver] = self.clock.now();
        }
        Ok(())
    }

    fn kill(&mut self, client: usize, leaves_claim: bool) -> Outcome {
        if self.clients[client].handle().is_none() {
            return Ok(());
        }
        self.bury(client, leaves_claim)
    }

    /// Has a client do nothing any more, nor anything that is its.
    fn bury(&mut self, client: usize, leaves_claim: bool) -> Outcome {
        let of_client = |turn: &&Turn| match **turn {
            Turn::Publisher(number) => self.plan.publishers[number].client == client,
            Turn::Subscriber(number) => self.plan.subscribers[number].client == client,
            Turn::Agent { .. } | Turn::Client(_) => false,
        };
        let mut turns: Vec<Turn> = self.turns.iter().filter(of_client).copied().collect();
        turns.sort_by_key(|turn| match *turn {
            Turn::Publisher(number) => (0, number),
            Turn::Subscriber(number) => (1, number),
            Turn::Agent { .. } | Turn::Client(_) => (2, 0),
        });
        let mut dead = Vec::new();
        let (mut scene, actors) = self.split();
        for turn in turns {
            match turn {
                Turn::Publisher(number) => {
                    let publisher = &mut actors.publishers[number];
                    if leaves_claim {
                        publisher.leave_claim(&mut scene)?;
                    }
                    dead.push(publisher.die(&mut scene));
                }
                Turn::Subscriber(number) => {
                    dead.push(actors.subscribers[number].die(&mut scene));
                }
                Turn::Agent { .. } | Turn::Client(_) => {}
            }
        }
        actors.clients[client].kill(&mut scene);
        self.graveyard.extend(dead);
        Ok(())
    }

    /// A publisher claims, and commits a few steps later.
    fn hold_claim(&mut self, publisher: usize, steps: u64) -> Outcome {
        let (mut scene, actors) = self.split();
        let Some((publication, tag, length)) = actors.publishers[publisher].begin_claim(&mut scene)
        else {
            return Ok(());
        };
        let Ok(claim) = publication.try_claim(length) else {
            return Ok(());
        };
        let state = MessageState::Claimed;
        let end = claim.position();
        let Some(ledger) = actors.publishers[publisher].ledger() else {
            return Ok(());
        };
        let number = actors.publishers[publisher].note(&mut scene, end, length, tag, state)?;
        for _ in 0..steps {
            self.clock.advance(self.plan.pace.busy.min(HOLD_STEP_NS));
            self.step += 1;
            self.trace.set_step(self.step, self.clock.now());
            self.network.advance(self.clock.now());
            self.give_turns()?;
        }
        let is_aborted = self.rng.chance(1, 4);
        write(claim, tag, is_aborted);
        let (state, how) = if is_aborted {
            (MessageState::Void, "aborted")
        } else {
            (MessageState::Committed, "committed")
        };
        self.ledgers.get_mut(ledger).settle(number, state);
        self.trace.push(Event::Settled {
            publisher,
            sequence: tag.sequence,
            how,
        });
        Ok(())
    }

    fn links(&self, from: usize, to: usize) -> [(IpAddr, IpAddr); 2] {
        let (from, to) = (&self.drivers[from].addresses, &self.drivers[to].addresses);
        [(from[0], to[0]), (from[1], to[1])]
    }

    fn set_link(&self, from: usize, to: usize, faults: LinkFaults) {
        for (from, to) in self.links(from, to) {
            self.network.set_link_faults(from, to, faults);
        }
    }

    /// Has a link be what it is while nobody meddles with it.
    pub(super) fn restore_link(&self, from: usize, to: usize) {
        self.set_link(from, to, self.plan.link_faults(from, to));
    }

    /// Ends the cuts that have lasted long enough.
    pub(super) fn mend_links(&mut self) {
        let now = self.clock.now();
        let ended = |until: Nanos| now.is_at_or_after(until);
        let mended: Vec<SocketAddr> = (self.cut_places.iter())
            .filter(|(_, until)| ended(*until))
            .map(|(address, _)| *address)
            .collect();
        self.cut_places.retain(|(_, until)| !ended(*until));
        for address in mended {
            self.trace.push(Event::PlaceMended { address });
            self.network.set_blocked(address, false);
        }
        let done: Vec<Cut> = self.cuts.extract_if(.., |cut| ended(cut.until)).collect();
        for Cut { from, to, .. } in done {
            let is_cut_still = self.cuts.iter().any(|cut| (cut.from, cut.to) == (from, to));
            if is_cut_still {
                continue;
            }
            self.trace.push(Event::LinkMended { from, to });
            self.restore_link(from, to);
        }
    }

    /// Has names lead elsewhere, and back again.
    pub(super) fn move_names(&mut self) {
        let now = self.clock.now();
        let is_over = |(_, until): &mut (usize, Nanos)| now.is_at_or_after(*until);
        let back: Vec<_> = self.moved.extract_if(.., is_over).collect();
        for (driver, _) in back {
            self.set_name(driver, 0);
        }
        while let Some(names) = &self.plan.names
            && let Some(NameMove {
                at,
                driver,
                value,
                ns,
            }) = names.moves.get(self.next_move).copied()
            && at <= self.step
        {
            self.next_move += 1;
            self.set_name(driver, value);
            self.moved.push((driver, now.plus_ns(ns)));
        }
    }

    /// Sets where the name of a driver's host leads, in the tables of all drivers.
    fn set_name(&mut self, driver: usize, value: i64) {
        self.trace.push(Event::NameMoved { driver, value });
        for resolver in &self.drivers {
            if let Some(switch) = resolver.name_switch(&host_name(driver)) {
                switch.set(value);
            }
        }
    }

    /// Ends all faults. Publishers finish, subscribers stay.
    pub(super) fn heal(&mut self) -> Outcome {
        self.network.heal();
        self.cuts.clear();
        for (driver, _) in std::mem::take(&mut self.moved) {
            self.set_name(driver, 0);
        }
        self.bring_back(FOR_EVER)?;
        for (address, _) in self.cut_places.drain(..) {
            self.network.set_blocked(address, false);
        }
        let stays_stalled = self.sabotage == Some(Sabotage::StallForEver);
        let dead = &self.dead_drivers;
        let drivers = self.drivers.iter_mut().enumerate();
        let living = drivers.filter(|(number, _)| !dead.contains(number));
        for slot in living.flat_map(|(_, driver)| &mut driver.agents) {
            slot.stalled_until = Nanos(0);
        }
        if stays_stalled {
            self.drivers[0].agents[0].stalled_until = FOR_EVER;
        }
        for client in &mut self.clients {
            client.stalled_until = Nanos(0);
        }
        for publisher in &mut self.publishers {
            publisher.wind_up(self.step);
        }
        for subscriber in &mut self.subscribers {
            subscriber.wind_up(self.step);
        }
        Ok(())
    }

    /// Raises a sender's limit behind its back, if the sabotage is about that.
    pub(super) fn overrun(&self, driver: usize) {
        if self.sabotage == Some(Sabotage::Overrun) {
            self.watches[driver].shift_sender_limits(OVERRUN);
        }
    }

    /// Takes that back.
    pub(super) fn end_overrun(&self, driver: usize) {
        if self.sabotage == Some(Sabotage::Overrun) {
            self.watches[driver].shift_sender_limits(-OVERRUN);
        }
    }

    /// What the sabotage keeps from being closed.
    pub(super) fn open_leak(&mut self) -> Option<Box<dyn Any>> {
        match self.sabotage {
            Some(Sabotage::LeakLog) => {
                let name = LogName {
                    kind: LogFileKind::Image,
                    id: 1 << 40,
                };
                let created = self.drivers[0].store.create(&name, &LogSpec::default());
                Some(Box::new(created))
            }
            Some(Sabotage::LeakSocket) => {
                let address = self.drivers[0].addresses[0];
                let spec = TransportSpec {
                    role: TransportRole::Receive,
                    bind: (address, 0).into(),
                    connect: None,
                    multicast: None,
                    socket_sndbuf_length: 0,
                    socket_rcvbuf_length: 0,
                    media_timestamps: false,
                    receive_batch: 1,
                    segment_offload: false,
                    busy_poll: BusyPoll::default(),
                };
                Some(Box::new(self.network.host(address).open(&spec)))
            }
            _ => None,
        }
    }
}
