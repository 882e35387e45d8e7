//! The table of scenarios: what is done, by whom, and which floor bounds it.

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::footprint::Footprint;
use crate::outcome::Figure;
use crate::work::{Pace, Publishers};

/// Who does the work: an implementation, or a floor under all of them.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// This implementation
    Aileron,
    /// The C implementation of Aeron
    AeronC,
    /// iceoryx2, over shared memory
    Iceoryx2,
    /// quinn, an implementation of QUIC, over UDP
    Quinn,
    /// Two threads that pass a number back and forth in memory
    CoreToCore,
    /// One thread that copies messages into a region as long as the log
    Memcpy,
    /// The same by frames, with what is read cleaned, and another thread that reads headers
    HandedOver,
    /// UDP sockets, one datagram for each call
    RawPlain,
    /// UDP sockets with sendmmsg and recvmmsg
    RawMmsg,
    /// UDP sockets with segmentation offload for what is sent
    RawGso,
    /// UDP sockets with segmentation offload for what is sent, and joined segments on receipt
    RawGsoGro,
    /// The same out of a region as long as a log, into which messages are copied and which is
    /// cleaned behind them, and into another one
    RawLogs,
    /// UDP sockets that both sides poll without a pause
    RawEcho,
    /// The same as raw-gso-gro through io_uring
    UringGsoGro,
    /// The same with sends that copy nothing
    UringZeroCopy,
    /// The same as raw-echo through io_uring
    UringEcho,
}

impl System {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aileron => "aileron",
            Self::AeronC => "Aeron C",
            Self::Iceoryx2 => "iceoryx2",
            Self::Quinn => "quinn",
            Self::CoreToCore => "core to core",
            Self::Memcpy => "memcpy",
            Self::HandedOver => "memcpy, handed over",
            Self::RawPlain => "raw UDP",
            Self::RawMmsg => "raw sendmmsg",
            Self::RawGso => "raw GSO",
            Self::RawGsoGro => "raw GSO+GRO",
            Self::RawLogs => "raw GSO+GRO, log to log",
            Self::RawEcho => "raw spinning UDP",
            Self::UringGsoGro => "io_uring GSO+GRO",
            Self::UringZeroCopy => "io_uring zero-copy",
            Self::UringEcho => "io_uring UDP",
        }
    }

    /// Its name on the command line.
    pub(crate) fn argument(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Which driver it has.
    pub(crate) fn driver(self) -> Result<Driver, Failure> {
        if self == Self::Aileron {
            return Ok(Driver::Aileron);
        }
        if self == Self::AeronC {
            return Ok(Driver::AeronC);
        }
        Err(format!("{} has no driver", self.name()).into())
    }

    /// Whether this program was built with it.
    pub(crate) const fn is_built(self) -> bool {
        match self {
            Self::AeronC | Self::Iceoryx2 | Self::Quinn => cfg!(feature = "peers"),
            Self::UringGsoGro | Self::UringZeroCopy | Self::UringEcho => {
                cfg!(feature = "io-uring")
            }
            Self::Aileron
            | Self::CoreToCore
            | Self::Memcpy
            | Self::HandedOver
            | Self::RawPlain
            | Self::RawMmsg
            | Self::RawGso
            | Self::RawGsoGro
            | Self::RawLogs
            | Self::RawEcho => true,
        }
    }
}

/// The systems that have a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Aileron,
    AeronC,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Shared memory.
    Ipc,
    /// UDP unicast over the loopback interface.
    Udp,
    /// The same with one datagram in a hundred lost each way, by the drivers' own generators.
    LossyUdp,
    /// UDP to so many destinations, each a subscription of its own.
    Destinations(usize),
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Messages as fast as they go.
    Flood {
        medium: Medium,
        publishers: Publishers,
        is_assembled: bool,
    },
    /// Messages there and back.
    Echo { medium: Medium, pace: Pace },
    /// What a driver takes when it does little.
    Footprint(Footprint),
}

impl Work {
    pub(crate) const fn medium(self) -> Option<Medium> {
        match self {
            Self::Flood { medium, .. } | Self::Echo { medium, .. } => Some(medium),
            Self::Footprint(_) => None,
        }
    }
}

/// Who does the work where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Two threads of one process, which invoke their drivers.
    TwoThreads,
    /// Publisher, subscriber and driver (over UDP two) as processes of their own.
    ThreeProcesses,
}

