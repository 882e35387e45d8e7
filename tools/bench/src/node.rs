//! A driver with a client, or a client of a driver elsewhere: what one side of a measurement is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aileron::client::{ConductorInvoker, Pending, Registered, Subscription};
use aileron::driver::config::ThreadingMode;
use aileron::{
    Client, Context, DriverConfig, DriverInvoker, ExclusivePublication, FragmentAssembler,
    MediaDriver, Publication, StreamId, runtime,
};

use crate::Failure;

/// How long a driver may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// One side of a measurement, used by one thread.
pub(crate) trait Node: Sized {
    type Publication: Outlet;
    type SharedPublication: Outlet;
    type Subscription: Inlet;

    /// Where the driver can be found by the other side.
    fn directory(&self) -> PathBuf;

    /// One duty cycle of whatever has no thread of its own. Returns how much was done.
    fn work(&mut self) -> Result<usize, Failure>;

    fn add_publication(&mut self, channel: &str, stream: i32)
    -> Result<Self::Publication, Failure>;

    fn add_shared_publication(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> Result<Self::SharedPublication, Failure>;

    fn add_subscription(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> Result<Self::Subscription, Failure>;
}

/// A publication.
pub(crate) trait Outlet {
    fn is_connected(&self) -> bool;

    /// Whether the message went in; if not, it may later.
    fn offer(&mut self, message: &[u8]) -> Result<bool, Failure>;
}

/// A subscription.
pub(crate) trait Inlet {
    fn is_connected(&self) -> bool;

    /// Hands up to `limit` fragments to `handler`; returns how many.
    fn poll(&mut self, limit: usize, handler: impl FnMut(&[u8])) -> Result<usize, Failure>;

    /// [`Self::poll`] with `handler` given whole messages.
    fn poll_assembled(
        &mut self,
        limit: usize,
        handler: impl FnMut(&[u8]),
    ) -> Result<usize, Failure>;
}

/// How the drivers of aileron are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// By the threads that publish and subscribe
    Invoker,
    /// On one thread
    Shared,
    /// Sender and receiver on one thread, conductor on another
    SharedNetwork,
    /// Conductor, sender and receiver on threads of their own
    Dedicated,
}

impl Mode {
    const fn threading(self) -> ThreadingMode {
        match self {
            Self::Invoker => ThreadingMode::Invoker,
            Self::Shared => ThreadingMode::Shared,
            Self::SharedNetwork => ThreadingMode::SharedNetwork,
            Self::Dedicated => ThreadingMode::Dedicated,
        }
    }

    /// What happens where, in words.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Invoker => {
                "drivers and clients invoked by the publishing and subscribing threads"
            }
            Self::Shared => "drivers on one thread each",
            Self::SharedNetwork => "drivers on two threads each",
            Self::Dedicated => "drivers on three threads each",
        }
    }
}

/// aileron's driver, if this side has one.
enum Driver {
    Elsewhere(PathBuf),
    Invoked(DriverInvoker),
    Threaded(MediaDriver),
}

/// A side of aileron's.
pub(crate) struct Aileron {
    client: Client,
    invoker: Option<ConductorInvoker>,
    driver: Driver,
}

impl Aileron {
    /// A client with an embedded driver of its own.
    pub(crate) fn launch(mode: Mode, config: DriverConfig) -> Result<Self, Failure> {
        let driver = match mode {
            Mode::Invoker => Driver::Invoked(MediaDriver::invoker(runtime::embedded(config))?),
            Mode::Shared | Mode::SharedNetwork | Mode::Dedicated => {
                Driver::Threaded(MediaDriver::launch_embedded(config)?)
            }
        };
        Self::connect(mode, driver)
    }

    /// A client of a driver elsewhere.
    pub(crate) fn attach(mode: Mode, directory: &Path) -> Result<Self, Failure> {
        Self::connect(mode, Driver::Elsewhere(directory.to_owned()))
    }

    fn connect(mode: Mode, driver: Driver) -> Result<Self, Failure> {
        let context = Context::new().dir(directory_of(&driver)).pre_touch(true);
        if mode == Mode::Invoker {
            let (client, invoker) = context.connect_invoked()?;
            return Ok(Self {
                client,
                invoker: Some(invoker),
                driver,
            });
        }
        let client = context.connect()?;
        Ok(Self {
            client,
            invoker: None,
            driver,
        })
    }

