//! Messages there and back, in a closed loop or at a fixed rate.

use std::time::Instant;

use crate::Failure;
use crate::figures::Latencies;
use crate::node::{Inlet, Node, Outlet};
use crate::work::STREAM;
use crate::work::schedule::{Pace, Schedule};
use crate::work::sides::{self, Sides};
use crate::work::stage::{Period, Stage, Watch};

/// Stream of the first companion; the others follow.
const FIRST_COMPANION: i32 = 10_000;
/// Companions that are polled between two duty cycles: a thousand, each with a message a second,
/// all have their turn within about half a millisecond.
const COMPANIONS_PER_CYCLE: usize = 1;

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

/// Sends messages that come back.
pub(crate) fn echo<N: Node>(sides: &Sides<'_, N>, echo: &Echo) -> Result<RoundTrips, Failure> {
    let stage = Stage::new();
    let ping = |node: &mut N| ping(node, echo, &stage);
    let pong = |node: &mut N| pong(node, echo, &stage);
    let (mut trips, stolen) = sides::run(sides, &stage, echo.period, |_| {}, ping, pong)?;
    trips.stolen = f64::midpoint(trips.stolen, stolen);
    Ok(trips)
}

/// The side that sends and measures.
pub(crate) fn ping<N: Node>(
    node: &mut N,
    echo: &Echo,
    stage: &Stage,
) -> Result<RoundTrips, Failure> {
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
    while !stage.is_over() {
        if !schedule.is_waiting()
            && let Some(due) = schedule.due(now())
        {
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
        let work = node.work()?;
        let polled = replies.poll(10, |payload| {
            let sent = payload
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            latencies.record(now().saturating_sub(sent));
            schedule.on_reply();
        })?;
        stage.idle(work + polled);
        if watch.is_none() && stage.is_measuring() {
            watch = Some(Watch::start());
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
        stolen: watch.stop().stolen,
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

/// The side that sends back.
pub(crate) fn pong<N: Node>(node: &mut N, echo: &Echo, stage: &Stage) -> Result<f64, Failure> {
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
    while !stage.is_over() {
        let mut outcome = Ok(());
        let polled = subscription.poll(10, |payload| {
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
        stage.idle(polled + node.work()?);
        for reply in std::mem::take(&mut waiting) {
            while !stage.is_over() && !publication.offer(&reply)? {
                node.work()?;
            }
        }
        if watch.is_none() && stage.is_measuring() {
            watch = Some(Watch::start());
        }
    }
    Ok(watch.map_or(0.0, |watch| watch.stop().stolen))
}
