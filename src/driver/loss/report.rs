//! One image's line of the loss report (`driver.md` §16.5).

use crate::base::EpochMillis;
use crate::concurrent::{LossEntry, LossReport, LossSource};
use crate::logbuffer::Gap;

/// Adds up what an image lost, each byte once.
#[derive(Debug)]
pub(crate) struct LossReporter {
    entry: Entry,
    /// The gap counted last.
    reported: Option<Gap>,
}

#[derive(Debug)]
enum Entry {
    /// Nothing was lost yet.
    Unopened,
    /// The image's line.
    Open(LossEntry),
    /// There was no room for a line.
    GivenUp,
}

impl LossReporter {
    /// A reporter of an image that lost nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            entry: Entry::Unopened,
            reported: None,
        }
    }

    /// Notes a gap that is being asked for; `source` says whose.
    pub(crate) fn on_gap(
        &mut self,
        gap: Gap,
        source: &LossSource<'_>,
        report: &mut LossReport,
        now: EpochMillis,
    ) {
        let bytes_lost = i64::from(bytes_not_in(self.reported, gap));
        if bytes_lost == 0 {
            return;
        }
        self.reported = Some(gap);
        self.on_bytes(bytes_lost, source, report, now);
    }

    /// Notes that so many bytes more are being asked for.
    pub(crate) fn on_bytes(
        &mut self,
        bytes_lost: i64,
        source: &LossSource<'_>,
        report: &mut LossReport,
        now: EpochMillis,
    ) {
        match &self.entry {
            Entry::Open(entry) => entry.record(bytes_lost, now),
            Entry::Unopened => {
                self.entry = report
                    .create_entry(source, bytes_lost, now)
                    .map_or(Entry::GivenUp, Entry::Open);
            }
            Entry::GivenUp => {}
        }
    }
}

/// Bytes of `gap` that lie behind the end of the one reported before.
fn bytes_not_in(reported: Option<Gap>, gap: Gap) -> i32 {
    let end = |gap: Gap| gap.term_offset.get().saturating_add(gap.length);
    match reported {
        Some(reported)
            if reported.term_id == gap.term_id && gap.term_offset.get() < end(reported) =>
        {
            (end(gap) - end(reported)).max(0)
        }
        Some(_) | None => gap.length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SessionId, StreamId, TermId, TermOffset};
    use crate::concurrent::{LossObservation, read_loss_report};
    use crate::memory::AtomicBuffer;

    const SOURCE: LossSource<'static> = LossSource {
        session_id: SessionId(5),
        stream_id: StreamId(1001),
        channel: "aeron:udp?endpoint=localhost:4040",
        source_identity: "127.0.0.1:50000",
    };

    fn gap(term_id: i32, term_offset: i32, length: i32) -> Gap {
        Gap {
            term_id: TermId(term_id),
            term_offset: TermOffset(term_offset),
            length,
        }
    }

    fn observations(buffer: &AtomicBuffer) -> Vec<LossObservation> {
        let mut all = Vec::new();
        read_loss_report(buffer, |observation| all.push(observation));
        all
    }

    #[test]
    fn each_lost_byte_is_reported_once() {
        let buffer = AtomicBuffer::heap(4096);
        let mut report = LossReport::new(buffer.clone());
        let mut reporter = LossReporter::new();
        for (time, gap) in [
            (10, gap(7, 64, 128)),  // 128 new
            (20, gap(7, 64, 128)),  // nothing new
            (30, gap(7, 128, 64)),  // inside
            (40, gap(7, 128, 128)), // 64 beyond the end
            (50, gap(7, 256, 32)),  // 32, right behind
            (60, gap(8, 256, 32)),  // 32 of another term
        ] {
            reporter.on_gap(gap, &SOURCE, &mut report, EpochMillis(time));
        }
        let all = observations(&buffer);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].total_bytes_lost, 128 + 64 + 32 + 32);
        assert_eq!(all[0].observation_count, 4);
        assert_eq!(
            (all[0].first, all[0].last),
            (EpochMillis(10), EpochMillis(60))
        );
        assert_eq!(all[0].source_identity, "127.0.0.1:50000");
    }

    #[test]
    fn a_full_report_is_given_up_for_the_image() {
        let buffer = AtomicBuffer::heap(64);
        let mut report = LossReport::new(buffer.clone());
        let mut reporter = LossReporter::new();
        reporter.on_gap(gap(7, 64, 128), &SOURCE, &mut report, EpochMillis(10));
        assert!(matches!(reporter.entry, Entry::GivenUp));
        reporter.on_gap(gap(8, 64, 128), &SOURCE, &mut report, EpochMillis(10));
        assert!(observations(&buffer).is_empty());
    }
}
