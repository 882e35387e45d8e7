//! A world: drivers, clients, a network and a clock, driven step by step.
//!
//! A step lets some time pass, has things go wrong that are due, and gives everyone a turn in an
//! order that is drawn anew: each agent of each driver, each client's conductor, each publisher and
//! subscriber. Whoever is stalled is left out. After each turn the oracles look at what was sent,
//! after each step at all positions.
//!
//! A run has four phases. While faults are on, everyone publishes and subscribes as they please.
//! Then the faults end, and whatever was published has to arrive in time. Then everyone closes, in
//! any order. In the end the drivers must have let go of everything.

mod drain;
mod ending;
mod incidents;

use std::any::Any;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;

use super::clock::VirtualClock;
use super::host::{Role, SimDriver};
use super::network::SimNetwork;
use super::omission::Omission;
use super::oracle::{EventWatch, Traffic, Watch, check_positions};
use super::people::{
    Ledgers, Life, Outcome, Phase, Publisher, Responses, Scene, SimClient, Subscriber,
};
use super::plan::{Medium, Plan, Profile, range};
use super::report::{Failure, Report};
use super::sabotage::Sabotage;
use super::shrink::{Shrunk, shrink};
use super::trace::{Event, Trace};
use super::wire::{Note, Wire};
use crate::base::{Nanos, Rng};
use crate::port::Clock;

/// Events kept for the explanation of a failure, unless another number is asked for.
const EVENTS_KEPT: usize = 200;
/// Steps in which everyone closes.
const CLOSE_STEPS: u64 = 40;
/// Longest step when faults are over and nothing happens, in nanoseconds.
const QUIET_STEP_NS: i64 = 50_000_000;
/// How often the list of counters is looked through though a conductor had nothing to do.
const REFRESH_STEPS: u64 = 16;
/// No run takes so many steps.
const STEPS_MAX: u64 = 200_000;
/// Bytes that Linux needs for a short datagram beside its own.
const KERNEL_OVERHEAD: usize = 768;

/// Steps after which time passes faster although somebody works: who repeats a request every few
/// microseconds is not to use up all steps before a timeout of seconds.
const PATIENT_STEPS: u64 = 50_000;

/// The longest step from then on.
const HURRIED_STEP_NS: i64 = 1_000_000;

/// A world to be: what it is drawn from and how it is to be watched.
///
/// ```
/// use aileron::sim::World;
/// match World::new(42).run() {
///     Ok(report) => println!("{} messages in {} steps", report.messages, report.steps),
///     Err(failure) => panic!("{failure}"),
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens before it is run"]
pub struct World {
    seed: u64,
    profile: Profile,
    sabotage: Option<Sabotage>,
    omissions: Vec<Omission>,
    events_kept: usize,
}

