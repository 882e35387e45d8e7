//! The two threads that do the work, and the one that watches the clock.
//!
//! ```text
//!  publishing thread     publication, subscription of the replies, its client, its driver
//!  subscribing thread    subscription, publication of the replies, its client, its driver (or none:
//!                        over IPC it is a second client of the publisher's driver)
//!  this thread           sleeps, and says what time it is: connecting, warming up, measuring, over
//! ```
//!
//! Each thread measures by itself when it sees the phase change, so that the watcher's sleep has no
//! part in the figures.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::figures::Latencies;
use crate::machine::thread_times;
use crate::node::{Inlet, Node, Outlet};

/// How long it may take until everybody is connected.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Between looks of the watcher.
const WATCH_PERIOD: Duration = Duration::from_millis(5);
/// Stream of the messages; that of the replies is the next.
const STREAM: i32 = 1001;
/// Stream of the first companion; the others follow.
const FIRST_COMPANION: i32 = 10_000;
/// Companions that are polled between two duty cycles.
const COMPANIONS_PER_CYCLE: usize = 4;

/// How the two sides come to their nodes.
pub(crate) struct Sides<'a, N> {
    /// The publishing side.
    pub(crate) publisher: &'a (dyn Fn() -> Result<N, Failure> + Sync),
    /// The subscribing side, which is told where the publisher's driver is.
    pub(crate) subscriber: &'a (dyn Fn(&Path) -> Result<N, Failure> + Sync),
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// Messages as fast as they go.
#[derive(Clone, Debug)]
pub(crate) struct Flood {
    pub(crate) channel: String,
    /// Bytes of a message.
    pub(crate) length: usize,
    /// Offers between two duty cycles of the publishing side.
    pub(crate) batch: usize,
    /// Fragments per poll of the subscribing side.
    pub(crate) fragment_limit: usize,
    pub(crate) period: Period,
}

/// What came of a [`Flood`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) messages: u64,
    pub(crate) elapsed: Duration,
    /// Share of the time that the two threads had to wait for a CPU: what others on the machine
    /// took away.
    pub(crate) stolen: f64,
}

impl Rate {
    #[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
    pub(crate) fn per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }
}

/// When a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// When the reply to the last one is there.
    ClosedLoop,
    /// At fixed times. Latency counts from the time at which a message was due, so that a stall is
    /// charged to every message that it held up.
    PerSecond(u64),
}

/// Messages there and back.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) ping_channel: String,
    pub(crate) pong_channel: String,
    /// Bytes of a message, at least 8.
    pub(crate) length: usize,
    pub(crate) pace: Pace,
    /// Streams beside the measured ones, from the pinging to the echoing side on the ping channel:
    /// each has a message a second.
    pub(crate) companions: u32,
    pub(crate) period: Period,
}

/// What came of an [`Echo`].
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    pub(crate) latencies: Latencies,
    /// Messages that were due but not sent when time was over.
    pub(crate) unsent: u64,
    pub(crate) stolen: f64,
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Connecting,
    WarmingUp,
    Measuring,
    Over,
}

#[derive(Debug)]
struct Stage {
    phase: AtomicU8,
    ready: AtomicU8,
    subscriber_left: AtomicBool,
    received: Apart<AtomicU64>,
}

/// On cache lines of its own: what one thread writes all the time must not slow down those that read
/// its neighbours.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

