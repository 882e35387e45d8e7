//! What goes over the wire, as the oracles see it: parsed on its own, not by production code.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::sabotage::Sabotage;
use super::tap::{Fate, Tap, TapVerdict};

/// A datagram that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Note {
    pub(super) source: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) fate: Fate,
    pub(super) length: i64,
    pub(super) frame: FrameNote,
}

/// What a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FrameNote {
    /// DATA or PAD with something in it.
    Data(Place),
    /// DATA without anything in it, and its flags.
    Heartbeat(Place, u8),
    /// NAK and how much it asks for.
    Nak(Place, i32),
    /// Status message, its window and its flags.
    Status(Place, i32, u8),
    /// SETUP; the place is that of the sender.
    Setup(Place),
    /// Anything else: its type.
    Other(u16),
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) session_id: i32,
    pub(super) stream_id: i32,
    pub(super) term_id: i32,
    pub(super) term_offset: i32,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            to,
            fate,
            length,
            frame,
        } = self;
        let place = |p: &Place| {
            format!(
                "stream {} session {} term {} offset {}",
                p.stream_id, p.session_id, p.term_id, p.term_offset
            )
        };
        let text = match frame {
            FrameNote::Data(p) => format!("DATA {}", place(p)),
            FrameNote::Heartbeat(p, flags) => format!("HEARTBEAT {} flags {flags:#x}", place(p)),
            FrameNote::Nak(p, gap) => format!("NAK {} gap {gap}", place(p)),
            FrameNote::Status(p, window, flags) => {
                format!("SM {} window {window} flags {flags:#x}", place(p))
            }
            FrameNote::Setup(p) => format!("SETUP {}", place(p)),
            FrameNote::Other(kind) => format!("type {kind}"),
        };
        write!(f, "{source} -> {to} {fate:?} {length} bytes: {text}")
    }
}

const TYPE_DATA: u16 = 1;
const TYPE_PAD: u16 = 0;
const TYPE_NAK: u16 = 2;
const TYPE_STATUS: u16 = 3;
const TYPE_SETUP: u16 = 5;
const TYPE_RESPONSE_SETUP: u16 = 11;

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    i32::from_le_bytes(word.unwrap_or_default())
}

impl FrameNote {
    /// Fields that a short datagram does not have read as 0.
    fn of(bytes: &[u8]) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let place = |session: usize, stream: usize, term: usize, offset: usize| Place {
            session_id: i32_at(bytes, session),
            stream_id: i32_at(bytes, stream),
            term_id: i32_at(bytes, term),
            term_offset: i32_at(bytes, offset),
        };
        let flags = byte(5);
        match u16::from_le_bytes([byte(6), byte(7)]) {
            TYPE_DATA | TYPE_PAD => {
                let place = place(12, 16, 20, 8);
                if i32_at(bytes, 0) == 0 {
                    Self::Heartbeat(place, flags)
                } else {
                    Self::Data(place)
                }
            }
            TYPE_NAK => Self::Nak(place(8, 12, 16, 20), i32_at(bytes, 24)),
            TYPE_STATUS => Self::Status(place(8, 12, 16, 20), i32_at(bytes, 24), flags),
            TYPE_SETUP => Self::Setup(place(12, 16, 24, 8)),
            other => Self::Other(other),
        }
    }
}

/// Where the tap of a world leaves what it sees, for the world to look at after each agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    notes: Arc<Mutex<Vec<Note>>>,
    /// Whether there are any, which most agents' turns leave as it is.
    has_notes: Arc<AtomicBool>,
}

impl Wire {
    /// A tap that notes everything and does what the sabotage demands.
    pub(super) fn tap(&self, sabotage: Option<Sabotage>) -> Box<dyn Tap> {
        Box::new(WireTap {
            wire: self.clone(),
            sabotage,
            sent: BTreeSet::new(),
        })
    }

    /// Moves what was noted since the last time into `into`.
    pub(super) fn drain(&self, into: &mut Vec<Note>) {
        // Relaxed: one thread drives a world.
        if self.has_notes.load(Ordering::Relaxed) {
            self.has_notes.store(false, Ordering::Relaxed);
            into.append(&mut self.lock());
        }
    }

    fn note(&self, note: Note) {
        self.lock().push(note);
        // Relaxed: as above.
        self.has_notes.store(true, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct WireTap {
    wire: Wire,
    sabotage: Option<Sabotage>,
    /// Places of data seen so far; only kept where the sabotage needs them.
    sent: BTreeSet<Place>,
}

impl Tap for WireTap {
    fn on_send(
        &mut self,
        source: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        fate: Fate,
    ) -> TapVerdict {
        let frame = FrameNote::of(bytes);
        self.wire.note(Note {
            source,
            to,
            fate,
            length: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            frame,
        });
        match (self.sabotage, frame) {
            (Some(Sabotage::DropNaks), FrameNote::Nak(..)) => TapVerdict::Drop,
            (Some(Sabotage::DropAnswers), FrameNote::Other(TYPE_RESPONSE_SETUP)) => {
                TapVerdict::Drop
            }
            (Some(Sabotage::NeverRetransmit), FrameNote::Data(place)) => {
                if self.sent.insert(place) {
                    TapVerdict::Pass
                } else {
                    TapVerdict::Drop
                }
            }
            (Some(Sabotage::ForgeNak), FrameNote::Status(place, ..)) => {
                self.wire.note(Note {
                    frame: FrameNote::Nak(place, 64),
                    source,
                    to,
                    fate,
                    length: 28,
                });
                TapVerdict::Pass
            }
            (Some(Sabotage::FlipPayload), FrameNote::Data(_)) if bytes.len() > 64 => {
                TapVerdict::Flip(40)
            }
            _ => TapVerdict::Pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SessionId, StreamId, TermId, TermOffset};
    use crate::protocol::Nak;

    #[test]
    fn frames_are_told_apart_and_short_ones_do_no_harm() {
        let mut bytes = [0; Nak::LENGTH];
        Nak {
            session_id: SessionId(1),
            stream_id: StreamId(2),
            term_id: TermId(3),
            term_offset: TermOffset(64),
            length: 96,
        }
        .encode(&mut bytes);
        let place = Place {
            session_id: 1,
            stream_id: 2,
            term_id: 3,
            term_offset: 64,
        };
        assert_eq!(FrameNote::of(&bytes), FrameNote::Nak(place, 96));
        for length in 0..bytes.len() {
            let _ = FrameNote::of(&bytes[..length]);
        }
    }
}
