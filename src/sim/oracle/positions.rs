//! How positions stand to one another: nobody is ahead of what feeds them, and nobody goes back.

use super::counters::{Watch, Watched};
use crate::sim::people::{Ledgers, Outcome};

/// Checks the positions of all streams on a driver.
pub(in crate::sim) fn check_positions(
    driver: usize,
    watch: &mut Watch,
    ledgers: &Ledgers,
) -> Outcome {
    check_publications(driver, watch)?;
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

fn check_publications(driver: usize, watch: &mut Watch) -> Outcome {
    for publication in &mut watch.publications {
        let id = publication.registration_id;
        let name = |what: &str| format!("driver {driver}, publication {id}: {what}");
        let Some(log) = &publication.log else {
            continue;
        };
        let producer = log.producer_position().get();
        publication.producer = producer;
        if let Some(position) = &mut publication.publisher_position {
            let position = advance(position, || name("pub-pos"))?;
            not_above(position, producer, || name("pub-pos and the producer"))?;
        }
        let Some(sender_position) = &mut publication.sender_position else {
            continue;
        };
        let sent = advance(sender_position, || name("snd-pos"))?;
        not_above(sent, producer, || name("snd-pos and the producer"))?;
        let only_rises = publication.limit_only_rises;
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
        if image.ledger.1 != ledgers.count() {
            let ledger = ledgers.of_session(image.stream_id, image.session_id);
            image.ledger = (ledger, ledgers.count());
        }
        if let Some(ledger) = image.ledger.0 {
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
        let image = subscriber.image.map(|at| &watch.images[at]);
        if let Some(hwm) = image.and_then(|image| image.hwm.as_ref()) {
            not_above(position, hwm.get(), || name("sub-pos and rcv-hwm"))?;
        }
        let publication = subscriber.publication.map(|at| &watch.publications[at]);
        if let Some(publication) = publication.filter(|p| p.log.is_some()) {
            let producer = publication.producer;
            not_above(position, producer, || name("sub-pos and the producer"))?;
        }
    }
    Ok(())
}
