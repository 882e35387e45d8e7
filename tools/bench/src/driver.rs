//! A driver in a process of its own, which lives until its standard input ends.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use aileron::runtime::{default_directory, is_driver_active};
use aileron::{DriverConfig, MediaDriver};
use clap::Args;

use crate::Failure;
use crate::scenario::{Driver, System};

/// How long a driver may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(15);
/// A heartbeat is not older than this.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// Run a driver until standard input ends (what measurements with a driver apart call).
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Whose driver
    #[arg(long, value_enum)]
    system: System,

    /// Its aeron directory
    #[arg(long)]
    dir: PathBuf,
}

/// In the process of the driver. Its settings come from the environment.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match arguments.system.driver()? {
        Driver::Aileron => {
            let dir = arguments.dir.display();
            let config = DriverConfig::builder()
                .environment(std::env::vars_os().filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                }))
                .define(&format!("aeron.dir={dir}"))
                .define("aeron.dir.delete.on.start=true")
                .define("aeron.dir.delete.on.shutdown=true")
                .build()?;
            let driver = MediaDriver::launch(config)?;
            wait_for_end()?;
            driver.close();
            Ok(())
        }
        Driver::AeronC => aeron_c(&arguments.dir),
    }
}

fn wait_for_end() -> Result<(), Failure> {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[cfg(feature = "peers")]
fn aeron_c(directory: &Path) -> Result<(), Failure> {
    let driver = crate::peers::aeron_c::launch_threads(directory)?;
    wait_for_end()?;
    drop(driver);
    Ok(())
}

#[cfg(not(feature = "peers"))]
fn aeron_c(_: &Path) -> Result<(), Failure> {
    Err("built without Aeron C: build with `--features peers`".into())
}

/// The process of a driver, ended when this is dropped.
pub(crate) struct DriverProcess {
    child: Child,
    input: Option<ChildStdin>,
    directory: PathBuf,
}

impl DriverProcess {
    /// Starts a driver and waits until clients can connect.
    pub(crate) fn start(
        system: System,
        name: &str,
        environment: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let mut directory = default_directory().into_os_string();
        directory.push(format!("-bench-{}-{name}", std::process::id()));
        let directory = PathBuf::from(directory);
        let mut child = Command::new(std::env::current_exe()?)
            .args(["driver", "--system", &system.argument(), "--dir"])
            .arg(&directory)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let input = child.stdin.take();
        let mut driver = Self {
            child,
            input,
            directory,
        };
        let start = Instant::now();
        while !is_driver_active(&driver.directory, HEARTBEAT_TIMEOUT) {
            if let Some(status) = driver.child.try_wait()? {
                return Err(format!("the driver ended with {status}").into());
            }
            if start.elapsed() > START_TIMEOUT {
                return Err("the driver does not start".into());
            }
            std::thread::yield_now();
        }
        Ok(driver)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends by itself; what is left of it is gone with this process.
        let _ = self.child.wait();
    }
}
