//! Idle strategies as values: a name and its arguments. Running them is the runtime's.

use super::DriverConfig;
use super::error::ConfigError;
use super::kind::{format_duration, parse_duration};
use super::schema::OptionRow;
use super::sources::Source;

/// What an agent's thread does after a cycle without work (`driver.md` §3.1).
///
/// ```
/// use aileron::driver::config::IdleStrategy;
/// let strategy = IdleStrategy::parse("backoff").unwrap().with_args("5-5-1us-2us").unwrap();
/// assert_eq!(strategy.args(), "5-5-1us-2us");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdleStrategy {
    /// Spins, then yields, then parks for a period that doubles.
    Backoff {
        /// Cycles that spin.
        max_spins: u64,
        /// Cycles that then yield.
        max_yields: u64,
        /// First park period, nanoseconds.
        min_park_ns: i64,
        /// Longest park period, nanoseconds.
        max_park_ns: i64,
    },
    /// Tells the processor that this is a spin loop.
    Spin,
    /// Yields the thread.
    Yield,
    /// Nothing.
    Noop,
    /// Sleeps so many nanoseconds.
    SleepNs(i64),
    /// Sleeps so many milliseconds.
    SleepMs(i64),
    /// Reads from the controllable-idle-strategy counter what to do.
    Controllable,
}

impl IdleStrategy {
    /// Backoff with the driver's defaults: 10 spins, 20 yields, parks of 1 µs to 1 ms.
    pub const BACKOFF: Self = Self::Backoff {
        max_spins: 10,
        max_yields: 20,
        min_park_ns: 1_000,
        max_park_ns: 1_000_000,
    };

    /// The strategy of a name, with default arguments. Class names of Agrona and the function names
    /// of the C driver are accepted too.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let short = name.strip_prefix("org.agrona.concurrent.").unwrap_or(name);
        let short = short.strip_prefix("aeron_idle_strategy_").unwrap_or(short);
        Some(match short {
            "backoff" | "BackoffIdleStrategy" => Self::BACKOFF,
            "spin" | "spinning" | "busy_spin" | "busy_spinning" | "BusySpinIdleStrategy" => {
                Self::Spin
            }
            "yield" | "yielding" | "YieldingIdleStrategy" => Self::Yield,
            "noop" | "NoOpIdleStrategy" => Self::Noop,
            "sleep-ns" | "sleeping" => Self::SleepNs(1),
            "SleepingIdleStrategy" => Self::SleepNs(1_000),
            "sleep-ms" | "SleepingMillisIdleStrategy" => Self::SleepMs(1),
            "controllable" | "ControllableIdleStrategy" => Self::Controllable,
            _ => return None,
        })
    }

    /// The same strategy with other arguments: `maxSpins-maxYields-minPark-maxPark` for backoff, a
    /// duration for the sleeping ones.
    ///
    /// # Errors
    /// The text does not fit the strategy; the error says what would.
    pub fn with_args(self, args: &str) -> Result<Self, String> {
        let expected = || format!("'{args}' is not {}", self.args_form());
        match self {
            Self::Backoff { .. } => parse_backoff(args).ok_or_else(expected),
            Self::SleepNs(_) => parse_duration(args).map(Self::SleepNs).ok_or_else(expected),
            Self::SleepMs(_) => {
                let ns = parse_duration(args).ok_or_else(expected)?;
                if ns % 1_000_000 == 0 {
                    Ok(Self::SleepMs(ns / 1_000_000))
                } else {
                    Err(expected())
                }
            }
            Self::Spin | Self::Yield | Self::Noop | Self::Controllable => Err(expected()),
        }
    }

    /// The name used in configuration text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backoff { .. } => "backoff",
            Self::Spin => "spin",
            Self::Yield => "yield",
            Self::Noop => "noop",
            Self::SleepNs(_) => "sleep-ns",
            Self::SleepMs(_) => "sleep-ms",
            Self::Controllable => "controllable",
        }
    }

    /// The arguments as text that [`Self::with_args`] reads; empty if the strategy has none.
    #[must_use]
    pub fn args(self) -> String {
        match self {
            Self::Backoff {
                max_spins,
                max_yields,
                min_park_ns,
                max_park_ns,
            } => format!(
                "{max_spins}-{max_yields}-{}-{}",
                format_duration(min_park_ns),
                format_duration(max_park_ns)
            ),
            Self::SleepNs(ns) => format_duration(ns),
            Self::SleepMs(ms) => format!("{ms}ms"),
            Self::Spin | Self::Yield | Self::Noop | Self::Controllable => String::new(),
        }
    }

    const fn args_form(self) -> &'static str {
        match self {
            Self::Backoff { .. } => "of the form <max spins>-<max yields>-<min park>-<max park>",
            Self::SleepNs(_) => "a duration",
            Self::SleepMs(_) => "a whole number of milliseconds, such as 1ms",
            Self::Spin | Self::Yield | Self::Noop | Self::Controllable => {
                "accepted: this strategy takes no arguments"
            }
        }
    }
}

