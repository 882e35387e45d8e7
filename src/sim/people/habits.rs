//! What publishers and clients do beside what they did of old.

use super::publisher::{Attempt, FRAME_HEADER, Handle, Publisher, State};
use super::{Outcome, Scene};
use crate::base::{RegistrationId, SessionId, StreamId};
use crate::client::{AddError, Client, Counter, ExclusivePublication, OfferError, Pending};
use crate::sim::ledger::MessageState;
use crate::sim::payload::{self, Tag};
use crate::sim::plan::index;

/// Type of static counters, and the registration of those of all clients.
pub(in crate::sim) const STATIC_TYPE_ID: i32 = 2001;
const PASSING_TYPE_ID: i32 = 2002;
/// Counters of a connection that come and go at most: each rests for a while before it is used
/// again, and a small driver has few.
const PASSING_MAX: usize = 8;
const STATIC_ID: RegistrationId = RegistrationId(1 << 50);
/// Frames of a block at most.
const BLOCK_FRAMES: usize = 4;

impl Publisher {
    /// Whether the next message goes without a reserved value.
    pub(super) fn is_plain(&self, scene: &mut Scene<'_>) -> bool {
        let habits = scene.plan.publishers[self.number].habits;
        habits.plain > 0 && scene.habits.chance(habits.plain, 1000)
    }

    /// Appends in another way than by offer or claim, now and then.
    pub(super) fn append_otherwise(&mut self, scene: &mut Scene<'_>) -> Outcome<Option<Attempt>> {
        let habits = scene.plan.publishers[self.number].habits;
        if habits.mistakes > 0 && scene.habits.chance(habits.mistakes, 1000) {
            self.err(scene)?;
        }
        if habits.paddings > 0 && scene.habits.chance(habits.paddings, 1000) {
            return self.pad(scene).map(Some);
        }
        if habits.blocks > 0 && scene.habits.chance(habits.blocks, 1000) {
            return self.offer_block(scene);
        }
        Ok(None)
    }

    fn exclusive(&mut self) -> Option<&mut ExclusivePublication> {
        match &mut self.state {
            State::Open(Handle::Exclusive(publication), _) => Some(publication),
            State::Open(Handle::Shared(_), _)
            | State::Idle(_)
            | State::Adding(_)
            | State::Closed => None,
        }
    }

    fn pad(&mut self, scene: &mut Scene<'_>) -> Outcome<Attempt> {
        let Some(publication) = self.exclusive() else {
            return Ok(Attempt::Refused);
        };
        let most = publication.max_payload_length() * 2;
        let length = index(scene.habits, most.min(publication.max_message_length()));
        let before = publication.position();
        match publication.append_padding(length) {
            Ok(end) => {
                let length = i64::try_from(length).unwrap_or(0) + FRAME_HEADER;
                let expected = before.map(|at| at + (length + 31) / 32 * 32);
                if expected != Some(end) {
                    return Err(format!("padding of {length} from {before:?} to {end:?}"));
                }
                self.remaining -= length;
                Ok(Attempt::Appended)
            }
            Err(error) => self.on_refusal(scene, error),
        }
    }

