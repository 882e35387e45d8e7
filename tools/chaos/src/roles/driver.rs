//! A driver on a directory, with properties.

use std::path::PathBuf;
use std::time::Duration;

use aileron::{DriverConfig, MediaDriver};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{Order, Orders, is_sabotaged, say};

/// Between looks whether an agent has failed.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

/// A media driver.
#[derive(Args, Debug)]
pub(crate) struct Driver {
    /// Directory
    #[arg(long)]
    dir: PathBuf,
    /// A property of the driver
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,
}

impl Driver {
    pub(super) fn play(self) -> Result<(), String> {
        let builder = self
            .define
            .iter()
            .fold(DriverConfig::builder().dir(self.dir), |builder, define| {
                builder.define(define)
            });
        let config = builder.build().map_err(|errors| errors.to_string())?;
        let orders = Orders::listen();
        let driver = MediaDriver::launch(config).map_err(|error| error.to_string())?;
        say("ready");
        let mut has_failed = false;
        let mut leaked = None;
        loop {
            if leaked.is_none() && is_sabotaged("leak") && has_clients(&driver) {
                leaked = std::fs::File::open("/dev/null").ok();
            }
            match orders.wait(LOOK_PERIOD) {
                Order::Over => break,
                Order::None => {}
                Order::Line(line) => obey(&line)?,
            }
            if driver.has_failed() && !has_failed {
                has_failed = true;
                say("violation an agent of the driver has panicked");
            }
        }
        driver.close();
        Ok(())
    }
}

fn has_clients(driver: &MediaDriver) -> bool {
    std::fs::read_dir(driver.directory().join("publications"))
        .is_ok_and(|mut entries| entries.next().is_some())
}

fn obey(line: &str) -> Result<(), String> {
    let count: u64 = line
        .strip_prefix("files ")
        .and_then(|count| count.parse().ok())
        .ok_or_else(|| format!("no such order: {line}"))?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| error.to_string())?;
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as u64;
    let soft = (open + count).min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).map_err(|error| error.to_string())?;
    say("limited");
    Ok(())
}
