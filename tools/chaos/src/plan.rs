//! What a round is: drawn from its seed, and nothing else.

use std::fmt;
use std::time::Duration;

use aileron::base::Rng;

/// How publishers and subscribers are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One driver, shared memory.
    Ipc,
    /// One driver, the loopback interface.
    Udp,
    /// Two drivers, the loopback interface.
    Pair,
    /// Two drivers, a path that loses, delays, doubles and reorders.
    Lossy,
    /// Two drivers, a publication of several destinations that join by themselves.
    Fanout,
    /// Two drivers in two network namespaces.
    Namespaces,
    /// One driver on a file system of a few megabytes.
    SmallStorage,
}

impl Layout {
    /// Whether subscribers have a driver of their own.
    pub(crate) const fn has_two_drivers(self) -> bool {
        matches!(
            self,
            Self::Pair | Self::Lossy | Self::Fanout | Self::Namespaces
        )
    }
}

/// Which processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Publisher,
    Subscriber,
    /// The driver of the publishers.
    Near,
    /// The driver of the subscribers, where that is another one.
    Far,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`.
    Kill(Victim),
    /// A driver and all its clients at once, as when a machine loses power.
    PowerLoss(Victim),
    /// A publisher ends at one of its next stores.
    DieOffering { stores: u64 },
    /// A subscriber ends at one of its next stores.
    DiePolling { stores: u64 },
    /// A client ends at one of its next stores while it adds and drops things.
    DieAdding { stores: u64 },
    /// Stopped for less than any timeout.
    Pause(Victim),
    /// Stopped for longer than all timeouts, then woken.
    LongPause(Victim),
    /// No room for another log.
    StorageFull,
    /// No file descriptor to be had for the driver.
    NoFiles,
    /// A path is cut for less than any timeout.
    Cut,
    /// A path is cut for longer than all timeouts.
    LongCut,
    /// The wall clock steps, and steps back.
    ClockStep { ms: i64 },
}

impl Fault {
    /// The name of its kind, for the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill(Victim::Publisher) => "kill publisher",
            Self::Kill(Victim::Subscriber) => "kill subscriber",
            Self::Kill(Victim::Near) => "kill publishers' driver",
            Self::Kill(Victim::Far) => "kill subscribers' driver",
            Self::PowerLoss(Victim::Far | Victim::Subscriber) => "power loss of the subscribers",
            Self::PowerLoss(_) => "power loss of the publishers",
            Self::DieOffering { .. } => "die at a store of an offer",
            Self::DiePolling { .. } => "die at a store of a poll",
            Self::DieAdding { .. } => "die at a store of a command",
            Self::Pause(Victim::Publisher) => "pause publisher",
            Self::Pause(Victim::Subscriber) => "pause subscriber",
            Self::Pause(_) => "pause driver",
            Self::LongPause(Victim::Publisher) => "long pause of a publisher",
            Self::LongPause(Victim::Subscriber) => "long pause of a subscriber",
            Self::LongPause(_) => "long pause of a driver",
            Self::StorageFull => "storage full",
            Self::NoFiles => "no file descriptors",
            Self::Cut => "path cut and healed",
            Self::LongCut => "path cut for long and healed",
            Self::ClockStep { .. } => "clock stepped",
        }
    }
}

/// What this machine and this build allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// File systems of the round's own.
    pub(crate) has_mounts: bool,
    /// Network namespaces.
    pub(crate) has_namespaces: bool,
    /// The hooks for faults are compiled in.
    pub(crate) has_hooks: bool,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) layout: Layout,
    /// Whether each publisher is exclusive.
    pub(crate) publishers: Vec<bool>,
    pub(crate) subscribers: usize,
    /// Faults, and how long after the one before has been dealt with.
    pub(crate) faults: Vec<(Duration, Fault)>,
}

/// Longest time before a fault.
const CALM_MAX_MS: u64 = 250;
/// Stores within which a client is in the midst of one offer.
const STORES_OF_AN_OFFER: u64 = 6;
/// Stores within which a client meets the ends of some terms.
const STORES_OF_SOME_TERMS: u64 = 600;
/// Steps of the clock.
const CLOCK_STEPS_MS: [i64; 4] = [3_600_000, -3_600_000, 5_000, -5_000];

impl Plan {
    /// The round of a seed.
    pub(crate) fn draw(seed: u64, abilities: Abilities) -> Self {
        let mut rng = Rng::new(seed);
        // The first draws of neighbouring seeds are alike.
        let _ = rng.next_u64();
        let layout = draw_layout(&mut rng, abilities);
        let publishers = (0..=rng.below(2)).map(|_| rng.chance(1, 2)).collect();
        let subscribers = 1 + usize::from(rng.chance(1, 2));
        let faults = (0..=u64::from(rng.chance(1, 3)))
            .map(|_| {
                let calm = Duration::from_millis(rng.below(CALM_MAX_MS));
                (calm, draw_fault(&mut rng, layout, abilities))
            })
            .collect();
        Self {
            seed,
            layout,
            publishers,
            subscribers,
            faults,
        }
    }
}

fn draw_layout(rng: &mut Rng, abilities: Abilities) -> Layout {
    use Layout::{Fanout, Ipc, Lossy, Namespaces, Pair, SmallStorage, Udp};
    let all = [
        Ipc,
        Ipc,
        Ipc,
        Udp,
        Udp,
        Pair,
        Pair,
        Lossy,
        Lossy,
        Fanout,
        Fanout,
        Namespaces,
        SmallStorage,
    ];
    let layout = *pick(rng, &all);
    if layout == Namespaces && !abilities.has_namespaces {
        Pair
    } else if layout == SmallStorage && !abilities.has_mounts {
        Ipc
    } else {
        layout
    }
}

fn draw_fault(rng: &mut Rng, layout: Layout, abilities: Abilities) -> Fault {
    if layout == Layout::SmallStorage && rng.chance(2, 3) {
        return Fault::StorageFull;
    }
    if layout == Layout::Namespaces && rng.chance(2, 3) {
        return if rng.chance(1, 2) {
            Fault::Cut
        } else {
            Fault::LongCut
        };
    }
    let driver = if layout.has_two_drivers() && rng.chance(1, 2) {
        Victim::Far
    } else {
        Victim::Near
    };
    let client = if rng.chance(1, 2) {
        Victim::Publisher
    } else {
        Victim::Subscriber
    };
    let stores = if rng.chance(2, 3) {
        rng.below(STORES_OF_AN_OFFER)
    } else {
        rng.below(STORES_OF_SOME_TERMS)
    };
    let mut all = vec![
        Fault::Kill(client),
        Fault::Kill(client),
        Fault::Kill(driver),
        Fault::Pause(driver),
        Fault::Pause(client),
        Fault::LongPause(driver),
        Fault::LongPause(client),
        Fault::NoFiles,
    ];
    if layout.has_two_drivers() {
        all.push(Fault::PowerLoss(driver));
    }
    if abilities.has_hooks {
        let ms = *pick(rng, &CLOCK_STEPS_MS);
        all.extend([
            Fault::DieOffering { stores },
            Fault::DieOffering { stores },
            Fault::DiePolling { stores },
            Fault::DieAdding { stores },
            Fault::ClockStep { ms },
        ]);
    }
    *pick(rng, &all)
}

fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    let index = usize::try_from(rng.below(choices.len() as u64)).unwrap_or(0);
    &choices[index]
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {:?}, publishers [", self.seed, self.layout)?;
        for (index, is_exclusive) in self.publishers.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let kind = if *is_exclusive { "exclusive" } else { "shared" };
            write!(f, "{comma}{kind}")?;
        }
        write!(f, "], {} subscribers", self.subscribers)?;
        for (calm, fault) in &self.faults {
            write!(f, "; after {} ms {fault:?}", calm.as_millis())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_round_and_all_kinds_occur() {
        let all = Abilities {
            has_mounts: true,
            has_namespaces: true,
            has_hooks: true,
        };
        let mut faults = std::collections::BTreeSet::new();
        for seed in 0..500 {
            let plan = Plan::draw(seed, all);
            assert_eq!(plan, Plan::draw(seed, all));
            faults.extend(plan.faults.iter().map(|(_, fault)| fault.name()));
        }
        assert_eq!(faults.len(), 20, "{faults:?}");
        for seed in 0..500 {
            let plan = Plan::draw(seed, Abilities::default());
            assert!(!matches!(
                plan.layout,
                Layout::Namespaces | Layout::SmallStorage
            ));
            let names = plan.faults.iter().map(|(_, fault)| fault.name());
            assert!(names.into_iter().all(|name| !name.starts_with("die")));
        }
    }
}
