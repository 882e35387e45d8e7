//! The counters of a driver, sorted by the streams they belong to.

use crate::base::{CounterId, Nanos, Position};
use crate::cnc::counter_types::{
    PUBLISHER_LIMIT_TYPE_ID, PUBLISHER_POSITION_TYPE_ID, RECEIVER_HWM_TYPE_ID,
    RECEIVER_POSITION_TYPE_ID, SENDER_LIMIT_TYPE_ID, SENDER_POSITION_TYPE_ID,
    SUBSCRIBER_POSITION_TYPE_ID, StreamKey,
};
use crate::concurrent::AtomicCounter;
use crate::logbuffer::{Gap, LogBuffer};
use crate::memory::AtomicBuffer;
use crate::sim::host::SimDriver;
use crate::sim::plan::Plan;

/// A position that never goes back.
#[derive(Debug)]
pub(in crate::sim) struct Watched {
    pub(super) counter: AtomicCounter,
    pub(super) last: i64,
}

impl Watched {
    pub(super) fn get(&self) -> i64 {
        self.counter.get()
    }
}

/// The counters of a publication.
#[derive(Debug)]
pub(in crate::sim) struct PublicationWatch {
    pub(super) registration_id: i64,
    pub(super) session_id: i32,
    pub(super) stream_id: i32,
    pub(super) log: Option<LogBuffer>,
    pub(super) publisher_position: Option<Watched>,
    pub(super) publisher_limit: Option<AtomicCounter>,
    pub(super) sender_position: Option<Watched>,
    pub(super) sender_limit: Option<Watched>,
    /// Sender position and limit when its sender last began to work.
    pub(super) before: (i64, i64),
    /// Whether its sender limit never falls.
    pub(super) limit_only_rises: bool,
    /// Up to where it was published when the oracle last looked.
    pub(super) producer: i64,
}

/// The counters of an image.
#[derive(Debug)]
pub(in crate::sim) struct ImageWatch {
    pub(super) correlation_id: i64,
    pub(super) session_id: i32,
    pub(super) stream_id: i32,
    /// Its log, as driver and clients see it and as plain bytes.
    pub(super) log: Option<(LogBuffer, AtomicBuffer)>,
    pub(super) hwm: Option<Watched>,
    pub(super) rebuild: Option<Watched>,
    /// The ledger of its session, and how many ledgers there were when it was looked up.
    pub(super) ledger: (Option<usize>, usize),
    /// Holes that the conductor may have seen and the receiver may still ask for, each with the
    /// number of turns of the receiver since.
    pub(super) gaps: Vec<(Gap, u8)>,
    /// Begin and end of all holes when the receiver last began to work: it may ask for one and fill
    /// it in the same turn.
    pub(super) holes: Vec<(i64, i64)>,
}

/// The position of a subscriber on an image or a publication.
#[derive(Debug)]
pub(in crate::sim) struct SubscriberWatch {
    pub(super) stream: i64,
    pub(super) position: Watched,
    /// Where its image or its publication stands in the lists of the watch.
    pub(super) image: Option<usize>,
    pub(super) publication: Option<usize>,
}

/// The counters of a driver.
#[derive(Debug, Default)]
pub(in crate::sim) struct Watch {
    signature: Vec<(i32, i64)>,
    pub(super) publications: Vec<PublicationWatch>,
    pub(super) images: Vec<ImageWatch>,
    pub(super) subscribers: Vec<SubscriberWatch>,
    /// When the receiver last had a turn that counts.
    pub(super) receiver_turn: Nanos,
}

impl Watch {
    /// Looks which counters there are. To be called after the conductor worked.
    pub(in crate::sim) fn refresh(&mut self, driver: &SimDriver, plan: &Plan) {
        // An id and the registration of what uses it tell two users of one id apart.
        let signature = driver.counter_owners();
        if signature.clone().eq(self.signature.iter().copied()) {
            return;
        }
        let signature = signature.collect();
        let old = std::mem::take(self);
        self.receiver_turn = old.receiver_turn;
        self.signature = signature;
        for at in 0..self.signature.len() {
            self.sort_in(driver, CounterId(self.signature[at].0));
        }
        self.take_over(old);
        self.link(driver, plan);
    }

    /// Looks up once what is wanted in each step.
    fn link(&mut self, driver: &SimDriver, plan: &Plan) {
        let is_simulating = plan.drivers[driver.number].spies_simulate_connection;
        for publication in &mut self.publications {
            // Where spies stand in for receivers, the limit follows the position when those are
            // gone; where there are several receivers, it follows the slowest that is left.
            let stream_id = publication.stream_id;
            let mut streams = plan.streams.iter();
            let stream = streams.find(|stream| stream.stream_id == stream_id);
            let is_unicast = stream.is_some_and(|stream| stream.medium.is_unicast());
            publication.limit_only_rises = !is_simulating && is_unicast;
        }
        for subscriber in &mut self.subscribers {
            let id = subscriber.stream;
            let mut images = self.images.iter();
            subscriber.image = images.position(|image| image.correlation_id == id);
            let mut publications = self.publications.iter();
            subscriber.publication = publications.position(|p| p.registration_id == id);
        }
    }

