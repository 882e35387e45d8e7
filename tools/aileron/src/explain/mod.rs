//! Why a stream stalls: who limits it, by how much, since when, and what to do.
//!
//! [`explain`] is a pure function from what was observed, twice or more, to [`Finding`]s. Each rule
//! looks at one part of the picture: the driver, its clients, its errors, a publication that has no
//! receiver, one that has, an image. A rule says nothing where it sees nothing; there is no
//! finding that says "unknown".
//!
//! Where the driver keeps counters beyond Aeron's, the rules are exact; elsewhere some of them
//! conclude, and say so ([`Basis`]).

mod cause;
mod clients;
mod connect;
mod driver;
mod endpoint;
mod errors;
mod image;
mod limiter;
mod publication;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aileron::base::{ClientId, EpochMillis};

pub use cause::Cause;
pub use endpoint::endpoint_of;
pub use limiter::Limiter;

use crate::machine::MachineFacts;
use crate::rates::Rates;
use crate::snapshot::{ChannelView, ImageView, PublicationView, Snapshot};
use limiter::Limits;

/// What was seen at one moment.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the two parts of the picture")]
pub struct Observation {
    /// Of the driver.
    pub snapshot: Snapshot,
    /// Of the machine.
    pub machine: MachineFacts,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Basis {
    /// Counters or files say so.
    Exact,
    /// It follows from what is seen, but not without doubt.
    BestEffort,
}

/// Since when something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "closed")]
pub enum Since {
    /// Since this moment.
    At(EpochMillis),
    /// For at least as long as it was observed, nanoseconds.
    AtLeast(i64),
}

/// By how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "closed")]
pub enum Size {
    /// Bytes.
    Bytes(i64),
    /// Nanoseconds.
    Ns(i64),
    /// How many are there of how many that are needed.
    Of(i64, i64),
    /// Times.
    Count(i64),
}

/// Which stream a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamName {
    /// Whether it is about the publication; else about an image.
    pub is_publication: bool,
    /// Registration id of the publication, correlation id of the image.
    pub id: i64,
    /// Its session.
    pub session_id: i32,
    /// Its stream.
    pub stream_id: i32,
    /// Its channel.
    pub channel: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// Why.
    pub cause: Cause,
    /// Whether a stream stands still or loses for it; else it is a warning.
    pub is_stall: bool,
    /// The stream; `None` for what concerns all, or is not there any more.
    pub stream: Option<StreamName>,
    /// Who is to blame.
    pub party: String,
    /// The client that it is, where it is one.
    pub client_id: Option<ClientId>,
    /// By how much.
    pub size: Option<Size>,
    /// Since when.
    pub since: Since,
    /// How sure this is.
    pub basis: Basis,
    /// What is the matter, a sentence.
    pub what: String,
    /// What to do, a sentence.
    pub advice: String,
}

/// What becomes of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "closed")]
pub enum Flow {
    /// Data moved while it was observed.
    Flows,
    /// There is nothing to move.
    Idle,
    /// There is something to move, and it does not, or it cannot be published.
    Stalled,
}

/// One stream and what becomes of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// Which.
    pub stream: StreamName,
    /// What becomes of it.
    pub flow: Flow,
    /// Bytes a second that moved.
    pub bytes_per_second: f64,
    /// Who sets the pace.
    pub limiter: Limiter,
}

/// All that there is to say.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// What is wrong, what stalls first.
    pub findings: Vec<Finding>,
    /// All streams: publications, then images, each in the order of the snapshot.
    pub verdicts: Vec<Verdict>,
    /// What moved while it was observed.
    pub rates: Rates,
    /// Whether the driver keeps the counters that make explanations exact.
    pub is_aileron: bool,
}

impl Explanation {
    /// Whether something stalls.
    #[must_use]
    pub fn has_stall(&self) -> bool {
        self.findings.iter().any(|finding| finding.is_stall)
    }
}

/// What rules look at.
struct Case<'a> {
    /// The first observation.
    before: &'a Observation,
    /// The last one.
    now: &'a Observation,
    rates: Rates,
    /// Publications of the first observation by registration id: there may be thousands.
    publications_before: BTreeMap<i64, &'a PublicationView>,
    /// Images of it by correlation id.
    images_before: BTreeMap<i64, &'a ImageView>,
    /// Receive endpoints of the last observation, with the address that they receive on.
    receivers: Vec<(&'a ChannelView, SocketAddr)>,
    findings: Vec<Finding>,
}

impl<'a> Case<'a> {
    fn new(before: &'a Observation, now: &'a Observation) -> Self {
        let publications = before.snapshot.publications.iter();
        let images = before.snapshot.images.iter();
        Self {
            before,
            now,
            rates: Rates::between(&before.snapshot, &now.snapshot),
            publications_before: publications.map(|p| (p.registration_id.get(), p)).collect(),
            images_before: images.map(|i| (i.correlation_id.get(), i)).collect(),
            receivers: connect::receivers(&now.snapshot),
            findings: Vec::new(),
        }
    }

