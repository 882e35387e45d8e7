//! What the ends of response streams know of one another: whoever asks tells which subscription is
//! to get the answers, and whoever answers, which image the request came by.
//!
//! An application that sees one of them replaced has to begin anew. Whether the ends find one
//! another once more is left open here; where nothing was ever replaced they have to.

use std::collections::BTreeMap;

use crate::sim::plan::{Part, Plan};

/// The ends of one response stream.
#[derive(Debug, Default)]
struct Ends {
    /// The subscription that waits for answers.
    subscription: Option<i64>,
    /// The image that requests come by.
    image: Option<i64>,
    /// Publications of requests and of answers that were added so far.
    publications: [u32; 2],
    /// Something was replaced.
    is_broken: bool,
}

/// All response streams, by the number of the stream of answers.
#[derive(Debug, Default)]
pub(in crate::sim) struct Responses {
    ends: BTreeMap<usize, Ends>,
}

impl Responses {
    /// What a publication on a stream has to name: `Ok(None)` if nothing, an error if that is not
    /// there yet.
    pub(in crate::sim) fn correlation_id(
        &self,
        plan: &Plan,
        stream: usize,
    ) -> Result<Option<i64>, ()> {
        let end = match plan.streams[stream].part {
            Part::Alone => return Ok(None),
            Part::Requests { answers } => self.ends.get(&answers).and_then(|e| e.subscription),
            Part::Answers { .. } => self.ends.get(&stream).and_then(|ends| ends.image),
        };
        end.map(Some).ok_or(())
    }

    /// A publication was added to a stream.
    pub(in crate::sim) fn on_publication(&mut self, plan: &Plan, stream: usize) {
        let (answers, at) = match plan.streams[stream].part {
            Part::Alone => return,
            Part::Requests { answers } => (answers, 0),
            Part::Answers { .. } => (stream, 1),
        };
        let ends = self.ends.entry(answers).or_default();
        ends.publications[at] += 1;
        ends.is_broken |= ends.publications[at] > 1;
    }

    /// The subscription of a stream, and its newest image, as they are now.
    pub(in crate::sim) fn on_subscriber(
        &mut self,
        plan: &Plan,
        stream: usize,
        subscription: Option<i64>,
        image: Option<i64>,
    ) {
        let (answers, is_asking) = match plan.streams[stream].part {
            Part::Alone => return,
            Part::Requests { answers } => (answers, true),
            Part::Answers { .. } => (stream, false),
        };
        let ends = self.ends.entry(answers).or_default();
        let (end, now) = if is_asking {
            (&mut ends.image, image)
        } else {
            (&mut ends.subscription, subscription)
        };
        ends.is_broken |= end.is_some() && *end != now;
        *end = now;
    }

    /// Whether something was replaced that a response stream depends on.
    pub(in crate::sim) fn is_broken(&self, answers: usize) -> bool {
        self.ends.get(&answers).is_some_and(|ends| ends.is_broken)
    }
}
