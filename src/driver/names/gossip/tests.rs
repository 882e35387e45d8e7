//! Gossip between drivers, datagram by datagram.

use super::*;
use crate::base::Rng;
use crate::driver::names::neighbors::{CACHE_ENTRIES_MAX, NEIGHBORS_MAX};
use crate::protocol::ResolutionFrame;

const S: i64 = 1_000_000_000;

fn at(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], port))
}

/// The driver `me` at 10.0.0.1:8050.
fn gossip() -> Gossip {
    let spec = GossipSpec {
        name: Box::from(*b"me"),
        address: at(1, 8050),
        timeout_ns: 10 * S,
        self_interval_ns: S,
        cache_interval_ns: 2 * S,
        mtu_length: 64,
    };
    Gossip::new(spec, Nanos(0))
}

fn entry(name: &str, address: SocketAddr) -> ResolutionEntry<'_> {
    ResolutionEntry {
        is_self: true,
        address: address.ip(),
        port: address.port(),
        age_ms: 0,
        name: name.as_bytes(),
    }
}

fn told<'a>(name: &'a str, address: SocketAddr, age_ms: i32) -> ResolutionEntry<'a> {
    ResolutionEntry {
        is_self: false,
        age_ms,
        ..entry(name, address)
    }
}

fn hear(gossip: &mut Gossip, entry: &ResolutionEntry<'_>, now: Nanos) -> Result<(), Refused> {
    let mut datagram = Vec::new();
    let mut writer = ResolutionWriter::new(&mut datagram, 1408);
    writer.push(entry).expect("fits");
    gossip.on_datagram(&datagram, at(99, 5), now)
}

/// To whom, and of each entry its name, whether it is the sender's own, and its age.
type Sent = (SocketAddr, Vec<(String, bool, i32)>);

/// Who is sent what: names with their flag and age.
fn sent(announce: impl FnOnce(&mut dyn FnMut(SocketAddr, &[u8]))) -> Vec<Sent> {
    let mut sent = Vec::new();
    announce(&mut |to, bytes| {
        let frame = ResolutionFrame::parse(bytes).expect("well-formed");
        let entries = frame.entries().map(|entry| {
            let entry = entry.expect("well-formed");
            let name = String::from_utf8_lossy(entry.name).into_owned();
            (name, entry.is_self, entry.age_ms)
        });
        sent.push((to, entries.collect()));
    });
    sent
}

#[test]
fn own_name_goes_to_bootstrap_neighbours_and_all_others_once() {
    let mut gossip = gossip();
    hear(&mut gossip, &entry("a", at(2, 8050)), Nanos(0)).expect("taken");
    hear(&mut gossip, &entry("b", at(3, 8050)), Nanos(0)).expect("taken");
    let bootstrap = [at(7, 1), at(2, 8050)];
    let sent = sent(|mut send| gossip.announce_self(&bootstrap, &mut send));
    let to: Vec<_> = sent.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [at(7, 1), at(2, 8050), at(3, 8050)]);
    assert_eq!(sent[0].1, [("me".to_owned(), true, 0)]);
    assert!(gossip.is_self_due(Nanos(0)), "at once");
    assert!(!gossip.is_self_due(Nanos(S - 1)));
    assert!(gossip.is_self_due(Nanos(S)));
}

#[test]
fn what_was_heard_is_passed_on_with_its_age_in_frames_that_fit() {
    let mut gossip = gossip();
    let announce = |gossip: &mut Gossip, now| {
        sent(|mut send| {
            gossip.announce_cache(now, &mut send);
        })
    };
    assert!(
        announce(&mut gossip, Nanos(2 * S)).is_empty(),
        "nothing heard"
    );
    for (name, host) in [("a", 2), ("b", 3), ("c", 4)] {
        hear(&mut gossip, &entry(name, at(host, 8050)), Nanos(3 * S)).expect("taken");
    }
    let long = "x".repeat(100);
    hear(&mut gossip, &entry(&long, at(5, 8050)), Nanos(3 * S)).expect("taken");
    assert!(
        announce(&mut gossip, Nanos(4 * S - 1)).is_empty(),
        "not yet"
    );
    let sent = announce(&mut gossip, Nanos(4 * S));
    // 8 + 3 * 16 = 56 bytes of the 64; the long name fits no frame.
    assert_eq!(sent.len(), 4, "one frame for each neighbour");
    let names: Vec<_> = sent[0].1.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert!(
        sent[0]
            .1
            .iter()
            .all(|(_, is_self, age)| !is_self && *age == 1000)
    );
}

