//! iceoryx2 as a [`Node`]: messages in shared memory, with nothing between two ports but queues.
//!
//! It has no driver and no log: a publisher copies each message into a chunk of its own and hands
//! over the chunk. Here a full queue refuses messages, as a publication does.

use std::path::PathBuf;

use iceoryx2::prelude::{
    BackpressureStrategy, LogLevel, NodeBuilder, PortFactory as _, ServiceName, ipc, set_log_level,
};

use crate::Failure;
use crate::node::{Inlet, Node, Outlet};

/// What may wait in the queue of a subscriber, in bytes of messages.
const QUEUED_BYTES: usize = 8 << 20;
/// What may wait in it, in messages.
const QUEUED_MAX: usize = 16_384;
/// The least that may wait in it.
const QUEUED_MIN: usize = 4;

type Service =
    iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, [u8], ()>;

/// A side of iceoryx2's.
pub(crate) struct Iceoryx {
    node: iceoryx2::node::Node<ipc::Service>,
    /// Longest message, in bytes.
    length: usize,
}

impl Iceoryx {
    /// A side for messages of up to `length` bytes.
    pub(crate) fn new(length: usize) -> Result<Self, Failure> {
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new().create::<ipc::Service>();
        let node = node.map_err(|error| format!("no node: {error:?}"))?;
        Ok(Self { node, length })
    }

    fn service(&self, channel: &str, stream: i32) -> Result<Service, Failure> {
        let name = format!("aileron-bench {} {channel} {stream}", std::process::id());
        let name = ServiceName::new(&name).map_err(|error| format!("no name: {error:?}"))?;
        let queued = (QUEUED_BYTES / self.length).clamp(QUEUED_MIN, QUEUED_MAX);
        self.node
            .service_builder(&name)
            .publish_subscribe::<[u8]>()
            .enable_safe_overflow(false)
            .subscriber_max_buffer_size(queued)
            .history_size(0)
            .open_or_create()
            .map_err(|error| format!("no service: {error:?}").into())
    }
}

/// A publisher, with its service.
pub(crate) struct Publisher {
    service: Service,
    port: iceoryx2::port::publisher::Publisher<ipc::Service, [u8], ()>,
}

/// A subscriber, with its service.
pub(crate) struct Subscriber {
    service: Service,
    port: iceoryx2::port::subscriber::Subscriber<ipc::Service, [u8], ()>,
}

impl Node for Iceoryx {
    type Publication = Publisher;
    type SharedPublication = Publisher;
    type Subscription = Subscriber;

    fn directory(&self) -> PathBuf {
        PathBuf::new()
    }

    #[inline]
    fn work(&mut self) -> Result<usize, Failure> {
        Ok(0)
    }

    fn add_publication(&mut self, channel: &str, stream: i32) -> Result<Publisher, Failure> {
        let service = self.service(channel, stream)?;
        let port = service
            .publisher_builder()
            .initial_max_slice_len(self.length)
            .backpressure_strategy(BackpressureStrategy::DiscardData)
            .create()
            .map_err(|error| format!("no publisher: {error:?}"))?;
        Ok(Publisher { service, port })
    }

    fn add_shared_publication(&mut self, channel: &str, stream: i32) -> Result<Publisher, Failure> {
        self.add_publication(channel, stream)
    }

    fn add_subscription(&mut self, channel: &str, stream: i32) -> Result<Subscriber, Failure> {
        let service = self.service(channel, stream)?;
        let port = service
            .subscriber_builder()
            .create()
            .map_err(|error| format!("no subscriber: {error:?}"))?;
        Ok(Subscriber { service, port })
    }
}

impl Outlet for Publisher {
    fn is_connected(&self) -> bool {
        self.service.dynamic_config().number_of_subscribers() > 0
    }

    #[inline]
    fn offer(&mut self, message: &[u8]) -> Result<bool, Failure> {
        let sample = match self.port.loan_slice_uninit(message.len()) {
            Ok(sample) => sample.write_from_slice(message),
            Err(error) => return Err(format!("no loan: {error:?}").into()),
        };
        match sample.send() {
            Ok(receivers) => Ok(receivers > 0),
            Err(iceoryx2::port::SendError::UnableToDeliver) => Ok(false),
            Err(error) => Err(format!("not sent: {error:?}").into()),
        }
    }
}

impl Inlet for Subscriber {
    fn is_connected(&self) -> bool {
        self.service.dynamic_config().number_of_publishers() > 0
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut handler: impl FnMut(&[u8])) -> Result<usize, Failure> {
        for count in 0..limit {
            let sample = self.port.receive();
            match sample.map_err(|error| format!("not received: {error:?}"))? {
                Some(sample) => handler(sample.payload()),
                None => return Ok(count),
            }
        }
        Ok(limit)
    }

    #[inline]
    fn poll_assembled(
        &mut self,
        limit: usize,
        handler: impl FnMut(&[u8]),
    ) -> Result<usize, Failure> {
        self.poll(limit, handler)
    }
}
