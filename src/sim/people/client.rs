//! A client process: connects, lives, is lost, dies, closes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::habits::Requests;
use super::mistakes::Mistakes;
use super::strangers::visit;
use super::{Outcome, Scene};
use crate::base::Nanos;
use crate::client::{
    Client, ClientConfig, ClientEnvironment, ClientError, ConductorInvoker, Counter, Pending,
};
use crate::port::Clock as _;
use crate::sim::plan::Timeouts;
use crate::sim::trace::Event;

/// Type of the counters that clients add.
const COUNTER_TYPE_ID: i32 = 2000;
/// How long after the driver timeout a client may believe in a driver that is dead: it looks now
/// and then only, and the wall clock may have been set meanwhile.
const ORPHAN_SLACK_NS: i64 = 1_000_000_000;
/// Steps before a lost client comes back.
const RECONNECT_STEPS: u64 = 20;

/// How an error begins that tells of a log that is not there.
const NO_LOG: &str = "cannot map ";

/// What has become of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Not connected; connects at this step.
    Away(u64),
    Up,
    /// Killed: does nothing any more, and its things with it.
    Dead,
    Closed,
}

struct Connection {
    client: Client,
    invoker: ConductorInvoker,
    errors: Arc<Mutex<Vec<ClientError>>>,
    pending_counters: Vec<Pending<Counter>>,
    counters: Vec<Counter>,
    mistakes: Mistakes,
    requests: Requests,
}

/// A client and its connection to its driver.
pub(crate) struct SimClient {
    number: usize,
    driver: usize,
    pub(crate) life: Life,
    connection: Option<Connection>,
    pub(crate) stalled_until: Nanos,
    /// When its conductor last had a turn.
    served: Nanos,
    /// Somebody was stopped for so long that the driver may give up on the client, or the client
    /// on the driver.
    is_excused: bool,
    /// The same, of an earlier connection too.
    pub(crate) was_excused: bool,
    /// It was gone before it was told of a mistake.
    is_untold: bool,
    /// When the driver died that it is connected to.
    orphaned: Option<Nanos>,
    /// How often it has connected; what was made by an earlier connection is void.
    pub(crate) generation: u32,
    /// Which driver it is connected to, of those that there have been.
    connected_to: (usize, usize),
}

impl SimClient {
    pub(crate) const fn new(number: usize, driver: usize) -> Self {
        Self {
            number,
            driver,
            life: Life::Away(0),
            connection: None,
            stalled_until: Nanos(0),
            served: Nanos(0),
            is_excused: false,
            was_excused: false,
            is_untold: false,
            orphaned: None,
            generation: 0,
            connected_to: (driver, 0),
        }
    }

    pub(crate) const fn driver(&self) -> usize {
        self.driver
    }

    /// The client, if it is there to be used.
    pub(crate) fn handle(&self) -> Option<&Client> {
        let connection = self.connection.as_ref()?;
        (self.life == Life::Up).then_some(&connection.client)
    }

    /// Whether its driver has been replaced, and it does not know yet.
    pub(crate) fn is_behind(&self, scene: &Scene<'_>) -> bool {
        self.connected_to != scene.drivers[self.driver].identity(self.driver)
    }

    /// Its driver may have given up on it, or it on its driver, because somebody was stopped.
    pub(crate) const fn excuse(&mut self) {
        self.is_excused = true;
        self.was_excused = true;
    }

    /// Its driver is dead: it has to find out in time, and may hear of anything until then.
    pub(crate) fn orphan(&mut self, now: Nanos) {
        self.excuse();
        if self.life == Life::Up {
            self.orphaned = Some(now);
        }
    }

    /// Whether its driver may know of mistakes that it was never told of.
    pub(crate) const fn is_gone_untold(&self) -> bool {
        self.was_excused || self.is_untold
    }