#[test]
fn only_its_own_words_keep_a_neighbour_alive() {
    let mut gossip = gossip();
    hear(&mut gossip, &told("a", at(2, 8050), 3000), Nanos(4 * S)).expect("taken");
    assert!(gossip.is_neighbor(at(2, 8050)), "known from others");
    hear(&mut gossip, &told("a", at(2, 8050), 3000), Nanos(8 * S)).expect("taken");
    assert_eq!(gossip.expire(Nanos(11 * S - 1)), 0);
    assert_eq!(gossip.expire(Nanos(11 * S)), 1, "the neighbour");
    assert_eq!(gossip.resolve("a"), Some(at(2, 0).ip()), "heard of at 5 s");
    assert_eq!(gossip.expire(Nanos(15 * S)), 1, "the name");
    hear(&mut gossip, &entry("a", at(2, 8050)), Nanos(16 * S)).expect("taken");
    hear(&mut gossip, &entry("a", at(2, 8050)), Nanos(20 * S)).expect("taken");
    assert_eq!(gossip.expire(Nanos(29 * S)), 0);
    assert_eq!(
        (gossip.neighbor_count(), gossip.cache_entry_count()),
        (1, 1)
    );
}

#[test]
fn older_news_does_not_move_a_driver_back() {
    let mut gossip = gossip();
    hear(&mut gossip, &entry("a", at(3, 8050)), Nanos(9 * S)).expect("taken");
    hear(&mut gossip, &told("a", at(2, 8050), 2000), Nanos(10 * S)).expect("taken");
    assert_eq!(gossip.resolve("a"), Some(at(3, 0).ip()));
    hear(&mut gossip, &told("a", at(4, 8050), 500), Nanos(10 * S)).expect("taken");
    assert_eq!(gossip.resolve("a"), Some(at(4, 0).ip()));
}

#[test]
fn news_that_is_too_old_is_none() {
    let mut gossip = gossip();
    hear(&mut gossip, &told("a", at(2, 8050), 10_000), Nanos(0)).expect("ignored");
    assert_eq!(
        (gossip.neighbor_count(), gossip.cache_entry_count()),
        (0, 0)
    );
    // From the future: as good as now.
    hear(&mut gossip, &told("a", at(2, 8050), -1_000_000), Nanos(0)).expect("taken");
    assert_eq!(gossip.expire(Nanos(10 * S)), 2);
}

#[test]
fn a_driver_that_does_not_know_its_address_is_where_it_sent_from() {
    let mut gossip = gossip();
    let any = SocketAddr::from(([0, 0, 0, 0], 8051));
    hear(&mut gossip, &entry("a", any), Nanos(0)).expect("taken");
    assert!(gossip.is_neighbor(at(99, 8051)), "the port is what it says");
    let no_port = SocketAddr::from(([0, 0, 0, 0], 0));
    hear(&mut gossip, &entry("b", no_port), Nanos(0)).expect("taken");
    assert!(gossip.is_neighbor(at(99, 5)), "unless it says none");
    let refused = hear(&mut gossip, &told("c", any, 0), Nanos(0));
    assert_eq!(
        refused,
        Err(Refused::Address),
        "that is only for itself to say"
    );
    let group = SocketAddr::from(([224, 0, 1, 1], 8050));
    let refused = hear(&mut gossip, &entry("d", group), Nanos(0));
    assert_eq!(refused, Err(Refused::Address));
    hear(&mut gossip, &told("e", at(6, 0), 0), Nanos(0)).expect("taken");
    assert_eq!(
        (gossip.neighbor_count(), gossip.cache_entry_count()),
        (2, 3)
    );
}

