//! The messages of the interop tests, and the checker on the receiving side.
//!
//! A [`Plan`] is a seed, a count and a list of sizes. Message `n` of a plan has the `n`-th size, in
//! turn, and bytes that follow from seed and number alone:
//!
//! ```text
//! +-----------+-------------+------------------------------+
//! | seed: u64 | number: u64 | key stream of (seed, number) |   cut off at the size
//! +-----------+-------------+------------------------------+
//! ```
//!
//! So the receiver, given the same plan, knows every byte that must come next: a message lost,
//! repeated, reordered, torn, or put together from the wrong fragments differs from what is due. That
//! holds for empty messages too, whose only content is their place. Where several publishers share
//! a subscription the first eight bytes tell which plan a message belongs to, so such plans keep to
//! messages of eight bytes or more.
//!
//! Both ends fold what they sent or received into a digest, which the test compares.

use std::fmt;

/// What one publisher sends.
///
/// ```
/// use aileron_interop::pattern::Plan;
///
/// let plan = Plan::new(7, 3, vec![0, 16]);
/// let mut buffer = Vec::new();
/// plan.fill(1, &mut buffer);
/// assert_eq!(buffer[..8], 7_u64.to_le_bytes());
/// assert_eq!(buffer[8..], 1_u64.to_le_bytes());
/// plan.fill(2, &mut buffer);
/// assert!(buffer.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    seed: u64,
    count: u64,
    sizes: Vec<usize>,
}

impl Plan {
    /// A plan of `count` messages whose sizes in bytes are taken from `sizes` in turn.
    ///
    /// # Panics
    /// When `sizes` is empty.
    #[must_use]
    pub fn new(seed: u64, count: u64, sizes: Vec<usize>) -> Self {
        assert!(!sizes.is_empty(), "a plan needs a size");
        Self { seed, count, sizes }
    }

    /// The number of messages.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Puts message `number` into `buffer`, replacing what it held.
    pub fn fill(&self, number: u64, buffer: &mut Vec<u8>) {
        let turn = number % self.sizes.len() as u64;
        let size = usize::try_from(turn).map_or(0, |turn| self.sizes[turn]);
        buffer.clear();
        buffer.extend_from_slice(&self.seed.to_le_bytes());
        buffer.extend_from_slice(&number.to_le_bytes());
        let mut state = self.seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        while buffer.len() < size {
            buffer.extend_from_slice(&splitmix(&mut state).to_le_bytes());
        }
        buffer.truncate(size);
    }
}

/// Running account of messages, in order.
///
/// ```
/// use aileron_interop::pattern::Tally;
///
/// let (mut one, mut other) = (Tally::default(), Tally::default());
/// one.add(b"a");
/// one.add(b"");
/// other.add(b"");
/// other.add(b"a");
/// assert_ne!(one.to_string(), other.to_string(), "order counts");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    messages: u64,
    bytes: u64,
    digest: u64,
}

impl Tally {
    /// Adds a message.
    pub fn add(&mut self, message: &[u8]) {
        self.messages += 1;
        self.bytes += message.len() as u64;
        let mut state = self.digest ^ message.len() as u64;
        for chunk in message.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            state = (state ^ u64::from_le_bytes(word))
                .wrapping_mul(0x0000_0100_0000_01B3)
                .rotate_left(23);
        }
        self.digest = splitmix(&mut state);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "messages={} bytes={} digest={:016x}",
            self.messages, self.bytes, self.digest
        )
    }
}

/// Compares what arrives with what is due.
///
/// ```
/// use aileron_interop::pattern::{Checker, Plan};
///
/// let plan = Plan::new(7, 2, vec![9]);
/// let mut checker = Checker::new(vec![plan.clone()]);
/// let mut message = Vec::new();
/// plan.fill(0, &mut message);
/// checker.accept(&message).expect("is due");
/// checker.accept(&message).expect_err("the same again is not");
/// ```
#[derive(Debug)]
pub struct Checker {
    streams: Vec<(Plan, Tally)>,
    due: Vec<u8>,
}

impl Checker {
    /// A checker of streams that arrive interleaved, each in its own order.
    #[must_use]
    pub fn new(plans: Vec<Plan>) -> Self {
        Self {
            streams: plans
                .into_iter()
                .map(|plan| (plan, Tally::default()))
                .collect(),
            due: Vec::new(),
        }
    }

    /// Takes the next message off the subscription.
    ///
    /// # Errors
    /// Says in which way the message is not the one due.
    pub fn accept(&mut self, message: &[u8]) -> Result<(), String> {
        let place = self.place_of(message)?;
        let (plan, tally) = &mut self.streams[place];
        if tally.messages == plan.count {
            return Err(format!("one message too many, of {} bytes", message.len()));
        }
        plan.fill(tally.messages, &mut self.due);
        if message != self.due {
            return Err(difference(tally.messages, &self.due, message));
        }
        tally.add(message);
        Ok(())
    }

    /// Whether everything has arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.streams
            .iter()
            .all(|(plan, tally)| tally.messages == plan.count)
    }

    /// Seed and tally of each stream.
    pub fn tallies(&self) -> impl Iterator<Item = (u64, Tally)> + '_ {
        self.streams.iter().map(|(plan, tally)| (plan.seed, *tally))
    }

    fn place_of(&self, message: &[u8]) -> Result<usize, String> {
        if self.streams.len() == 1 {
            return Ok(0);
        }
        let seed = message.first_chunk().map(|head| u64::from_le_bytes(*head));
        self.streams
            .iter()
            .position(|(plan, _)| Some(plan.seed) == seed)
            .ok_or_else(|| format!("a message of {} bytes of no known publisher", message.len()))
    }
}

fn difference(number: u64, due: &[u8], message: &[u8]) -> String {
    if due.len() != message.len() {
        return format!(
            "message {number} has {} bytes, due were {}",
            message.len(),
            due.len()
        );
    }
    let offset = due
        .iter()
        .zip(message)
        .position(|(a, b)| a != b)
        .unwrap_or(0);
    format!(
        "message {number} of {} bytes differs at byte {offset}",
        due.len()
    )
}

/// One step of the splitmix64 generator.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_out_of_turn_is_refused() {
        let plan = Plan::new(1, 4, vec![20, 0, 3]);
        let mut checker = Checker::new(vec![plan.clone()]);
        let mut message = Vec::new();
        plan.fill(3, &mut message);
        assert!(checker.accept(&message).is_err());
        for number in 0..4 {
            assert!(!checker.is_complete());
            plan.fill(number, &mut message);
            checker.accept(&message).expect("in turn");
        }
        assert!(checker.is_complete());
        assert!(checker.accept(&message).is_err());
    }

    #[test]
    fn streams_are_told_apart_by_their_seed() {
        let plans = vec![Plan::new(1, 1, vec![8]), Plan::new(2, 1, vec![40])];
        let mut checker = Checker::new(plans.clone());
        let mut message = Vec::new();
        for plan in plans.iter().rev() {
            plan.fill(0, &mut message);
            checker.accept(&message).expect("its own turn");
        }
        assert!(checker.accept(b"neither").is_err());
        assert!(checker.is_complete());
    }
}
