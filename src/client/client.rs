//! The application's handle on its client.

use std::fmt;
use std::sync::Arc;

use super::channel::{check_length, checked_channel};
use super::conductor::{ClientConductor, ConductorPorts};
use super::core::Core;
use super::driver_proxy::DriverProxy;
use super::registrations::Awaited;
use super::{
    AddError, ClientConfig, ClientEnvironment, ClientError, ConductorInvoker, ConnectError,
    Counter, ExclusivePublication, IntoChannel, Pending, Publication, Subscription,
    SubscriptionBuilder,
};
use crate::base::{ClientId, CorrelationId, RegistrationId, SessionId, StreamId};
use crate::cnc::CONTROL_PROTOCOL_VERSION;
use crate::cnc::SystemCounter;
use crate::cnc::counter_types::SYSTEM_TYPE_ID;
use crate::command::{
    AddCounter, AddPublication, AddStaticCounter, Command, GetNextAvailableSessionId,
};
use crate::concurrent::{CountersReader, KEY_LENGTH_MAX, LABEL_LENGTH_MAX, Receiver};

/// Ends the client with its last handle.
struct ClientShared {
    core: Arc<Core>,
}

impl Drop for ClientShared {
    fn drop(&mut self) {
        self.core.close();
    }
}

/// A client of a media driver: adds publications, subscriptions and counters. Cloning is cheap and
/// gives another handle on the same client; it ends with the last handle, or with [`Self::close`].
///
/// All methods may be called by any thread. From within a callback those that need the conductor
/// fail with [`ClientError::Reentrant`].
///
/// ```no_run
/// use aileron::base::StreamId;
/// use aileron::client::{Client, ClientConfig};
/// # use aileron::client::ClientEnvironment;
/// # fn demo(environment: ClientEnvironment) -> Result<(), Box<dyn std::error::Error>> {
/// let (client, mut invoker) = Client::new(environment, ClientConfig::default())?;
/// let publication = client.add_publication("aeron:ipc", StreamId(10))?;
/// while !publication.is_connected() {
///     invoker.do_work();
/// }
/// client.close();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<ClientShared>,
}

impl Client {
    /// Makes a client of the driver behind `environment.cnc`. Its conductor has to be driven: by
    /// calling [`ConductorInvoker::do_work`], on a thread of its own or between other things, more
    /// often than the driver's client liveness timeout.
    ///
    /// # Errors
    /// An option is out of range, or the driver's buffers are unusable.
    pub fn new(
        environment: ClientEnvironment,
        config: ClientConfig,
    ) -> Result<(Self, ConductorInvoker), ConnectError> {
        let ClientEnvironment {
            cnc,
            opener,
            clock,
            waiter,
        } = environment;
        let inter_service_timeout_ns = cnc.client_liveness_timeout_ns();
        config.validate_against(inter_service_timeout_ns)?;
        // Before the first command, so that no answer is missed.
        let events = Receiver::new(cnc.to_clients_buffer()).map_err(|error| {
            ConnectError::InvalidOption {
                option: "cnc",
                reason: error.to_string(),
            }
        })?;
        let proxy = DriverProxy::new(cnc.to_driver());
        let counters = cnc.counters();
        let tick = clock.tick();
        let tail = events.tail();
        let core = Core::new(proxy.clone(), counters.clone(), clock, waiter, |core| {
            let ports = ConductorPorts {
                core,
                proxy,
                events,
                counters,
                opener,
                inter_service_timeout_ns,
            };
            ClientConductor::new(ports, config, tick)
        });
        let invoker = ConductorInvoker::new(Arc::clone(&core), tail, tick.now);
        Ok((
            Self {
                shared: Arc::new(ClientShared { core }),
            },
            invoker,
        ))
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.shared.core
    }

