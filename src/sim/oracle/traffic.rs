//! What agents send: new data only below the sender limit that was in force when the sender began
//! its cycle, data sent again only from where it may be asked for, NAKs only for holes that the
//! conductor has seen, status messages only for what was received.

use super::counters::{ImageWatch, PublicationWatch, Watch};
use crate::base::{Nanos, Position, TermId, TermOffset};
use crate::driver::receiver::HOUSEKEEPING_INTERVAL_NS;
use crate::logbuffer::{Gap, LogBuffer};
use crate::memory::AtomicBuffer;
use crate::sim::host::{Role, SimDriver};
use crate::sim::people::Outcome;
use crate::sim::plan::Plan;
use crate::sim::tap::Fate;
use crate::sim::wire::{FrameNote, Note, Place};

const FLAG_SEND_SETUP: u8 = 0x80;

/// Turns of a receiver after which it has looked at each of its images: those that are idle have to
/// wait until it is theirs, and none is looked at in the turn in which something begins to arrive.
const ROUND_TURNS: u8 = 64;

/// Checks datagrams, and counts them.
#[derive(Debug, Default)]
pub(in crate::sim) struct Traffic {
    pub(in crate::sim) datagrams: u64,
    pub(in crate::sim) naks: u64,
    pub(in crate::sim) retransmits: u64,
}

impl Place {
    fn position_in(&self, log: &LogBuffer) -> i64 {
        let (term_id, offset) = (TermId(self.term_id), TermOffset(self.term_offset));
        log.geometry().position(term_id, offset).get()
    }

    const fn stream(&self) -> (i32, i32) {
        (self.stream_id, self.session_id)
    }
}

impl Watch {
    /// Remembers what senders may send. To be called before a sender works.
    pub(in crate::sim) fn before_sender(&mut self) {
        for publication in &mut self.publications {
            if let (Some(position), Some(limit)) =
                (&publication.sender_position, &publication.sender_limit)
            {
                publication.before = (position.get(), limit.get());
            }
        }
    }

    /// Notes what is missing. To be called before a receiver works.
    pub(in crate::sim) fn before_receiver(&mut self) {
        for image in &mut self.images {
            image.holes.clear();
            let (Some((log, bytes)), Some(hwm), Some(rebuild)) =
                (&image.log, &image.hwm, &image.rebuild)
            else {
                continue;
            };
            let geometry = log.geometry();
            let (mut at, hwm) = (rebuild.get(), hwm.get());
            while at < hwm {
                let Some(gap) = first_gap(log, bytes, at, hwm) else {
                    at =
                        geometry.term_begin(Position(at)).get() + i64::from(geometry.term_length());
                    continue;
                };
                let begin = geometry.position(gap.term_id, gap.term_offset).get();
                at = begin + i64::from(gap.length);
                image.holes.push((begin, at));
            }
        }
    }

    /// Looks for holes as the conductor did. To be called after it worked.
    pub(in crate::sim) fn after_conductor(&mut self) {
        for image in &mut self.images {
            if let (Some((log, bytes)), Some(hwm), Some(rebuild)) =
                (&image.log, &image.hwm, &image.rebuild)
                && let Some(gap) = first_gap(log, bytes, rebuild.get(), hwm.get())
            {
                match image.gaps.last_mut() {
                    Some((last, turns)) if *last == gap => *turns = 0,
                    _ => image.gaps.push((gap, 0)),
                }
            }
        }
    }

    /// Forgets holes that the receiver cannot ask for any more. To be called after it worked. Turns
    /// that follow one another sooner than it looks at its images count as one.
    pub(in crate::sim) fn after_receiver(&mut self, now: Nanos) {
        if now.since(self.receiver_turn) < HOUSEKEEPING_INTERVAL_NS {
            return;
        }
        self.receiver_turn = now;
        for image in &mut self.images {
            for (_, turns) in &mut image.gaps {
                *turns += 1;
            }
            image.gaps.retain(|(_, turns)| *turns <= ROUND_TURNS);
        }
    }
}

