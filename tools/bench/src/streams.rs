//! `throughput` and `echo`: aileron alone, through embedded drivers or one that runs already.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::Failure;
use crate::figures::short;
use crate::machine::Machine;
use crate::node::{Aileron, Mode, config};
use crate::work::{Echo, Flood, Pace, Period, Publishers, Sides, echo as echoes, flood};

/// Publish and subscribe as fast as possible.
#[derive(Debug, Args)]
pub(crate) struct ThroughputArguments {
    #[command(flatten)]
    common: Common,

    /// Channel to use; of a network channel each side has a driver of its own
    #[arg(short, long, default_value = "aeron:ipc?term-length=16m")]
    channel: String,

    /// Offers between two duty cycles of an invoked driver
    #[arg(long, default_value_t = 256)]
    batch: usize,

    /// Fragments per poll
    #[arg(long, default_value_t = 256)]
    fragment_limit: usize,
}

/// Measure round trips, in a closed loop or at a fixed rate.
///
/// At a fixed rate latency counts from when a message was due, not from when it could be sent.
#[derive(Debug, Args)]
pub(crate) struct EchoArguments {
    #[command(flatten)]
    common: Common,

    /// Channel of the messages
    #[arg(short, long, default_value = "aeron:udp?endpoint=127.0.0.1:20121")]
    channel: String,

    /// Channel of the replies [default: the same for IPC, else the next port]
    #[arg(long, value_name = "CHANNEL")]
    reply_channel: Option<String>,

    /// Messages per second; without it each follows the reply to the last
    #[arg(short, long)]
    rate: Option<u64>,
}

#[derive(Debug, Args)]
struct Common {
    /// Bytes of a message; at least 8 for round trips
    #[arg(short, long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    length: u32,

    /// Seconds to measure
    #[arg(short, long, default_value_t = 10.0)]
    duration: f64,

    /// Seconds to warm up
    #[arg(short, long, default_value_t = 2.0)]
    warm_up: f64,

    /// How the embedded drivers run
    #[arg(short, long, value_enum, default_value_t = Mode::Invoker)]
    mode: Mode,

    /// Use the driver of this directory instead of embedded ones
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,

    /// Set a property of the embedded drivers, such as -Daeron.mtu.length=8k; may be repeated
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    define: Vec<String>,

    /// Print one line of JSON instead
    #[arg(long)]
    json: bool,
}

impl Common {
    fn period(&self) -> Result<Period, Failure> {
        Ok(Period {
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            duration: Duration::try_from_secs_f64(self.duration)?,
        })
    }

    fn drivers(&self, channel: &str) -> String {
        match &self.dir {
            Some(dir) => format!("external driver at {}", dir.display()),
            None if is_shared(channel) => format!("one embedded driver, {}", self.mode.describe()),
            None => format!("two embedded drivers, {}", self.mode.describe()),
        }
    }