    /// Adds a publication, shared with all others of this channel and stream on the driver, and
    /// waits until it is ready.
    ///
    /// # Errors
    /// The driver refused or did not answer in time, its log cannot be mapped, or the client is
    /// closed.
    pub fn add_publication(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> Result<Publication, AddError> {
        self.add_publication_async(channel, stream_id)?.wait()
    }

    /// [`Self::add_publication`] without waiting.
    ///
    /// # Errors
    /// Nothing was sent: the channel is too long, the ring is full, or the client is closed.
    pub fn add_publication_async(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> Result<Pending<Publication>, AddError> {
        let channel = checked_channel(channel)?;
        let awaited = Awaited::Publication {
            channel: channel.clone(),
            is_exclusive: false,
        };
        self.core().submit(awaited, |client_id, correlation_id| {
            let channel = channel.as_str();
            Command::AddPublication(AddPublication {
                client_id,
                correlation_id,
                stream_id,
                channel,
            })
        })
    }

    /// Adds a publication with a session of its own, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Self::add_publication`].
    pub fn add_exclusive_publication(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> Result<ExclusivePublication, AddError> {
        self.add_exclusive_publication_async(channel, stream_id)?
            .wait()
    }

    /// [`Self::add_exclusive_publication`] without waiting.
    ///
    /// # Errors
    /// As [`Self::add_publication_async`].
    pub fn add_exclusive_publication_async(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> Result<Pending<ExclusivePublication>, AddError> {
        let channel = checked_channel(channel)?;
        let awaited = Awaited::Publication {
            channel: channel.clone(),
            is_exclusive: true,
        };
        self.core().submit(awaited, |client_id, correlation_id| {
            let channel = channel.as_str();
            Command::AddExclusivePublication(AddPublication {
                client_id,
                correlation_id,
                stream_id,
                channel,
            })
        })
    }

    /// Adds a subscription with the image handlers of the configuration, and waits until it is
    /// ready.
    ///
    /// # Errors
    /// The driver refused or did not answer in time, or the client is closed.
    pub fn add_subscription(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> Result<Subscription, AddError> {
        self.subscription(channel, stream_id).add()
    }

    /// [`Self::add_subscription`] without waiting.
    ///
    /// # Errors
    /// Nothing was sent: the channel is too long, the ring is full, or the client is closed.
    pub fn add_subscription_async(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> Result<Pending<Subscription>, AddError> {
        self.subscription(channel, stream_id).add_async()
    }

    /// A subscription to be added with image handlers of its own.
    pub fn subscription(
        &self,
        channel: impl IntoChannel,
        stream_id: StreamId,
    ) -> SubscriptionBuilder<'_> {
        SubscriptionBuilder {
            client: self,
            channel: channel.into_channel(),
            stream_id,
            on_available: None,
            on_unavailable: None,
        }
    }

    /// Adds a counter, and waits until it is ready.
    ///
    /// # Errors
    /// The key exceeds [`KEY_LENGTH_MAX`] or the label [`LABEL_LENGTH_MAX`] bytes, the driver
    /// refused or did not answer in time, or the client is closed.
    pub fn add_counter(&self, type_id: i32, key: &[u8], label: &str) -> Result<Counter, AddError> {
        self.add_counter_async(type_id, key, label)?.wait()
    }

    /// [`Self::add_counter`] without waiting.
    ///
    /// # Errors
    /// As [`Self::add_counter`], but for the driver's answer.
    pub fn add_counter_async(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
    ) -> Result<Pending<Counter>, AddError> {
        check_length("key", key.len(), KEY_LENGTH_MAX)?;
        check_length("label", label.len(), LABEL_LENGTH_MAX)?;
        let label = label.as_bytes();
        self.core()
            .submit(Awaited::Counter, |client_id, correlation_id| {
                Command::AddCounter(AddCounter {
                    client_id,
                    correlation_id,
                    type_id,
                    key,
                    label,
                })
            })
    }

    /// Adds a counter that lives as long as the driver, or finds the one of this type and
    /// registration id, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Self::add_counter`]; also if there is such a counter that is not static.
    pub fn add_static_counter(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: RegistrationId,
    ) -> Result<Counter, AddError> {
        self.add_static_counter_async(type_id, key, label, registration_id)?
            .wait()
    }

    /// [`Self::add_static_counter`] without waiting.
    ///
    /// # Errors
    /// As [`Self::add_static_counter`], but for the driver's answer.
    pub fn add_static_counter_async(
        &self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: RegistrationId,
    ) -> Result<Pending<Counter>, AddError> {
        check_length("key", key.len(), KEY_LENGTH_MAX)?;
        check_length("label", label.len(), LABEL_LENGTH_MAX)?;
        let label = label.as_bytes();
        let awaited = Awaited::StaticCounter { registration_id };
        self.core().submit(awaited, |client_id, correlation_id| {
            Command::AddStaticCounter(AddStaticCounter {
                client_id,
                correlation_id,
                registration_id,
                type_id,
                key,
                label,
            })
        })
    }

    /// A session id that no active publication on the stream has, for a channel's `session-id`
    /// parameter. It is not reserved. A driver too old to be asked is not: the id is random then.
    ///
    /// # Errors
    /// The driver did not answer in time, or the client is closed.
    pub fn next_session_id(&self, stream_id: StreamId) -> Result<SessionId, AddError> {
        if self.driver_knows_session_ids() {
            return self.next_session_id_async(stream_id)?.wait();
        }
        let mut conductor = self.core().enter()?;
        conductor.ensure_open()?;
        Ok(SessionId(conductor.rng.next_i32()))
    }

    /// [`Self::next_session_id`] without waiting, for drivers that can be asked.
    ///
    /// # Errors
    /// The driver is too old, or as [`Self::next_session_id`] but for the driver's answer.
    pub fn next_session_id_async(
        &self,
        stream_id: StreamId,
    ) -> Result<Pending<SessionId>, AddError> {
        if !self.driver_knows_session_ids() {
            let reason = "the driver does not hand out session ids".to_owned();
            return Err(AddError::InvalidArgument {
                argument: "driver",
                reason,
            });
        }
        self.core()
            .submit(Awaited::NextSessionId, |client_id, correlation_id| {
                Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
                    client_id,
                    correlation_id,
                    stream_id,
                })
            })
    }

    fn driver_knows_session_ids(&self) -> bool {
        let counters = &self.core().counters;
        let system = SystemCounter::ControlProtocolVersion;
        let id = system.counter_id();
        let registration_id = RegistrationId(i64::from(system.id()));
        counters.type_id(id) == Some(SYSTEM_TYPE_ID)
            && counters.registration_id(id) == Some(registration_id)
            && counters
                .value(id)
                .is_some_and(|version| version >= i64::from(CONTROL_PROTOCOL_VERSION.to_wire()))
    }

    /// The next id of the driver's, unique among all its clients.
    ///
    /// # Errors
    /// The client is closed.
    pub fn next_correlation_id(&self) -> Result<CorrelationId, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        Ok(self.core().proxy.next_correlation_id())
    }

    /// All counters of the driver.
    #[must_use]
    pub fn counters(&self) -> CountersReader {
        self.core().counters.clone()
    }

    /// This client's id at the driver.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.core().proxy.client_id()
    }

    /// Whether the client has ended, by [`Self::close`] or for a reason that the error handler was
    /// told.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core().is_closed()
    }

