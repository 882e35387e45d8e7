//! Messages as fast as they go.

use std::time::Duration;

use crate::Failure;
use crate::node::{Inlet, Node, Outlet};
use crate::work::STREAM;
use crate::work::sides::{self, Sides};
use crate::work::stage::{Period, Stage, Usage, Watch};

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publishers {
    /// The publishing side, on an exclusive publication.
    Exclusive,
    /// The publishing and the subscribing side, on one publication that they share: two threads
    /// that claim from the same tail, and no third one that waits for a CPU.
    TwoShared,
}

/// Messages as fast as they go.
#[derive(Clone, Debug)]
pub(crate) struct Flood {
    /// Channel of the publication.
    pub(crate) channel: String,
    /// Channels of the subscriptions, all of them on the subscribing side.
    pub(crate) subscriptions: Vec<String>,
    pub(crate) publishers: Publishers,
    /// Bytes of a message.
    pub(crate) length: usize,
    /// Offers between two duty cycles of a publishing side.
    pub(crate) batch: usize,
    /// Fragments per poll of the subscribing side.
    pub(crate) fragment_limit: usize,
    /// Whether fragments are joined to messages, which copies them once more.
    pub(crate) is_assembled: bool,
    pub(crate) period: Period,
}

/// What came of a [`Flood`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) messages: u64,
    /// Bytes of all messages.
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// What both threads ran on a CPU in that time.
    pub(crate) cpu: Duration,
    /// Share of the time that the two threads had to wait for a CPU: what others on the machine
    /// took away.
    pub(crate) stolen: f64,
}

impl Rate {
    /// The rate of `bytes` in messages of `length`, by two threads.
    pub(crate) fn new(bytes: u64, length: usize, receiver: Usage, sender: Usage) -> Self {
        let elapsed = receiver.elapsed;
        Self {
            messages: bytes / length as u64,
            bytes,
            elapsed,
            cpu: elapsed.mul_f64(receiver.cpu_share + sender.cpu_share),
            stolen: f64::midpoint(receiver.stolen, sender.stolen),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
    pub(crate) fn per_second(&self) -> f64 {
        self.messages as f64 / self.elapsed.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
    pub(crate) fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.elapsed.as_secs_f64()
    }

    /// Seconds of CPU time of both threads for a gigabyte (10^9 bytes).
    #[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
    pub(crate) fn cpu_seconds_per_gb(&self) -> f64 {
        self.cpu.as_secs_f64() / (self.bytes as f64 / 1e9)
    }
}

/// Sends as fast as it goes. `on_second` is told the bytes received so far, each second.
pub(crate) fn flood<N: Node>(
    sides: &Sides<'_, N>,
    flood: &Flood,
    on_second: impl FnMut(u64),
) -> Result<Rate, Failure> {
    let stage = Stage::new();
    let publish = |node: &mut N| publish(node, flood, &stage);
    let subscribe = |node: &mut N| subscribe(node, flood, &stage);
    let (sender, (bytes, receiver)) =
        sides::run(sides, &stage, flood.period, on_second, publish, subscribe)?;
    Ok(Rate::new(bytes, flood.length, receiver, sender))
}

/// The publishing side.
pub(crate) fn publish<N: Node>(
    node: &mut N,
    flood: &Flood,
    stage: &Stage,
) -> Result<Usage, Failure> {
    match flood.publishers {
        Publishers::Exclusive => {
            let publication = node.add_publication(&flood.channel, STREAM)?;
            publish_to(node, publication, flood, stage)
        }
        Publishers::TwoShared => {
            let publication = node.add_shared_publication(&flood.channel, STREAM)?;
            publish_to(node, publication, flood, stage)
        }
    }
}

fn publish_to<N: Node>(
    node: &mut N,
    mut publication: impl Outlet,
    flood: &Flood,
    stage: &Stage,
) -> Result<Usage, Failure> {
    stage.connect(node, || publication.is_connected())?;
    let message = vec![0x5a; flood.length];
    let mut watch = None;
    while !stage.is_over() {
        let work = offer_batch(&mut publication, &message, flood.batch)? + node.work()?;
        stage.idle(work);
        if watch.is_none() && stage.is_measuring() {
            watch = Some(Watch::start());
        }
    }
    let watch = watch.ok_or("time was over before it began")?;
    Ok(watch.stop())
}

#[inline]
fn offer_batch(
    publication: &mut impl Outlet,
    message: &[u8],
    batch: usize,
) -> Result<usize, Failure> {
    for count in 0..batch {
        if !publication.offer(message)? {
            return Ok(count);
        }
    }
    Ok(batch)
}

/// The subscribing side: the bytes that came in the time measured.
pub(crate) fn subscribe<N: Node>(
    node: &mut N,
    flood: &Flood,
    stage: &Stage,
) -> Result<(u64, Usage), Failure> {
    let mut subscriptions = Vec::new();
    for channel in &flood.subscriptions {
        subscriptions.push(node.add_subscription(channel, STREAM)?);
    }
    let mut own = match flood.publishers {
        Publishers::Exclusive => None,
        Publishers::TwoShared => Some(node.add_shared_publication(&flood.channel, STREAM)?),
    };
    stage.connect(node, || {
        subscriptions.iter().all(Inlet::is_connected)
            && own.as_ref().is_none_or(Outlet::is_connected)
    })?;
    let message = vec![0xa5; flood.length];
    let mut bytes = 0_u64;
    let mut watch = None;
    while !stage.is_over() {
        if let Some(publication) = &mut own {
            offer_batch(publication, &message, flood.batch)?;
        }
        let mut fragments = 0;
        for subscription in &mut subscriptions {
            let mut count = |payload: &[u8]| bytes += payload.len() as u64;
            fragments += if flood.is_assembled {
                subscription.poll_assembled(flood.fragment_limit, &mut count)?
            } else {
                subscription.poll(flood.fragment_limit, &mut count)?
            };
        }
        if fragments > 0 {
            stage.received(bytes);
        }
        stage.idle(fragments + node.work()?);
        if watch.is_none() && stage.is_measuring() {
            watch = Some((Watch::start(), bytes));
        }
    }
    let (watch, before) = watch.ok_or("time was over before it began")?;
    let usage = watch.stop();
    if bytes == before {
        return Err("nothing arrived".into());
    }
    Ok((bytes - before, usage))
}
