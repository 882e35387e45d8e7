//! Ways of polling beside those of a subscription.

use std::collections::BTreeMap;

use super::check::Check;
use super::subscriber::draw_action;
use crate::base::{Position, Rng};
use crate::client::{Action, Header, ImagePoller, Subscription};
use crate::sim::plan::{PollHabit, index};

/// Bytes that a poll with a bound may go beyond where it is, at most.
const BOUND: usize = 20_000;

/// Polls in the way of a habit.
pub(super) fn poll_otherwise(
    habit: PollHabit,
    subscription: &mut Subscription,
    limit: usize,
    check: &mut Check<'_>,
    rng: &mut Rng,
) {
    match habit {
        PollHabit::Try => {
            let fails_at = rng.below(40);
            let mut seen = 0;
            let polled = subscription.try_poll(limit, |payload, header| {
                seen += 1;
                if seen == fails_at {
                    return Err(seen);
                }
                check.on_fragment(payload, header);
                Ok(())
            });
            let is_right = match polled {
                Ok(_) => fails_at == 0 || seen < fails_at,
                Err(at) => at == fails_at && seen == fails_at,
            };
            if !is_right {
                check.result = Err(format!("{polled:?} of a handler that saw {seen}"));
            }
        }
        PollHabit::Raw => {
            let bytes = 1 + index(rng, limit * 2000);
            subscription.raw_poll(bytes, |block| {
                if block.bytes.len() != block.length || !block.path.contains("logbuffer") {
                    check.result = Err(format!("a block with another place: {block:?}"));
                }
                check.on_frames(block.session_id, block.bytes);
            });
        }
        PollHabit::Bounded | PollHabit::BoundedControlled | PollHabit::Peek => {
            let images = subscription.images();
            for image in images.iter() {
                let Some(mut poller) = subscription.image_poller(image.session_id()) else {
                    check.result = Err("an image without a poller".to_owned());
                    return;
                };
                if rng.chance(1, 2) {
                    // Given back, and taken from the image itself.
                    drop(poller);
                    let Some(again) = image.poller() else {
                        check.result = Err("a poller was not given back".to_owned());
                        return;
                    };
                    poller = again;
                }
                poll_image(habit, &mut poller, limit, check, rng);
            }
        }
    }
}

fn poll_image(
    habit: PollHabit,
    poller: &mut ImagePoller,
    limit: usize,
    check: &mut Check<'_>,
    rng: &mut Rng,
) {
    let from = poller.image().position();
    let ahead = i64::try_from(32 * index(rng, BOUND / 32)).unwrap_or(0);
    let bound = from + ahead;
    let mut last = from;
    if habit == PollHabit::Peek {
        let Some(seen) = peek(poller, from, bound, check, rng) else {
            return;
        };
        poller.poll(limit, |payload, header| {
            // What lay ahead is what comes now.
            if let Some(expected) = seen.get(&header.position().get())
                && expected != payload
            {
                check.result = Err("another payload than was seen ahead".to_owned());
            }
            check.on_fragment(payload, header);
        });
        return;
    }
    let mut on_fragment = |payload: &[u8], header: &Header<'_>| {
        if last >= bound {
            let bound = bound.get();
            check.result = Err(format!("a fragment that begins at or after {bound}"));
        }
        last = header.position();
        check.on_fragment(payload, header);
    };
    if habit == PollHabit::Bounded {
        poller.bounded_poll(bound, limit, on_fragment);
    } else {
        poller.bounded_controlled_poll(bound, limit, |payload, header| {
            let action = draw_action(rng);
            if !matches!(action, Action::Abort) {
                on_fragment(payload, header);
            }
            action
        });
    }
}

/// Looks at what comes next, without taking it; `None` if the image is closed.
fn peek(
    poller: &mut ImagePoller,
    from: Position,
    bound: Position,
    check: &mut Check<'_>,
    rng: &mut Rng,
) -> Option<BTreeMap<i64, Vec<u8>>> {
    let mut seen = BTreeMap::new();
    let mut end = from;
    let is_closed = poller.image().is_closed();
    let reached = poller.peek(from, bound, |payload, header| {
        end = header.position();
        seen.insert(end.get(), payload.to_vec());
        draw_action(rng)
    });
    if reached.is_none() && !is_closed {
        check.result = Err(format!("cannot look ahead from {}", from.get()));
    }
    if poller.image().position() != from {
        check.result = Err("a look ahead moved the image".to_owned());
    }
    // From amidst a frame, or from before, nobody can look.
    if poller
        .peek(from + 8, bound, |_, _| Action::Continue)
        .is_some()
    {
        check.result = Err("looked ahead from amidst a frame".to_owned());
    }
    reached.map(|_| seen)
}
