//! The table of scenarios: what is done, by whom, and which floor bounds it.

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use crate::Failure;
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
    /// Two threads that pass a number back and forth in memory
    CoreToCore,
    /// One thread that copies messages into a region as long as the log
    Memcpy,
    /// UDP sockets, one datagram for each call
    RawPlain,
    /// UDP sockets with sendmmsg and recvmmsg
    RawMmsg,
    /// UDP sockets with segmentation offload for what is sent
    RawGso,
    /// UDP sockets with segmentation offload for what is sent, and joined segments on receipt
    RawGsoGro,
    /// UDP sockets that both sides poll without a pause
    RawEcho,
}

impl System {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aileron => "aileron",
            Self::AeronC => "Aeron C",
            Self::CoreToCore => "core to core",
            Self::Memcpy => "memcpy",
            Self::RawPlain => "raw UDP",
            Self::RawMmsg => "raw sendmmsg",
            Self::RawGso => "raw GSO",
            Self::RawGsoGro => "raw GSO+GRO",
            Self::RawEcho => "raw spinning UDP",
        }
    }

    /// Its name on the command line.
    pub(crate) fn argument(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether this program was built with it.
    pub(crate) const fn is_built(self) -> bool {
        match self {
            Self::AeronC => cfg!(feature = "peers"),
            Self::Aileron
            | Self::CoreToCore
            | Self::Memcpy
            | Self::RawPlain
            | Self::RawMmsg
            | Self::RawGso
            | Self::RawGsoGro
            | Self::RawEcho => true,
        }
    }
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
}

impl Work {
    pub(crate) const fn medium(self) -> Medium {
        match self {
            Self::Flood { medium, .. } | Self::Echo { medium, .. } => medium,
        }
    }
}

/// Something that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) work: Work,
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

    /// The figures that are shown, the most telling first.
    pub(crate) fn figures(&self) -> &'static [Figure] {
        match self.work {
            Work::Echo { .. } => &[Figure::P50Us, Figure::P99Us],
            Work::Flood { .. } if self.length < 256 => &[Figure::MessagesPerSecond],
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
        System::RawGso,
        System::RawMmsg,
        System::RawPlain,
    ];
    let new = Scenario::new;
    let mut all = vec![
        new(
            "ipc-throughput",
            "IPC, exclusive publication, 32 B",
            32,
            flood(Medium::Ipc),
        ),
        new(
            "ipc-shared",
            "IPC, shared publication with 2 publishers, 32 B",
            32,
            shared,
        ),
        new("ipc-echo", "IPC echo, 32 B, one in flight", 32, ipc_echo).over(&[System::CoreToCore]),
        new("ipc-1m", "IPC, 1 MiB messages", MIB, flood(Medium::Ipc)).over(&[System::Memcpy]),
        new(
            "ipc-1m-assembled",
            "IPC, 1 MiB messages, joined",
            MIB,
            assembled,
        )
        .over(&[System::Memcpy]),
        new(
            "udp-throughput",
            "UDP loopback, 32 B",
            32,
            flood(Medium::Udp),
        ),
        new("udp-1k", "UDP loopback, 1 KiB", KIB, flood(Medium::Udp)).over(&raw_flood),
        new(
            "udp-64k",
            "UDP loopback, 64 KiB",
            64 * KIB,
            flood(Medium::Udp),
        )
        .over(&[System::RawGsoGro]),
    ];
    for length in [32, 1344] {
        let paces = [
            ("", "one in flight", Pace::ClosedLoop),
            ("-10k", "10,000 a second", Pace::PerSecond(10_000)),
            ("-50k", "50,000 a second", Pace::PerSecond(50_000)),
        ];
        for (suffix, words, pace) in paces {
            let work = Work::Echo {
                medium: Medium::Udp,
                pace,
            };
            let name = format!("udp-echo-{length}{suffix}");
            let title = format!("UDP echo, {length} B, {words}");
            all.push(new(&name, &title, length, work).over(&[System::RawEcho]));
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
    all
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
