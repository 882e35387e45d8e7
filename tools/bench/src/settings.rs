//! What both implementations are set to.

use std::time::Duration;

use aileron::uri::parse_size;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::node::free_port;
use crate::scenario::{Medium, Scenario, Work};
use crate::work::Period;

/// Of the loss scenario: one in a hundred of the frames that arrive, of the types padding, data,
/// NAK and status message; both implementations read it.
const LOSS: [(&str, &str); 2] = [
    ("AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS", "loss"),
    (
        "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS",
        "rate=0.01|seed=1|recv-msg-mask=0xF",
    ),
];

/// The largest bursts that both implementations allow: the defaults are smaller, and Aeron C is a
/// little slower with them.
const BURSTS: [(&str, &str); 3] = [
    ("AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND", "16"),
    ("AERON_SENDER_IO_VECTOR_CAPACITY", "16"),
    ("AERON_RECEIVER_IO_VECTOR_CAPACITY", "16"),
];

/// A size such as 64k.
pub(crate) fn bytes(text: &str) -> Result<usize, Failure> {
    let size = parse_size(text).ok_or_else(|| format!("{text} is not a size such as 64k"))?;
    Ok(usize::try_from(size)?)
}

/// Settings of the measurements, the same for all systems.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Seconds that each measurement takes
    #[arg(short, long, default_value_t = 1.0)]
    pub(crate) duration: f64,

    /// Seconds to warm up before each
    #[arg(short, long, default_value_t = 0.4)]
    pub(crate) warm_up: f64,

    /// Term length of IPC logs
    #[arg(long, default_value = "16m")]
    pub(crate) ipc_term_length: String,

    /// Term length of the logs of network streams
    #[arg(long, default_value = "16m")]
    pub(crate) term_length: String,

    /// Receiver window and socket buffers of network channels
    #[arg(long, default_value = "2m")]
    pub(crate) window: String,

    /// Longest datagram, and longest frame of an IPC log
    #[arg(long, default_value = "1408")]
    pub(crate) mtu: String,

    /// Bytes that are offered between two duty cycles of the publishing side, at least one message
    #[arg(long, default_value_t = 65_536)]
    pub(crate) cycle: usize,

    /// Fragments per poll of the subscribing side
    #[arg(long, default_value_t = 256)]
    pub(crate) fragment_limit: usize,

    /// Environment of all drivers, such as -D AERON_SENDER_IO_VECTOR_CAPACITY=16; may be repeated
    #[arg(short = 'D', value_name = "NAME=VALUE")]
    pub(crate) define: Vec<String>,
}

impl Settings {
    pub(crate) fn period(&self) -> Result<Period, Failure> {
        Ok(Period {
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            duration: Duration::try_from_secs_f64(self.duration)?,
        })
    }

    /// Offers between two duty cycles for messages of `length` bytes.
    pub(crate) const fn batch(&self, length: usize) -> usize {
        let frame = (length + 32).next_multiple_of(32);
        match self.cycle / frame {
            0 => 1,
            batch => batch,
        }
    }

    /// What goes into the environment of a process that measures `scenario`.
    pub(crate) fn environment(&self, scenario: &Scenario) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut variables: Vec<_> = match scenario.work {
            // A driver's footprint is that with the settings that it comes with.
            Work::Footprint(_) => Vec::new(),
            Work::Flood { .. } | Work::Echo { .. } => BURSTS.map(owned).to_vec(),
        };
        variables.extend(
            self.define
                .iter()
                .filter_map(|text| text.split_once('='))
                .map(owned),
        );
        if scenario.work.medium() == Some(Medium::LossyUdp) {
            variables.extend(LOSS.map(owned));
        }
        variables
    }

    /// Channel of the publication, and those of the subscriptions.
    pub(crate) fn channels(&self, medium: Medium) -> Result<(String, Vec<String>), Failure> {
        let Self { mtu, window, .. } = self;
        let network = format!(
            "term-length={}|mtu={mtu}|so-sndbuf={window}|so-rcvbuf={window}|rcv-wnd={window}",
            self.term_length
        );
        match medium {
            Medium::Ipc => {
                let length = &self.ipc_term_length;
                let channel = format!("aeron:ipc?term-length={length}|mtu={mtu}");
                Ok((channel.clone(), vec![channel]))
            }
            Medium::Udp | Medium::LossyUdp => {
                let port = free_port()?;
                let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}|{network}");
                Ok((channel.clone(), vec![channel]))
            }
            Medium::Destinations(count) => {
                let control = format!("control=127.0.0.1:{}|control-mode=dynamic", free_port()?);
                let publication = format!("aeron:udp?{control}|fc=min,g:/{count}|{network}");
                let subscriptions = (0..count)
                    .map(|_| {
                        let endpoint = format!("endpoint=127.0.0.1:{}", free_port()?);
                        Ok(format!("aeron:udp?{endpoint}|{control}|{network}"))
                    })
                    .collect::<Result<_, Failure>>()?;
                Ok((publication, subscriptions))
            }
        }
    }

    /// As arguments of this program.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<_> = [
            ("--duration", self.duration.to_string()),
            ("--warm-up", self.warm_up.to_string()),
            ("--ipc-term-length", self.ipc_term_length.clone()),
            ("--term-length", self.term_length.clone()),
            ("--window", self.window.clone()),
            ("--mtu", self.mtu.clone()),
            ("--cycle", self.cycle.to_string()),
            ("--fragment-limit", self.fragment_limit.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        for text in &self.define {
            arguments.extend(["-D".to_owned(), text.clone()]);
        }
        arguments
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        let defines = match self.define.as_slice() {
            [] => String::new(),
            some => format!("; {}", some.join(", ")),
        };
        format!(
            "terms {} (IPC) and {} (UDP), MTU {}, window and socket buffers {}, {} B offered per \
             duty cycle, {} fragments per poll, bursts of {} datagrams{defines}; {} s each after \
             {} s of warm-up",
            self.ipc_term_length,
            self.term_length,
            self.mtu,
            self.window,
            self.cycle,
            self.fragment_limit,
            BURSTS[0].1,
            self.duration,
            self.warm_up
        )
    }
}
