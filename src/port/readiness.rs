//! Which of many transports have something to receive.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

/// Transports that are watched together, each under a token, so that one look tells which of them
/// are worth a poll.
///
/// ```
/// use aileron::port::{AlwaysReady, Readiness};
/// let mut watched = AlwaysReady::default();
/// Readiness::<()>::add(&mut watched, 7, &()).unwrap();
/// let mut ready = Vec::new();
/// Readiness::<()>::look(&mut watched, |token| ready.push(token)).unwrap();
/// assert_eq!(ready, [7]);
/// ```
pub trait Readiness<T>: Sized + Send + 'static {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// What the operating system answers.
    fn open() -> io::Result<Self>;

    /// Watches a transport.
    ///
    /// # Errors
    /// What the operating system answers.
    fn add(&mut self, token: u64, transport: &T) -> io::Result<()>;

    /// Does not watch a transport any more.
    fn remove(&mut self, token: u64, transport: &T);

    /// Calls `visit` with the tokens of those that have something to receive, without waiting. Some
    /// of them may be left for the next look.
    ///
    /// # Errors
    /// What the operating system answers.
    fn look(&mut self, visit: impl FnMut(u64)) -> io::Result<()>;

    /// Waits until one of them has something to receive, or for about `period`. Returns whether it
    /// has waited: false from those that cannot, or not for so short a time.
    fn wait(&mut self, period: Duration) -> bool {
        let _ = period;
        false
    }
}

/// For transports that cannot tell: each of them may have something.
#[derive(Clone, Debug, Default)]
pub struct AlwaysReady(BTreeSet<u64>);

impl<T> Readiness<T> for AlwaysReady {
    fn open() -> io::Result<Self> {
        Ok(Self::default())
    }

    fn add(&mut self, token: u64, _transport: &T) -> io::Result<()> {
        self.0.insert(token);
        Ok(())
    }

    fn remove(&mut self, token: u64, _transport: &T) {
        self.0.remove(&token);
    }

    fn look(&mut self, visit: impl FnMut(u64)) -> io::Result<()> {
        self.0.iter().copied().for_each(visit);
        Ok(())
    }
}