    /// A publication as it was at first.
    fn earlier(&self, publication: &PublicationView) -> Option<&'a PublicationView> {
        let id = publication.registration_id.get();
        self.publications_before.get(&id).copied()
    }

    /// An image as it was at first.
    fn earlier_image(&self, image: &ImageView) -> Option<&'a ImageView> {
        let id = image.correlation_id.get();
        self.images_before.get(&id).copied()
    }

    fn snapshot(&self) -> &'a Snapshot {
        &self.now.snapshot
    }

    fn machine(&self) -> &'a MachineFacts {
        &self.now.machine
    }

    /// As long as nothing moved.
    const fn observed(&self) -> Since {
        Since::AtLeast(self.rates.elapsed_ns)
    }

    /// Files a finding, exact and a stall; rules change what is different.
    fn report(&mut self, cause: Cause, party: impl Into<String>) -> &mut Finding {
        let finding = Finding {
            cause,
            is_stall: true,
            stream: None,
            party: party.into(),
            client_id: None,
            size: None,
            since: self.observed(),
            basis: Basis::Exact,
            what: String::new(),
            advice: String::new(),
        };
        self.findings.push(finding);
        self.findings.last_mut().expect("it was just filed")
    }

    fn has(&self, cause: Cause) -> bool {
        self.findings.iter().any(|finding| finding.cause == cause)
    }

    /// `client 3 'orders' (pid 12)`, which reads or writes a log.
    fn client_title(&self, client_id: ClientId, log_id: i64) -> String {
        let client = self.snapshot().client(client_id);
        let title = client.map_or_else(|| client_id.to_string(), |client| client.title());
        format!("client {title}{}", self.machine().users_text(log_id))
    }
}

fn name_of_publication(publication: &PublicationView) -> StreamName {
    StreamName {
        is_publication: true,
        id: publication.registration_id.get(),
        session_id: publication.session_id.get(),
        stream_id: publication.stream_id.get(),
        channel: publication.channel.clone(),
    }
}

fn name_of_image(image: &ImageView) -> StreamName {
    StreamName {
        is_publication: false,
        id: image.correlation_id.get(),
        session_id: image.session_id.get(),
        stream_id: image.stream_id.get(),
        channel: image.channel.clone(),
    }
}

/// Explains what was observed of one driver. With a single observation nothing is known to stand
/// still; two that are 100 ms apart are enough.
///
/// ```
/// use aileron_cli::explain::{Observation, explain};
/// use aileron_cli::{Directory, MachineFacts, Snapshot};
/// let driver = aileron::MediaDriver::launch_embedded(Default::default())?;
/// let directory = Directory::open(driver.directory(), std::time::Duration::from_secs(1))?;
/// let observe = || {
///     let snapshot = Snapshot::take(&directory);
///     Observation { machine: MachineFacts::gather(&directory, &snapshot), snapshot }
/// };
/// assert!(!explain(&[observe(), observe()]).has_stall());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn explain(history: &[Observation]) -> Explanation {
    match (history.first(), history.last()) {
        (Some(before), Some(now)) => explain_change(before, now),
        _ => Explanation::default(),
    }
}

/// Explains what was observed at first and at last.
pub(crate) fn explain_change(before: &Observation, now: &Observation) -> Explanation {
    let mut case = Case::new(before, now);
    driver::look(&mut case);
    clients::look(&mut case);
    errors::look(&mut case);
    for publication in &now.snapshot.publications {
        publication::look(&mut case, publication);
    }
    for image in &now.snapshot.images {
        image::look(&mut case, image);
    }
    image::look_at_sockets(&mut case);
    let verdicts = verdicts(&case);
    let mut findings = case.findings;
    findings.sort_by_key(|finding| !finding.is_stall);
    Explanation {
        findings,
        verdicts,
        rates: case.rates,
        is_aileron: now.snapshot.driver.is_aileron,
    }
}

fn verdicts(case: &Case<'_>) -> Vec<Verdict> {
    let limits = Limits::new(case);
    let verdict = |stream: StreamName, rate: f64| {
        let (limiter, is_stalled) = limits.of(&stream, rate);
        let flow = if is_stalled {
            Flow::Stalled
        } else if rate > 0.0 {
            Flow::Flows
        } else {
            Flow::Idle
        };
        Verdict {
            stream,
            flow,
            bytes_per_second: rate,
            limiter,
        }
    };
    let publications = case.snapshot().publications.iter().map(|publication| {
        let rates = &case.rates.publications;
        let rate = rates.get(&publication.registration_id.get());
        let rate = rate.map_or(0.0, |rates| rates.published);
        verdict(name_of_publication(publication), rate)
    });
    let images = case.snapshot().images.iter().map(|image| {
        let rate = case.rates.images.get(&image.correlation_id.get());
        let rate = rate.map_or(0.0, |rates| rates.rebuilt);
        verdict(name_of_image(image), rate)
    });
    publications.chain(images).collect()
}