impl World {
    /// The world of a seed.
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            profile: Profile::Drawn,
            sabotage: None,
            omissions: Vec::new(),
            events_kept: EVENTS_KEPT,
        }
    }

    /// Which faults it has; those that the seed draws unless this is called.
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Breaks something on purpose.
    pub const fn sabotage(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    /// Leaves something out.
    pub fn omit(mut self, omission: Omission) -> Self {
        self.omissions.push(omission);
        self
    }

    /// What was left out so far.
    #[must_use]
    pub fn omissions(&self) -> &[Omission] {
        &self.omissions
    }

    /// Looks for as little of it as fails in the same way, with at most `runs` runs. `None` if it
    /// does not fail.
    #[must_use]
    pub fn shrink(&self, runs: usize) -> Option<Shrunk> {
        shrink(self, runs)
    }

    /// How many events a failure tells; 200 unless this is called.
    pub const fn events_kept(mut self, count: usize) -> Self {
        self.events_kept = count;
        self
    }

    /// What the seed stands for, as text.
    #[must_use]
    pub fn describe(&self) -> String {
        self.plan().to_string()
    }

    /// What it stands for, without what was left out.
    pub(super) fn plan(&self) -> Plan {
        let mut plan = Plan::draw(self.seed, self.profile);
        for omission in &self.omissions {
            omission.apply(&mut plan);
        }
        plan
    }

    /// Runs it from begin to end.
    ///
    /// # Errors
    /// A promise was broken.
    pub fn run(&self) -> Result<Report, Box<Failure>> {
        let mut plan = self.plan();
        let patience_ns = plan.patience_ns();
        if self.sabotage == Some(Sabotage::NeverUnblock) {
            plan.timeouts.unblock = i64::MAX / 4;
        }
        let failure = |what| Failure {
            seed: self.seed,
            step: 0,
            virtual_ns: 0,
            what,
            plan: self.describe(),
            events: Vec::new(),
        };
        let mut run = Run::new(self, plan, patience_ns).map_err(|what| Box::new(failure(what)))?;
        match run.all_phases() {
            Ok(()) => Ok(run.report()),
            Err(what) => Err(Box::new(Failure {
                step: run.step,
                virtual_ns: run.clock.now().get(),
                events: run.trace.lines(),
                ..failure(what)
            })),
        }
    }
}

/// A link in one direction that is not what it was, and until when.
#[derive(Clone, Copy, Debug)]
struct Cut {
    from: usize,
    to: usize,
    until: Nanos,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Agent { driver: usize, agent: usize },
    Client(usize),
    Publisher(usize),
    Subscriber(usize),
}

/// A world that runs.
struct Run {
    plan: Plan,
    sabotage: Option<Sabotage>,
    /// How long a phase may take.
    patience_ns: i64,
    clock: VirtualClock,
    network: SimNetwork,
    wire: Wire,
    notes: Vec<Note>,
    rng: Rng,
    trace: Trace,
    drivers: Vec<SimDriver>,
    watches: Vec<Watch>,
    events: Vec<EventWatch>,
    traffic: Traffic,
    /// When the conductor of each driver last had a turn.
    conducted: Vec<Nanos>,
    clients: Vec<SimClient>,
    publishers: Vec<Publisher>,
    subscribers: Vec<Subscriber>,
    ledgers: Ledgers,
    turns: Vec<Turn>,
    step: u64,
    phase: Phase,
    /// When, or at which step, the phase began.
    phase_began: (Nanos, u64),
    /// What the last step did; 0 if nobody had anything to do.
    work: usize,
    consumed: [u64; Medium::COUNT],
    /// The run is about to fail: what is wrong is to be told at length.
    is_explaining: bool,
    next_incident: usize,
    /// Links that are cut or clogged, and until when.
    cuts: Vec<Cut>,
    /// Places that are cut, and until when.
    cut_places: Vec<(SocketAddr, Nanos)>,
    /// Drivers that are gone.
    dead_drivers: BTreeSet<usize>,
    /// Those that come back, and when.
    restarts: Vec<(usize, Nanos)>,
    /// Drivers without room for logs, and until when.
    full_disks: Vec<(usize, Nanos)>,
    /// The next of the moves of names.
    next_move: usize,
    /// Drivers whose names lead elsewhere, and until when.
    moved: Vec<(usize, Nanos)>,
    /// For what people do that they did not do of old.
    habits: Rng,
    responses: Responses,
    /// Things of the dead: never to be dropped before the world ends.
    graveyard: Vec<Box<dyn Any>>,
    /// Kept open where leaking is what the sabotage is about.
    leak: Option<Box<dyn Any>>,
}