    /// Whether it may still do something.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.life, Life::Up | Life::Away(_))
    }

    /// How long its conductor has not had a turn.
    pub(crate) const fn unserved_ns(&self, now: Nanos) -> i64 {
        now.since(self.served)
    }

    /// One turn of its conductor.
    pub(crate) fn work(&mut self, scene: &mut Scene<'_>) -> Outcome<usize> {
        match self.life {
            Life::Away(at) if scene.step >= at => {
                self.connect(scene)?;
                Ok(1)
            }
            Life::Up => self.serve(scene),
            Life::Away(_) | Life::Dead | Life::Closed => Ok(0),
        }
    }

    fn connect(&mut self, scene: &mut Scene<'_>) -> Outcome {
        let driver = &scene.drivers[self.driver];
        let timeouts = &scene.plan.timeouts;
        // Whoever connects looks first whether there is somebody.
        let heartbeat = driver.cnc.to_driver().consumer_heartbeat();
        let age_ms = scene.clock.tick().epoch.since(heartbeat);
        if age_ms > driver_timeout_ns(timeouts) / 1_000_000 {
            self.life = Life::Away(scene.step + RECONNECT_STEPS);
            return Ok(());
        }
        let errors = Arc::new(Mutex::new(Vec::new()));
        let environment = ClientEnvironment {
            cnc: driver.cnc.clone(),
            opener: Arc::new(driver.store.clone()),
            clock: Arc::new(scene.clock.clone()),
            waiter: Arc::new(|| {}),
        };
        let seen = Arc::clone(&errors);
        let config = config(timeouts).on_error(move |error| {
            let mut errors = seen.lock().unwrap_or_else(PoisonError::into_inner);
            errors.push(error.clone());
        });
        let (client, invoker) = Client::new(environment, config)
            .map_err(|error| format!("client {} cannot connect: {error}", self.number))?;
        let mut pending_counters = Vec::new();
        for key in 0..scene.plan.clients[self.number].counters {
            let key = [u8::try_from(key).unwrap_or(0)];
            let pending = client.add_counter_async(COUNTER_TYPE_ID, &key, "a counter");
            pending_counters.extend(pending);
        }
        self.connection = Some(Connection {
            client,
            invoker,
            errors,
            pending_counters,
            counters: Vec::new(),
            mistakes: Mistakes::default(),
            requests: Requests::default(),
        });
        self.life = Life::Up;
        self.is_excused = false;
        self.orphaned = None;
        self.generation += 1;
        self.connected_to = driver.identity(self.driver);
        self.served = scene.now;
        let client = self.number;
        scene.trace.push(Event::ClientConnected { client });
        Ok(())
    }

    fn serve(&mut self, scene: &mut Scene<'_>) -> Outcome<usize> {
        if self.unserved_ns(scene.now) > scene.plan.timeouts.client_liveness / 2 {
            self.excuse();
        }
        self.served = scene.now;
        let Some(connection) = &mut self.connection else {
            return Ok(0);
        };
        let work = connection.invoker.do_work();
        connection.take_counters();
        let Connection {
            client,
            mistakes,
            requests,
            ..
        } = connection;
        let is_excused = self.is_excused;
        let told = mistakes
            .work(self.number, client, scene)
            .and_then(|()| requests.work(self.number, client, scene));
        visit(self.number, client, scene);
        told.or_else(|why| if is_excused { Ok(()) } else { Err(why) })?;
        let seen = std::mem::take(
            &mut *connection
                .errors
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let is_closed = connection.invoker.is_closed();
        let limit = driver_timeout_ns(&scene.plan.timeouts) + ORPHAN_SLACK_NS;
        let is_told = seen.iter().any(ClientError::is_termination);
        if !is_closed
            && !is_told
            && let Some(since) = self.orphaned
            && scene.now.since(since) > limit
        {
            let ms = scene.now.since(since) / 1_000_000;
            return Err(format!(
                "client {} was not told in {ms} ms that its driver is dead",
                self.number
            ));
        }
        let number = self.number;
        for error in seen {
            let what = error.to_string();
            // Its driver may have given up on it, and not know its things any more.
            let is_refusal = matches!(error, ClientError::Registration(_));
            if is_refusal && self.is_excused {
                continue;
            }
            if !error.is_termination() {
                let client = number;
                scene.trace.push(Event::ClientError {
                    client,
                    what: what.clone(),
                });
                // A stream may end, and its log go, before a client hears that it began.
                if what.starts_with(NO_LOG) {
                    continue;
                }
                return Err(format!("client {number} reports: {what}"));
            }
            if !self.is_excused {
                return Err(format!("client {number} was lost for no reason: {what}"));
            }
            scene.trace.push(Event::ClientLost {
                client: number,
                why: what,
            });
        }
        if is_closed {
            self.life = Life::Away(scene.step + RECONNECT_STEPS);
            self.connection = None;
        }
        Ok(work)
    }

    /// Makes it stop for good without telling anyone. What it holds stays as it is.
    pub(crate) fn kill(&mut self, scene: &mut Scene<'_>) {
        if self.life == Life::Closed {
            return;
        }
        self.life = Life::Dead;
        // What it still asked for may be looked at once its driver has given up on it.
        self.was_excused = true;
        let client = self.number;
        scene.trace.push(Event::ClientKilled { client });
    }

    /// Closes it, as an application does when it ends.
    pub(crate) fn close(&mut self, scene: &mut Scene<'_>) {
        if self.life == Life::Dead {
            return;
        }
        if let Some(connection) = self.connection.take() {
            self.is_untold |= connection.mistakes.has_unanswered();
            connection.client.close();
            let client = self.number;
            scene.trace.push(Event::ClientClosed { client });
        }
        self.life = Life::Closed;
    }
}

impl Connection {
    fn take_counters(&mut self) {
        let Self {
            pending_counters,
            counters,
            ..
        } = self;
        pending_counters.retain_mut(|pending| match pending.try_get() {
            Ok(None) => true,
            Ok(Some(counter)) => {
                counters.push(counter);
                false
            }
            Err(_) => false,
        });
    }
}

fn config(timeouts: &Timeouts) -> ClientConfig {
    let nanos = |ns: i64| Duration::from_nanos(ns.unsigned_abs());
    ClientConfig::default()
        .keepalive_interval(nanos(timeouts.keepalive))
        .driver_timeout(nanos(driver_timeout_ns(timeouts)))
        .resource_linger(nanos(timeouts.image_liveness))
}

const fn driver_timeout_ns(timeouts: &Timeouts) -> i64 {
    timeouts.client_liveness * 2
}
