//! Someone who publishes.

use std::any::Any;

use super::destinations::{Destinations, HasDestinations};
use super::{Actor, Outcome, Scene, SimClient, breach, refused, retry_steps};
use crate::base::{Position, RegistrationId, StreamId};
use crate::client::{
    AddError, BufferClaim, ExclusivePublication, OfferError, Pending, Publication,
};
use crate::memory::AtomicBuffer;
use crate::sim::ledger::{Ledger, MessageState};
use crate::sim::payload::{self, Tag};
use crate::sim::plan::{PublisherPlan, index};
use crate::sim::trace::Event;

/// Steps before somebody who was refused tries again.
const RETRY_STEPS: u64 = 5;
pub(super) const FRAME_HEADER: i64 = 32;
const METADATA_LENGTH: usize = 4096;

/// A publication of either kind.
pub(crate) enum Handle {
    Shared(Publication),
    Exclusive(Box<ExclusivePublication>),
}

impl HasDestinations for Handle {
    fn add(&self, channel: &str) -> Result<Pending<RegistrationId>, AddError> {
        match self {
            Self::Shared(publication) => publication.add_destination_async(channel),
            Self::Exclusive(publication) => publication.add_destination_async(channel),
        }
    }

    fn remove(&self, channel: &str, id: RegistrationId) -> Result<Pending<()>, AddError> {
        match self {
            Self::Shared(publication) => publication.remove_destination_by_id_async(id),
            Self::Exclusive(publication) => publication.remove_destination_async(channel),
        }
    }
}

pub(super) enum Adding {
    Shared(Pending<Publication>),
    Exclusive(Pending<ExclusivePublication>),
}

pub(super) enum State {
    /// Adds its publication at this step.
    Idle(u64),
    Adding(Adding),
    Open(Handle, Destinations),
    Closed,
}

/// How an append went.
pub(super) enum Attempt {
    Appended,
    /// Nothing was appended; later is better.
    Refused,
    ClientGone,
}

/// A publisher of a stream.
pub(crate) struct Publisher {
    pub(super) number: usize,
    pub(super) state: State,
    generation: u32,
    ledger: Option<usize>,
    /// Bytes still to be published with this publication.
    pub(super) remaining: i64,
    reopens: u32,
    pub(super) sequence: u32,
    last_refusal: Option<OfferError>,
    /// Whom it answers, or who answers.
    counterpart: Option<i64>,
}

impl Publisher {
    pub(crate) const fn new(number: usize, plan: &PublisherPlan) -> Self {
        Self {
            number,
            state: if plan.is_absent {
                State::Closed
            } else {
                State::Idle(plan.starts_at)
            },
            generation: 0,
            ledger: None,
            remaining: plan.volume,
            reopens: plan.reopens,
            sequence: 0,
            last_refusal: None,
            counterpart: None,
        }
    }

    fn name(&self) -> String {
        Actor::Publisher(self.number).to_string()
    }

    /// The ledger of the publication that is open.
    pub(crate) const fn ledger(&self) -> Option<usize> {
        if matches!(self.state, State::Open(..)) {
            self.ledger
        } else {
            None
        }
    }