    /// Why the client ended, if not by [`Self::close`].
    ///
    /// # Errors
    /// [`ClientError::Reentrant`].
    pub fn termination_cause(&self) -> Result<Option<ClientError>, ClientError> {
        Ok(self.core().enter()?.cause().cloned())
    }

    /// Whether the answer to a command is outstanding, the removal of something dropped included.
    /// Services the conductor once if it is.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`], or the client is terminating.
    pub fn is_command_active(&self, id: CorrelationId) -> Result<bool, ClientError> {
        self.query(|conductor| conductor.registrations().is_active(id))
    }

    /// Whether any answer is outstanding. Services the conductor once if so.
    ///
    /// # Errors
    /// [`ClientError::Reentrant`], or the client is terminating.
    pub fn has_active_commands(&self) -> Result<bool, ClientError> {
        self.query(|conductor| conductor.registrations().has_active())
    }

    fn query(&self, ask: impl Fn(&ClientConductor) -> bool) -> Result<bool, ClientError> {
        let mut conductor = self.core().enter()?;
        if conductor.is_terminating() {
            return Err(ClientError::Closed);
        }
        conductor.drain_deferred();
        if ask(&conductor) {
            conductor.do_work(self.core().clock.tick());
        }
        Ok(ask(&conductor))
    }

    /// Ends the client: closes all its resources, runs the handlers, tells the driver, and stops
    /// the conductor's thread if there is one. From within a callback it only asks for this, and it
    /// is done in the conductor's next duty cycle. Does nothing the second time.
    pub fn close(&self) {
        self.core().close();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("client_id", &self.client_id())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