impl Run {
    fn new(world: &World, plan: Plan, patience_ns: i64) -> Outcome<Self> {
        let mut rng = Rng::new(plan.seed ^ 0x5EED_0F0F);
        let clock = VirtualClock::new();
        // Away from zero, as clocks are.
        clock.advance(1_000_000_000);
        let network = SimNetwork::new(rng.next_u64());
        if plan.counts_overhead {
            network.set_overhead(KERNEL_OVERHEAD);
        }
        network.set_default_faults(plan.faults);
        let wire = Wire::default();
        network.set_tap(wire.tap(world.sabotage));
        let mut drivers = Vec::new();
        for number in 0..plan.drivers.len() {
            let driver_rng = rng.fork();
            drivers.push(SimDriver::start(
                number, &plan, &network, &clock, driver_rng,
            )?);
        }
        let now = clock.now();
        let clients = (plan.clients.iter().enumerate())
            .map(|(number, client)| SimClient::new(number, client.driver))
            .collect();
        let publishers = (plan.publishers.iter().enumerate())
            .map(|(number, plan)| Publisher::new(number, plan))
            .collect();
        let subscribers = (plan.subscribers.iter().enumerate())
            .map(|(number, plan)| Subscriber::new(number, plan))
            .collect();
        let mut run = Self {
            sabotage: world.sabotage,
            patience_ns,
            notes: Vec::new(),
            trace: Trace::new(world.events_kept),
            watches: drivers.iter().map(|_| Watch::default()).collect(),
            events: drivers.iter().map(|_| EventWatch::default()).collect(),
            traffic: Traffic::default(),
            conducted: vec![now; drivers.len()],
            ledgers: Ledgers::default(),
            turns: Vec::new(),
            step: 0,
            phase: Phase::Active,
            phase_began: (now, 0),
            work: 1,
            consumed: [0; Medium::COUNT],
            is_explaining: false,
            next_incident: 0,
            cuts: Vec::new(),
            cut_places: Vec::new(),
            dead_drivers: BTreeSet::new(),
            restarts: Vec::new(),
            full_disks: Vec::new(),
            next_move: 0,
            moved: Vec::new(),
            habits: Rng::new(plan.seed ^ 0x4AB1_7500),
            responses: Responses::default(),
            graveyard: Vec::new(),
            leak: None,
            plan,
            clock,
            network,
            wire,
            rng,
            drivers,
            clients,
            publishers,
            subscribers,
        };
        for (from, to, _) in run.plan.one_way.clone() {
            run.restore_link(from, to);
        }
        run.leak = run.open_leak();
        run.list_turns();
        Ok(run)
    }

    fn list_turns(&mut self) {
        for (driver, slots) in self.drivers.iter().enumerate() {
            let agents = 0..slots.agents.len();
            let turns = agents.map(|agent| Turn::Agent { driver, agent });
            self.turns.extend(turns);
        }
        self.turns.extend((0..self.clients.len()).map(Turn::Client));
        let publishers = (0..self.publishers.len()).map(Turn::Publisher);
        self.turns.extend(publishers);
        let subscribers = (0..self.subscribers.len()).map(Turn::Subscriber);
        self.turns.extend(subscribers);
    }

    fn all_phases(&mut self) -> Outcome {
        self.trace.push(Event::Phase("active"));
        while self.step < self.plan.active_steps {
            self.step()?;
        }
        self.heal()?;
        self.enter(Phase::Drain, "drain");
        self.until("what was published has not arrived", Self::undrained)?;
        self.enter(Phase::Close, "close");
        self.until("somebody has not closed", Self::unclosed)?;
        self.enter(Phase::Empty, "empty");
        self.until("something is left", Self::remains)?;
        self.check_errors()?;
        self.check_events()?;
        let tick = self.clock.tick();
        for driver in &mut self.drivers {
            driver.close(tick);
        }
        Ok(())
    }

    fn enter(&mut self, phase: Phase, name: &'static str) {
        self.phase = phase;
        self.phase_began = (self.clock.now(), self.step);
        self.trace.push(Event::Phase(name));
    }