    fn wait<T: Registered>(&mut self, mut pending: Pending<T>) -> Result<T, Failure> {
        let start = Instant::now();
        loop {
            if let Some(added) = pending.try_get()? {
                return Ok(added);
            }
            self.work()?;
            if start.elapsed() > ANSWER_TIMEOUT {
                return Err("the driver does not answer".into());
            }
        }
    }
}

fn directory_of(driver: &Driver) -> &Path {
    match driver {
        Driver::Elsewhere(directory) => directory,
        Driver::Invoked(driver) => driver.directory(),
        Driver::Threaded(driver) => driver.directory(),
    }
}

/// A configuration for measuring: what the environment says, as it does for Aeron C; logs are not
/// sparse, so that no page is missing later.
pub(crate) fn config(mode: Mode, set: &[String]) -> Result<DriverConfig, Failure> {
    let mut builder = DriverConfig::builder()
        .environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
        .threading_mode(mode.threading())
        .term_buffer_sparse_file(false);
    for text in set {
        builder = builder.define(text);
    }
    Ok(builder.build()?)
}

/// A subscription of aileron's with what joins its fragments.
#[derive(Debug)]
pub(crate) struct Assembling {
    pub(crate) subscription: Subscription,
    assembler: FragmentAssembler,
}

impl Node for Aileron {
    type Publication = ExclusivePublication;
    type SharedPublication = Publication;
    type Subscription = Assembling;

    fn directory(&self) -> PathBuf {
        directory_of(&self.driver).to_owned()
    }

    #[inline]
    fn work(&mut self) -> Result<usize, Failure> {
        let mut work = 0;
        if let Some(invoker) = &mut self.invoker {
            work += invoker.do_work();
            if invoker.is_closed() {
                return Err("the client was closed".into());
            }
        }
        if let Driver::Invoked(driver) = &mut self.driver {
            work += driver.do_work();
        }
        Ok(work)
    }

    fn add_publication(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> Result<ExclusivePublication, Failure> {
        let pending = self
            .client
            .add_exclusive_publication_async(channel, StreamId(stream))?;
        self.wait(pending)
    }

    fn add_shared_publication(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> Result<Publication, Failure> {
        let pending = self
            .client
            .add_publication_async(channel, StreamId(stream))?;
        self.wait(pending)
    }

    fn add_subscription(&mut self, channel: &str, stream: i32) -> Result<Assembling, Failure> {
        let pending = self
            .client
            .add_subscription_async(channel, StreamId(stream))?;
        Ok(Assembling {
            subscription: self.wait(pending)?,
            assembler: FragmentAssembler::new(),
        })
    }
}

impl Outlet for ExclusivePublication {
    fn is_connected(&self) -> bool {
        Self::is_connected(self)
    }

    #[inline]
    fn offer(&mut self, message: &[u8]) -> Result<bool, Failure> {
        match Self::offer(self, message) {
            Ok(_) => Ok(true),
            Err(error) if error.is_retryable() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Outlet for Publication {
    fn is_connected(&self) -> bool {
        Self::is_connected(self)
    }

    #[inline]
    fn offer(&mut self, message: &[u8]) -> Result<bool, Failure> {
        match Self::offer(self, message) {
            Ok(_) => Ok(true),
            Err(error) if error.is_retryable() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Inlet for Assembling {
    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut handler: impl FnMut(&[u8])) -> Result<usize, Failure> {
        let polled = self.subscription.poll(limit, |payload, _| handler(payload));
        Ok(polled)
    }

    #[inline]
    fn poll_assembled(
        &mut self,
        limit: usize,
        mut handler: impl FnMut(&[u8]),
    ) -> Result<usize, Failure> {
        let polled = self
            .subscription
            .poll_assembled(&mut self.assembler, limit, |message, _| handler(message));
        Ok(polled)
    }
}

/// A port of the loopback interface that nobody uses at the moment.
pub(crate) fn free_port() -> Result<u16, Failure> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
    Ok(socket.local_addr()?.port())
}
