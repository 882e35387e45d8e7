//! Two threads that do the bare work, each on a CPU of its own, and one that watches the clock.

use std::thread;

use crate::Failure;
use crate::machine::pin_to_cpu;
use crate::work::stage::{Leave, Period, Stage};

/// Runs both until the period is over. Each must call [`Stage::join`] when it is ready.
pub(crate) fn run<P: Send, S: Send>(
    stage: &Stage,
    period: Period,
    publish: impl FnOnce() -> Result<P, Failure> + Send,
    subscribe: impl FnOnce() -> Result<S, Failure> + Send,
) -> Result<(P, S), Failure> {
    thread::scope(|scope| {
        let publisher = scope.spawn(move || {
            let _leave = Leave(stage);
            pin_to_cpu(0);
            publish()
        });
        let subscriber = scope.spawn(move || {
            let _leave = Leave(stage);
            pin_to_cpu(1);
            subscribe()
        });
        stage.watch(period, |_| {});
        let crashed = |_| Failure::from("a measuring thread panicked");
        let received = subscriber.join().map_err(crashed)?;
        let sent = publisher.join().map_err(crashed)?;
        Ok((sent?, received?))
    })
}
