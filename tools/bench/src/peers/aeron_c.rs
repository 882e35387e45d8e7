//! The C implementation of Aeron as a [`Node`]: driver and client, both invoked.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusteron_media_driver::{
    Aeron, AeronAvailableImageLogger, AeronCError, AeronContext, AeronDriver, AeronDriverContext,
    AeronExclusivePublication, AeronFragmentClosureAssembler, AeronOfferError, AeronPublication,
    AeronSubscription, AeronUnavailableImageLogger, Handler,
};

use rusteron_media_driver::bindings::aeron_threading_mode_t;

use crate::Failure;
use crate::node::{Inlet, Node, Outlet};

/// How long a driver may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// A side of Aeron C's. The client goes before the driver.
pub(crate) struct AeronC {
    client: Aeron,
    directory: PathBuf,
    driver: Option<AeronDriver>,
}

impl AeronC {
    /// A client with an embedded driver of its own, in `directory`.
    pub(crate) fn launch(directory: &Path) -> Result<Self, Failure> {
        let context = AeronDriverContext::new().map_err(failure)?;
        context.set_dir(&c_string(directory)?).map_err(failure)?;
        context.set_dir_delete_on_start(true).map_err(failure)?;
        context.set_dir_delete_on_shutdown(true).map_err(failure)?;
        context
            .set_threading_mode(aeron_threading_mode_t::AERON_THREADING_MODE_INVOKER)
            .map_err(failure)?;
        context
            .set_term_buffer_sparse_file(false)
            .map_err(failure)?;
        let driver = AeronDriver::new(&context).map_err(failure)?;
        driver.start(true).map_err(failure)?;
        // The client waits for the driver's first heartbeat.
        driver.main_do_work().map_err(failure)?;
        Self::connect(directory, Some(driver))
    }

    /// A client of the driver in `directory`.
    pub(crate) fn attach(directory: &Path) -> Result<Self, Failure> {
        Self::connect(directory, None)
    }

    fn connect(directory: &Path, driver: Option<AeronDriver>) -> Result<Self, Failure> {
        let context = AeronContext::new().map_err(failure)?;
        context.set_dir(&c_string(directory)?).map_err(failure)?;
        context
            .set_use_conductor_agent_invoker(true)
            .map_err(failure)?;
        context.set_pre_touch_mapped_memory(true).map_err(failure)?;
        context
            .set_error_handler(Some(|code: i32, text: &str| {
                eprintln!("Aeron C: {code} {text}");
            }))
            .map_err(failure)?;
        let client = Aeron::new(&context).map_err(failure)?;
        client.start().map_err(failure)?;
        Ok(Self {
            client,
            directory: directory.to_owned(),
            driver,
        })
    }

    fn wait<T>(&mut self, poll: impl Fn() -> Result<Option<T>, AeronCError>) -> Result<T, Failure> {
        let start = Instant::now();
        loop {
            if let Some(added) = poll().map_err(failure)? {
                return Ok(added);
            }
            self.work()?;
            if start.elapsed() > ANSWER_TIMEOUT {
                return Err("the C driver does not answer".into());
            }
        }
    }
}

impl Node for AeronC {
    type Publication = AeronExclusivePublication;
    type SharedPublication = AeronPublication;
    type Subscription = Assembling;

    fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    #[inline]
    fn work(&mut self) -> Result<usize, Failure> {
        let mut work = self.client.main_do_work().map_err(failure)?;
        if let Some(driver) = &self.driver {
            work += driver.main_do_work().map_err(failure)?;
        }
        Ok(usize::try_from(work).unwrap_or(0))
    }