/// Something that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) work: Work,
    pub(crate) layout: Layout,
    /// Bytes of a message.
    pub(crate) length: usize,
    /// Who can do it.
    pub(crate) systems: Vec<System>,
    /// Which of them is the floor that ratios are made of.
    pub(crate) floor: Option<System>,
}

impl Scenario {
    fn new(name: &str, title: &str, length: usize, work: Work) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            work,
            layout: Layout::TwoThreads,
            length,
            systems: vec![System::Aileron, System::AeronC],
            floor: None,
        }
    }

    /// With floors, the first of which ratios are made of.
    fn over(mut self, floors: &[System]) -> Self {
        self.systems.extend(floors);
        self.floor = floors.first().copied();
        self
    }

    /// With others that do the same.
    fn beside(mut self, peers: &[System]) -> Self {
        self.systems.extend(peers);
        self
    }

    /// The same by three processes, for the systems that have a driver.
    fn apart(&self) -> Self {
        Self {
            name: format!("{}-3p", self.name),
            title: format!("{}, three processes", self.title),
            layout: Layout::ThreeProcesses,
            systems: vec![System::Aileron, System::AeronC],
            floor: None,
            ..self.clone()
        }
    }

    pub(crate) fn is_ipc(&self) -> bool {
        self.work.medium() == Some(Medium::Ipc)
    }

    /// The figures that are shown, the most telling first.
    pub(crate) fn figures(&self) -> &'static [Figure] {
        match self.work {
            Work::Echo { .. } => &[Figure::P50Us, Figure::P99Us],
            Work::Footprint(footprint) => match footprint {
                Footprint::Memory => &[
                    Figure::ResidentBytes,
                    Figure::ProportionalBytes,
                    Figure::FileBytes,
                ],
                Footprint::StartUp => &[Figure::StartUpMs],
                Footprint::IdleCpu { .. } => &[Figure::IdleCpuPercent],
                Footprint::FirstMessage => &[Figure::FirstMessageUs],
            },
            Work::Flood { .. } if self.name.starts_with(SWEEP_PREFIX) => &[Figure::BytesPerSecond],
            Work::Flood { .. } if self.length < 256 => &[Figure::MessagesPerSecond],
            // Of the drivers' processes it is not known what they ran.
            Work::Flood { .. } if self.layout == Layout::ThreeProcesses => {
                &[Figure::BytesPerSecond]
            }
            Work::Flood { medium, .. } => match medium {
                Medium::Udp => &[Figure::BytesPerSecond, Figure::CpuSecondsPerGb],
                Medium::Ipc | Medium::LossyUdp | Medium::Destinations(_) => {
                    &[Figure::BytesPerSecond]
                }
            },
        }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// All scenarios, in the order in which they are run.