    /// Appends frames as a recording of the stream has them. `None` if there is no room for them
    /// in the term.
    fn offer_block(&mut self, scene: &mut Scene<'_>) -> Outcome<Option<Attempt>> {
        let count = 1 + index(scene.habits, BLOCK_FRAMES);
        let tags: Vec<Tag> = (0..count).map(|_| self.next_tag()).collect();
        let (max_payload, _) = self.limits();
        let sequence = self.sequence - u32::try_from(count).unwrap_or(0);
        let Some(publication) = self.exclusive() else {
            return Ok(None);
        };
        let mut block = Vec::new();
        let mut lengths = Vec::new();
        for tag in &tags {
            let length = index(scene.habits, max_payload.min(500) + 1);
            let at = publication.term_offset().get() + i32::try_from(block.len()).unwrap_or(0);
            push_frame(&mut block, publication, at, *tag, length);
            lengths.push((length, block.len()));
        }
        let offset = usize::try_from(publication.term_offset().get()).unwrap_or(0);
        let room = usize::try_from(publication.term_length()).unwrap_or(0) - offset;
        let begin = publication.position();
        let (Some(begin), true) = (begin, block.len() <= room) else {
            self.sequence = sequence;
            return Ok(None);
        };
        if scene.habits.chance(1, 4) {
            // One that begins elsewhere is refused.
            let mut wrong = block.clone();
            wrong[8] ^= 0x20;
            let answer = publication.offer_block(&wrong);
            if !is_refused(answer, |error| matches!(error, OfferError::BadBlock)) {
                return Err(format!("a block that is none: {answer:?}"));
            }
        }
        match publication.offer_block(&block) {
            Ok(end) => {
                if end != begin + i64::try_from(block.len()).unwrap_or(0) {
                    return Err(format!("a block from {begin:?} that ends at {end:?}"));
                }
                for (tag, (length, end)) in tags.iter().zip(lengths) {
                    let end = begin + i64::try_from(end).unwrap_or(0);
                    self.note(scene, end, length, *tag, MessageState::Committed)?;
                }
                Ok(Some(Attempt::Appended))
            }
            Err(error) => {
                self.sequence = sequence;
                self.on_refusal(scene, error).map(Some)
            }
        }
    }

    /// Tries to append what cannot be appended.
    fn err(&mut self, scene: &mut Scene<'_>) -> Outcome {
        let (max_payload, max_message) = self.limits();
        let long = vec![0; max_message + 1];
        let is_claim = scene.habits.chance(1, 2);
        let answer = match &mut self.state {
            State::Open(Handle::Shared(p), _) if is_claim => {
                p.try_claim(max_payload + 1).map(|claim| claim.position())
            }
            State::Open(Handle::Shared(p), _) => p.offer(&long),
            State::Open(Handle::Exclusive(p), _) if is_claim => {
                p.try_claim(max_payload + 1).map(|claim| claim.position())
            }
            State::Open(Handle::Exclusive(p), _) => match scene.habits.below(3) {
                0 => p.offer(&long),
                1 => p.append_padding(max_message * 2),
                _ => p.offer_block(&long[..20]),
            },
            State::Idle(_) | State::Adding(_) | State::Closed => return Ok(()),
        };
        let is_expected =
            |error| matches!(error, OfferError::TooLong { .. } | OfferError::BadBlock);
        if is_refused(answer, is_expected) {
            Ok(())
        } else {
            Err(format!(
                "publisher {}: {answer:?} of what is too long",
                self.number
            ))
        }
    }
}

/// Whether something was refused, for the reason that is expected or because nothing would have
/// been taken.
fn is_refused<T>(
    answer: Result<T, OfferError>,
    is_expected: impl FnOnce(OfferError) -> bool,
) -> bool {
    match answer {
        Ok(_) => false,
        Err(
            OfferError::BackPressured
            | OfferError::NotConnected
            | OfferError::AdminAction
            | OfferError::Closed
            | OfferError::MaxPositionExceeded,
        ) => true,
        Err(error) => is_expected(error),
    }
}

/// Adds a frame to a block, as it is to lie at an offset of the term.
fn push_frame(
    block: &mut Vec<u8>,
    publication: &ExclusivePublication,
    offset: i32,
    tag: Tag,
    length: usize,
) {
    let frame_length = i32::try_from(length + 32).unwrap_or(32);
    block.extend(frame_length.to_le_bytes());
    block.extend([0, 0xC0, 1, 0]);
    for word in [
        offset,
        publication.session_id().get(),
        publication.stream_id().get(),
        publication.term_id().get(),
    ] {
        block.extend(word.to_le_bytes());
    }
    block.extend(tag.reserved_value().to_le_bytes());
    block.extend_from_slice(&payload::of(tag, length));
    block.resize(block.len().next_multiple_of(32), 0);
}

