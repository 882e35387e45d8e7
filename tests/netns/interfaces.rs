//! Which interface a channel means.

use super::network::{End, Network};
use super::paths::Scene;
use super::streams::{multicast, unicast};

#[test]
fn unicast_is_sent_from_the_address_of_the_interface() {
    let name = "unicast_is_sent_from_the_address_of_the_interface";
    let interface = "|interface=10.97.0.0/16";
    // Both paths have such an address; the first one found will do.
    unicast(name, "10.99.2.2", interface, "10.97.");
}

#[test]
fn multicast_by_prefix() {
    let channel = "aeron:udp?endpoint=224.20.30.39:40456|interface=10.99.2.0/24";
    multicast("multicast_by_prefix", channel, "10.99.2.1:", &[]);
}

/// A group of the site: to one of the link the kernel sends from the link's own address, as soon as
/// it has made sure of that.
#[test]
fn multicast_v6_by_prefix() {
    let channel = "aeron:udp?endpoint=[ff05::3:1]:40456|interface=[fd99:2::]/64";
    multicast("multicast_v6_by_prefix", channel, "[fd99:2::1]:", &[]);
}

#[test]
fn multicast_by_name() {
    let channel = "aeron:udp?endpoint=224.20.30.39:40456|interface={path2}";
    multicast("multicast_by_name", channel, "10.99.2.1:", &[]);
}

/// Without an interface it is the best that is up.
#[test]
fn multicast_over_the_path_that_is_left() {
    let channel = "aeron:udp?endpoint=224.20.30.39:40456";
    let name = "multicast_over_the_path_that_is_left";
    multicast(name, channel, "10.99.2.1:", &[1]);
}

/// An interface that is not there, cannot be, is down, or is of the wrong family.
#[test]
fn others_are_refused() {
    let Some(network) = Network::make("others_are_refused") else {
        return;
    };
    network.cut(1, End::Here);
    let scene = Scene::new(&network);
    let is_missing = "there are: lo=127.0.0.1/8";
    for (interface, words) in [
        ("10.98.0.0/16", ["an address in 10.98.0.0/16", is_missing]),
        ("10.99.1.0/24", ["an address in 10.99.1.0/24", is_missing]),
        ("10.99.2.0/33", ["interface=10.99.2.0/33 is", "of the form"]),
        ("{path3}", ["path3", is_missing]),
        ("{path1}", ["path1", is_missing]),
        ("[fd99:2::1]", ["an address in fd99:2::1/128", is_missing]),
    ] {
        for endpoint in ["224.20.30.39:40456", "10.99.2.2:40456"] {
            let channel = format!("aeron:udp?endpoint={endpoint}|interface={interface}");
            let why = scene.refusal(End::Here, &channel);
            let is_clear = words.iter().all(|words| why.contains(words));
            assert!(is_clear, "{channel}: {why}");
        }
    }
}