    /// Whether it has published what it wanted to.
    pub(crate) fn is_done(&self) -> bool {
        match self.state {
            State::Open(_, ref destinations) => self.remaining <= 0 && destinations.are_there(),
            State::Closed => true,
            State::Idle(_) | State::Adding(_) => false,
        }
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Wants to publish no more than a little from now on, and not to come back.
    pub(crate) fn wind_up(&mut self, step: u64) {
        self.reopens = 0;
        self.remaining = self.remaining.clamp(0, 3000).max(1);
        if let State::Idle(at) = &mut self.state {
            *at = (*at).min(step);
        }
    }

    /// A turn.
    pub(crate) fn act(&mut self, scene: &mut Scene<'_>, client: &SimClient) -> Outcome<usize> {
        if !matches!(self.state, State::Idle(_) | State::Closed)
            && (client.generation != self.generation || client.handle().is_none())
        {
            self.forget(scene);
        }
        let stream = scene.plan.publishers[self.number].stream;
        if matches!(self.state, State::Open(..))
            && scene.responses.correlation_id(scene.plan, stream) != Ok(self.counterpart)
        {
            self.close(scene);
            self.state = State::Idle(scene.step + RETRY_STEPS);
        }
        match &mut self.state {
            State::Idle(at) if scene.step >= *at => self.add(scene, client),
            State::Adding(_) => self.await_answer(scene, client),
            State::Open(handle, destinations) => {
                let actor = Actor::Publisher(self.number);
                let work = destinations.work(scene, client, actor, handle)?;
                Ok(work + self.publish(scene)?)
            }
            State::Idle(_) | State::Closed => Ok(0),
        }
    }

    /// Its client is gone, and its publication with it.
    fn forget(&mut self, scene: &mut Scene<'_>) {
        self.release_ledger(scene);
        self.state = State::Idle(scene.step + RETRY_STEPS);
    }

    fn release_ledger(&mut self, scene: &mut Scene<'_>) {
        if let (State::Open(..), Some(ledger)) = (&self.state, self.ledger) {
            scene.ledgers.get_mut(ledger).handles -= 1;
        }
        self.ledger = None;
    }

    fn add(&mut self, scene: &mut Scene<'_>, client: &SimClient) -> Outcome<usize> {
        let Some(handle) = client.handle() else {
            return Ok(0);
        };
        let plan = &scene.plan.publishers[self.number];
        let stream = &scene.plan.streams[plan.stream];
        let Ok(counterpart) = scene.responses.correlation_id(scene.plan, plan.stream) else {
            return Ok(0);
        };
        self.counterpart = counterpart;
        let mut channel = stream.publication_channel();
        if let Some(id) = counterpart {
            channel.push_str(&format!("|response-correlation-id={id}"));
        }
        let stream_id = StreamId(stream.stream_id);
        let added = if plan.is_exclusive {
            let pending = handle.add_exclusive_publication_async(channel, stream_id);
            pending.map(Adding::Exclusive)
        } else {
            let pending = handle.add_publication_async(channel, stream_id);
            pending.map(Adding::Shared)
        };
        match added {
            Ok(adding) => {
                self.generation = client.generation;
                self.state = State::Adding(adding);
            }
            Err(error) => {
                self.on_failed_add(scene, &error)?;
            }
        }
        Ok(1)
    }

    fn on_failed_add(&mut self, scene: &mut Scene<'_>, error: &AddError) -> Outcome {
        let name = self.name();
        refused(scene, &name, error)?;
        self.state = State::Idle(scene.step + retry_steps(scene.plan));
        Ok(())
    }

    fn await_answer(&mut self, scene: &mut Scene<'_>, client: &SimClient) -> Outcome<usize> {
        let State::Adding(adding) = &mut self.state else {
            return Ok(0);
        };
        let answer = match adding {
            Adding::Shared(pending) => pending.try_get().map(|got| got.map(Handle::Shared)),
            Adding::Exclusive(pending) => pending
                .try_get()
                .map(|got| got.map(|handle| Handle::Exclusive(Box::new(handle)))),
        };
        match answer {
            Ok(None) => Ok(0),
            // An answer from the dead: nobody sends what would be published.
            Ok(Some(_)) if client.is_behind(scene) => {
                self.state = State::Idle(scene.step + RETRY_STEPS);
                Ok(1)
            }
            Ok(Some(handle)) => {
                self.open(scene, handle)?;
                Ok(1)
            }
            Err(error) => {
                self.on_failed_add(scene, &error)?;
                Ok(1)
            }
        }
    }

    fn open(&mut self, scene: &mut Scene<'_>, handle: Handle) -> Outcome {
        let plan = &scene.plan.publishers[self.number];
        let (registration_id, session) = match &handle {
            Handle::Shared(publication) => (
                publication.original_registration_id().get(),
                publication.session_id().get(),
            ),
            Handle::Exclusive(publication) => (
                publication.original_registration_id().get(),
                publication.session_id().get(),
            ),
        };
        let stream = plan.stream;
        let driver = scene.plan.streams[stream].medium.source();
        let log = scene.drivers[driver]
            .publication_log(registration_id)
            .ok_or_else(|| format!("publication {registration_id} has no log"))?;
        let identity = scene.drivers[driver].identity(driver);
        let ledger = scene.ledgers.find_or_add(identity, registration_id, || {
            Ledger::new(identity, registration_id, log)
        });
        scene.ledgers.get_mut(ledger).handles += 1;
        self.ledger = Some(ledger);
        scene.responses.on_publication(scene.plan, stream);
        let destinations = Destinations::new(scene.plan.destinations(stream));
        self.state = State::Open(handle, destinations);
        let publisher = self.number;
        scene
            .trace
            .push(Event::PublicationAdded { publisher, session });
        Ok(())
    }

    fn publish(&mut self, scene: &mut Scene<'_>) -> Outcome<usize> {
        if self.remaining <= 0 {
            if self.reopens > 0 {
                self.reopens -= 1;
                self.remaining = scene.plan.publishers[self.number].volume;
                self.close(scene);
                self.state = State::Idle(scene.step + scene.rng.below(50));
                return Ok(1);
            }
            return Ok(0);
        }
        let plan = &scene.plan.publishers[self.number];
        if !scene.rng.chance(plan.eagerness, 1000) {
            return Ok(0);
        }
        let mut appended = 0;
        for _ in 0..plan.burst {
            if self.remaining <= 0 {
                break;
            }
            let attempt = match self.append_otherwise(scene)? {
                Some(attempt) => attempt,
                None if scene.rng.chance(plan.claims, 1000) => self.claim(scene)?,
                None => self.offer(scene)?,
            };
            match attempt {
                Attempt::Appended => appended += 1,
                Attempt::Refused => break,
                Attempt::ClientGone => {
                    self.forget(scene);
                    break;
                }
            }
        }
        Ok(appended)
    }

    pub(super) fn next_tag(&mut self) -> Tag {
        self.sequence += 1;
        Tag {
            publisher: u16::try_from(self.number).unwrap_or(u16::MAX),
            sequence: self.sequence,
            is_plain: false,
        }
    }

    /// Longest payload of a frame and of a message.
    pub(super) fn limits(&self) -> (usize, usize) {
        match &self.state {
            State::Open(Handle::Shared(p), _) => (p.max_payload_length(), p.max_message_length()),
            State::Open(Handle::Exclusive(p), _) => {
                (p.max_payload_length(), p.max_message_length())
            }
            State::Idle(_) | State::Adding(_) | State::Closed => (0, 0),
        }
    }

    fn offer(&mut self, scene: &mut Scene<'_>) -> Outcome<Attempt> {
        let stream = scene.plan.publishers[self.number].stream;
        let (max_payload, max_message) = self.limits();
        let sizes = scene.plan.streams[stream].sizes;
        let length = sizes.length(scene.rng, max_payload, max_message);
        let mut tag = self.next_tag();
        tag.is_plain = self.is_plain(scene);
        let bytes = payload::of(tag, length);
        let supplier = |_: &[u8]| tag.reserved_value();
        let parts = scene.rng.below(4);
        let cut = index(scene.rng, length + 1);
        let (a, b) = bytes.split_at(cut);
        let State::Open(handle, _) = &mut self.state else {
            return Ok(Attempt::Refused);
        };
        let result = match (handle, parts) {
            (Handle::Shared(p), 0) if tag.is_plain => p.offer_vectored(&[a, b]),
            (Handle::Shared(p), _) if tag.is_plain => p.offer(&bytes),
            (Handle::Exclusive(p), 0) if tag.is_plain => p.offer_vectored(&[a, b]),
            (Handle::Exclusive(p), _) if tag.is_plain => p.offer(&bytes),
            (Handle::Shared(p), 0) => p.offer_vectored_with(&[a, b], supplier),
            (Handle::Shared(p), _) => p.offer_with(&bytes, supplier),
            (Handle::Exclusive(p), 0) => p.offer_vectored_with(&[a, b], supplier),
            (Handle::Exclusive(p), _) => p.offer_with(&bytes, supplier),
        };
        match result {
            Ok(end) => {
                self.note(scene, end, length, tag, MessageState::Committed)?;
                Ok(Attempt::Appended)
            }
            Err(error) => {
                self.sequence -= 1;
                self.on_refusal(scene, error)
            }
        }
    }

    /// Claims, and gives the claim up or commits it at once.
    fn claim(&mut self, scene: &mut Scene<'_>) -> Outcome<Attempt> {
        let stream = scene.plan.publishers[self.number].stream;
        let (max_payload, _) = self.limits();
        let sizes = scene.plan.streams[stream].sizes;
        let length = sizes.length(scene.rng, max_payload, max_payload);
        let is_aborted = scene.rng.chance(1, 4);
        let tag = self.next_tag();
        let State::Open(handle, _) = &mut self.state else {
            return Ok(Attempt::Refused);
        };
        let claimed = match handle {
            Handle::Shared(p) => p.try_claim(length).map(|c| write(c, tag, is_aborted)),
            Handle::Exclusive(p) => p.try_claim(length).map(|c| write(c, tag, is_aborted)),
        };
        let end = match claimed {
            Ok(end) => end,
            Err(error) => {
                self.sequence -= 1;
                return self.on_refusal(scene, error);
            }
        };
        let state = if is_aborted {
            MessageState::Void
        } else {
            MessageState::Committed
        };
        self.note(scene, end, length, tag, state)?;
        Ok(Attempt::Appended)
    }

    /// Claims for `hold` to let the world go on with the claim open, and commits. Only a shared
    /// publication can do so.
    pub(crate) fn begin_claim(
        &mut self,
        scene: &mut Scene<'_>,
    ) -> Option<(Publication, Tag, usize)> {
        let State::Open(Handle::Shared(publication), _) = &self.state else {
            return None;
        };
        let publication = publication.clone();
        let max_payload = publication.max_payload_length();
        let length = index(scene.rng, max_payload + 1);
        let tag = self.next_tag();
        Some((publication, tag, length))
    }

    /// Tells the ledger of an append.
    pub(crate) fn note(
        &mut self,
        scene: &mut Scene<'_>,
        end: Position,
        length: usize,
        tag: Tag,
        state: MessageState,
    ) -> Outcome<usize> {
        let Some(number) = self.ledger else {
            return Ok(0);
        };
        self.last_refusal = None;
        self.remaining -= i64::try_from(length).unwrap_or(0) + FRAME_HEADER;
        let (publisher, sequence) = (self.number, tag.sequence);
        let end_position = end.get();
        scene.trace.push(match state {
            MessageState::Committed | MessageState::Void => Event::Published {
                publisher,
                sequence,
                length,
                end: end_position,
            },
            MessageState::Claimed => Event::Claimed {
                publisher,
                sequence,
                length,
                end: end_position,
            },
        });
        let ledger = scene.ledgers.get_mut(number);
        ledger
            .append(end, length, tag, state)
            .map_err(|error| breach(&self.name(), ledger, &error))
    }

    pub(super) fn on_refusal(
        &mut self,
        scene: &mut Scene<'_>,
        error: OfferError,
    ) -> Outcome<Attempt> {
        let publisher = self.number;
        let why = match error {
            OfferError::BackPressured => "back pressured",
            OfferError::NotConnected => "not connected",
            OfferError::AdminAction => "admin action",
            OfferError::Closed => return Ok(Attempt::ClientGone),
            OfferError::MaxPositionExceeded => {
                self.remaining = 0;
                "max position exceeded"
            }
            OfferError::TooLong { .. } | OfferError::BadBlock | OfferError::CorruptLog => {
                return Err(format!("publisher {publisher} cannot publish: {error}"));
            }
        };
        if self.last_refusal != Some(error) {
            self.last_refusal = Some(error);
            scene.trace.push(Event::OfferRefused { publisher, why });
        }
        Ok(Attempt::Refused)
    }

    /// Closes the publication, if there is one.
    pub(crate) fn close(&mut self, scene: &mut Scene<'_>) {
        if let State::Open(handle, _) = &mut self.state {
            let position = match handle {
                Handle::Shared(publication) => publication.position(),
                Handle::Exclusive(publication) => {
                    publication.revoke_on_close(scene.plan.publishers[self.number].revokes);
                    publication.position()
                }
            };
            let (publisher, position) = (self.number, position.map_or(-1, Position::get));
            scene.trace.push(Event::PublicationClosed {
                publisher,
                position,
            });
        }
        self.release_ledger(scene);
        self.state = State::Closed;
    }

    /// Dies with its client. What it held is returned, to be kept as it is.
    pub(crate) fn die(&mut self, scene: &mut Scene<'_>) -> Box<dyn Any> {
        self.release_ledger(scene);
        Box::new(std::mem::replace(&mut self.state, State::Closed))
    }

    fn available_window(&self) -> i64 {
        let window = match &self.state {
            State::Open(Handle::Shared(publication), _) => publication.available_window(),
            State::Open(Handle::Exclusive(publication), _) => publication.available_window(),
            State::Idle(_) | State::Adding(_) | State::Closed => None,
        };
        window.unwrap_or(0)
    }

    /// Leaves behind what a process leaves that dies while it holds a claim.
    pub(crate) fn leave_claim(&mut self, scene: &mut Scene<'_>) -> Outcome {
        let (Some(number), 1..) = (self.ledger, self.available_window()) else {
            return Ok(());
        };
        let (max_payload, _) = self.limits();
        let length = index(scene.rng, max_payload + 1);
        let has_header = scene.rng.chance(1, 2);
        let ledger = scene.ledgers.get(number);
        let path = format!("heap/publications/{}.logbuffer", ledger.registration_id);
        let (driver, _) = ledger.driver;
        let now = &scene.drivers[driver];
        let bytes = now.store.bytes(&path);
        let Some(bytes) = bytes.filter(|_| now.identity(driver) == ledger.driver) else {
            return Ok(());
        };
        let Some(end) = wreck(ledger, &bytes, length, has_header) else {
            return Ok(());
        };
        let tag = self.next_tag();
        let publisher = self.number;
        scene.trace.push(Event::Wrecked {
            publisher,
            end: end.get(),
            length,
            has_header,
        });
        let name = self.name();
        let ledger = scene.ledgers.get_mut(number);
        ledger
            .append(end, length, tag, MessageState::Void)
            .map_err(|error| breach(&name, ledger, &error))?;
        Ok(())
    }
}

/// Writes a message into its claim, and commits it or gives it up; returns where it ends.
pub(crate) fn write(mut claim: BufferClaim<'_>, tag: Tag, is_aborted: bool) -> Position {
    payload::fill(tag, &mut claim);
    claim.set_reserved_value(tag.reserved_value());
    let end = claim.position();
    if is_aborted {
        claim.abort();
    } else {
        claim.commit();
    }
    end
}

/// Claims room in a log for a frame with `length` bytes of payload, as the appender does, and goes
/// no further: the frame's length word stays 0, or negative if `has_header`. `None` if there is no
/// room in the term.
fn wreck(
    ledger: &Ledger,
    bytes: &AtomicBuffer,
    length: usize,
    has_header: bool,
) -> Option<Position> {
    let geometry = ledger.log.geometry();
    let term_length = usize::try_from(geometry.term_length()).ok()?;
    let partition = usize::try_from(ledger.log.active_term_count()).ok()? % 3;
    // Metadata is what a log ends with.
    let tail_at = bytes.len() - METADATA_LENGTH + partition * 8;
    let frame_length = length + usize::try_from(FRAME_HEADER).ok()?;
    let aligned = frame_length.next_multiple_of(32);
    let offset = usize::try_from(bytes.load_i64_acquire(tail_at) & 0xFFFF_FFFF).ok()?;
    if offset + aligned > term_length {
        return None;
    }
    bytes.fetch_add_i64_acq_rel(tail_at, i64::try_from(aligned).ok()?);
    if has_header {
        let word = i32::try_from(frame_length).ok()?;
        bytes.store_i32_release(partition * term_length + offset, -word);
    }
    Some(ledger.log.producer_position())
}
