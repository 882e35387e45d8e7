//! What is printed, as text or as JSON.

use aileron::sim::{Failure, Report};

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
    virtual_s: i64,
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
        self.virtual_s += report.virtual_ns / 1_000_000_000;
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

/// The end of a run.
pub(crate) fn summary(totals: &Totals, failures: &[Failure], rate: f64, json: bool) {
    let seeds: Vec<String> = failures.iter().map(|f| f.seed.to_string()).collect();
    let seeds = seeds.join(",");
    if json {
        println!(
            "{{\"worlds\":{},\"failed\":[{seeds}],\"worlds_per_second\":{rate:.1}}}",
            totals.worlds
        );
        return;
    }
    println!(
        "{} worlds kept their promises, {rate:.0} per second: {} steps, {} s of virtual time, \
         {} messages, {} consumed, {} datagrams, {} NAKs, {} sent again, {} unblocked",
        totals.worlds,
        totals.steps,
        totals.virtual_s,
        totals.messages,
        totals.consumed,
        totals.datagrams,
        totals.naks,
        totals.retransmits,
        totals.unblocked
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