    /// Calls `measure` with the nodes that the arguments ask for.
    fn with_sides<R>(
        &self,
        channel: &str,
        measure: impl FnOnce(&Sides<'_, Aileron>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let mode = self.mode;
        let launch = || Aileron::launch(mode, config(mode, &self.define)?);
        let publisher = || match &self.dir {
            Some(dir) => Aileron::attach(mode, dir),
            None => launch(),
        };
        let subscriber = |directory: &Path| match &self.dir {
            Some(dir) => Aileron::attach(mode, dir),
            None if is_shared(channel) => Aileron::attach(mode, directory),
            None => launch(),
        };
        measure(&Sides {
            publisher: &publisher,
            subscriber: &subscriber,
        })
    }
}

/// Whether both sides must have the same driver.
fn is_shared(channel: &str) -> bool {
    channel.starts_with("aeron:ipc")
}

pub(crate) fn throughput(arguments: &ThroughputArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let flood = Flood {
        channel: arguments.channel.clone(),
        subscriptions: vec![arguments.channel.clone()],
        publishers: Publishers::Exclusive,
        is_assembled: false,
        length: usize::try_from(common.length)?,
        batch: arguments.batch,
        fragment_limit: arguments.fragment_limit,
        period: common.period()?,
    };
    let machine = Machine::detect();
    let length = f64::from(common.length);
    let is_quiet = common.json;
    if !is_quiet {
        println!("{machine}");
        println!(
            "layout:   {}; {} bytes over {}",
            common.drivers(&flood.channel),
            common.length,
            flood.channel
        );
    }
    let mut last = None;
    let rate = common.with_sides(&flood.channel, |sides| {
        flood::flood(sides, &flood, |received| {
            if let Some(last) = last.replace(received)
                && !is_quiet
            {
                println!("{}messages/s", short(to_f64(received - last) / length));
            }
        })
    })?;
    let per_second = rate.per_second();
    if is_quiet {
        let result = json!({
            "machine": machine,
            "drivers": common.drivers(&flood.channel),
            "channel": flood.channel,
            "length": flood.length,
            "messages": rate.messages,
            "seconds": rate.elapsed.as_secs_f64(),
            "messages_per_second": per_second,
            "bytes_per_second": rate.bytes_per_second(),
            "cpu_seconds": rate.cpu.as_secs_f64(),
            "waited_for_cpu": rate.stolen,
        });
        println!("{result}");
    } else {
        println!(
            "{}messages/s, {}B/s of payload; {:.1} % of the time waited for a CPU",
            short(per_second),
            short(rate.bytes_per_second()),
            rate.stolen * 100.0
        );
    }
    Ok(())
}

pub(crate) fn echo(arguments: &EchoArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    if common.length < 8 {
        return Err("a message of a round trip has at least 8 bytes".into());
    }
    let pong_channel = match &arguments.reply_channel {
        Some(channel) => channel.clone(),
        None if is_shared(&arguments.channel) => arguments.channel.clone(),
        None => next_port(&arguments.channel)
            .ok_or("cannot tell the port of --channel: give --reply-channel")?,
    };
    let echo = Echo {
        ping_channel: arguments.channel.clone(),
        pong_channel,
        length: usize::try_from(common.length)?,
        pace: arguments.rate.map_or(Pace::ClosedLoop, Pace::PerSecond),
        companions: 0,
        period: common.period()?,
    };
    let pace = match echo.pace {
        Pace::ClosedLoop => "closed loop".to_owned(),
        Pace::PerSecond(rate) => format!("{rate} per second, counted from when each was due"),
    };
    let machine = Machine::detect();
    if !common.json {
        println!("{machine}");
        println!("layout:   {}", common.drivers(&echo.ping_channel));
        println!(
            "{} bytes over {} and {}, {pace}",
            common.length, echo.ping_channel, echo.pong_channel
        );
    }
    let trips = common.with_sides(&echo.ping_channel, |sides| echoes::echo(sides, &echo))?;
    if common.json {
        let result = json!({
            "machine": machine,
            "drivers": common.drivers(&echo.ping_channel),
            "channel": echo.ping_channel,
            "reply_channel": echo.pong_channel,
            "length": echo.length,
            "pace": pace,
            "unsent": trips.unsent,
            "round_trips": trips.latencies.json(),
            "waited_for_cpu": trips.stolen,
        });
        println!("{result}");
    } else {
        println!("{} round trips, in microseconds:", trips.latencies.count());
        trips.latencies.print();
        if trips.unsent > 0 {
            println!("{} messages that were due could not be sent", trips.unsent);
        }
        println!("{:.1} % of the time waited for a CPU", trips.stolen * 100.0);
    }
    Ok(())
}

/// The channel with the port after that of its endpoint.
fn next_port(channel: &str) -> Option<String> {
    let (before, rest) = channel.split_once("endpoint=")?;
    let end = rest.find('|').unwrap_or(rest.len());
    let (host, port) = rest[..end].rsplit_once(':')?;
    let port = port.parse::<u16>().ok()?.checked_add(1)?;
    Some(format!("{before}endpoint={host}:{port}{}", &rest[end..]))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_go_to_the_next_port() {
        let next = next_port("aeron:udp?endpoint=[::1]:4000|mtu=8k");
        assert_eq!(
            next.as_deref(),
            Some("aeron:udp?endpoint=[::1]:4001|mtu=8k")
        );
        assert_eq!(next_port("aeron:udp?control=localhost:5"), None);
        assert_eq!(next_port("aeron:udp?endpoint=localhost:65535"), None);
    }
}