/// The first hole between two positions, within a term. Spelt out, so that it does not share a bug
/// with the driver's.
fn first_gap(log: &LogBuffer, bytes: &AtomicBuffer, rebuild: i64, hwm: i64) -> Option<Gap> {
    if rebuild >= hwm {
        return None;
    }
    let geometry = log.geometry();
    let term_length = usize::try_from(geometry.term_length()).ok()?;
    let partition = geometry.index_at(Position(rebuild)) * term_length;
    let term_begin = geometry.term_begin(Position(rebuild)).get();
    let limit = usize::try_from(hwm - term_begin).ok()?.min(term_length);
    let frame_length = |at: usize| bytes.load_i32_acquire(partition + at);
    let mut begin = usize::try_from(rebuild - term_begin).ok()?;
    while begin < limit {
        let length = frame_length(begin);
        if length == 0 {
            break;
        }
        begin += usize::try_from(length).unwrap_or(1).next_multiple_of(32);
    }
    if begin >= limit {
        return None;
    }
    let mut end = begin + 32;
    while end < limit && frame_length(end) == 0 {
        end += 32;
    }
    Some(Gap {
        term_id: geometry.term_id_at(Position(rebuild)),
        term_offset: TermOffset(i32::try_from(begin).ok()?),
        length: i32::try_from(end - begin).ok()?,
    })
}

impl Traffic {
    /// Checks a datagram that an agent of `driver` sent.
    pub(in crate::sim) fn check(
        &mut self,
        note: &Note,
        role: Role,
        driver: &SimDriver,
        watch: &Watch,
        plan: &Plan,
    ) -> Outcome {
        if !driver.addresses.contains(&note.source.ip()) {
            return Err(format!("a driver sends as {}: {note}", note.source));
        }
        if note.fate == Fate::Refused {
            return Ok(());
        }
        self.datagrams += 1;
        match note.frame {
            FrameNote::Data(place) if role.sends() => self.check_data(note, &place, watch),
            FrameNote::Heartbeat(place, _) if role.sends() => check_heartbeat(&place, watch),
            FrameNote::Setup(_) if role.sends() => Ok(()),
            FrameNote::Nak(place, length) if role.receives() => {
                self.naks += 1;
                check_reliable(&place, plan)?;
                let number = driver.number;
                check_nak(
                    &place,
                    length,
                    watch,
                    plan.drivers[number].has_loss_recovery,
                )
            }
            FrameNote::Status(place, window, flags) if role.receives() => {
                if flags & FLAG_SEND_SETUP != 0 {
                    return Ok(());
                }
                check_status(&place, window, watch)
            }
            FrameNote::Other(_) => Ok(()),
            FrameNote::Data(_)
            | FrameNote::Heartbeat(..)
            | FrameNote::Setup(_)
            | FrameNote::Nak(..)
            | FrameNote::Status(..) => Err(format!("an agent in the role {role:?} sends {note}")),
        }
    }

    fn check_data(&mut self, note: &Note, place: &Place, watch: &Watch) -> Outcome {
        let Some((publication, log)) = publication_of(watch, place) else {
            return Err(format!("data of no publication: {note}"));
        };
        let begin = place.position_in(log);
        let (position, limit) = publication.before;
        if begin < position {
            self.retransmits += 1;
            let geometry = log.geometry();
            // The longest padding has the length of a longest message, the headers of its frames
            // counted. Spelt out, so that it does not share a bug with the driver's.
            let (longest, payload) = (geometry.max_message_length(), log.max_payload_length());
            let headers = 32 * i64::from((longest + payload - 1) / payload);
            let padding = (i64::from(longest) + headers + 31) / 32 * 32;
            let reach = i64::from(geometry.term_length() / 2) + padding;
            if begin < position - reach {
                return Err(format!(
                    "data sent again from {begin}, when the sender is at {position}: {note}"
                ));
            }
            return Ok(());
        }
        if begin + note.length > limit {
            return Err(format!(
                "data up to {} was sent, beyond the sender limit {limit}: {note}",
                begin + note.length
            ));
        }
        if note.length > i64::from(log.mtu_length()) {
            return Err(format!("a datagram longer than the MTU: {note}"));
        }
        Ok(())
    }
}

