//! The command line of both peers.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::pattern::Plan;

/// Arguments of a peer.
///
/// ```
/// use aileron_interop::cli::{Cli, Command};
/// use clap::Parser as _;
///
/// let cli = Cli::parse_from(["peer", "driver", "--dir", "here", "-Daeron.threading.mode=SHARED"]);
/// let Command::Driver(driver) = cli.command else { panic!("is a driver") };
/// assert_eq!(driver.defines, [("aeron.threading.mode".to_owned(), "SHARED".to_owned())]);
/// ```
#[derive(Debug, Parser)]
#[command(
    about = "a driver or client for the interop tests",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to be.
    #[command(subcommand)]
    pub command: Command,
}

/// What a peer can be.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// A media driver; prints READY, ends with its standard input.
    Driver(DriverArgs),
    /// A publisher of a planned series of messages.
    Publish(PublishArgs),
    /// A subscriber that checks one or more such series.
    Subscribe(SubscribeArgs),
    /// Lists the counters of a driver, one a line.
    Counters(CountersArgs),
    /// Gives a driver commands, one for each line of standard input.
    Commands(CommandsArgs),
    /// A server that answers each client on a stream of its own.
    Respond(RespondArgs),
    /// A client of such a server, which awaits all that it sends.
    Request(RequestArgs),
}

/// Arguments of a media driver.
#[derive(Args, Debug)]
pub struct DriverArgs {
    /// Directory of the driver.
    #[arg(long)]
    pub dir: PathBuf,
    /// Settings, `name=value`.
    #[arg(short = 'D', value_parser = define)]
    pub defines: Vec<(String, String)>,
}

/// The stream to publish or subscribe to.
#[derive(Args, Debug)]
pub struct StreamArgs {
    /// Directory of the driver.
    #[arg(long)]
    pub dir: PathBuf,
    /// Channel URI.
    #[arg(long)]
    pub channel: String,
    /// Stream id.
    #[arg(long, default_value_t = 1001)]
    pub stream: i32,
    /// How many messages to send or await.
    #[arg(long)]
    pub count: u64,
    /// Sizes of the messages in bytes, taken in turn.
    #[arg(long, value_delimiter = ',', required = true)]
    pub sizes: Vec<usize>,
    /// Seconds after which to give up.
    #[arg(long, default_value_t = 60)]
    pub timeout: u64,
}

impl StreamArgs {
    /// The time after which to give up.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Arguments of a publisher.
#[derive(Args, Debug)]
pub struct PublishArgs {
    /// The stream.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// Use an exclusive publication.
    #[arg(long)]
    pub exclusive: bool,
    /// Claim space for messages that fit one fragment, instead of offering them.
    #[arg(long)]
    pub claim: bool,
    /// Seed of the messages.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Do not send before the line `go` comes on standard input.
    #[arg(long)]
    pub gated: bool,
}

impl PublishArgs {
    /// The messages to send.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan::new(self.seed, self.stream.count, self.stream.sizes.clone())
    }
}

/// Arguments of a subscriber.
#[derive(Args, Debug)]
pub struct SubscribeArgs {
    /// The stream.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// Seeds of the publishers to hear.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub seeds: Vec<u64>,
}

impl SubscribeArgs {
    /// The messages to await.
    #[must_use]
    pub fn plans(&self) -> Vec<Plan> {
        let stream = &self.stream;
        self.seeds
            .iter()
            .map(|seed| Plan::new(*seed, stream.count, stream.sizes.clone()))
            .collect()
    }
}

/// Arguments of a reader of counters.
#[derive(Args, Debug)]
pub struct CountersArgs {
    /// Directory of the driver.
    #[arg(long)]
    pub dir: PathBuf,
}

/// Arguments of a client that gives commands.
#[derive(Args, Debug)]
pub struct CommandsArgs {
    /// Directory of the driver.
    #[arg(long)]
    pub dir: PathBuf,
}

/// Where the answers of a server go.
#[derive(Args, Debug)]
pub struct ResponseArgs {
    /// Channel of the answers, in control mode `response`.
    #[arg(long)]
    pub response_channel: String,
    /// Stream id of the answers.
    #[arg(long, default_value_t = 1002)]
    pub response_stream: i32,
}

/// Arguments of a server.
#[derive(Args, Debug)]
pub struct RespondArgs {
    /// Directory of the driver.
    #[arg(long)]
    pub dir: PathBuf,
    /// Channel of the requests.
    #[arg(long)]
    pub channel: String,
    /// Stream id of the requests.
    #[arg(long, default_value_t = 1001)]
    pub stream: i32,
    /// The answers.
    #[command(flatten)]
    pub response: ResponseArgs,
    /// Seconds after which to give up.
    #[arg(long, default_value_t = 60)]
    pub timeout: u64,
}

/// Arguments of a client of a server.
#[derive(Args, Debug)]
pub struct RequestArgs {
    /// The requests.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// The answers.
    #[command(flatten)]
    pub response: ResponseArgs,
    /// Seed of the messages.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl RequestArgs {
    /// The messages to send, and to get back.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan::new(self.seed, self.stream.count, self.stream.sizes.clone())
    }
}

fn define(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("malformed define: {text}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