    fn add_publication(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> Result<AeronExclusivePublication, Failure> {
        let channel = CString::new(channel)?;
        let pending = self
            .client
            .async_add_exclusive_publication(&channel, stream)
            .map_err(failure)?;
        self.wait(|| pending.poll())
    }

    fn add_shared_publication(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> Result<AeronPublication, Failure> {
        let channel = CString::new(channel)?;
        let pending = self
            .client
            .async_add_publication(&channel, stream)
            .map_err(failure)?;
        self.wait(|| pending.poll())
    }

    fn add_subscription(&mut self, channel: &str, stream: i32) -> Result<Assembling, Failure> {
        let channel = CString::new(channel)?;
        let pending = self
            .client
            .async_add_subscription(
                &channel,
                stream,
                None::<&Handler<AeronAvailableImageLogger>>,
                None::<&Handler<AeronUnavailableImageLogger>>,
            )
            .map_err(failure)?;
        Ok(Assembling {
            subscription: self.wait(|| pending.poll())?,
            assembler: AeronFragmentClosureAssembler::new().map_err(failure)?,
        })
    }
}

/// A subscription of Aeron C with what joins its fragments.
pub(crate) struct Assembling {
    subscription: AeronSubscription,
    assembler: AeronFragmentClosureAssembler,
}

impl Outlet for AeronExclusivePublication {
    fn is_connected(&self) -> bool {
        Self::is_connected(self)
    }

    #[inline]
    fn offer(&mut self, message: &[u8]) -> Result<bool, Failure> {
        offered(Self::offer(self, message))
    }
}

impl Outlet for AeronPublication {
    fn is_connected(&self) -> bool {
        Self::is_connected(self)
    }

    #[inline]
    fn offer(&mut self, message: &[u8]) -> Result<bool, Failure> {
        offered(Self::offer(self, message))
    }
}

#[inline]
fn offered(outcome: Result<i64, AeronOfferError>) -> Result<bool, Failure> {
    match outcome {
        Ok(_) => Ok(true),
        Err(
            AeronOfferError::BackPressured
            | AeronOfferError::AdminAction
            | AeronOfferError::NotConnected,
        ) => Ok(false),
        Err(other) => Err(format!("offer failed: {other:?}").into()),
    }
}

impl Inlet for Assembling {
    fn is_connected(&self) -> bool {
        self.subscription.is_connected()
    }

    #[inline]
    fn poll(&mut self, limit: usize, mut handler: impl FnMut(&[u8])) -> Result<usize, Failure> {
        let polled = self
            .subscription
            .poll_fn(|payload: &[u8], _| handler(payload), limit)
            .map_err(failure)?;
        Ok(usize::try_from(polled).unwrap_or(0))
    }

    #[inline]
    fn poll_assembled(
        &mut self,
        limit: usize,
        mut handler: impl FnMut(&[u8]),
    ) -> Result<usize, Failure> {
        let polled = self
            .assembler
            .poll(
                &self.subscription,
                &mut handler,
                |handler, message, _| handler(message),
                limit,
            )
            .map_err(failure)?;
        Ok(usize::try_from(polled).unwrap_or(0))
    }
}

fn c_string(path: &Path) -> Result<CString, Failure> {
    Ok(CString::new(path.to_string_lossy().as_bytes())?)
}

fn failure(error: AeronCError) -> Failure {
    error.to_string().replace('\n', " | ").into()
}

/// A driver with threads of its own, as the environment says.
pub(crate) fn launch_threads(directory: &Path) -> Result<AeronDriver, Failure> {
    let context = AeronDriverContext::new().map_err(failure)?;
    context.set_dir(&c_string(directory)?).map_err(failure)?;
    context.set_dir_delete_on_start(true).map_err(failure)?;
    context.set_dir_delete_on_shutdown(true).map_err(failure)?;
    let driver = AeronDriver::new(&context).map_err(failure)?;
    driver.start(false).map_err(failure)?;
    Ok(driver)
}

/// A directory for a driver of this process.
pub(crate) fn directory(side: &str) -> PathBuf {
    let mut name = aileron::runtime::default_directory().into_os_string();
    name.push(format!("-bench-c-{}-{side}", std::process::id()));
    name.into()
}