fn publication_of<'a>(
    watch: &'a Watch,
    place: &Place,
) -> Option<(&'a PublicationWatch, &'a LogBuffer)> {
    let publication = watch
        .publications
        .iter()
        .find(|p| (p.stream_id, p.session_id) == place.stream())?;
    Some((publication, publication.log.as_ref()?))
}

fn images_of<'a>(watch: &'a Watch, place: &Place) -> impl Iterator<Item = &'a ImageWatch> {
    let stream = place.stream();
    let images = watch.images.iter();
    images.filter(move |image| (image.stream_id, image.session_id) == stream)
}

fn check_heartbeat(place: &Place, watch: &Watch) -> Outcome {
    let Some((publication, log)) = publication_of(watch, place) else {
        return Err(format!("a heartbeat of no publication: {place:?}"));
    };
    let at = place.position_in(log);
    let sent = publication.sender_position.as_ref().map(|p| p.get());
    // The sender may have sent more in the same cycle before the oracle looks.
    if sent.is_some_and(|sent| at > sent) {
        return Err(format!("a heartbeat at {at}, ahead of snd-pos {sent:?}"));
    }
    Ok(())
}

fn check_reliable(place: &Place, plan: &Plan) -> Outcome {
    let mut streams = plan.streams.iter();
    let stream = streams.find(|stream| stream.stream_id == place.stream_id);
    if stream.is_some_and(|stream| !stream.is_reliable) {
        return Err(format!(
            "a NAK for a stream that is not reliable: {place:?}"
        ));
    }
    Ok(())
}

fn check_nak(place: &Place, length: i32, watch: &Watch, has_recovery: bool) -> Outcome {
    if has_recovery {
        return check_recovery_nak(place, length, watch);
    }
    let asked = Gap {
        term_id: TermId(place.term_id),
        term_offset: TermOffset(place.term_offset),
        length,
    };
    if images_of(watch, place).any(|image| image.gaps.iter().any(|(gap, _)| *gap == asked)) {
        return Ok(());
    }
    let seen: Vec<_> = images_of(watch, place).map(|image| &image.gaps).collect();
    Err(format!(
        "a NAK for session {}, {asked:?}, which is no hole that was seen: {seen:?}",
        place.session_id
    ))
}

/// Who asks for all that is missing asks for nothing that is there, or that was not sent.
fn check_recovery_nak(place: &Place, length: i32, watch: &Watch) -> Outcome {
    for image in images_of(watch, place) {
        let (Some((log, bytes)), Some(hwm)) = (&image.log, &image.hwm) else {
            continue;
        };
        let begin = place.position_in(log);
        let end = begin + i64::from(length);
        if image
            .holes
            .iter()
            .any(|hole| hole.0 <= begin && end <= hole.1)
        {
            return Ok(());
        }
        let geometry = log.geometry();
        let term_length = usize::try_from(geometry.term_length()).unwrap_or(0);
        let term = geometry.index_at(Position(begin)) * term_length;
        let offset = usize::try_from(place.term_offset).unwrap_or(0);
        let is_within = length > 0
            && end <= hwm.get()
            && end <= geometry.term_begin(Position(begin)).get() + term_length as i64;
        let count = usize::try_from(length).unwrap_or(0);
        if is_within
            && (offset..offset + count)
                .step_by(32)
                .all(|at| bytes.load_i32_acquire(term + at) == 0)
        {
            return Ok(());
        }
    }
    Err(format!(
        "a NAK for session {}, {place:?} length {length}, which is no hole that was seen",
        place.session_id
    ))
}

fn check_status(place: &Place, window: i32, watch: &Watch) -> Outcome {
    for image in images_of(watch, place) {
        let (Some((log, _)), Some(hwm)) = (&image.log, &image.hwm) else {
            continue;
        };
        let (at, hwm) = (place.position_in(log), hwm.get());
        if at <= hwm && window >= 0 && window <= log.geometry().term_length() / 2 {
            return Ok(());
        }
    }
    Err(format!(
        "a status message of no image, or ahead of it: {place:?} window {window}"
    ))
}
