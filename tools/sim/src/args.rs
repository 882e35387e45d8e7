//! The command line.

use std::ops::Range;

use aileron::sim::{Omission, Profile, Sabotage, World};
use clap::{Parser, ValueEnum};

/// Events shown of a seed that was asked for by itself.
const EVENTS_OF_ONE: usize = 2000;
/// Events shown of a seed that failed among others.
const EVENTS_OF_MANY: usize = 60;

/// Runs simulated worlds: whole drivers and clients on a virtual clock and a faulty network.
#[derive(Debug, Parser)]
#[command(name = "aileron-sim", version, about)]
pub(crate) struct Args {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Runs this seed alone, and shows what led to its failure.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    pub(crate) seed: Option<u64>,
    /// Prints JSON, one object per line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads; as many as the machine has unless given.
    #[arg(long, short)]
    jobs: Option<usize>,
    /// Which faults there are.
    #[arg(long, value_enum, default_value_t = Faults::Drawn)]
    faults: Faults,
    /// Breaks something on purpose: a world that does not fail then has oracles that do not see.
    #[arg(long, value_enum)]
    sabotage: Option<Break>,
    /// Events to show of a failure.
    #[arg(long)]
    events: Option<usize>,
    /// Failures after which to stop.
    #[arg(long, default_value_t = 1)]
    pub(crate) keep_going: usize,
    /// Runs each seed twice and compares.
    #[arg(long)]
    pub(crate) twice: bool,
    /// Leaves parts of the plan out, as they are named when a failure is cut down:
    /// `loss,incident:3,publisher:1`.
    #[arg(long, value_delimiter = ',')]
    omit: Vec<Omission>,
    /// Cuts the plan of a failure down to what it takes to fail, with so many runs at most.
    #[arg(long, value_name = "RUNS", num_args = 0..=1, default_missing_value = "400")]
    pub(crate) shrink: Option<usize>,
    /// Prints what the seeds stand for, and runs nothing.
    #[arg(long)]
    pub(crate) plan: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Faults {
    /// Those that the seed draws.
    Drawn,
    /// None.
    Calm,
    /// Those of links.
    Links,
    /// All.
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Break {
    DropNaks,
    NeverRetransmit,
    FlipPayload,
    Redeliver,
    Swallow,
    ForgeNak,
    Overrun,
    StallForEver,
    LeakLog,
    LeakSocket,
    NeverUnblock,
    CutBothPlaces,
    DropAnswers,
    ForgetRejections,
}

impl Break {
    const fn sabotage(self) -> Sabotage {
        match self {
            Self::DropNaks => Sabotage::DropNaks,
            Self::NeverRetransmit => Sabotage::NeverRetransmit,
            Self::FlipPayload => Sabotage::FlipPayload,
            Self::Redeliver => Sabotage::Redeliver,
            Self::Swallow => Sabotage::Swallow,
            Self::ForgeNak => Sabotage::ForgeNak,
            Self::Overrun => Sabotage::Overrun,
            Self::StallForEver => Sabotage::StallForEver,
            Self::LeakLog => Sabotage::LeakLog,
            Self::LeakSocket => Sabotage::LeakSocket,
            Self::NeverUnblock => Sabotage::NeverUnblock,
            Self::CutBothPlaces => Sabotage::CutBothPlaces,
            Self::DropAnswers => Sabotage::DropAnswers,
            Self::ForgetRejections => Sabotage::ForgetRejections,
        }
    }
}

impl Args {
    pub(crate) fn seeds(&self) -> Range<u64> {
        match self.seed {
            Some(seed) => seed..seed.saturating_add(1),
            None => self.from..self.from.saturating_add(self.seeds),
        }
    }

    pub(crate) fn jobs(&self) -> usize {
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or(available).max(1)
    }

    /// The world of a seed, as asked for.
    pub(crate) fn world(&self, seed: u64) -> World {
        let events = match self.seed {
            Some(_) => EVENTS_OF_ONE,
            None => EVENTS_OF_MANY,
        };
        let profile = match self.faults {
            Faults::Drawn => Profile::Drawn,
            Faults::Calm => Profile::Calm,
            Faults::Links => Profile::Links,
            Faults::All => Profile::All,
        };
        let world = World::new(seed)
            .profile(profile)
            .events_kept(self.events.unwrap_or(events));
        let omissions = self.omit.iter().copied();
        let world = omissions.fold(world, World::omit);
        match self.sabotage {
            Some(sabotage) => world.sabotage(sabotage.sabotage()),
            None => world,
        }
    }
}
