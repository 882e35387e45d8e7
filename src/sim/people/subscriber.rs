//! Someone who subscribes.

use std::any::Any;
use std::collections::BTreeMap;

use super::check::Check;
use super::destinations::{Destinations, HasDestinations};
use super::pollers::poll_otherwise;
use super::{Actor, Outcome, REJECTION, Scene, SimClient, breach, refused, retry_steps};
use crate::base::{Nanos, RegistrationId, Rng, StreamId};
use crate::client::{Action, AddError, FragmentAssembler, Image, Pending, Subscription};
use crate::sim::ledger::Reading;
use crate::sim::plan::{Medium, Part, PollMode, SubscriberKind, SubscriberPlan, index, range};
use crate::sim::sabotage::Sabotage;
use crate::sim::trace::Event;

use super::Phase;

/// Steps before somebody who was refused tries again.
const RETRY_STEPS: u64 = 5;
/// Chance of a subscriber that comes back to leave, per turn, per mille.
const LEAVE_PER_MILLE: u64 = 5;

enum State {
    /// Adds its subscription at this step.
    Idle(u64),
    Adding(Pending<Subscription>),
    Open(Box<Open>),
    Closed,
}

struct Open {
    subscription: Subscription,
    assembler: FragmentAssembler,
    readers: Vec<Reader>,
    /// Up to where sessions were consumed whose images went away.
    left: BTreeMap<i32, i64>,
    destinations: Destinations,
    /// Rejections that the driver has not answered.
    rejections: Vec<Pending<()>>,
}

impl HasDestinations for Subscription {
    fn add(&self, channel: &str) -> Result<Pending<RegistrationId>, AddError> {
        self.add_destination_async(channel)
    }

    fn remove(&self, channel: &str, _id: RegistrationId) -> Result<Pending<()>, AddError> {
        self.remove_destination_async(channel)
    }
}

/// An image, and how far it was read.
pub(super) struct Reader {
    pub(super) image: Image,
    /// Known once something arrives.
    pub(super) ledger: Option<usize>,
    pub(super) reading: Reading,
    /// What the image said last.
    position: i64,
    /// Fragments or messages since the poll began.
    pub(super) polled: usize,
}

/// Somebody's view of a stream, for the one who asks whether all has arrived.
pub(crate) struct View {
    pub(crate) session_id: i32,
    pub(crate) position: i64,
}

/// A subscriber of a stream.
pub(crate) struct Subscriber {
    number: usize,
    state: State,
    generation: u32,
    reopens: u32,
    paused_until: Nanos,
    seen: u64,
    /// The one session it wants, if it wants one.
    bound: Option<i32>,
}

impl Subscriber {
    pub(crate) const fn new(number: usize, plan: &SubscriberPlan) -> Self {
        Self {
            number,
            state: if plan.is_absent {
                State::Closed
            } else {
                State::Idle(plan.starts_at)
            },
            generation: 0,
            reopens: plan.reopens,
            paused_until: Nanos(0),
            seen: 0,
            bound: None,
        }
    }

