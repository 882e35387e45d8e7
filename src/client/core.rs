//! What every handle of a client shares: the conductor under its lock, the way to the driver, and
//! the list of things handles want from the conductor but will not wait for.
//!
//! ```text
//!  Client ─┐                      ┌─ Mutex<ClientConductor>   add, close, blocking calls, invoker
//!  Pending ┼─► Core (in an Arc) ──┼─ DriverProxy              lock-free, used by drops too
//!  handles ┘                      └─ Mutex<Vec<Deferred>>     from drops to the next duty cycle
//! ```
//!
//! Whoever holds the conductor is on record, so a callback that calls back in gets an error where
//! it would wait for itself. A drop never takes the conductor's lock: it writes its command to the
//! ring and leaves the rest as a [`Deferred`].

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread::{self, ThreadId};

use super::conductor::ClientConductor;
use super::driver_proxy::DriverProxy;
use super::handlers::ImageHandler;
use super::registrations::Awaited;
use super::{AddError, ClientError, Image, Pending, Registered};
use crate::base::{ClientId, CorrelationId, RegistrationId};
use crate::command::Command;
use crate::concurrent::CountersReader;
use crate::logbuffer::LogBuffer;
use crate::port::Clock;

/// Holds a log mapped; shared by all handles on it.
pub(crate) type LogLease = Arc<LogBuffer>;

/// Which kind of registration a handle stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceId {
    Publication(RegistrationId),
    Subscription(RegistrationId),
    Counter(RegistrationId),
}

/// Left by handles for the next duty cycle.
pub(crate) enum Deferred {
    /// A remove command was sent: its answer belongs to nobody, its log lingers.
    Removed {
        correlation_id: CorrelationId,
        resource: ResourceId,
        lease: Option<LogLease>,
    },
    /// A command that found the ring full.
    Unsent {
        command: &'static str,
        type_id: i32,
        payload: Vec<u8>,
    },
    /// Images of a closed subscription: their handler is still to run.
    ImagesClosed {
        images: Arc<[Image]>,
        handler: Option<ImageHandler>,
    },
    /// A pending add was dropped.
    Cancelled(CorrelationId),
    /// Something for the error handler.
    Report(ClientError),
    /// The client was closed from within a callback.
    CloseClient,
}

