//! Checks what a poll hands out, fragment by fragment.

use super::subscriber::Reader;
use super::{Ledgers, Outcome, breach};
use crate::base::SessionId;
use crate::client::{Block, Header};
use crate::logbuffer::{self, TermGeometry};
use crate::sim::ledger::{Breach, Reading};
use crate::sim::sabotage::Sabotage;

const FRAME_HEADER: usize = 32;

/// Checks what a poll hands out.
pub(super) struct Check<'a> {
    pub(super) subscriber: usize,
    pub(super) readers: &'a mut Vec<Reader>,
    pub(super) ledgers: &'a Ledgers,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) seen: &'a mut u64,
    pub(super) result: Outcome,
}

impl Check<'_> {
    pub(super) fn on_fragment(&mut self, payload: &[u8], header: &logbuffer::Header<'_>) {
        self.see(header, |reading, ledgers, number| {
            reading.on_fragment(ledgers.get(number), payload, header)
        });
    }

    pub(super) fn on_message(&mut self, payload: &[u8], header: &Header<'_>) {
        self.see(header, |reading, ledgers, number| {
            reading.on_message(ledgers.get(number), payload, header)
        });
    }

    /// Walks the frames of a block.
    pub(super) fn on_block(&mut self, block: &Block<'_>) {
        self.on_frames(block.session_id, block.bytes);
    }

    pub(super) fn on_frames(&mut self, session_id: SessionId, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(first) = rest.first_chunk::<FRAME_HEADER>() {
            let length = i32::from_le_bytes([first[0], first[1], first[2], first[3]]);
            let kind = u16::from_le_bytes([first[6], first[7]]);
            let length = usize::try_from(length).unwrap_or(0);
            if length < FRAME_HEADER || length > rest.len() {
                self.result = Err(format!("a block has a frame of {length} bytes"));
                return;
            }
            if kind == 1 {
                let Some(geometry) = self.geometry(session_id) else {
                    return;
                };
                let header = logbuffer::Header::new(first, geometry);
                let payload = &rest[FRAME_HEADER..length];
                self.see(&header, |reading, ledgers, number| {
                    reading.on_fragment(ledgers.get(number), payload, &header)
                });
            }
            rest = rest.get(length.next_multiple_of(32)..).unwrap_or_default();
        }
    }

    fn geometry(&self, session: SessionId) -> Option<TermGeometry> {
        let of_session = |reader: &&Reader| reader.image.session_id() == session;
        let reader = self.readers.iter().rfind(of_session)?;
        Some(reader.image.geometry())
    }

    /// Has somebody look at what was handed out, as often as the sabotage lets it be.
    fn see(
        &mut self,
        header: &logbuffer::Header<'_>,
        look: impl Fn(&mut Reading, &Ledgers, usize) -> Result<(), Breach>,
    ) {
        *self.seen += 1;
        let times = match self.sabotage {
            Some(Sabotage::Swallow) if *self.seen == 10 => 0,
            Some(Sabotage::Redeliver) if *self.seen == 10 => 2,
            _ => 1,
        };
        let (stream, session) = (header.stream_id().get(), header.session_id());
        let ledgers = self.ledgers;
        for _ in 0..times {
            if self.result.is_err() {
                return;
            }
            let found = self
                .readers
                .iter_mut()
                .rfind(|reader| reader.image.session_id() == session);
            let Some(reader) = found else {
                self.result = Err(format!("a fragment of session {session}: no such image"));
                return;
            };
            let number = reader.ledger.or(ledgers.of_session(stream, session.get()));
            let Some(number) = number else {
                self.result = Err(format!("session {session} was never published"));
                return;
            };
            reader.ledger = Some(number);
            reader.polled += 1;
            if let Err(error) = look(&mut reader.reading, ledgers, number) {
                let name = format!("subscriber {}", self.subscriber);
                self.result = Err(breach(&name, ledgers.get(number), &error));
            }
        }
    }
}