    /// Whether it wants a session.
    pub(crate) fn wants(&self, session_id: i32) -> bool {
        self.bound.is_none_or(|bound| bound == session_id)
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether it listens wherever it wants to.
    pub(crate) fn is_settled(&self) -> bool {
        match &self.state {
            State::Open(open) => open.destinations.are_there(),
            State::Closed => true,
            State::Idle(_) | State::Adding(_) => false,
        }
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// The images it has.
    pub(crate) fn views(&self) -> Vec<View> {
        let State::Open(open) = &self.state else {
            return Vec::new();
        };
        let view = |reader: &Reader| View {
            session_id: reader.image.session_id().get(),
            position: reader.image.position().get(),
        };
        open.readers.iter().map(view).collect()
    }

    /// Does not leave any more, and is quick from now on.
    pub(crate) fn wind_up(&mut self, step: u64) {
        self.reopens = 0;
        self.paused_until = Nanos(0);
        if let State::Idle(at) = &mut self.state {
            *at = (*at).min(step);
        }
    }

    /// A turn.
    pub(crate) fn act(&mut self, scene: &mut Scene<'_>, client: &SimClient) -> Outcome<usize> {
        if !matches!(self.state, State::Idle(_) | State::Closed)
            && (client.generation != self.generation || client.handle().is_none())
        {
            self.state = State::Idle(scene.step + RETRY_STEPS);
        }
        let work = match &mut self.state {
            State::Idle(at) if scene.step >= *at => self.add(scene, client),
            State::Adding(_) => self.await_answer(scene),
            State::Open(_) => self.consume(scene, client),
            State::Idle(_) | State::Closed => Ok(0),
        };
        self.tell_counterpart(scene);
        work
    }

    /// Tells those who ask or answer what they have to name.
    fn tell_counterpart(&self, scene: &mut Scene<'_>) {
        let stream = scene.plan.subscribers[self.number].stream;
        if scene.plan.streams[stream].part == Part::Alone {
            return;
        }
        let (mut subscription, mut image) = (None, None);
        if let State::Open(open) = &self.state {
            subscription = Some(open.subscription.registration_id().get());
            let newest = open.readers.last();
            image = newest.map(|reader| reader.image.correlation_id().get());
        }
        scene
            .responses
            .on_subscriber(scene.plan, stream, subscription, image);
    }

    fn add(&mut self, scene: &mut Scene<'_>, client: &SimClient) -> Outcome<usize> {
        let Some(handle) = client.handle() else {
            return Ok(0);
        };
        let plan = &scene.plan.subscribers[self.number];
        let stream = &scene.plan.streams[plan.stream];
        let driver = scene.plan.clients[plan.client].driver;
        let mut channel = stream.subscription_channel(plan.kind, driver);
        if plan.by_place {
            channel = "aeron:udp?control-mode=manual".to_owned();
        }
        self.bound = None;
        if plan.by_session && scene.phase == Phase::Active {
            let Some(session) = scene.ledgers.live_session(stream.stream_id) else {
                self.state = State::Idle(scene.step + RETRY_STEPS);
                return Ok(0);
            };
            self.bound = Some(session);
            channel.push_str(&format!("|session-id={session}"));
        }
        match handle.add_subscription_async(channel, StreamId(stream.stream_id)) {
            Ok(pending) => {
                self.generation = client.generation;
                self.state = State::Adding(pending);
            }
            Err(error) => self.on_failed_add(scene, &error)?,
        }
        Ok(1)
    }

    fn on_failed_add(&mut self, scene: &mut Scene<'_>, error: &AddError) -> Outcome {
        let name = format!("subscriber {}", self.number);
        refused(scene, &name, error)?;
        self.state = State::Idle(scene.step + retry_steps(scene.plan));
        Ok(())
    }

    fn await_answer(&mut self, scene: &mut Scene<'_>) -> Outcome<usize> {
        let State::Adding(pending) = &mut self.state else {
            return Ok(0);
        };
        match pending.try_get() {
            Ok(None) => return Ok(0),
            Ok(Some(subscription)) => {
                let subscriber = self.number;
                scene.trace.push(Event::SubscriptionAdded { subscriber });
                let plan = &scene.plan.subscribers[subscriber];
                let driver = scene.plan.clients[plan.client].driver;
                let stream = &scene.plan.streams[plan.stream];
                let places = match plan.kind {
                    _ if plan.by_place => vec![stream.place_within()],
                    SubscriberKind::Direct => stream.places(driver, subscriber),
                    SubscriberKind::Spy => Vec::new(),
                };
                self.state = State::Open(Box::new(Open {
                    subscription,
                    assembler: FragmentAssembler::new(),
                    readers: Vec::new(),
                    left: BTreeMap::new(),
                    destinations: Destinations::new(places),
                    rejections: Vec::new(),
                }));
            }
            Err(error) => self.on_failed_add(scene, &error)?,
        }
        Ok(1)
    }

    fn consume(&mut self, scene: &mut Scene<'_>, client: &SimClient) -> Outcome<usize> {
        let plan = &scene.plan.subscribers[self.number];
        let is_active = scene.phase == Phase::Active;
        if is_active {
            if !self.paused_until.since(scene.now).is_negative() {
                return Ok(0);
            }
            if !scene.rng.chance(plan.eagerness, 1000) {
                return Ok(0);
            }
            if scene.rng.chance(plan.pauses, 1000) {
                let ns = range(scene.rng, 0, plan.pause_ns);
                self.paused_until = scene.now.plus_ns(ns);
                return Ok(0);
            }
            if self.reopens > 0 && scene.rng.chance(LEAVE_PER_MILLE, 1000) {
                self.reopens -= 1;
                self.close(scene);
                self.state = State::Idle(scene.step + scene.rng.below(100));
                return Ok(1);
            }
        }
        let State::Open(open) = &mut self.state else {
            return Ok(0);
        };
        let Open {
            subscription,
            destinations,
            ..
        } = &mut **open;
        let actor = Actor::Subscriber(self.number);
        destinations.work(scene, client, actor, subscription)?;
        // Before images are looked at: asking what became of a rejection may bring new ones.
        open.reject_some(self.number, scene)?;
        open.follow_images(self.number, scene)?;
        open.poll(self.number, &mut self.seen, scene)
    }

    /// Closes the subscription, if there is one.
    pub(crate) fn close(&mut self, scene: &mut Scene<'_>) {
        if self.is_open() {
            let subscriber = self.number;
            scene.trace.push(Event::SubscriptionClosed { subscriber });
        }
        self.state = State::Closed;
    }

    /// Dies with its client. What it held is returned, to be kept as it is.
    pub(crate) fn die(&mut self, scene: &mut Scene<'_>) -> Box<dyn Any> {
        let stream = scene.plan.subscribers[self.number].stream;
        let stream_id = scene.plan.streams[stream].stream_id;
        if let State::Open(open) = &self.state {
            for image in open.subscription.images().iter() {
                scene.ledgers.leave(stream_id, image.session_id().get());
            }
        }
        Box::new(std::mem::replace(&mut self.state, State::Closed))
    }
}

/// Whether an image that went away before the end of its stream should have stayed.
fn is_abandoned(plan: &SubscriberPlan, session: i32, scene: &Scene<'_>) -> bool {
    let stream = &scene.plan.streams[plan.stream];
    let ledger = scene.ledgers.of_session(stream.stream_id, session);
    let is_live = ledger.is_some_and(|ledger| scene.ledgers.get(ledger).handles > 0);
    // A group leaves those behind of whom it has not heard.
    let is_alone = matches!(stream.medium, Medium::Udp { .. });
    let is_wanted = stream.is_tethered && !scene.ledgers.is_rejected(stream.stream_id, session);
    let is_direct = plan.kind == SubscriberKind::Direct;
    let is_calm = scene.phase == Phase::Drain;
    is_calm && is_live && is_alone && is_wanted && is_direct && scene.plan.keeps_images()
}

impl Open {
    /// Takes note of images that came and went.
    fn follow_images(&mut self, subscriber: usize, scene: &mut Scene<'_>) -> Outcome {
        let plan = &scene.plan.subscribers[subscriber];
        let stream = &scene.plan.streams[plan.stream];
        let images = self.subscription.images();
        let is_there =
            |list: &[Image], image: &Image| list.iter().any(|other| other.is_same(image));
        let mut gone = Vec::new();
        self.readers.retain(|reader| {
            let stays = is_there(&images, &reader.image);
            if !stays {
                gone.push((reader.image.clone(), reader.reading.position()));
            }
            stays
        });
        for (image, read) in gone {
            let (session, position) = (image.session_id().get(), image.position().get());
            self.left.insert(session, read);
            scene.ledgers.leave(stream.stream_id, session);
            let end = image.end_of_stream_position().get();
            scene.trace.push(Event::ImageUnavailable {
                subscriber,
                session,
                position,
                end,
            });
            // Where nothing goes wrong, a stream that was ended has been read to its end.
            let is_known = end != i64::MAX && !image.is_publication_revoked();
            let is_calm = scene.phase > Phase::Drain && stream.is_tethered;
            if is_known && (position > end || (is_calm && position != end)) {
                return Err(format!(
                    "subscriber {subscriber}, session {session}: the image went away at \
                     {position}, the stream ended at {end}"
                ));
            }
            if end == i64::MAX && is_abandoned(plan, session, scene) {
                return Err(format!(
                    "subscriber {subscriber}, session {session}: the image was given up at \
                     {position}, though its publication lives and nothing lasted so long"
                ));
            }
        }
        for image in images.iter() {
            if self
                .readers
                .iter()
                .any(|reader| reader.image.is_same(image))
            {
                continue;
            }
            let (session, join) = (image.session_id().get(), image.join_position());
            scene.trace.push(Event::ImageAvailable {
                subscriber,
                session,
                join: join.get(),
            });
            // A stream that was rejected may be offered again from before.
            let is_rejected = scene.ledgers.is_rejected(stream.stream_id, session);
            // Within a driver whoever comes begins where the slowest is.
            let is_again = !is_rejected && !plan.by_place;
            let left = self.left.get(&session).filter(|_| is_again);
            if let Some(left) = left.filter(|left| **left > join.get()) {
                return Err(format!(
                    "subscriber {subscriber}, session {session}: joins again at {join}, after it \
                     had consumed up to {left}"
                ));
            }
            let is_assembled = plan.mode == PollMode::Assembled;
            self.readers.push(Reader {
                image: image.clone(),
                ledger: None,
                reading: Reading::new(join, stream.is_reliable, is_assembled)
                    .stamped(stream.parameters.is_stamped),
                position: join.get(),
                polled: 0,
            });
        }
        Ok(())
    }

    /// Rejects an image now and then.
    fn reject_some(&mut self, subscriber: usize, scene: &mut Scene<'_>) -> Outcome {
        // Whether the image is still there when the driver hears of it, nobody knows.
        self.rejections
            .retain_mut(|pending| matches!(pending.try_get(), Ok(None)));
        let plan = &scene.plan.subscribers[subscriber];
        let is_able = scene.phase == Phase::Active && plan.kind == SubscriberKind::Direct;
        if !is_able || self.readers.is_empty() || !scene.rng.chance(plan.rejects, 1000) {
            return Ok(());
        }
        let at = index(scene.rng, self.readers.len());
        let image = &self.readers[at].image;
        let session = image.session_id().get();
        scene.trace.push(Event::Rejected {
            subscriber,
            session,
        });
        let stream_id = scene.plan.streams[plan.stream].stream_id;
        if scene.sabotage != Some(Sabotage::ForgetRejections) {
            scene.ledgers.reject(stream_id, session);
        }
        match image.reject_async(REJECTION) {
            Ok(pending) => self.rejections.push(pending),
            Err(AddError::Client(_) | AddError::ResourceClosed) => {}
            Err(error) => return Err(format!("subscriber {subscriber} cannot reject: {error}")),
        }
        Ok(())
    }

    fn poll(&mut self, subscriber: usize, seen: &mut u64, scene: &mut Scene<'_>) -> Outcome<usize> {
        let plan = &scene.plan.subscribers[subscriber];
        let limit = if scene.phase == Phase::Active {
            plan.fragment_limit
        } else {
            64
        };
        let Self {
            subscription,
            assembler,
            readers,
            ..
        } = self;
        let mut check = Check {
            subscriber,
            readers,
            ledgers: scene.ledgers,
            sabotage: scene.sabotage,
            seen,
            result: Ok(()),
        };
        if let Some(habit) = plan.habit.filter(|_| plan.mode != PollMode::Assembled) {
            poll_otherwise(habit, subscription, limit, &mut check, scene.habits);
            return Self::settle(check.result, readers, subscriber, scene);
        }
        let rng = &mut *scene.rng;
        match plan.mode {
            PollMode::Fragments => subscription.poll(limit, |payload, header| {
                check.on_fragment(payload, header);
            }),
            PollMode::Controlled => subscription.controlled_poll(limit, |payload, header| {
                let action = draw_action(rng);
                if !matches!(action, Action::Abort) {
                    check.on_fragment(payload, header);
                }
                action
            }),
            PollMode::Assembled => {
                subscription.poll_assembled(assembler, limit, |payload, header| {
                    check.on_message(payload, header);
                })
            }
            PollMode::Blocks => {
                let bytes = 1 + index(rng, limit * 2000);
                subscription.block_poll(bytes, |block| check.on_block(&block))
            }
        };
        Self::settle(check.result, readers, subscriber, scene)
    }

    /// Looks at what a poll came to.
    fn settle(
        result: Outcome,
        readers: &mut [Reader],
        subscriber: usize,
        scene: &mut Scene<'_>,
    ) -> Outcome<usize> {
        result?;
        let plan = &scene.plan.subscribers[subscriber];
        let mut consumed = 0;
        for reader in readers.iter_mut() {
            consumed += std::mem::take(&mut reader.polled);
            reader.settle(subscriber, scene)?;
        }
        scene.consumed[scene.plan.streams[plan.stream].medium.index()] += consumed as u64;
        Ok(consumed)
    }
}

impl Reader {
    /// Compares where the image says it is with what was handed out.
    fn settle(&mut self, subscriber: usize, scene: &mut Scene<'_>) -> Outcome {
        let position = self.image.position().get();
        if position == self.position {
            return Ok(());
        }
        let session = self.image.session_id().get();
        if self.ledger.is_none() {
            let stream = &scene.plan.streams[scene.plan.subscribers[subscriber].stream];
            self.ledger = scene.ledgers.of_session(stream.stream_id, session);
        }
        // Its publisher has not been told yet that it may publish: there is nothing but padding.
        let Some(ledger) = self.ledger else {
            return Ok(());
        };
        let ledger = scene.ledgers.get(ledger);
        self.reading
            .on_position(ledger, position)
            .map_err(|error| breach(&Actor::Subscriber(subscriber).to_string(), ledger, &error))?;
        self.position = position;
        scene.trace.push(Event::Consumed {
            subscriber,
            session,
            position,
        });
        Ok(())
    }
}

pub(super) fn draw_action(rng: &mut Rng) -> Action {
    match rng.below(20) {
        0 => Action::Abort,
        1 => Action::Break,
        2 | 3 => Action::Commit,
        _ => Action::Continue,
    }
}
