//! The layout of three processes: a driver (over UDP two, as on two machines), a publisher and a
//! subscriber. The driver runs on one thread, waits with the backoff strategy, and has the CPUs to
//! share with the others, who yield when they have nothing to do.
//!
//! ```text
//!  this process                    publisher or subscriber
//!    starts driver(s) and sides      connects, then prints "ready"
//!    "warm-up", "measure", "over" ▸  reads what time it is on standard input
//!                                  ◂ prints what it saw, as JSON
//! ```

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::driver::DriverProcess;
use crate::figures::Latencies;
use crate::measure::{self, Measured, flooded, trips};
use crate::node::Node;
use crate::scenario::{Driver, Medium, Scenario, System, Work, find};
use crate::settings::Settings;
use crate::work::stage::{Leave, Phase, Stage, Usage};
use crate::work::{Echo, Flood, Rate, RoundTrips, echo, flood};

/// How the drivers run.
const DRIVERS: [(&str, &str); 2] = [
    ("AERON_THREADING_MODE", "SHARED"),
    ("AERON_TERM_BUFFER_SPARSE_FILE", "false"),
];

/// Which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    Publisher,
    Subscriber,
}

/// Be the publisher or the subscriber of a measurement (what measurements of three processes call).
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    role: Role,

    #[arg(long)]
    scenario: String,

    #[arg(long, value_enum)]
    system: System,

    /// The aeron directory of its driver
    #[arg(long)]
    dir: PathBuf,

    /// Channel of the publication, or of the messages that go out
    #[arg(long)]
    channel: String,

    /// Channels of the subscriptions, or of the messages that come back
    #[arg(long)]
    other_channel: Vec<String>,

    #[command(flatten)]
    settings: Settings,
}

/// What a side saw.
#[derive(Debug, Serialize, Deserialize)]
enum Seen {
    Sent(Usage),
    Received(u64, Usage),
    /// Microseconds are made of this histogram; messages that were not sent; share of waiting.
    Trips(Vec<u8>, u64, f64),
    Echoed(f64),
}

/// In the process of a side.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let scenario = find(&arguments.scenario)?;
    let seen = match arguments.system.driver()? {
        Driver::Aileron => side(arguments, &scenario, measure::attach_aileron),
        Driver::AeronC => side(arguments, &scenario, measure::attach_aeron_c),
    }?;
    println!("{}", serde_json::to_string(&seen)?);
    Ok(())
}

fn side<N: Node>(
    arguments: &Arguments,
    scenario: &Scenario,
    attach: impl FnOnce(&Path) -> Result<N, Failure> + Send,
) -> Result<Seen, Failure> {
    let stage = Stage::yielding();
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let _leave = Leave(&stage);
            let mut node = attach(&arguments.dir)?;
            work(&mut node, arguments, scenario, &stage)
        });
        stage.wait_for(1);
        println!("ready");
        for line in std::io::stdin().lines() {
            match line?.as_str() {
                "warm-up" => stage.set(Phase::WarmingUp),
                "measure" => stage.set(Phase::Measuring),
                _ => break,
            }
        }
        stage.set(Phase::Over);
        worker.join().map_err(|_| "the measuring thread panicked")?
    })
}

fn work<N: Node>(
    node: &mut N,
    arguments: &Arguments,
    scenario: &Scenario,
    stage: &Stage,
) -> Result<Seen, Failure> {
    let (settings, channel) = (&arguments.settings, arguments.channel.clone());
    if let Work::Echo { .. } = scenario.work {
        let pong_channel = arguments.other_channel.first().cloned();
        let echo = Echo {
            ping_channel: channel,
            pong_channel: pong_channel.ok_or("no channel to come back on")?,
            ..measure::echo_of(scenario, settings)?
        };
        if arguments.role == Role::Subscriber {
            return Ok(Seen::Echoed(echo::pong(node, &echo, stage)?));
        }
        let trips = echo::ping(node, &echo, stage)?;
        let histogram = trips.latencies.serialize()?;
        return Ok(Seen::Trips(histogram, trips.unsent, trips.stolen));
    }
    let flood = Flood {
        channel,
        subscriptions: arguments.other_channel.clone(),
        ..measure::flood_of(scenario, settings)?
    };
    if arguments.role == Role::Publisher {
        return Ok(Seen::Sent(flood::publish(node, &flood, stage)?));
    }
    let (bytes, usage) = flood::subscribe(node, &flood, stage)?;
    Ok(Seen::Received(bytes, usage))
}

/// Lets processes of their own measure `system` in `scenario`.
pub(crate) fn measure(
    scenario: &Scenario,
    system: System,
    settings: &Settings,
) -> Result<Measured, Failure> {
    let medium = scenario.work.medium().ok_or("nothing is sent")?;
    let driver = DriverProcess::start(system, "publisher", &DRIVERS)?;
    let other_driver = match medium {
        Medium::Ipc => None,
        Medium::Udp | Medium::LossyUdp | Medium::Destinations(_) => {
            Some(DriverProcess::start(system, "subscriber", &DRIVERS)?)
        }
    };
    let (channel, subscriptions) = settings.channels(medium)?;
    let other_channels = match scenario.work {
        Work::Echo { .. } => vec![settings.channels(medium)?.0],
        Work::Flood { .. } | Work::Footprint(_) => subscriptions,
    };
    let start = |role: &str, driver: &DriverProcess| {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["side", "--role", role, "--scenario", &scenario.name])
            .args(["--system", &system.argument(), "--channel", &channel])
            .arg("--dir")
            .arg(driver.directory())
            .args(settings.arguments());
        for channel in &other_channels {
            command.args(["--other-channel", channel]);
        }
        Side::start(command)
    };
    let mut publisher = start("publisher", &driver)?;
    let mut subscriber = start("subscriber", other_driver.as_ref().unwrap_or(&driver))?;
    for side in [&mut publisher, &mut subscriber] {
        side.wait_until_ready()?;
    }
    let period = settings.period()?;
    let mut tell = |word: &str| -> Result<(), Failure> {
        publisher.tell(word)?;
        subscriber.tell(word)
    };
    tell("warm-up")?;
    thread::sleep(period.warm_up);
    tell("measure")?;
    thread::sleep(period.duration);
    tell("over")?;
    match (publisher.finish()?, subscriber.finish()?) {
        (Seen::Sent(sender), Seen::Received(bytes, receiver)) => {
            let rate = Rate::new(bytes, scenario.length, receiver, sender);
            Ok(flooded(&rate))
        }
        (Seen::Trips(histogram, unsent, stolen), Seen::Echoed(other)) => Ok(trips(RoundTrips {
            latencies: Latencies::deserialize(&histogram)?,
            unsent,
            stolen: f64::midpoint(stolen, other),
        })),
        _ => Err("the sides did different work".into()),
    }
}

/// The process of a publisher or subscriber.
struct Side {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Side {
    fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take().ok_or("the child has no input")?;
        let output = child.stdout.take().ok_or("the child has no output")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.trim() == "ready" {
            return Ok(());
        }
        Err("a side ended before it was ready".into())
    }

    fn tell(&mut self, word: &str) -> Result<(), Failure> {
        writeln!(self.input, "{word}")?;
        Ok(self.input.flush()?)
    }

    fn finish(mut self) -> Result<Seen, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("a side ended with {status}").into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}
