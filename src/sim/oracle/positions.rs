//! How positions stand to one another: nobody is ahead of what feeds them, and nobody goes back.

use super::counters::{Watch, Watched};
use crate::logbuffer::LogBuffer;
use crate::sim::people::{Ledgers, Outcome};
use crate::sim::plan::Plan;

/// Checks the positions of all streams on a driver.
pub(in crate::sim) fn check_positions(
    driver: usize,
    watch: &mut Watch,
    ledgers: &Ledgers,
    plan: &Plan,
) -> Outcome {
    check_publications(driver, watch, plan)?;
    check_images(driver, watch, ledgers)?;
    check_subscribers(driver, watch)
}

/// Notes where a position is; it must not be below where it was.
fn advance(watched: &mut Watched, name: impl FnOnce() -> String) -> Outcome<i64> {
    let position = watched.get();
    if position < watched.last {
        return Err(format!(
            "{} went back from {} to {position}",
            name(),
            watched.last
        ));
    }
    watched.last = position;
    Ok(position)
}

fn not_above(low: i64, high: i64, text: impl FnOnce() -> String) -> Outcome {
    if low <= high {
        Ok(())
    } else {
        Err(format!("{}: {low} is above {high}", text()))
    }
}

fn check_publications(driver: usize, watch: &mut Watch, plan: &Plan) -> Outcome {
    let is_simulating = plan.drivers[driver].spies_simulate_connection;
    for publication in &mut watch.publications {
        let id = publication.registration_id;
        let name = |what: &str| format!("driver {driver}, publication {id}: {what}");
        let Some(log) = &publication.log else {
            continue;
        };
        let producer = log.producer_position().get();
        if let Some(position) = &mut publication.publisher_position {
            let position = advance(position, || name("pub-pos"))?;
            not_above(position, producer, || name("pub-pos and the producer"))?;
        }
        let Some(sender_position) = &mut publication.sender_position else {
            continue;
        };
        let sent = advance(sender_position, || name("snd-pos"))?;
        not_above(sent, producer, || name("snd-pos and the producer"))?;
        // Where spies stand in for receivers, the limit follows the position when those are gone;
        // where there are several receivers, it follows the slowest that is left.
        let stream_id = publication.stream_id;
        let mut streams = plan.streams.iter();
        let stream = streams.find(|stream| stream.stream_id == stream_id);
        let only_rises = !is_simulating && stream.is_some_and(|s| s.medium.is_unicast());
        if let Some(limit) = publication.sender_limit.as_mut().filter(|_| only_rises) {
            advance(limit, || name("snd-lmt"))?;
        }
        if let Some(limit) = &publication.publisher_limit {
            let window = i64::from(log.geometry().term_length() / 2);
            let limit = limit.get();
            // Once all publishers have closed, the limit is where they stopped.
            if limit != producer {
                not_above(limit, sent + window, || {
                    name("pub-lmt and snd-pos with the largest window")
                })?;
            }
        }
    }
    Ok(())
}

fn check_images(driver: usize, watch: &mut Watch, ledgers: &Ledgers) -> Outcome {
    for image in &mut watch.images {
        let id = image.correlation_id;
        let name = |what: &str| format!("driver {driver}, image {id}: {what}");
        let (Some(hwm), Some(rebuild)) = (&mut image.hwm, &mut image.rebuild) else {
            continue;
        };
        let hwm = advance(hwm, || name("rcv-hwm"))?;
        let rebuild = advance(rebuild, || name("rcv-pos"))?;
        not_above(rebuild, hwm, || name("rcv-pos and rcv-hwm"))?;
        if let Some(ledger) = ledgers.of_session(image.stream_id, image.session_id) {
            let producer = ledgers.get(ledger).producer_position();
            not_above(hwm, producer, || name("rcv-hwm and the producer"))?;
        }
    }
    Ok(())
}

fn check_subscribers(driver: usize, watch: &mut Watch) -> Outcome {
    for subscriber in &mut watch.subscribers {
        let stream = subscriber.stream;
        let name = |what: &str| format!("driver {driver}, stream {stream}: {what}");
        let position = advance(&mut subscriber.position, || name("sub-pos"))?;
        let images = watch.images.iter();
        let image = images
            .into_iter()
            .find(|image| image.correlation_id == stream);
        if let Some(hwm) = image.and_then(|image| image.hwm.as_ref()) {
            not_above(position, hwm.get(), || name("sub-pos and rcv-hwm"))?;
        }
        let mut publications = watch.publications.iter();
        let publication = publications.find(|p| p.registration_id == stream);
        if let Some(log) = publication.and_then(|publication| publication.log.as_ref()) {
            let producer = LogBuffer::producer_position(log).get();
            not_above(position, producer, || name("sub-pos and the producer"))?;
        }
    }
    Ok(())
}
