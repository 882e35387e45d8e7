//! A model of a whole network stream: publisher, sender, lossy network, receiver, subscriber.
//!
//! Everything runs on one thread and follows from a seed. The oracle is the list of messages.

use std::collections::VecDeque;

use crate::base::{Position, Rng, TermId};
use crate::logbuffer::{AppendError, ExclusiveAppender, LogBuffer, LogKind, LogSpec, reader};

use super::{TERM_LENGTH, exclusive, log, message};

const MTU: i32 = 1408;
const WINDOW: i64 = 32 * 1024;

struct World {
    rng: Rng,
    source: LogBuffer,
    appender: ExclusiveAppender,
    image: LogBuffer,
    network: Vec<(Position, Vec<u8>)>,
    /// Messages offered and not yet read.
    expected: VecDeque<Vec<u8>>,
    partial: Vec<u8>,
    offered: usize,
    sender: Position,
    hwm: Position,
    rebuild: Position,
    subscriber: Position,
    source_cleaned: Position,
    image_cleaned: Position,
    is_reliable: bool,
}

impl World {
    fn new(seed: u64, is_reliable: bool) -> Self {
        let mut rng = Rng::new(seed);
        let initial = TermId(rng.next_i32());
        let source = log(&LogSpec {
            initial_term_id: initial,
            ..exclusive()
        });
        source.set_connected(true);
        let image = log(&LogSpec {
            initial_term_id: initial,
            kind: LogKind::Image,
            ..exclusive()
        });
        Self {
            appender: ExclusiveAppender::new(source.clone()).expect("legal"),
            rng,
            source,
            image,
            network: Vec::new(),
            expected: VecDeque::new(),
            partial: Vec::new(),
            offered: 0,
            sender: Position(0),
            hwm: Position(0),
            rebuild: Position(0),
            subscriber: Position(0),
            source_cleaned: Position(0),
            image_cleaned: Position(0),
            is_reliable,
        }
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.rng.below(bound)).expect("small")
    }

    fn publish(&mut self) {
        let limit = self.sender + WINDOW;
        let most = if self.rng.chance(1, 10) { 8193 } else { 500 };
        let length = self.below(most);
        let seed = self.offered.to_le_bytes()[0];
        let bytes = message(length, seed);
        let outcome = match self.rng.below(8) {
            0 => self.appender.append_padding(limit, length.min(8192)),
            1 if length <= 1376 => self.appender.claim(limit, length).map(|claim| {
                let end = claim.position();
                claim.abort();
                end
            }),
            2 if length <= 1376 => self.appender.claim(limit, length).map(|mut claim| {
                claim.bytes_mut().copy_from_slice(&bytes);
                self.expected.push_back(bytes);
                self.offered += 1;
                claim.commit()
            }),
            _ => self.appender.offer(limit, &bytes).inspect(|_| {
                self.expected.push_back(bytes);
                self.offered += 1;
            }),
        };
        assert!(
            !matches!(outcome, Err(error) if !error.is_retryable()),
            "{outcome:?}"
        );
        assert_ne!(outcome, Err(AppendError::NotConnected));
    }

    /// Puts what a scan of `position` gives on the network; returns the bytes covered.
    fn transmit(&mut self, position: Position, length: i32) -> i32 {
        let scan = self.source.scan(position, length.min(MTU));
        assert!(!scan.is_corrupt);
        if scan.available <= 0 {
            return 0;
        }
        let bytes = scan.bytes.to_vec();
        let covered = scan.available + scan.padding;
        if !self.rng.chance(1, 5) {
            self.network.push((position, bytes.clone()));
        }
        if self.rng.chance(1, 20) {
            self.network.push((position, bytes));
        }
        covered
    }

    fn send(&mut self) {
        // Flow control: not beyond a window from the subscriber.
        let window = self.subscriber + WINDOW - self.sender;
        if window > 0 {
            let length = i32::try_from(window).expect("a window");
            let covered = self.transmit(self.sender, length);
            self.sender += i64::from(covered);
        }
        while self.source_cleaned < self.sender - i64::from(TERM_LENGTH) {
            let to = self.sender - i64::from(TERM_LENGTH);
            self.source_cleaned = self.source.clean(self.source_cleaned, to);
        }
    }

    fn receive(&mut self) {
        let count = self.network.len() as u64;
        if count == 0 {
            return;
        }
        let index = self.below(count);
        let (position, bytes) = self.network.swap_remove(index);
        if position < self.subscriber {
            return;
        }
        let offset = self.image.geometry().term_offset_at(position);
        let covered = self.image.validate_datagram(offset, &bytes).expect("valid");
        self.image.insert(position, &bytes);
        self.hwm = self.hwm.max(position + i64::from(covered));
    }

    fn detect_loss(&mut self) {
        self.rebuild = self.rebuild.max(self.subscriber);
        let scan = self.image.scan_gap(self.rebuild, self.hwm);
        assert!(!scan.is_corrupt);
        assert!(scan.contiguous >= self.rebuild && scan.contiguous <= self.hwm.max(self.rebuild));
        self.rebuild = scan.contiguous;
        let Some(gap) = scan.gap else { return };
        if self.is_reliable {
            // Several datagrams may be missing; the NAK covers them all.
            let position = self.image.geometry().position(gap.term_id, gap.term_offset);
            self.transmit(position, gap.length.max(MTU));
        } else {
            assert!(self.image.fill_gap(gap));
        }
    }

    fn consume(&mut self) {
        let Self {
            expected, partial, ..
        } = self;
        let mut dropped = 0;
        let polled = reader::poll(&self.image, self.subscriber, 10, |payload, header| {
            if header.is_begin() {
                partial.clear();
            }
            partial.extend_from_slice(payload);
            if header.is_end() {
                // What an unreliable stream lost is missing in front; nothing is out of order.
                while !self.is_reliable && expected.front().is_some_and(|front| front != partial) {
                    expected.pop_front();
                    dropped += 1;
                }
                if self.is_reliable {
                    assert!(
                        expected.pop_front().as_ref() == Some(partial),
                        "in order, once each"
                    );
                } else {
                    expected.pop_front();
                }
            }
        });
        assert_eq!(polled.corruption, None);
        assert!(polled.position <= self.hwm);
        self.subscriber = polled.position;
        while self.image_cleaned < self.subscriber - i64::from(TERM_LENGTH) {
            let to = self.subscriber - i64::from(TERM_LENGTH);
            self.image_cleaned = self.image.clean(self.image_cleaned, to);
        }
    }

    fn step(&mut self) {
        match self.rng.below(5) {
            0 => self.publish(),
            1 => self.send(),
            2 => self.receive(),
            3 => self.detect_loss(),
            _ => self.consume(),
        }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
        // Drains: heartbeats tell the receiver how far the sender is.
        for _ in 0..100_000 {
            if self.subscriber == self.appender.position() {
                break;
            }
            self.send();
            self.receive();
            if self.network.is_empty() {
                self.hwm = self.hwm.max(self.sender);
            }
            self.detect_loss();
            self.consume();
        }
        assert_eq!(
            self.subscriber,
            self.appender.position(),
            "the stream drains"
        );
        assert_eq!(self.source.producer_position(), self.subscriber);
    }
}

#[test]
fn a_reliable_stream_delivers_everything_once_and_in_order() {
    for seed in 0..8 {
        let mut world = World::new(seed, true);
        world.run(20_000);
        assert!(world.expected.is_empty());
        assert!(
            world.offered > 500 && world.source.active_term_count() > 4,
            "seed {seed}"
        );
    }
}

#[test]
fn an_unreliable_stream_passes_over_what_it_lost() {
    for seed in 0..4 {
        let mut world = World::new(seed, false);
        world.run(10_000);
        assert!(world.source.active_term_count() > 4, "seed {seed}");
    }
}