fn parse_backoff(args: &str) -> Option<IdleStrategy> {
    let mut parts = args.split('-');
    let max_spins = parts.next()?.parse().ok()?;
    let max_yields = parts.next()?.parse().ok()?;
    let min_park_ns = parse_duration(parts.next()?)?;
    let max_park_ns = parse_duration(parts.next()?)?;
    (parts.next().is_none() && min_park_ns <= max_park_ns).then_some(IdleStrategy::Backoff {
        max_spins,
        max_yields,
        min_park_ns,
        max_park_ns,
    })
}

/// An idle strategy option and the option of its arguments.
type Pair = (
    &'static str,
    fn(&mut DriverConfig) -> (&mut IdleStrategy, &mut String),
);

const PAIRS: [Pair; 6] = [
    ("conductor_idle_strategy", |config| {
        (
            &mut config.conductor_idle_strategy,
            &mut config.conductor_idle_strategy_init_args,
        )
    }),
    ("sender_idle_strategy", |config| {
        (
            &mut config.sender_idle_strategy,
            &mut config.sender_idle_strategy_init_args,
        )
    }),
    ("receiver_idle_strategy", |config| {
        (
            &mut config.receiver_idle_strategy,
            &mut config.receiver_idle_strategy_init_args,
        )
    }),
    ("sharednetwork_idle_strategy", |config| {
        (
            &mut config.sharednetwork_idle_strategy,
            &mut config.sharednetwork_idle_strategy_init_args,
        )
    }),
    ("shared_idle_strategy", |config| {
        (
            &mut config.shared_idle_strategy,
            &mut config.shared_idle_strategy_init_args,
        )
    }),
    ("resource_agent_idle_strategy", |config| {
        (
            &mut config.resource_agent_idle_strategy,
            &mut config.resource_agent_idle_strategy_init_args,
        )
    }),
];

/// Gives every idle strategy the arguments that its other option holds, once both were read. A
/// strategy that a setter set brings its own; one that takes none leaves them with a warning.
pub(super) fn combine_arguments(config: &mut DriverConfig, errors: &mut Vec<ConfigError>) {
    for (field, access) in PAIRS {
        let Some((index, _)) = OptionRow::of(field) else {
            continue;
        };
        let Some((args_index, info)) = OptionRow::of(&format!("{field}_init_args")) else {
            continue;
        };
        let source_of = |index: usize| config.sources.get(index).cloned().unwrap_or_default();
        let (strategy_source, args_source) = (source_of(index), source_of(args_index));
        let brings_its_own = strategy_source == Source::Setter && args_source != Source::Setter;
        let (strategy, args) = access(config);
        let text = args.clone();
        if args_source != Source::Default && !brings_its_own && !text.is_empty() {
            match strategy.with_args(&text) {
                Ok(combined) => *strategy = combined,
                Err(reason) if strategy.args().is_empty() => {
                    let warning = format!("{}={text} ({args_source}): {reason}", info.property);
                    config.warnings.push(warning);
                }
                Err(reason) => {
                    errors.push(ConfigError::new(info.property, text, args_source, reason));
                }
            }
        }
        let (strategy, args) = access(config);
        *args = strategy.args();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_three_drivers_are_understood() {
        for (name, strategy) in [
            ("backoff", IdleStrategy::BACKOFF),
            ("aeron_idle_strategy_backoff", IdleStrategy::BACKOFF),
            (
                "org.agrona.concurrent.BackoffIdleStrategy",
                IdleStrategy::BACKOFF,
            ),
            ("spin", IdleStrategy::Spin),
            (
                "org.agrona.concurrent.BusySpinIdleStrategy",
                IdleStrategy::Spin,
            ),
            ("yield", IdleStrategy::Yield),
            ("noop", IdleStrategy::Noop),
            ("sleep-ns", IdleStrategy::SleepNs(1)),
            ("sleeping", IdleStrategy::SleepNs(1)),
            (
                "org.agrona.concurrent.SleepingIdleStrategy",
                IdleStrategy::SleepNs(1000),
            ),
            ("sleep-ms", IdleStrategy::SleepMs(1)),
            ("controllable", IdleStrategy::Controllable),
        ] {
            assert_eq!(IdleStrategy::parse(name), Some(strategy), "{name}");
            assert!(IdleStrategy::parse(strategy.name()).is_some());
        }
        for name in ["", "Backoff", "sleep", "spin "] {
            assert_eq!(IdleStrategy::parse(name), None, "{name}");
        }
    }

    #[test]
    fn arguments_print_as_they_are_read() {
        for strategy in [
            IdleStrategy::BACKOFF,
            IdleStrategy::SleepNs(0),
            IdleStrategy::SleepNs(1_500),
            IdleStrategy::SleepMs(7),
        ] {
            assert_eq!(strategy.with_args(&strategy.args()), Ok(strategy));
        }
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        for args in [
            "",
            "1",
            "1-2-3",
            "1-2-3-4-5",
            "-1-2-3-4",
            "1-2-5us-1us",
            "a-2-3-4",
            "1-2-3m-4",
        ] {
            assert!(IdleStrategy::BACKOFF.with_args(args).is_err(), "{args}");
        }
        assert!(IdleStrategy::SleepNs(1).with_args("1m").is_err());
        assert!(IdleStrategy::SleepMs(1).with_args("1us").is_err());
        assert!(IdleStrategy::Spin.with_args("1").is_err());
    }
}
