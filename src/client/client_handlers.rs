//! Handlers that come and go while a client runs.

use std::sync::Arc;

use super::{Client, ClientError, CounterEvent, HandlerId};

impl Client {
    /// Adds a handler for counters that any client or the driver adds.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`], or the client is closed.
    pub fn add_available_counter_handler(
        &self,
        handler: impl Fn(&CounterEvent<'_>) + Send + Sync + 'static,
    ) -> Result<HandlerId, ClientError> {
        let mut conductor = self.core().enter()?;
        conductor.ensure_open()?;
        let id = self.handler_id();
        conductor
            .handlers
            .available_counter
            .push((id, Arc::new(handler)));
        Ok(id)
    }

    /// Removes a handler; returns whether it was there.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`].
    pub fn remove_available_counter_handler(&self, id: HandlerId) -> Result<bool, ClientError> {
        Ok(remove(
            &mut self.core().enter()?.handlers.available_counter,
            id,
        ))
    }

    /// Adds a handler for counters that go away.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`], or the client is closed.
    pub fn add_unavailable_counter_handler(
        &self,
        handler: impl Fn(&CounterEvent<'_>) + Send + Sync + 'static,
    ) -> Result<HandlerId, ClientError> {
        let mut conductor = self.core().enter()?;
        conductor.ensure_open()?;
        let id = self.handler_id();
        conductor
            .handlers
            .unavailable_counter
            .push((id, Arc::new(handler)));
        Ok(id)
    }

    /// Removes a handler; returns whether it was there.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`].
    pub fn remove_unavailable_counter_handler(&self, id: HandlerId) -> Result<bool, ClientError> {
        Ok(remove(
            &mut self.core().enter()?.handlers.unavailable_counter,
            id,
        ))
    }

    /// Adds a handler to be called when the client has closed.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`], or the client is closed.
    pub fn add_close_handler(
        &self,
        handler: impl FnOnce() + Send + 'static,
    ) -> Result<HandlerId, ClientError> {
        let mut conductor = self.core().enter()?;
        conductor.ensure_open()?;
        let id = self.handler_id();
        conductor.handlers.close.push((id, Box::new(handler)));
        Ok(id)
    }

    /// Removes a handler; returns whether it was there.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`].
    pub fn remove_close_handler(&self, id: HandlerId) -> Result<bool, ClientError> {
        Ok(remove(&mut self.core().enter()?.handlers.close, id))
    }

    fn handler_id(&self) -> HandlerId {
        HandlerId(self.core().proxy.next_correlation_id().get())
    }
}

fn remove<H>(handlers: &mut Vec<(HandlerId, H)>, id: HandlerId) -> bool {
    let at = handlers.iter().position(|(other, _)| *other == id);
    at.map(|at| handlers.remove(at)).is_some()
}