/// What a client asks of its driver beside publications and subscriptions.
#[derive(Default)]
pub(super) struct Requests {
    counters: Vec<Pending<Counter>>,
    /// Sessions that were asked for, on which stream, and how many ledgers there were.
    sessions: Vec<(i32, usize, Pending<SessionId>)>,
    /// Counters that come and go.
    passing: Vec<Pending<Counter>>,
    /// How many of them there were.
    passed: usize,
    /// Id of the static counter that all clients of the driver have.
    static_counter: Option<i32>,
}

impl Requests {
    /// A turn.
    pub(super) fn work(
        &mut self,
        number: usize,
        client: &Client,
        scene: &mut Scene<'_>,
    ) -> Outcome {
        let plan = &scene.plan.clients[number];
        if plan.habits.requests == 0 {
            return Ok(());
        }
        if scene.habits.chance(plan.habits.requests, 1000) {
            let text = "of all clients";
            let added = client.add_static_counter_async(STATIC_TYPE_ID, &[7], text, STATIC_ID);
            self.counters.extend(added.ok());
        }
        if scene.habits.chance(plan.habits.requests, 1000) {
            let streams = &scene.plan.streams;
            let stream_id = streams[index(scene.habits, streams.len())].stream_id;
            let asked = client.next_session_id_async(StreamId(stream_id));
            let count = scene.ledgers.count();
            let asked = asked.ok().map(|asked| (stream_id, count, asked));
            self.sessions.extend(asked);
        }
        if self.passed < PASSING_MAX && scene.habits.chance(plan.habits.requests, 1000) {
            self.passed += 1;
            let added = client.add_counter_async(PASSING_TYPE_ID, &[9], "come and gone");
            self.passing.extend(added.ok());
        }
        self.passing.retain_mut(|pending| match pending.try_get() {
            Ok(None) => true,
            Ok(Some(counter)) => {
                counter.close();
                false
            }
            Err(_) => false,
        });
        self.take_counters()?;
        self.take_sessions(scene)
    }

    /// There is one static counter, however often it is asked for.
    fn take_counters(&mut self) -> Outcome {
        let mut outcome = Ok(());
        let known = &mut self.static_counter;
        self.counters.retain_mut(|pending| match pending.try_get() {
            Ok(None) => true,
            Ok(Some(counter)) => {
                let id = counter.id().get();
                if !counter.is_static() || known.is_some_and(|known| known != id) {
                    outcome = Err(format!("static counter {id}, which was {known:?}"));
                }
                *known = Some(id);
                counter.add(1);
                false
            }
            Err(error) => {
                if !is_answerless(&error) {
                    outcome = Err(format!("no static counter: {error}"));
                }
                false
            }
        });
        outcome
    }

    /// No session id is handed out that a publication has.
    fn take_sessions(&mut self, scene: &Scene<'_>) -> Outcome {
        let mut outcome = Ok(());
        self.sessions.retain_mut(|(stream_id, count, pending)| {
            match pending.try_get() {
                Ok(None) => return true,
                Ok(Some(session)) => {
                    let ledger = scene.ledgers.of_session(*stream_id, session.get());
                    let ledger = ledger.filter(|ledger| ledger < count);
                    if ledger.is_some_and(|ledger| scene.ledgers.get(ledger).handles > 0) {
                        outcome = Err(format!("session {session} is in use"));
                    }
                }
                Err(error) if is_answerless(&error) => {}
                Err(error) => outcome = Err(format!("no session id: {error}")),
            }
            false
        });
        outcome
    }
}

/// Whether nobody answered, because somebody is gone.
pub(super) const fn is_answerless(error: &AddError) -> bool {
    matches!(
        error,
        AddError::Client(_) | AddError::DriverTimeout { .. } | AddError::ResourceClosed
    )
}