pub(crate) fn all() -> Vec<Scenario> {
    let flood = |medium| Work::Flood {
        medium,
        publishers: Publishers::Exclusive,
        is_assembled: false,
    };
    let shared = Work::Flood {
        medium: Medium::Ipc,
        publishers: Publishers::TwoShared,
        is_assembled: false,
    };
    let assembled = Work::Flood {
        medium: Medium::Ipc,
        publishers: Publishers::Exclusive,
        is_assembled: true,
    };
    let ipc_echo = Work::Echo {
        medium: Medium::Ipc,
        pace: Pace::ClosedLoop,
    };
    let raw_flood = [
        System::RawGsoGro,
        System::RawLogs,
        System::RawGso,
        System::RawMmsg,
        System::RawPlain,
        System::UringGsoGro,
        System::UringZeroCopy,
    ];
    let new = Scenario::new;
    let (iceoryx, quinn) = ([System::Iceoryx2], [System::Quinn]);
    let mut all = vec![
        new(
            "ipc-throughput",
            "IPC, exclusive publication, 32 B",
            32,
            flood(Medium::Ipc),
        )
        .beside(&iceoryx),
        new(
            "ipc-shared",
            "IPC, shared publication with 2 publishers, 32 B",
            32,
            shared,
        ),
        new("ipc-echo", "IPC echo, 32 B, one in flight", 32, ipc_echo)
            .beside(&iceoryx)
            .over(&[System::CoreToCore]),
        new("ipc-1m", "IPC, 1 MiB messages", MIB, flood(Medium::Ipc))
            .beside(&iceoryx)
            .over(&[System::Memcpy, System::HandedOver]),
        new(
            "ipc-1m-joined",
            "IPC, 1 MiB messages, joined by the subscriber",
            MIB,
            assembled,
        )
        .over(&[System::Memcpy, System::HandedOver]),
        new(
            "udp-throughput",
            "UDP loopback, 32 B",
            32,
            flood(Medium::Udp),
        ),
        new("udp-1k", "UDP loopback, 1 KiB", KIB, flood(Medium::Udp))
            .beside(&quinn)
            .over(&raw_flood),
        new(
            "udp-64k",
            "UDP loopback, 64 KiB",
            64 * KIB,
            flood(Medium::Udp),
        )
        .beside(&quinn)
        .over(&[System::RawGsoGro, System::RawLogs]),
    ];
    for length in [32, 1344] {
        let paces = [
            ("", "one in flight", Pace::ClosedLoop, quinn.as_slice()),
            ("-10k", "10,000 a second", Pace::PerSecond(10_000), &[]),
            ("-50k", "50,000 a second", Pace::PerSecond(50_000), &[]),
        ];
        for (suffix, words, pace, peers) in paces {
            let work = Work::Echo {
                medium: Medium::Udp,
                pace,
            };
            let name = format!("udp-echo-{length}{suffix}");
            let title = format!("UDP echo, {length} B, {words}");
            let scenario = new(&name, &title, length, work);
            all.push(
                scenario
                    .beside(peers)
                    .over(&[System::RawEcho, System::UringEcho]),
            );
        }
    }
    all.extend([
        new(
            "udp-loss",
            "UDP through 1% loss each way, 1 KiB",
            KIB,
            flood(Medium::LossyUdp),
        ),
        new(
            "mdc",
            "UDP to 8 destinations, 1 KiB, delivered",
            KIB,
            flood(Medium::Destinations(8)),
        ),
    ]);
    let apart = |name: &&str| Some(all.iter().find(|s| s.name == **name)?.apart());
    let apart: Vec<_> = APART.iter().filter_map(apart).collect();
    all.extend(apart);
    let driver = |name, title, footprint| new(name, title, 0, Work::Footprint(footprint));
    all.extend([
        driver(
            "memory",
            "driver with 100 IPC streams of 64 KiB terms",
            Footprint::Memory,
        ),
        driver(
            "start-up",
            "driver launched until a client is connected",
            Footprint::StartUp,
        ),
        driver(
            "idle",
            "idle driver with a client, backoff strategy",
            Footprint::IdleCpu { streams: 0 },
        ),
        driver(
            "idle-stream",
            "driver with one silent UDP stream, backoff strategy",
            Footprint::IdleCpu { streams: 1 },
        ),
        driver(
            "first-message",
            "first message over UDP after 1 s of idleness, backoff strategy, longest of 3",
            Footprint::FirstMessage,
        ),
    ]);
    all.extend(sweep("ipc", Medium::Ipc));
    all.extend(sweep("udp", Medium::Udp));
    all
}

/// Scenarios that are also measured by three processes.
const APART: [&str; 6] = [
    "ipc-throughput",
    "ipc-echo",
    "udp-throughput",
    "udp-1k",
    "udp-echo-32",
    "udp-echo-1344",
];

/// Lengths of messages of the scenarios of which a chart is made.
pub(crate) const SWEEP: [usize; 6] = [32, 128, 512, 2 * KIB, 8 * KIB, 64 * KIB];

/// The prefix of the scenarios of which a chart is made.
pub(crate) const SWEEP_PREFIX: &str = "sweep-";

fn sweep(name: &str, medium: Medium) -> impl Iterator<Item = Scenario> {
    let work = Work::Flood {
        medium,
        publishers: Publishers::Exclusive,
        is_assembled: false,
    };
    let words = match medium {
        Medium::Ipc => "IPC",
        Medium::Udp | Medium::LossyUdp | Medium::Destinations(_) => "UDP loopback",
    };
    SWEEP.into_iter().map(move |length| {
        let title = format!("{words}, {length} B");
        Scenario::new(
            &format!("{SWEEP_PREFIX}{name}-{length}"),
            &title,
            length,
            work,
        )
    })
}

/// The scenario of that name.
pub(crate) fn find(name: &str) -> Result<Scenario, Failure> {
    let all = all();
    let names: Vec<_> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    let unknown = format!("no scenario {name}; there are {}", names.join(", "));
    let found = all.into_iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| unknown.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_floors_are_among_the_systems() {
        let all = all();
        for (index, scenario) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other.name != scenario.name));
            assert!(
                scenario
                    .floor
                    .is_none_or(|floor| scenario.systems.contains(&floor))
            );
        }
    }
}
