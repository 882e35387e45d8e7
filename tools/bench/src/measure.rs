//! One measurement of one system, in this process.

use std::path::Path;

use crate::Failure;
use crate::figures::Latencies;
use crate::floor;
use crate::footprint;
use crate::node::{Aileron, Mode, Node, config};
use crate::outcome::{Figure, Outcome};
use crate::processes;
use crate::scenario::{Driver, Layout, Scenario, System, Work};
use crate::settings::Settings;
use crate::work::{Echo, Flood, Rate, RoundTrips, Sides, echo, flood};

#[cfg(not(feature = "peers"))]
const NO_PEERS: &str = "built without the peers: build with `--features peers`";

/// What was measured, with all latencies if there are any.
pub(crate) type Measured = (Outcome, Option<Latencies>);

/// Measures `system` in `scenario`.
pub(crate) fn measure(
    scenario: &Scenario,
    system: System,
    settings: &Settings,
) -> Result<Measured, Failure> {
    if scenario.layout == Layout::ThreeProcesses {
        return processes::measure(scenario, system, settings);
    }
    if let Work::Footprint(footprint) = scenario.work {
        let outcome = match system.driver()? {
            Driver::Aileron => footprint::measure(footprint, system, &attach_aileron),
            Driver::AeronC => footprint::measure(footprint, system, &attach_aeron_c),
        };
        return Ok((outcome?, None));
    }
    match system {
        System::Aileron => aileron(scenario, settings),
        System::AeronC => aeron_c(scenario, settings),
        System::Iceoryx2 => iceoryx(scenario, settings),
        System::Quinn => quinn(scenario, settings),
        System::CoreToCore => floor::memory::round_trips(settings.period()?).map(trips),
        System::Memcpy => floor::memory::copy(settings, scenario.length).map(|rate| flooded(&rate)),
        System::HandedOver => {
            floor::memory::handed_over(settings, scenario.length).map(|rate| flooded(&rate))
        }
        System::RawPlain => floor::udp::plain(settings).map(|rate| flooded(&rate)),
        System::RawMmsg => floor::udp::many(settings).map(|rate| flooded(&rate)),
        System::RawGso => floor::udp::segmented(settings, false).map(|rate| flooded(&rate)),
        System::RawGsoGro => floor::udp::segmented(settings, true).map(|rate| flooded(&rate)),
        System::RawLogs => floor::udp::log_to_log(settings).map(|rate| flooded(&rate)),
        System::RawEcho => {
            let Work::Echo { pace, .. } = scenario.work else {
                return Err("raw sockets echo only in scenarios of round trips".into());
            };
            floor::udp::round_trips(pace, scenario.length, settings.period()?).map(trips)
        }
        System::UringGsoGro | System::UringZeroCopy | System::UringEcho => {
            uring(scenario, system, settings)
        }
    }
}

#[cfg(feature = "io-uring")]
fn uring(scenario: &Scenario, system: System, settings: &Settings) -> Result<Measured, Failure> {
    if let Work::Echo { pace, .. } = scenario.work {
        let period = settings.period()?;
        return floor::uring::round_trips(pace, scenario.length, period).map(trips);
    }
    let is_zero_copy = system == System::UringZeroCopy;
    floor::uring::segmented(settings, is_zero_copy).map(|rate| flooded(&rate))
}

#[cfg(not(feature = "io-uring"))]
fn uring(_: &Scenario, _: System, _: &Settings) -> Result<Measured, Failure> {
    Err("built without io_uring: build with `--features io-uring`".into())
}

fn aileron(scenario: &Scenario, settings: &Settings) -> Result<Measured, Failure> {
    let mode = Mode::Invoker;
    let launch = || Aileron::launch(mode, config(mode, &[])?);
    let subscriber = |directory: &Path| {
        if scenario.is_ipc() {
            return attach_aileron(directory);
        }
        launch()
    };
    let sides = Sides {
        publisher: &launch,
        subscriber: &subscriber,
    };
    over_nodes(scenario, settings, &sides)
}

#[cfg(feature = "peers")]
fn aeron_c(scenario: &Scenario, settings: &Settings) -> Result<Measured, Failure> {
    use crate::peers::aeron_c::{AeronC, directory};

    let publisher = || AeronC::launch(&directory("publisher"));
    let subscriber = |directory_of_publisher: &Path| {
        if scenario.is_ipc() {
            return attach_aeron_c(directory_of_publisher);
        }
        AeronC::launch(&directory("subscriber"))
    };
    let sides = Sides {
        publisher: &publisher,
        subscriber: &subscriber,
    };
    over_nodes(scenario, settings, &sides)
}

