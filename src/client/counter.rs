//! A counter in the driver's counters file that this client writes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::core::{Core, ResourceId};
use crate::base::{CounterId, RegistrationId};
use crate::command::{Command, RemoveCounter};
use crate::concurrent::{AtomicCounter, CounterState};

/// What all clones of a handle share, and the conductor knows of it. Dropping it removes it.
pub(crate) struct CounterShared {
    core: Arc<Core>,
    counter: AtomicCounter,
    registration_id: RegistrationId,
    is_static: bool,
    is_closed: AtomicBool,
    /// Set before `is_closed`.
    final_value: AtomicI64,
}

impl CounterShared {
    pub(crate) fn new(
        core: Arc<Core>,
        counter: AtomicCounter,
        registration_id: RegistrationId,
        is_static: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            core,
            counter,
            registration_id,
            is_static,
            is_closed: AtomicBool::new(false),
            final_value: AtomicI64::new(0),
        })
    }

    pub(crate) const fn registration_id(&self) -> RegistrationId {
        self.registration_id
    }

    pub(crate) fn counter_id(&self) -> CounterId {
        self.counter.id()
    }

    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Closes it without a command; returns whether it was open.
    pub(crate) fn force_close(&self) -> bool {
        if self.is_closed() {
            return false;
        }
        self.final_value
            .store(self.counter.get(), Ordering::Relaxed);
        !self.is_closed.swap(true, Ordering::AcqRel)
    }

    fn close(&self) {
        if !self.force_close() || self.is_static {
            return;
        }
        let (client_id, registration_id) = (self.core.proxy.client_id(), self.registration_id);
        self.core.remove(
            ResourceId::Counter(registration_id),
            None,
            |correlation_id| {
                Command::RemoveCounter(RemoveCounter {
                    client_id,
                    correlation_id,
                    registration_id,
                })
            },
        );
    }
}

impl Drop for CounterShared {
    fn drop(&mut self) {
        self.close();
    }
}

/// A value that any process may read. Cloning gives another handle; dropping the last one frees the
/// counter, unless it is static: those live as long as their driver.
///
/// Once closed it keeps the value it had, and changes to it are lost: the place in the file may be
/// another's by then.
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), aileron::client::AddError> {
/// let orders = client.add_counter(2101, b"", "orders")?;
/// orders.add(1);
/// assert_eq!(orders.get(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Counter {
    shared: Arc<CounterShared>,
}

impl Counter {
    pub(crate) const fn new(shared: Arc<CounterShared>) -> Self {
        Self { shared }
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> i64 {
        if self.is_closed() {
            return self.shared.final_value.load(Ordering::Relaxed);
        }
        self.shared.counter.get()
    }

    /// Sets the value; what was written before is visible to whoever reads it.
    pub fn set(&self, value: i64) {
        if !self.is_closed() {
            self.shared.counter.set(value);
        }
    }

    /// Adds to the value; returns what it was before.
    pub fn add(&self, delta: i64) -> i64 {
        if self.is_closed() {
            return self.get();
        }
        self.shared.counter.add(delta)
    }

    /// Raises the value to `value` if it is below. For one writer only. Returns whether it was.
    pub fn propose_max(&self, value: i64) -> bool {
        !self.is_closed() && self.shared.counter.propose_max(value)
    }

    /// The counter's id.
    #[must_use]
    pub fn id(&self) -> CounterId {
        self.shared.counter_id()
    }

    /// Its id at the driver; of a static counter, what its creator chose.
    #[must_use]
    pub fn registration_id(&self) -> RegistrationId {
        self.shared.registration_id
    }

    /// Whether it lives as long as the driver.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.shared.is_static
    }

    /// Text for people; `None` if it is not in use any more.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.shared.core.counters.label(self.id())
    }

    /// Whether the driver still keeps it, or a later one in its place.
    #[must_use]
    pub fn state(&self) -> CounterState {
        self.shared.core.counters.state(self.id())
    }

    /// Whether it is closed, by its handle or with its client.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Closes this handle and all its clones, without waiting for the driver. Does nothing the
    /// second time.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter")
            .field("id", &self.id())
            .field("registration_id", &self.registration_id())
            .field("is_static", &self.is_static())
            .field("is_closed", &self.is_closed())
            .field("value", &self.get())
            .finish()
    }
}