    /// Steps until nothing is `open` any more.
    fn until(&mut self, what: &str, open: fn(&mut Self) -> Outcome<Option<String>>) -> Outcome {
        let deadline = self.clock.now().plus_ns(self.patience_ns);
        while let Some(why) = open(self)? {
            if self.clock.now().is_at_or_after(deadline) || self.step > STEPS_MAX {
                self.is_explaining = true;
                let why = open(self)?.unwrap_or(why);
                return Err(format!("{what}: {why}"));
            }
            self.step()?;
        }
        Ok(())
    }

    /// One step of the world.
    fn step(&mut self) -> Outcome {
        self.pass_time();
        self.step += 1;
        self.trace.set_step(self.step, self.clock.now());
        self.network.advance(self.clock.now());
        if self.phase == Phase::Active {
            self.mend_links();
            self.move_names();
            self.bring_back(self.clock.now())?;
            self.let_happen()?;
        }
        self.give_turns()
    }

    /// Lets everyone have a turn, in any order.
    fn give_turns(&mut self) -> Outcome {
        let count = self.turns.len();
        for at in 1..count {
            let other = super::plan::index(&mut self.rng, at + 1);
            self.turns.swap(at, other);
        }
        self.work = 0;
        for at in 0..count {
            let turn = self.turns[at];
            self.work += self.without_panic(turn)?;
        }
        for (driver, watch) in self.watches.iter_mut().enumerate() {
            check_positions(driver, watch, &self.ledgers)?;
        }
        Ok(())
    }

