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
mod publication;
#[cfg(test)]
mod tests;

use aileron::base::EpochMillis;

pub use cause::Cause;
pub use endpoint::endpoint_of;

use crate::machine::MachineFacts;
use crate::rates::Rates;
use crate::snapshot::{ImageView, PublicationView, Snapshot};

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
}

/// All that there is to say.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Explanation {
    /// What is wrong, what stalls first.
    pub findings: Vec<Finding>,
    /// All streams.
    pub verdicts: Vec<Verdict>,
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
    findings: Vec<Finding>,
}

impl<'a> Case<'a> {
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
    fn client_title(&self, client_id: aileron::base::ClientId, log_id: i64) -> String {
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
    let (Some(before), Some(now)) = (history.first(), history.last()) else {
        return Explanation::default();
    };
    let mut case = Case {
        before,
        now,
        rates: Rates::between(&before.snapshot, &now.snapshot),
        findings: Vec::new(),
    };
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
        is_aileron: now.snapshot.driver.is_aileron,
    }
}

fn verdicts(case: &Case<'_>) -> Vec<Verdict> {
    let all_stalled = case
        .findings
        .iter()
        .any(|f| f.is_stall && f.cause == Cause::DriverGone);
    let verdict = |stream: StreamName, rate: f64| {
        let is_stalled = all_stalled
            || case
                .findings
                .iter()
                .any(|f| f.is_stall && f.stream.as_ref() == Some(&stream));
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
        }
    };
    let publications = case.snapshot().publications.iter().map(|publication| {
        let rates = case
            .rates
            .publications
            .get(&publication.registration_id.get());
        let rate = rates.map_or(0.0, |rates| rates.published);
        verdict(name_of_publication(publication), rate)
    });
    let images = case.snapshot().images.iter().map(|image| {
        let rates = case.rates.images.get(&image.correlation_id.get());
        verdict(
            name_of_image(image),
            rates.map_or(0.0, |rates| rates.rebuilt),
        )
    });
    publications.chain(images).collect()
}