impl Stage {
    const fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Connecting as u8),
            ready: AtomicU8::new(0),
            subscriber_left: AtomicBool::new(false),
            received: Apart(AtomicU64::new(0)),
        }
    }

    #[inline]
    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn set(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::Relaxed);
    }

    /// Works until `is_connected`, then until the watcher sees that both sides are.
    fn connect<N: Node>(
        &self,
        node: &mut N,
        is_connected: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        while !is_connected() {
            node.work()?;
            self.check_connecting(start)?;
        }
        self.ready.fetch_add(1, Ordering::Relaxed);
        while self.is(Phase::Connecting) {
            node.work()?;
            self.check_connecting(start)?;
        }
        Ok(())
    }

    fn check_connecting(&self, start: Instant) -> Result<(), Failure> {
        if self.is(Phase::Over) {
            return Err("the other side failed".into());
        }
        if start.elapsed() > CONNECT_TIMEOUT {
            return Err("the two sides do not connect".into());
        }
        thread::yield_now();
        Ok(())
    }

    /// Sets one phase after the other. `on_second` is told the messages received, each second.
    fn watch(&self, period: Period, mut on_second: impl FnMut(u64)) {
        while self.ready.load(Ordering::Relaxed) < 2 && !self.is(Phase::Over) {
            thread::sleep(WATCH_PERIOD);
        }
        self.set(Phase::WarmingUp);
        self.pause(period.warm_up, |_| {});
        self.set(Phase::Measuring);
        self.pause(period.duration, &mut on_second);
        self.set(Phase::Over);
    }

    fn pause(&self, duration: Duration, mut on_second: impl FnMut(u64)) {
        let start = Instant::now();
        let mut seconds = 0;
        while start.elapsed() < duration && !self.is(Phase::Over) {
            thread::sleep(WATCH_PERIOD.min(duration));
            if start.elapsed().as_secs() > seconds {
                seconds = start.elapsed().as_secs();
                on_second(self.received.0.load(Ordering::Relaxed));
            }
        }
    }
}

/// Ends the run when a thread ends, whether well or not.
struct Leave<'a>(&'a Stage);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.set(Phase::Over);
    }
}

/// Tells the publisher that its driver may go.
struct LeaveDriver<'a>(&'a Stage);

impl Drop for LeaveDriver<'_> {
    fn drop(&mut self) {
        self.0.subscriber_left.store(true, Ordering::Release);
    }
}

/// A thread's own stop-watch: time, what it was given of the CPU, and messages.
struct Watch {
    start: Instant,
    times: (u64, u64),
    count: u64,
}

impl Watch {
    fn start(count: u64) -> Self {
        Self {
            start: Instant::now(),
            times: thread_times(),
            count,
        }
    }

    fn stop(&self, count: u64) -> Rate {
        let elapsed = self.start.elapsed();
        let waited_ns = thread_times().1.saturating_sub(self.times.1);
        let stolen = Duration::from_nanos(waited_ns).as_secs_f64() / elapsed.as_secs_f64();
        Rate {
            messages: count - self.count,
            elapsed,
            stolen,
        }
    }
}

