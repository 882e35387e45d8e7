//! What is printed, as text or as JSON.

use std::time::Duration;

use aileron::sim::{Failure, Omission, Report, Shrunk};

/// Sums over all worlds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) worlds: u64,
    pub(crate) unrepeatable: u64,
    steps: u64,
    messages: u64,
    consumed: u64,
    datagrams: u64,
    naks: u64,
    retransmits: u64,
    unblocked: u64,
    rejected: u64,
    revoked: u64,
    consumed_of: [u64; 6],
    virtual_ns: i64,
    /// The sum of all event hashes: the same seeds make the same sum, in whatever order they run.
    fingerprint: u64,
}

/// What a run took.
#[derive(Debug)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// Of all threads, where the system tells.
    pub(crate) cpu: Option<Duration>,
    pub(crate) jobs: usize,
}

impl Totals {
    pub(crate) fn add(&mut self, report: &Report) {
        self.worlds += 1;
        self.steps += report.steps;
        self.messages += report.messages;
        self.consumed += report.consumed;
        self.datagrams += report.datagrams;
        self.naks += report.naks;
        self.retransmits += report.retransmits;
        self.unblocked += report.unblocked;
        self.rejected += report.rejected;
        self.revoked += report.revoked;
        for (sum, of) in self.consumed_of.iter_mut().zip(report.consumed_of) {
            *sum += of;
        }
        self.virtual_ns += report.virtual_ns;
        self.fingerprint = self.fingerprint.wrapping_add(report.event_hash);
    }
}

/// A world that kept its promises.
pub(crate) fn report(report: &Report, json: bool) {
    if !json {
        println!("{report:#?}");
        return;
    }
    println!(
        "{{\"seed\":{},\"ok\":true,\"steps\":{},\"virtual_ns\":{},\"events\":{},\
         \"event_hash\":\"{:016x}\",\"messages\":{},\"consumed\":{},\"datagrams\":{},\"naks\":{},\
         \"retransmits\":{},\"unblocked\":{}}}",
        report.seed,
        report.steps,
        report.virtual_ns,
        report.events,
        report.event_hash,
        report.messages,
        report.consumed,
        report.datagrams,
        report.naks,
        report.retransmits,
        report.unblocked
    );
}

/// A world that did not.
pub(crate) fn failure(failure: &Failure, json: bool) {
    if !json {
        println!("{failure}\n");
        return;
    }
    let events: Vec<String> = failure.events.iter().map(|event| quoted(event)).collect();
    println!(
        "{{\"seed\":{},\"ok\":false,\"step\":{},\"virtual_ns\":{},\"what\":{},\"plan\":{},\
         \"events\":[{}]}}",
        failure.seed,
        failure.step,
        failure.virtual_ns,
        quoted(&failure.what),
        quoted(&failure.plan),
        events.join(",")
    );
}

/// What is left of a failure when all is left out that it does not need.
pub(crate) fn shrunk(shrunk: &Shrunk, json: bool) {
    let names: Vec<String> = shrunk.omissions.iter().map(Omission::to_string).collect();
    let (names, seed) = (names.join(","), shrunk.failure.seed);
    if json {
        println!(
            "{{\"seed\":{seed},\"omit\":{},\"what\":{},\"plan\":{}}}",
            quoted(&names),
            quoted(&shrunk.failure.what),
            quoted(&shrunk.failure.plan)
        );
        return;
    }
    println!("{}", shrunk.failure);
    println!(
        "cut down with {} runs: --seed {seed} --omit {names}\n",
        shrunk.runs
    );
}

impl Cost {
    /// Worlds in a second of the clock on the wall.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    fn rate(&self, worlds: u64) -> f64 {
        worlds as f64 / self.wall.as_secs_f64().max(0.001)
    }

    /// Virtual seconds that one core makes in a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    fn speed(&self, virtual_ns: i64) -> f64 {
        let cores = self
            .cpu
            .unwrap_or(self.wall * u32::try_from(self.jobs).unwrap_or(1));
        virtual_ns as f64 / 1e9 / cores.as_secs_f64().max(0.001)
    }

    fn core_hours(&self) -> f64 {
        self.cpu.unwrap_or_default().as_secs_f64() / 3600.0
    }
}

/// The end of a run.
pub(crate) fn summary(totals: &Totals, failures: &[Failure], cost: &Cost, json: bool) {
    let seeds: Vec<String> = failures.iter().map(|f| f.seed.to_string()).collect();
    let seeds = seeds.join(",");
    if json {
        println!(
            "{{\"worlds\":{},\"failed\":[{seeds}],\"worlds_per_second\":{:.1},\
             \"virtual_s\":{},\"wall_s\":{:.1},\"times_real_time_per_core\":{:.0},\
             \"core_hours\":{:.4}}}",
            totals.worlds,
            cost.rate(totals.worlds),
            totals.virtual_ns / 1_000_000_000,
            cost.wall.as_secs_f64(),
            cost.speed(totals.virtual_ns),
            cost.core_hours()
        );
        return;
    }
    println!(
        "{} worlds kept their promises, {:.0} per second with {} threads; {} s of virtual time in \
         {:.1} s, {:.0} times real time per core, {:.4} core hours",
        totals.worlds,
        cost.rate(totals.worlds),
        cost.jobs,
        totals.virtual_ns / 1_000_000_000,
        cost.wall.as_secs_f64(),
        cost.speed(totals.virtual_ns),
        cost.core_hours()
    );
    println!(
        "{} steps, {} messages, {} consumed, {} datagrams, {} NAKs, {} sent again, {} unblocked; \
         fingerprint {:016x}",
        totals.steps,
        totals.messages,
        totals.consumed,
        totals.datagrams,
        totals.naks,
        totals.retransmits,
        totals.unblocked,
        totals.fingerprint
    );
    let [udp, ipc, multicast, dynamic, manual, answers] = totals.consumed_of;
    println!(
        "consumed: {udp} through UDP, {ipc} IPC, {multicast} multicast, {dynamic} dynamic and \
         {manual} manual destinations, {answers} answers; {} sessions rejected, {} revoked",
        totals.rejected, totals.revoked
    );
    if !failures.is_empty() {
        println!("failed: {seeds}");
        for failure in failures {
            println!("  seed {}: {}", failure.seed, failure.what);
        }
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