#[test]
fn own_name_on_own_port_is_an_echo_and_elsewhere_another_driver() {
    let mut gossip = gossip();
    hear(&mut gossip, &entry("me", at(5, 8050)), Nanos(0)).expect("ignored");
    assert_eq!(gossip.neighbor_count(), 0);
    assert_eq!(gossip.resolve("me"), Some(at(1, 0).ip()));
    hear(&mut gossip, &entry("m", at(5, 8050)), Nanos(0)).expect("taken");
    hear(&mut gossip, &entry("mee", at(6, 8050)), Nanos(0)).expect("taken");
    assert_eq!(gossip.neighbor_count(), 2, "part of a name is another name");
    hear(&mut gossip, &entry("me", at(5, 8051)), Nanos(0)).expect("taken");
    assert_eq!(gossip.neighbor_count(), 3);
    assert_eq!(gossip.resolve("nobody"), None);
}

#[test]
fn ipv4_is_preferred() {
    let mut gossip = gossip();
    let six: SocketAddr = "[2001:db8::1]:8050".parse().expect("an address");
    hear(&mut gossip, &entry("a", six), Nanos(0)).expect("taken");
    assert_eq!(gossip.resolve("a"), Some(six.ip()));
    hear(&mut gossip, &entry("a", at(2, 8050)), Nanos(0)).expect("taken");
    assert_eq!(gossip.resolve("a"), Some(at(2, 0).ip()));
    assert_eq!(gossip.cache_entry_count(), 2);
}

#[test]
fn entries_before_the_first_bad_one_count() {
    let mut gossip = gossip();
    let mut datagram = Vec::new();
    let mut writer = ResolutionWriter::new(&mut datagram, 1408);
    for (name, host) in [("a", 2), ("b", 3), ("c", 4)] {
        writer.push(&entry(name, at(host, 8050))).expect("fits");
    }
    datagram[8 + 16] = 9;
    let refused = gossip.on_datagram(&datagram, at(2, 8050), Nanos(0));
    assert_eq!(refused, Err(Refused::Frame(FrameError::ResolutionType)));
    assert_eq!(gossip.cache_entry_count(), 1);
}

#[test]
fn frames_for_others_are_ignored_and_tables_have_limits() {
    let mut gossip = gossip();
    let nak = [
        28, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0,
    ];
    assert_eq!(gossip.on_datagram(&nak, at(2, 1), Nanos(0)), Ok(()));
    for number in 0..1000 {
        let name = format!("n{number}");
        let address = SocketAddr::from(([10, 1, 1, 1], 10_000 + number));
        let taken = hear(&mut gossip, &entry(&name, address), Nanos(0)).is_ok();
        assert_eq!(taken, usize::from(number) < CACHE_ENTRIES_MAX);
    }
    assert_eq!(gossip.cache_entry_count(), CACHE_ENTRIES_MAX);
    for number in 0..1000 {
        let address = SocketAddr::from(([10, 1, 1, 2], 10_000 + number));
        let _is_full = hear(&mut gossip, &entry("n0", address), Nanos(0));
    }
    assert_eq!(gossip.neighbor_count(), NEIGHBORS_MAX);
}

/// A random number below `bound`.
fn small(rng: &mut Rng, bound: u16) -> u16 {
    u16::try_from(rng.below(u64::from(bound))).expect("below 2^16")
}

#[test]
fn no_datagram_breaks_it() {
    let mut rng = Rng::new(11);
    let mut gossip = gossip();
    let mut refused = 0;
    for round in 0..20_000 {
        let mut datagram = Vec::new();
        let mut writer = ResolutionWriter::new(&mut datagram, 1408);
        for _ in 0..=rng.next_u64() % 4 {
            let name = "n".repeat(1 + usize::from(small(&mut rng, 20)));
            let address = at(2, 8000 + small(&mut rng, 100));
            writer.push(&entry(&name, address)).expect("fits");
        }
        for _ in 0..rng.next_u64() % 6 {
            let index = usize::from(small(&mut rng, 2000)) % datagram.len();
            datagram[index] = small(&mut rng, 256).to_le_bytes()[0];
        }
        datagram.truncate(1 + usize::from(small(&mut rng, 2000)));
        let now = Nanos(round * 1_000_000);
        refused += usize::from(gossip.on_datagram(&datagram, at(2, 1), now).is_err());
        gossip.expire(now);
        gossip.announce_cache(now, &mut |_, bytes| {
            ResolutionFrame::parse(bytes).expect("well-formed");
        });
    }
    assert!(refused > 1000, "{refused}");
}
