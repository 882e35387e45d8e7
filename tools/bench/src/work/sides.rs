//! The two threads that do the work, and the one that watches the clock.
//!
//! ```text
//!  publishing thread     publication, subscription of the replies, its client, its driver
//!  subscribing thread    subscription, publication of the replies, its client, its driver (none
//!                        over IPC: it is a second client of the publisher's driver)
//!  this thread           sleeps, and says what time it is: connecting, warming up, measuring, over
//! ```

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::Failure;
use crate::machine::pin_to_cpu;
use crate::node::Node;
use crate::work::stage::{CONNECT_TIMEOUT, Leave, LeaveDriver, Period, Phase, Stage};

/// How the two sides come to their nodes.
pub(crate) struct Sides<'a, N> {
    /// The publishing side.
    pub(crate) publisher: &'a (dyn Fn() -> Result<N, Failure> + Sync),
    /// The subscribing side, which is told where the publisher's driver is.
    pub(crate) subscriber: &'a (dyn Fn(&Path) -> Result<N, Failure> + Sync),
}

/// Runs both sides. Each is given its node and the stage; `publish` returns when the phase is over.
pub(crate) fn run<N: Node, P: Send, S: Send>(
    sides: &Sides<'_, N>,
    stage: &Stage,
    period: Period,
    on_second: impl FnMut(u64),
    publish: impl FnOnce(&mut N) -> Result<P, Failure> + Send,
    subscribe: impl FnOnce(&mut N) -> Result<S, Failure> + Send,
) -> Result<(P, S), Failure> {
    let (tell, told) = mpsc::channel::<PathBuf>();
    thread::scope(|scope| {
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let publisher = named("publisher").spawn_scoped(scope, move || {
            let _leave = Leave(stage);
            pin_to_cpu(0);
            let mut node = (sides.publisher)()?;
            tell.send(node.directory())?;
            let outcome = publish(&mut node);
            stage.set(Phase::Over);
            // The other side may still need the driver.
            let start = Instant::now();
            while !stage.subscriber_left() && start.elapsed() < CONNECT_TIMEOUT {
                node.work()?;
                thread::yield_now();
            }
            outcome
        })?;
        let subscriber = named("subscriber").spawn_scoped(scope, move || {
            let _leave_driver = LeaveDriver(stage);
            let _leave = Leave(stage);
            pin_to_cpu(1);
            let directory = told.recv()?;
            let mut node = (sides.subscriber)(&directory)?;
            subscribe(&mut node)
        })?;
        stage.watch(period, on_second);
        let crashed = |_| Failure::from("a measuring thread panicked");
        let received = subscriber.join().map_err(crashed)?;
        let sent = publisher.join().map_err(crashed)?;
        match (sent, received) {
            (Ok(sent), Ok(received)) => Ok((sent, received)),
            (Err(one), Err(other)) => Err(format!("publisher: {one}; subscriber: {other}").into()),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        }
    })
}
