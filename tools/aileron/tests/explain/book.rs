//! What the book says that `explain` prints is what it prints: each block of its page on
//! troubleshooting is compared with a driver that is brought into that state. Numbers, and so
//! addresses, ids and sizes, may differ.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::net::UdpSocket;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use aileron_cli::commands::explain::to_text;
use regex::Regex;

use crate::pages::{pages, take_apart};
use crate::patience::{PATIENCE, fill, resolved, wait_until};
use crate::rig::{LOOPBACK, Rig, STREAM, lossy_stream, wait_connected};

/// What keeps a state up.
type State = Vec<Box<dyn Any>>;

/// Brings a driver into a state.
type Prepare = fn(&Rig) -> State;

/// Those of the blocks that show each cause.
const STATES: &[(&str, Prepare)] = &[
    ("no-subscriber", |rig| {
        let address = deaf().local_addr().expect("bound");
        let channel = format!("aeron:udp?endpoint={address}");
        vec![Box::new(rig.publish(&channel))]
    }),
    ("endpoint-mismatch", |rig| {
        let (wrong, subscription) = (deaf(), rig.subscribe(LOOPBACK));
        let address = wrong.local_addr().expect("bound");
        let publication = rig.publish(&format!("aeron:udp?endpoint={address}"));
        vec![Box::new((wrong, subscription, publication))]
    }),
    ("setup-unanswered", |rig| {
        let deaf = deaf();
        let address = deaf.local_addr().expect("bound");
        let publication = rig.publish(&format!("aeron:udp?endpoint={address}"));
        vec![Box::new((deaf, publication))]
    }),
    ("group-incomplete", |rig| {
        let publication =
            rig.publish("aeron:udp?control=127.0.0.1:0|control-mode=manual|fc=min,g:/3");
        let subscription = rig.subscribe(LOOPBACK);
        let destination = publication.add_destination(resolved(&subscription));
        destination.expect("added");
        vec![Box::new((publication, subscription))]
    }),
    ("subscriber-behind", |rig| {
        let subscription = rig.subscribe(LOOPBACK);
        let publication = rig.publish(&resolved(&subscription));
        wait_connected(&publication);
        fill(&publication);
        vec![Box::new((publication, subscription))]
    }),
    ("blocked-by-claim", |rig| {
        let subscription = rig.subscribe("aeron:ipc");
        let publication = rig.publish("aeron:ipc");
        wait_connected(&publication);
        // Never committed: to the driver it looks as if its publisher had died.
        let _kept = ManuallyDrop::new(publication.try_claim(100).expect("room"));
        vec![Box::new((publication, subscription))]
    }),
    ("loss", |rig| vec![Box::new(lossy_stream(rig))]),
    ("name-unresolved", |rig| {
        let channel = "aeron:udp?endpoint=no-such-host.invalid:40123";
        let refused = rig.client.add_publication(channel, STREAM);
        refused.expect_err("it cannot resolve");
        Vec::new()
    }),
];

/// A socket that answers nothing.
fn deaf() -> UdpSocket {
    UdpSocket::bind(("127.0.0.1", 0)).expect("a socket")
}

/// A text without its numbers and their units, and without blanks at the ends of lines.
fn without_numbers(text: &str) -> String {
    static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
        let (number, unit) = (r"-?\d+([.,:]\d+)*", r"([KMG]iB|B|ns|us|ms|s)\b");
        Regex::new(&format!("{number}( {unit})?(/s)?")).expect("it is one")
    });
    let text = NUMBERS.replace_all(text, "#");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn explanations_in_the_book_are_what_is_printed() {
    let mut shown = Vec::new();
    for (path, page) in pages() {
        for block in take_apart(&page).0 {
            if block.language == "explain" {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                shown.push((format!("{name}:{}", block.line), block.text));
            }
        }
    }
    assert!(shown.len() >= STATES.len(), "{} blocks", shown.len());
    for (cause, prepare) in STATES {
        let marks = [format!("stall: {cause}"), format!("warning: {cause}")];
        let is_its = |text: &str| marks.iter().any(|mark| text.contains(mark.as_str()));
        let (own, others) = shown.into_iter().partition(|(_, text)| is_its(text));
        shown = others;
        let own: Vec<(String, String)> = own;
        assert!(!own.is_empty(), "no block shows {cause}");
        let rig = Rig::new();
        let state = prepare(&rig);
        for (place, text) in own {
            await_text(&rig, &place, &text);
        }
        drop(state);
    }
    assert!(shown.is_empty(), "nobody brings these about: {shown:#?}");
}

/// Explains until it says this.
fn await_text(rig: &Rig, place: &str, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    let wanted = without_numbers(wanted);
    wait_until("what the book shows", || {
        let text = to_text(&rig.explain());
        let says = without_numbers(&text).contains(&wanted);
        assert!(
            says || Instant::now() + Duration::from_secs(5) < deadline,
            "{place} has\n{wanted}\nand it says\n{text}"
        );
        says
    });
}

#[test]
fn numbers_are_all_that_may_differ() {
    let one = "at 10.0.0.1:4000, -7 of 1,024 or 1.5 KiB/s since 300 ms; x ";
    assert_eq!(without_numbers(one), "at #, # of # or # since #; x");
    assert_ne!(without_numbers("8 readers"), without_numbers("8 writers"));
}
