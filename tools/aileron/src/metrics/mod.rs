//! `aileron metrics`: the figures of a driver for Prometheus and whatever else reads OpenMetrics.
//!
//! The page is built anew for each request from one [`Snapshot`]. Streams are
//! labelled by channel, stream and session as the keys of their counters have them; labels of
//! counters are never taken apart.

mod page;
mod server;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use page::render;
pub use server::{MetricsServer, ServeError};

use crate::cli::{CommandResult, Common, Outcome};
use crate::commands::{print, stop_flag};
use crate::directory::Directory;
use crate::snapshot::Snapshot;

/// Options of `metrics`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on
    #[arg(short, long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,

    /// Print the page once instead of serving it
    #[arg(long)]
    once: bool,
}

/// Serves until asked to stop, or prints once.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    if arguments.once || common.json {
        let directory = common.open()?;
        let snapshot = Snapshot::take(&directory);
        if common.json {
            crate::commands::print_json(&page::to_json(&snapshot))?;
        } else {
            print(&render(&snapshot)?)?;
        }
        return Ok(Outcome::Fine);
    }
    let directory = common.directory();
    let stop = stop_flag()?;
    // A driver that is not there yet, or goes and comes back, is waited for, request by request.
    let opened: Option<Directory> = common.open().ok();
    let server = MetricsServer::start(arguments.listen, &directory)?;
    if opened.is_none() {
        crate::commands::complain(&format!(
            "no driver in {} yet; serving aileron_up 0 until there is",
            directory.display()
        ));
    }
    print(&format!(
        "metrics of {} on http://{}/metrics\n",
        directory.display(),
        server.address()
    ))?;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        crate::commands::pause(std::time::Duration::from_secs(1), &stop);
    }
    drop(server);
    Ok(Outcome::Fine)
}