#[cfg(feature = "peers")]
fn iceoryx(scenario: &Scenario, settings: &Settings) -> Result<Measured, Failure> {
    use crate::peers::iceoryx::Iceoryx;

    let sides = Sides {
        publisher: &|| Iceoryx::new(scenario.length),
        subscriber: &|_: &Path| Iceoryx::new(scenario.length),
    };
    over_nodes(scenario, settings, &sides)
}

#[cfg(feature = "peers")]
fn quinn(scenario: &Scenario, settings: &Settings) -> Result<Measured, Failure> {
    use crate::peers::quic;

    match scenario.work {
        Work::Flood { .. } => Ok(flooded(&quic::flood(settings, scenario.length)?)),
        Work::Echo { .. } => Ok(trips(quic::round_trips(settings, scenario.length)?)),
        Work::Footprint(_) => Err("quinn has no driver".into()),
    }
}

#[cfg(not(feature = "peers"))]
fn aeron_c(_: &Scenario, _: &Settings) -> Result<Measured, Failure> {
    Err(NO_PEERS.into())
}

#[cfg(not(feature = "peers"))]
fn iceoryx(_: &Scenario, _: &Settings) -> Result<Measured, Failure> {
    Err(NO_PEERS.into())
}

#[cfg(not(feature = "peers"))]
fn quinn(_: &Scenario, _: &Settings) -> Result<Measured, Failure> {
    Err(NO_PEERS.into())
}

/// A client of a driver of aileron's elsewhere.
pub(crate) fn attach_aileron(directory: &Path) -> Result<Aileron, Failure> {
    Aileron::attach(Mode::Invoker, directory)
}

/// A client of Aeron C's of a driver elsewhere.
#[cfg(feature = "peers")]
pub(crate) fn attach_aeron_c(directory: &Path) -> Result<crate::peers::aeron_c::AeronC, Failure> {
    crate::peers::aeron_c::AeronC::attach(directory)
}

/// As there is none, what it would be is never made.
#[cfg(not(feature = "peers"))]
pub(crate) fn attach_aeron_c(_: &Path) -> Result<Aileron, Failure> {
    Err(NO_PEERS.into())
}

fn over_nodes<N: Node>(
    scenario: &Scenario,
    settings: &Settings,
    sides: &Sides<'_, N>,
) -> Result<Measured, Failure> {
    match scenario.work {
        Work::Flood { .. } => {
            let work = flood_of(scenario, settings)?;
            Ok(flooded(&flood::flood(sides, &work, |_| {})?))
        }
        Work::Echo { .. } => Ok(trips(echo::echo(sides, &echo_of(scenario, settings)?)?)),
        Work::Footprint(_) => Err("nothing is sent".into()),
    }
}

/// The work of a scenario of throughput.
pub(crate) fn flood_of(scenario: &Scenario, settings: &Settings) -> Result<Flood, Failure> {
    let Work::Flood {
        medium,
        publishers,
        is_assembled,
    } = scenario.work
    else {
        return Err("not a scenario of throughput".into());
    };
    let (channel, subscriptions) = settings.channels(medium)?;
    Ok(Flood {
        channel,
        subscriptions,
        publishers,
        length: scenario.length,
        batch: settings.batch(scenario.length),
        fragment_limit: settings.fragment_limit,
        is_assembled,
        period: settings.period()?,
    })
}

/// The work of a scenario of round trips.
pub(crate) fn echo_of(scenario: &Scenario, settings: &Settings) -> Result<Echo, Failure> {
    let Work::Echo { medium, pace } = scenario.work else {
        return Err("not a scenario of round trips".into());
    };
    Ok(Echo {
        ping_channel: settings.channels(medium)?.0,
        pong_channel: settings.channels(medium)?.0,
        length: scenario.length,
        pace,
        companions: 0,
        period: settings.period()?,
    })
}

/// Figures of throughput.
pub(crate) fn flooded(rate: &Rate) -> Measured {
    let outcome = Outcome::new(
        [
            (Figure::MessagesPerSecond, rate.per_second()),
            (Figure::BytesPerSecond, rate.bytes_per_second()),
            (Figure::CpuSecondsPerGb, rate.cpu_seconds_per_gb()),
        ],
        rate.stolen,
    );
    (outcome, None)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
/// Figures of round trips.
pub(crate) fn trips(trips: RoundTrips) -> Measured {
    let latencies = trips.latencies;
    let outcome = Outcome::new(
        [
            (Figure::P50Us, latencies.micros(0.5)),
            (Figure::P99Us, latencies.micros(0.99)),
            (Figure::P999Us, latencies.micros(0.999)),
            (Figure::Unsent, trips.unsent as f64),
        ],
        trips.stolen,
    );
    (outcome, Some(latencies))
}