/// See the module.
pub(crate) struct Core {
    conductor: Mutex<ClientConductor>,
    /// The thread inside the conductor. Only ever compared with the asking thread, so that runs do
    /// not depend on which threads there are.
    owner: Mutex<Option<ThreadId>>,
    deferred: Mutex<Vec<Deferred>>,
    /// There may be something in `deferred`. Written under its lock.
    has_deferred: AtomicBool,
    /// Nothing will drain `deferred` any more. Written under its lock.
    is_closed: AtomicBool,
    pub(crate) proxy: DriverProxy,
    pub(crate) counters: CountersReader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) waiter: Arc<dyn Fn() + Send + Sync>,
    /// Stops and joins whatever thread runs the conductor.
    on_closed: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Core {
    pub(crate) fn new(
        proxy: DriverProxy,
        counters: CountersReader,
        clock: Arc<dyn Clock>,
        waiter: Arc<dyn Fn() + Send + Sync>,
        conductor: impl FnOnce(Weak<Self>) -> ClientConductor,
    ) -> Arc<Self> {
        Arc::new_cyclic(|core| Self {
            conductor: Mutex::new(conductor(Weak::clone(core))),
            owner: Mutex::new(None),
            deferred: Mutex::new(Vec::new()),
            has_deferred: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            proxy,
            counters,
            clock,
            waiter,
            on_closed: Mutex::new(None),
        })
    }

    /// Waits for the conductor's lock.
    ///
    /// # Errors
    /// This thread is inside the conductor already.
    pub(crate) fn enter(&self) -> Result<ConductorGuard<'_>, ClientError> {
        if *lock(&self.owner) == Some(thread::current().id()) {
            return Err(ClientError::Reentrant);
        }
        Ok(self.own(lock(&self.conductor)))
    }

    /// The conductor, if nobody is inside.
    pub(crate) fn try_enter(&self) -> Option<ConductorGuard<'_>> {
        match self.conductor.try_lock() {
            Ok(conductor) => Some(self.own(conductor)),
            Err(TryLockError::Poisoned(poison)) => Some(self.own(poison.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn own<'a>(&'a self, conductor: MutexGuard<'a, ClientConductor>) -> ConductorGuard<'a> {
        *lock(&self.owner) = Some(thread::current().id());
        ConductorGuard {
            owner: &self.owner,
            conductor,
        }
    }

    /// Leaves something to the next duty cycle; dropped if there will be none.
    pub(crate) fn defer(&self, deferred: Deferred) {
        let mut queue = lock(&self.deferred);
        if !self.is_closed.load(Ordering::Acquire) {
            queue.push(deferred);
            self.has_deferred.store(true, Ordering::Release);
        }
    }

    pub(crate) fn take_deferred(&self) -> Vec<Deferred> {
        if !self.has_deferred() {
            return Vec::new();
        }
        let mut queue = lock(&self.deferred);
        self.has_deferred.store(false, Ordering::Release);
        std::mem::take(&mut *queue)
    }

    /// Whether something was left to the next duty cycle.
    #[inline]
    pub(crate) fn has_deferred(&self) -> bool {
        self.has_deferred.load(Ordering::Acquire)
    }

    /// Sends the command that removes a resource, without waiting for room or for an answer.
    pub(crate) fn remove(
        &self,
        resource: ResourceId,
        lease: Option<LogLease>,
        command: impl FnOnce(CorrelationId) -> Command<'static>,
    ) {
        if self.is_closed() {
            return;
        }
        let correlation_id = self.proxy.next_correlation_id();
        // Before the command, so that its answer is recognised however fast it comes.
        self.defer(Deferred::Removed {
            correlation_id,
            resource,
            lease,
        });
        if let Err(unsent) = self.proxy.send_or_keep(&command(correlation_id)) {
            self.defer(unsent);
        }
    }

    /// Sends a command whose answer [`Pending`] stands for.
    ///
    /// # Errors
    /// Nothing was sent: the client is closed, this is a callback, or the ring is full.
    pub(crate) fn submit<'c, T: Registered>(
        self: &Arc<Self>,
        awaited: Awaited,
        command: impl FnOnce(ClientId, CorrelationId) -> Command<'c>,
    ) -> Result<Pending<T>, AddError> {
        let mut conductor = self.enter()?;
        conductor.ensure_open()?;
        let id = self.proxy.next_correlation_id();
        let command = command(self.proxy.client_id(), id);
        conductor.submit(awaited, self.clock.tick().now, &command)?;
        Ok(Pending::new(Arc::clone(self), id))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Called by the conductor as it closes.
    pub(crate) fn set_closed(&self) {
        let mut queue = lock(&self.deferred);
        self.is_closed.store(true, Ordering::Release);
        let left = std::mem::take(&mut *queue);
        drop(queue);
        drop(left);
    }

    pub(crate) fn set_on_closed(&self, hook: Box<dyn FnOnce() + Send>) {
        *lock(&self.on_closed) = Some(hook);
    }

    /// Closes the client, on this thread if it may; from within a callback in the next duty cycle.
    pub(crate) fn close(&self) {
        match self.enter() {
            Ok(mut conductor) => conductor.close(),
            Err(_) => {
                self.defer(Deferred::CloseClient);
                return;
            }
        }
        let hook = lock(&self.on_closed).take();
        if let Some(hook) = hook {
            hook();
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("client_id", &self.proxy.client_id())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The conductor, with this thread on record as being inside.
pub(crate) struct ConductorGuard<'a> {
    owner: &'a Mutex<Option<ThreadId>>,
    conductor: MutexGuard<'a, ClientConductor>,
}

impl Deref for ConductorGuard<'_> {
    type Target = ClientConductor;

    fn deref(&self) -> &ClientConductor {
        &self.conductor
    }
}

impl DerefMut for ConductorGuard<'_> {
    fn deref_mut(&mut self) -> &mut ClientConductor {
        &mut self.conductor
    }
}

impl Drop for ConductorGuard<'_> {
    fn drop(&mut self) {
        *lock(self.owner) = None;
    }
}

/// Locks; a panic elsewhere while it was held is no reason to stop, for nothing held under these
/// locks is left half done by a panic: handlers run behind `catch_unwind`.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
