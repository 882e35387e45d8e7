//! One measurement of one system, in this process.

use std::path::Path;

use crate::Failure;
use crate::figures::Latencies;
use crate::floor;
use crate::node::{Aileron, Mode, Node, config};
use crate::outcome::{Figure, Outcome};
use crate::scenario::{Medium, Scenario, System, Work};
use crate::settings::Settings;
use crate::work::{Echo, Flood, Rate, RoundTrips, Sides, echo, flood};

/// What was measured, with all latencies if there are any.
pub(crate) type Measured = (Outcome, Option<Latencies>);

/// Measures `system` in `scenario`.
pub(crate) fn measure(
    scenario: &Scenario,
    system: System,
    settings: &Settings,
) -> Result<Measured, Failure> {
    match system {
        System::Aileron => aileron(scenario, settings),
        System::AeronC => aeron_c(scenario, settings),
        System::CoreToCore => floor::memory::round_trips(settings.period()?).map(trips),
        System::Memcpy => floor::memory::copy(settings, scenario.length).map(|rate| flooded(&rate)),
        System::RawPlain => floor::udp::plain(settings).map(|rate| flooded(&rate)),
        System::RawMmsg => floor::udp::many(settings).map(|rate| flooded(&rate)),
        System::RawGso => floor::udp::segmented(settings, false).map(|rate| flooded(&rate)),
        System::RawGsoGro => floor::udp::segmented(settings, true).map(|rate| flooded(&rate)),
        System::RawEcho => {
            let Work::Echo { pace, .. } = scenario.work else {
                return Err("raw sockets echo only in scenarios of round trips".into());
            };
            floor::udp::round_trips(pace, scenario.length, settings.period()?).map(trips)
        }
    }
}

fn aileron(scenario: &Scenario, settings: &Settings) -> Result<Measured, Failure> {
    let mode = Mode::Invoker;
    let launch = || Aileron::launch(mode, config(mode, &[])?);
    let subscriber = |directory: &Path| match scenario.work.medium() {
        Medium::Ipc => Aileron::attach(mode, directory),
        Medium::Udp | Medium::LossyUdp | Medium::Destinations(_) => launch(),
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
    let subscriber = |directory_of_publisher: &Path| match scenario.work.medium() {
        Medium::Ipc => AeronC::attach(directory_of_publisher),
        Medium::Udp | Medium::LossyUdp | Medium::Destinations(_) => {
            AeronC::launch(&directory("subscriber"))
        }
    };
    let sides = Sides {
        publisher: &publisher,
        subscriber: &subscriber,
    };
    over_nodes(scenario, settings, &sides)
}

#[cfg(not(feature = "peers"))]
fn aeron_c(_: &Scenario, _: &Settings) -> Result<Measured, Failure> {
    Err("built without Aeron C: build with `--features peers`".into())
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
    }
}

fn flood_of(scenario: &Scenario, settings: &Settings) -> Result<Flood, Failure> {
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

fn echo_of(scenario: &Scenario, settings: &Settings) -> Result<Echo, Failure> {
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

fn flooded(rate: &Rate) -> Measured {
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
fn trips(trips: RoundTrips) -> Measured {
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