/// Runs both sides. Each is given its node and the stage; `publish` returns when the phase is over.
fn run<N: Node, P: Send, S: Send>(
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
            let mut node = (sides.publisher)()?;
            tell.send(node.directory())?;
            let outcome = publish(&mut node);
            stage.set(Phase::Over);
            // The other side may still need the driver.
            let start = Instant::now();
            while !stage.subscriber_left.load(Ordering::Acquire)
                && start.elapsed() < CONNECT_TIMEOUT
            {
                node.work()?;
                thread::yield_now();
            }
            outcome
        })?;
        let subscriber = named("subscriber").spawn_scoped(scope, move || {
            let _leave_driver = LeaveDriver(stage);
            let _leave = Leave(stage);
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

/// Sends as fast as it goes.
pub(crate) fn flood<N: Node>(
    sides: &Sides<'_, N>,
    flood: &Flood,
    on_second: impl FnMut(u64),
) -> Result<Rate, Failure> {
    let stage = Stage::new();
    let publish = |node: &mut N| publish_flood(node, flood, &stage);
    let subscribe = |node: &mut N| subscribe_flood(node, flood, &stage);
    let (stolen, rate) = run(sides, &stage, flood.period, on_second, publish, subscribe)?;
    Ok(Rate {
        stolen: f64::midpoint(stolen, rate.stolen),
        ..rate
    })
}

fn publish_flood<N: Node>(node: &mut N, flood: &Flood, stage: &Stage) -> Result<f64, Failure> {
    let mut publication = node.add_publication(&flood.channel, STREAM)?;
    stage.connect(node, || publication.is_connected())?;
    let message = vec![0x5a; flood.length];
    let mut watch = None;
    while !stage.is(Phase::Over) {
        for _ in 0..flood.batch {
            if !publication.offer(&message)? {
                break;
            }
        }
        node.work()?;
        if watch.is_none() && stage.is(Phase::Measuring) {
            watch = Some(Watch::start(0));
        }
    }
    Ok(watch.map_or(0.0, |watch| watch.stop(0).stolen))
}

fn subscribe_flood<N: Node>(node: &mut N, flood: &Flood, stage: &Stage) -> Result<Rate, Failure> {
    let mut subscription = node.add_subscription(&flood.channel, STREAM)?;
    stage.connect(node, || subscription.is_connected())?;
    let mut count = 0_u64;
    let mut bytes = 0_usize;
    let mut watch = None;
    let messages = |bytes: usize| (bytes / flood.length) as u64;
    while !stage.is(Phase::Over) {
        let fragments =
            subscription.poll(flood.fragment_limit, |payload| bytes += payload.len())?;
        if fragments > 0 {
            count = messages(bytes);
            stage.received.0.store(count, Ordering::Relaxed);
        }
        node.work()?;
        if watch.is_none() && stage.is(Phase::Measuring) {
            watch = Some(Watch::start(count));
        }
    }
    let watch = watch.ok_or("time was over before it began")?;
    let rate = watch.stop(count);
    if rate.messages == 0 {
        return Err("nothing arrived".into());
    }
    Ok(rate)
}

/// Sends messages that come back.
pub(crate) fn echo<N: Node>(sides: &Sides<'_, N>, echo: &Echo) -> Result<RoundTrips, Failure> {
    let stage = Stage::new();
    let ping = |node: &mut N| ping(node, echo, &stage);
    let pong = |node: &mut N| pong(node, echo, &stage);
    let (mut trips, stolen) = run(sides, &stage, echo.period, |_| {}, ping, pong)?;
    trips.stolen = f64::midpoint(trips.stolen, stolen);
    Ok(trips)
}

fn ping<N: Node>(node: &mut N, echo: &Echo, stage: &Stage) -> Result<RoundTrips, Failure> {
    let mut replies = node.add_subscription(&echo.pong_channel, STREAM + 1)?;
    let mut publication = node.add_publication(&echo.ping_channel, STREAM)?;
    let mut companions = companions(echo, |stream| {
        node.add_publication(&echo.ping_channel, stream)
    })?;
    let mut turns = (0..companions.len()).cycle();
    stage.connect(node, || {
        publication.is_connected()
            && replies.is_connected()
            && companions.iter().all(Outlet::is_connected)
    })?;
    let mut companions_schedule = Schedule::new(Pace::PerSecond(u64::from(echo.companions)));
    let mut message = vec![0; echo.length];
    let mut latencies = Latencies::new()?;
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut schedule = Schedule::new(echo.pace);
    let mut watch = None;
    while !stage.is(Phase::Over) {
        if let Some(due) = schedule.due(now()) {
            message[..8].copy_from_slice(&due.to_le_bytes());
            if publication.offer(&message)? {
                schedule.sent();
            }
        }
        if echo.companions > 0
            && companions_schedule.due(now()).is_some()
            && let Some(turn) = turns.next()
        {
            companions[turn].offer(&message)?;
            companions_schedule.sent();
        }
        node.work()?;
        replies.poll(10, |payload| {
            let sent = payload
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            latencies.record(now().saturating_sub(sent));
            schedule.on_reply();
        })?;
        if watch.is_none() && stage.is(Phase::Measuring) {
            watch = Some(Watch::start(0));
            latencies.clear();
        }
    }
    let watch = watch.ok_or("time was over before it began")?;
    if latencies.count() == 0 {
        return Err("nothing came back".into());
    }
    let unsent = schedule.behind(now());
    Ok(RoundTrips {
        latencies,
        unsent,
        stolen: watch.stop(0).stolen,
    })
}

/// What `add` makes of each companion's stream.
fn companions<T>(
    echo: &Echo,
    mut add: impl FnMut(i32) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    (0..i32::try_from(echo.companions)?)
        .map(|n| add(FIRST_COMPANION + n))
        .collect()
}

fn pong<N: Node>(node: &mut N, echo: &Echo, stage: &Stage) -> Result<f64, Failure> {
    let mut subscription = node.add_subscription(&echo.ping_channel, STREAM)?;
    let mut publication = node.add_publication(&echo.pong_channel, STREAM + 1)?;
    let mut companions = companions(echo, |stream| {
        node.add_subscription(&echo.ping_channel, stream)
    })?;
    let mut turns = (0..companions.len()).cycle();
    stage.connect(node, || {
        publication.is_connected()
            && subscription.is_connected()
            && companions.iter().all(Inlet::is_connected)
    })?;
    let mut watch = None;
    let mut waiting: Vec<Vec<u8>> = Vec::new();
    while !stage.is(Phase::Over) {
        let mut outcome = Ok(());
        subscription.poll(10, |payload| {
            // Replies keep their order: once one has to wait, all that follow do.
            let is_sent = waiting.is_empty()
                && publication.offer(payload).unwrap_or_else(|failure| {
                    outcome = Err(failure);
                    false
                });
            if !is_sent {
                waiting.push(payload.to_vec());
            }
        })?;
        outcome?;
        for turn in turns.by_ref().take(COMPANIONS_PER_CYCLE) {
            companions[turn].poll(10, |_| {})?;
        }
        node.work()?;
        for reply in std::mem::take(&mut waiting) {
            while !stage.is(Phase::Over) && !publication.offer(&reply)? {
                node.work()?;
            }
        }
        if watch.is_none() && stage.is(Phase::Measuring) {
            watch = Some(Watch::start(0));
        }
    }
    Ok(watch.map_or(0.0, |watch| watch.stop(0).stolen))
}

/// Says when the next message is due.
#[derive(Debug)]
struct Schedule {
    pace: Pace,
    /// Closed loop: whether a reply is awaited.
    is_waiting: bool,
    /// Fixed rate: messages sent.
    count: u64,
}

impl Schedule {
    const fn new(pace: Pace) -> Self {
        Self {
            pace,
            is_waiting: false,
            count: 0,
        }
    }

    /// Nanoseconds at which the next message was due, if that is not later than `now`.
    fn due(&self, now: u64) -> Option<u64> {
        match self.pace {
            Pace::ClosedLoop => (!self.is_waiting).then_some(now),
            Pace::PerSecond(rate) => {
                let due = u128::from(self.count) * 1_000_000_000 / u128::from(rate.max(1));
                u64::try_from(due).ok().filter(|due| *due <= now)
            }
        }
    }

    const fn sent(&mut self) {
        self.is_waiting = true;
        self.count += 1;
    }

    const fn on_reply(&mut self) {
        self.is_waiting = false;
    }

    /// Messages that should have been sent by now and were not.
    fn behind(&self, now: u64) -> u64 {
        match self.pace {
            Pace::ClosedLoop => 0,
            Pace::PerSecond(rate) => {
                let due = u128::from(now) * u128::from(rate) / 1_000_000_000;
                u64::try_from(due)
                    .unwrap_or(u64::MAX)
                    .saturating_sub(self.count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_rate_messages_are_due_at_fixed_times_whatever_happened_before() {
        let mut schedule = Schedule::new(Pace::PerSecond(1000));
        assert_eq!(schedule.due(5_000_000), Some(0));
        schedule.sent();
        assert_eq!(schedule.due(5_000_000), Some(1_000_000));
        (0..5).for_each(|_| schedule.sent());
        assert_eq!(schedule.due(5_000_000), None);
        assert_eq!(schedule.behind(8_000_000), 2);
    }

    #[test]
    fn in_a_closed_loop_a_message_follows_a_reply() {
        let mut schedule = Schedule::new(Pace::ClosedLoop);
        assert_eq!(schedule.due(7), Some(7));
        schedule.sent();
        assert_eq!(schedule.due(8), None);
        schedule.on_reply();
        assert_eq!(schedule.due(9), Some(9));
    }
}