    fn sort_in(&mut self, driver: &SimDriver, id: CounterId) {
        let counters = &driver.counters;
        let (Some(type_id), Some(counter)) = (counters.type_id(id), counters.counter(id)) else {
            return;
        };
        let watched = Watched {
            last: i64::MIN,
            counter: counter.clone(),
        };
        let key = || StreamKey::decode(&counters.key(id)?);
        match type_id {
            PUBLISHER_LIMIT_TYPE_ID
            | PUBLISHER_POSITION_TYPE_ID
            | SENDER_POSITION_TYPE_ID
            | SENDER_LIMIT_TYPE_ID => {
                let Some(key) = key() else {
                    return;
                };
                let publication = self.publication(driver, &key);
                match type_id {
                    PUBLISHER_LIMIT_TYPE_ID => publication.publisher_limit = Some(counter),
                    PUBLISHER_POSITION_TYPE_ID => publication.publisher_position = Some(watched),
                    SENDER_POSITION_TYPE_ID => publication.sender_position = Some(watched),
                    _ => publication.sender_limit = Some(watched),
                }
            }
            RECEIVER_HWM_TYPE_ID | RECEIVER_POSITION_TYPE_ID => {
                let Some(key) = key() else {
                    return;
                };
                let image = self.image(driver, &key);
                if type_id == RECEIVER_HWM_TYPE_ID {
                    image.hwm = Some(watched);
                } else {
                    image.rebuild = Some(watched);
                }
            }
            SUBSCRIBER_POSITION_TYPE_ID => self.subscribers.push(SubscriberWatch {
                stream: counters.reference_id(id).unwrap_or(0),
                position: watched,
                image: None,
                publication: None,
            }),
            _ => {}
        }
    }

    fn publication(&mut self, driver: &SimDriver, key: &StreamKey) -> &mut PublicationWatch {
        let id = key.registration_id.get();
        let found = self
            .publications
            .iter()
            .position(|publication| publication.registration_id == id);
        let at = found.unwrap_or_else(|| {
            self.publications.push(PublicationWatch {
                registration_id: id,
                session_id: key.session_id.get(),
                stream_id: key.stream_id.get(),
                log: driver.publication_log(id),
                publisher_position: None,
                publisher_limit: None,
                sender_position: None,
                sender_limit: None,
                before: (i64::MAX, i64::MAX),
                limit_only_rises: false,
                producer: 0,
            });
            self.publications.len() - 1
        });
        &mut self.publications[at]
    }

    fn image(&mut self, driver: &SimDriver, key: &StreamKey) -> &mut ImageWatch {
        let id = key.registration_id.get();
        let found = self
            .images
            .iter()
            .position(|image| image.correlation_id == id);
        let at = found.unwrap_or_else(|| {
            self.images.push(ImageWatch {
                correlation_id: id,
                session_id: key.session_id.get(),
                stream_id: key.stream_id.get(),
                log: driver.image_log(id),
                hwm: None,
                rebuild: None,
                ledger: (None, 0),
                gaps: Vec::new(),
                holes: Vec::new(),
            });
            self.images.len() - 1
        });
        &mut self.images[at]
    }

    /// Keeps what was known of those that are still there.
    fn take_over(&mut self, old: Self) {
        fn keep(new: Option<&mut Watched>, old: Option<Watched>) {
            if let (Some(new), Some(old)) = (new, old)
                && new.counter.id() == old.counter.id()
            {
                new.last = old.last;
            }
        }
        for was in old.publications {
            let id = was.registration_id;
            let is = self.publications.iter_mut();
            if let Some(is) = is.into_iter().find(|is| is.registration_id == id) {
                keep(is.publisher_position.as_mut(), was.publisher_position);
                keep(is.sender_position.as_mut(), was.sender_position);
                keep(is.sender_limit.as_mut(), was.sender_limit);
                is.before = was.before;
            }
        }
        for was in old.images {
            let id = was.correlation_id;
            if let Some(is) = self.images.iter_mut().find(|is| is.correlation_id == id) {
                keep(is.hwm.as_mut(), was.hwm);
                keep(is.rebuild.as_mut(), was.rebuild);
                is.gaps = was.gaps;
                is.holes = was.holes;
            }
        }
    }

    /// Lets all senders believe that they may send so much more than they may.
    pub(in crate::sim) fn shift_sender_limits(&self, by: i64) {
        for limit in self
            .publications
            .iter()
            .filter_map(|p| p.sender_limit.as_ref())
        {
            limit.counter.set(limit.get() + by);
        }
    }

    /// Positions that explain why a stream does not move, in words.
    pub(in crate::sim) fn describe(&self, stream_id: i32, session_id: i32) -> String {
        let value = |watched: &Option<Watched>| watched.as_ref().map(Watched::get);
        let mut text = String::new();
        for p in &self.publications {
            if (p.stream_id, p.session_id) == (stream_id, session_id) {
                let log = p.log.as_ref();
                text.push_str(&format!(
                    " publication {}: producer {:?} connected {:?} pub-pos {:?} pub-lmt {:?} \
                     snd-pos {:?} snd-lmt {:?}",
                    p.registration_id,
                    log.map(|log| log.producer_position().get()),
                    log.map(LogBuffer::is_connected),
                    value(&p.publisher_position),
                    p.publisher_limit.as_ref().map(AtomicCounter::get),
                    value(&p.sender_position),
                    value(&p.sender_limit),
                ));
                text.push_str(&self.describe_subscribers(p.registration_id));
            }
        }
        for image in &self.images {
            if (image.stream_id, image.session_id) == (stream_id, session_id) {
                let end = image
                    .log
                    .as_ref()
                    .map(|(log, _)| log.end_of_stream_position());
                text.push_str(&format!(
                    " image {}: rcv-hwm {:?} rcv-pos {:?} end {:?}",
                    image.correlation_id,
                    value(&image.hwm),
                    value(&image.rebuild),
                    end.map(Position::get),
                ));
                text.push_str(&self.describe_subscribers(image.correlation_id));
            }
        }
        text
    }

    fn describe_subscribers(&self, stream: i64) -> String {
        let of_stream = self.subscribers.iter().filter(|s| s.stream == stream);
        let positions: Vec<i64> = of_stream.map(|s| s.position.get()).collect();
        format!(" sub-pos {positions:?};")
    }
}
