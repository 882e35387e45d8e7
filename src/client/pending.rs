//! An asynchronous add: the driver was asked, its answer is to come.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::core::{Core, Deferred};
use super::{AddError, Counter, ExclusivePublication, Publication, Subscription};
use crate::base::{CorrelationId, RegistrationId, SessionId};

mod sealed {
    #[expect(
        unnameable_types,
        reason = "so that nobody else can implement `Registered`"
    )]
    pub trait Sealed {}
}

/// What can be waited for with a [`Pending`].
///
/// ```
/// use aileron::client::{Publication, Registered};
/// fn is_registered<T: Registered>() {}
/// is_registered::<Publication>();
/// ```
pub trait Registered: sealed::Sealed + Send + 'static {}

macro_rules! registered {
    ($($name:ty),+) => {
        $(
            impl sealed::Sealed for $name {}
            impl Registered for $name {}
        )+
    };
}

// `RegistrationId`: of a destination. `()`: a command that is only acknowledged.
registered!(
    Publication,
    ExclusivePublication,
    Subscription,
    Counter,
    RegistrationId,
    SessionId,
    ()
);

/// Something that the driver was asked for. Dropping it cancels: what the driver makes of the
/// command afterwards is removed again (a command that takes something away cannot be cancelled,
/// nor can a static counter).
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), aileron::client::AddError> {
/// use aileron::base::StreamId;
/// let mut pending = client.add_publication_async("aeron:ipc", StreamId(10))?;
/// let publication = loop {
///     if let Some(publication) = pending.try_get()? {
///         break publication;
///     }
///     std::thread::yield_now();
/// };
/// # drop(publication);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels the command"]
pub struct Pending<T: Registered> {
    core: Arc<Core>,
    correlation_id: CorrelationId,
    is_finished: bool,
    result: PhantomData<fn() -> T>,
}

impl<T: Registered> Pending<T> {
    pub(crate) const fn new(core: Arc<Core>, correlation_id: CorrelationId) -> Self {
        Self {
            core,
            correlation_id,
            is_finished: false,
            result: PhantomData,
        }
    }

    /// Correlation id of the command, which is the registration id of what it adds.
    #[must_use]
    pub fn registration_id(&self) -> RegistrationId {
        self.correlation_id.into()
    }

    /// The result if it is there; `None` while it is not, and after it was taken. Services the
    /// conductor once while the answer is outstanding, so callbacks may run.
    ///
    /// # Errors
    /// The driver refused or did not answer within the driver timeout, or the client is closed:
    /// these end the wait. [`super::ClientError::Reentrant`] from within a callback does not.
    pub fn try_get(&mut self) -> Result<Option<T>, AddError> {
        if self.is_finished {
            return Ok(None);
        }
        let tick = self.core.clock.tick();
        let mut conductor = self.core.enter()?;
        let mut result = conductor.take(self.correlation_id, tick.now);
        if result.is_none() {
            conductor.do_work(tick);
            result = conductor.take(self.correlation_id, tick.now);
        }
        drop(conductor);
        let Some(result) = result else {
            return Ok(None);
        };
        self.is_finished = true;
        // The conductor files results under the id of the command, so the type is always this one.
        let result = result?
            .downcast::<T>()
            .map_err(|_| AddError::ResourceClosed)?;
        Ok(Some(*result))
    }

    /// Waits for the result, servicing the conductor meanwhile.
    ///
    /// # Errors
    /// As [`Self::try_get`].
    pub fn wait(mut self) -> Result<T, AddError> {
        loop {
            if let Some(result) = self.try_get()? {
                return Ok(result);
            }
            (self.core.waiter)();
        }
    }
}

impl<T: Registered> Drop for Pending<T> {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        match self.core.try_enter() {
            Some(mut conductor) => {
                let cancelled = conductor.cancel(self.correlation_id);
                drop(conductor);
                drop(cancelled);
            }
            None => self.core.defer(Deferred::Cancelled(self.correlation_id)),
        }
    }
}

impl<T: Registered> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("correlation_id", &self.correlation_id)
            .field("is_finished", &self.is_finished)
            .finish_non_exhaustive()
    }
}