    /// Gives a turn. A panic breaks a promise like any other; what it left behind is not used any
    /// more.
    fn without_panic(&mut self, turn: Turn) -> Outcome<usize> {
        let given = std::panic::catch_unwind(AssertUnwindSafe(|| self.give_turn(turn)));
        given.unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            Err(format!("{turn:?} panicked: {}", text.unwrap_or("no text")))
        })
    }

    fn pass_time(&mut self) {
        let Self { rng, plan, .. } = self;
        let pace = plan.pace;
        let mut ns = if self.work > 0 && self.step > PATIENT_STEPS {
            range(rng, 1, pace.busy.max(HURRIED_STEP_NS))
        } else if self.work > 0 {
            range(rng, 1, pace.busy)
        } else {
            let longest = if self.phase == Phase::Active {
                pace.idle
            } else {
                QUIET_STEP_NS
            };
            let drawn = range(rng, 1, longest);
            let arrival = self.network.next_arrival();
            let to_arrival = arrival.map_or(i64::MAX, |at| at.since(self.clock.now()));
            drawn.min(to_arrival.max(1))
        };
        if self.phase == Phase::Active && rng.chance(pace.leap_per_mille, 1000) {
            ns += range(rng, 0, pace.leap);
        }
        self.clock.advance(ns);
    }

    fn give_turn(&mut self, turn: Turn) -> Outcome<usize> {
        match turn {
            Turn::Agent { driver, agent } => self.run_agent(driver, agent),
            Turn::Client(number) => self.run_client(number),
            Turn::Publisher(number) => {
                let client = self.plan.publishers[number].client;
                if !self.may_act(client)? {
                    return Ok(0);
                }
                let (mut scene, parts) = self.split();
                parts.publishers[number].act(&mut scene, &parts.clients[client])
            }
            Turn::Subscriber(number) => {
                let client = self.plan.subscribers[number].client;
                if !self.may_act(client)? {
                    return Ok(0);
                }
                let (mut scene, parts) = self.split();
                parts.subscribers[number].act(&mut scene, &parts.clients[client])
            }
        }
    }

    /// Whether those of a client may act. A client that was stopped for long first finds out what
    /// it missed: what a driver took away in between must not be touched any more.
    fn may_act(&mut self, client: usize) -> Outcome<bool> {
        let now = self.clock.now();
        if now.since(self.clients[client].stalled_until) < 0 {
            return Ok(false);
        }
        let limit = self.plan.timeouts.client_liveness / 8;
        if self.clients[client].unserved_ns(now) > limit {
            self.run_client(client)?;
        }
        Ok(true)
    }

    fn run_client(&mut self, number: usize) -> Outcome<usize> {
        let now = self.clock.now();
        if now.since(self.clients[number].stalled_until) < 0 {
            return Ok(0);
        }
        let driver = self.clients[number].driver();
        self.excuse_clients(driver, now);
        let is_away = matches!(self.clients[number].life, Life::Away(_));
        if is_away && self.dead_drivers.contains(&driver) {
            return Ok(0);
        }
        let (mut scene, parts) = self.split();
        parts.clients[number].work(&mut scene)
    }

    fn run_agent(&mut self, driver: usize, agent: usize) -> Outcome<usize> {
        let tick = self.clock.tick();
        let slot = &mut self.drivers[driver].agents[agent];
        if tick.now.since(slot.stalled_until) < 0 {
            return Ok(0);
        }
        let role = slot.role;
        if role.sends() {
            self.watches[driver].before_sender();
            self.overrun(driver);
        }
        if role.receives() {
            self.watches[driver].before_receiver();
        }
        if role == Role::Composite {
            // Its conductor sees what there is now, and its receiver works after that.
            self.watches[driver].after_conductor();
        }
        let work = self.drivers[driver].agents[agent].agent.do_work(tick);
        if role.sends() {
            self.end_overrun(driver);
        }
        self.wire.drain(&mut self.notes);
        let mut doubtful = Vec::new();
        for note in self.notes.drain(..) {
            self.trace.push(Event::Wire(note));
            let watch = &self.watches[driver];
            let checked =
                (self.traffic).check(&note, role, &self.drivers[driver], watch, &self.plan);
            match checked {
                // It may be of an image that the same turn began with.
                Err(_) if role == Role::Composite => doubtful.push(note),
                other => other?,
            }
        }
        if role.receives() {
            self.watches[driver].after_receiver(tick.now);
        }
        if role.conducts() {
            // Counters come with work, and one that went is not used again without.
            if self.step.is_multiple_of(REFRESH_STEPS) {
                self.read_events(driver)?;
            }
            if work > 0 || self.step.is_multiple_of(REFRESH_STEPS) {
                self.watches[driver].refresh(&self.drivers[driver], &self.plan);
            }
            for note in doubtful {
                let watch = &self.watches[driver];
                Traffic::default().check(&note, role, &self.drivers[driver], watch, &self.plan)?;
            }
            self.watches[driver].after_conductor();
            self.excuse_clients(driver, tick.now);
            self.conducted[driver] = tick.now;
        }
        Ok(work)
    }

    /// When a driver's conductor was stopped for so long that its clients may take it for dead.
    fn excuse_clients(&mut self, driver: usize, now: Nanos) {
        if now.since(self.conducted[driver]) <= self.plan.timeouts.client_liveness / 2 {
            return;
        }
        let clients = self.clients.iter_mut();
        for client in clients.filter(|client| client.driver() == driver) {
            client.excuse();
        }
    }

    /// What those who act need, and those who act.
    fn split(&mut self) -> (Scene<'_>, Actors<'_>) {
        let scene = Scene {
            plan: &self.plan,
            drivers: &self.drivers,
            clock: &self.clock,
            ledgers: &mut self.ledgers,
            trace: &mut self.trace,
            rng: &mut self.rng,
            habits: &mut self.habits,
            now: self.clock.now(),
            step: self.step,
            phase: self.phase,
            sabotage: self.sabotage,
            responses: &mut self.responses,
            consumed: &mut self.consumed,
        };
        let actors = Actors {
            clients: &mut self.clients,
            publishers: &mut self.publishers,
            subscribers: &mut self.subscribers,
        };
        (scene, actors)
    }
}

/// Those who act.
struct Actors<'a> {
    clients: &'a mut Vec<SimClient>,
    publishers: &'a mut Vec<Publisher>,
    subscribers: &'a mut Vec<Subscriber>,
}
