//! What the examples share: the connection arguments, stopping on Ctrl-C, and waiting politely.
#![allow(
    clippy::allow_attributes,
    dead_code,
    reason = "each example uses a part of it"
)]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aileron::driver::config::ThreadingMode;
use aileron::runtime::Idler;
use aileron::{Client, Context, DriverConfig, MediaDriver};

/// Result of an example's `main`: errors are shown to the person who ran it.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Which driver to use.
#[derive(Debug, clap::Args)]
pub(crate) struct Connection {
    /// Run a media driver inside this process instead of using one that runs already
    #[arg(long)]
    pub(crate) embedded: bool,

    /// Aeron directory of the running driver [default: $AERON_DIR or /dev/shm/aeron-<user>]
    #[arg(long, value_name = "PATH", conflicts_with = "embedded")]
    pub(crate) dir: Option<PathBuf>,
}

/// A client, and the embedded driver if there is one. Fields are dropped in this order.
#[derive(Debug)]
pub(crate) struct Session {
    /// The client.
    pub(crate) client: Client,
    driver: Option<MediaDriver>,
}

impl Connection {
    /// Connects to the driver that the arguments name.
    pub(crate) fn open(&self) -> Result<Session, Box<dyn Error>> {
        if self.embedded {
            return embedded();
        }
        let mut context = Context::new();
        if let Some(dir) = &self.dir {
            context = context.dir(dir);
        }
        Ok(Session {
            client: context.connect()?,
            driver: None,
        })
    }
}

/// A client of an embedded driver that runs on one thread.
pub(crate) fn embedded() -> Result<Session, Box<dyn Error>> {
    let config = DriverConfig::builder()
        .threading_mode(ThreadingMode::Shared)
        .build()?;
    let driver = MediaDriver::launch_embedded(config)?;
    let client = Context::new().dir(driver.directory()).connect()?;
    Ok(Session {
        client,
        driver: Some(driver),
    })
}

/// A flag that turns false on Ctrl-C or SIGTERM.
pub(crate) fn running() -> Result<Running, Box<dyn Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(Running(stop))
}

/// See [`running`].
#[derive(Clone, Debug)]
pub(crate) struct Running(Arc<AtomicBool>);

impl Running {
    /// Whether to go on.
    pub(crate) fn goes_on(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// Calls `step` until it says that it is done (`true`) or the person wants to stop. Returns
    /// whether it was done.
    pub(crate) fn wait_until(&self, mut step: impl FnMut() -> bool) -> bool {
        let mut idler = Idler::backoff();
        while self.goes_on() {
            if step() {
                return true;
            }
            idler.idle(0);
        }
        false
    }
}
