//! The fan-out examples, run as a person would run them.

#[path = "../support/mod.rs"]
mod support;

mod program;

use program::Program;
use support::{aeron_dir, free_port, launch, place};

/// The number behind a word.
fn number_after(line: &str, word: &str) -> u64 {
    let mut words = line.split([' ', ',', ':']).filter(|word| !word.is_empty());
    words
        .find(|candidate| *candidate == word)
        .and_then(|_| words.next()?.parse().ok())
        .unwrap_or_else(|| panic!("{line:?} has no number after {word:?}"))
}

#[test]
fn each_explains_itself() {
    for name in [
        "multicast_publisher",
        "multicast_subscriber",
        "mdc_fan_out",
        "response_server",
        "response_client",
    ] {
        let said = Program::start(name, &["--help"]).ended().join("\n");
        for words in ["Usage:", "--embedded", "--dir", "--stream"] {
            assert!(said.contains(words), "{name} --help says {said}");
        }
    }
}

/// One subscriber from the start, one in mid-stream: both get everything from where they joined.
#[test]
fn a_group_may_be_joined_late() {
    let place = place();
    let dir = aeron_dir(&place);
    let _driver = launch(&dir);
    let dir = dir.to_str().expect("is text");
    let channel = format!(
        "aeron:udp?endpoint=224.20.30.43:{}|interface=localhost",
        free_port()
    );
    let common = ["--dir", dir, "--channel", &channel];
    let subscriber = || Program::start("multicast_subscriber", &common);
    let mut early = subscriber();
    early.line("subscribed", |line| line.starts_with("subscribed"));
    let arguments = [&common[..], &["--members", "1", "--interval", "10"]].concat();
    let mut publisher = Program::start("multicast_publisher", &arguments);
    publisher.line("one member", |line| line.ends_with(" 1 members"));
    early.line("message 5", |line| line.ends_with(": 5 Hello, all of you!"));
    // Ends by itself. Its driver is its own, or it would share the image of the early one.
    let arguments = [&["--embedded", "-n", "10"], &common[2..]].concat();
    let late = Program::start("multicast_subscriber", &arguments).ended();
    publisher.line("two members", |line| line.ends_with(" 2 members"));
    publisher.interrupt();
    publisher.ended();
    early.interrupt();
    let early = early.ended();
    for (said, is_late) in [(early, false), (late, true)] {
        assert!(
            !said.iter().any(|line| line.ends_with("was due")),
            "{said:#?}"
        );
        let messages = said.iter().filter(|line| line.contains("Hello"));
        let numbers: Vec<_> = messages
            .map(|line| {
                let (_, message) = line.split_once(": ").expect("a message");
                let (number, _) = message.split_once(' ').expect("a number");
                number.parse::<u64>().expect("a number")
            })
            .collect();
        assert!(numbers.len() >= 6, "{said:#?}");
        assert_eq!(numbers[0] > 0, is_late, "{said:#?}");
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
}

/// Each subscriber limits the others when it is its turn.
#[test]
fn a_fan_shows_who_limits() {
    let control = format!("localhost:{}", free_port());
    let arguments = ["--embedded", "--control", &control];
    let pace = ["--interval", "200", "--turn", "2", "--subscribers", "3"];
    let mut fan = Program::start("mdc_fan_out", &[&arguments[..], &pace].concat());
    fan.line("all are there", |line| {
        line == "all 3 subscribers are there"
    });
    for number in [1, 2, 3, 1] {
        let limits = format!("subscriber {number} limits");
        fan.line(&limits, |line| {
            line.ends_with(", limits") && number_after(line, "subscriber") == number
        });
    }
    fan.interrupt();
    let said = fan.ended();
    let reports: Vec<_> = said
        .iter()
        .filter(|line| line.starts_with("  subscriber "))
        .collect();
    assert_eq!(reports.len() % 3, 0, "{said:#?}");
    for report in reports.chunks(3) {
        let last = report.iter().map(|line| number_after(line, "at")).min();
        for line in report {
            if line.ends_with(", limits") {
                assert_eq!(Some(number_after(line, "at")), last, "{report:#?}");
            }
        }
    }
}

/// A server's clients, on its driver and on another, each get their own answers.
#[test]
fn each_client_gets_its_own_answers() {
    let places = [place(), place()];
    let dirs = [aeron_dir(&places[0]), aeron_dir(&places[1])];
    let _drivers = [launch(&dirs[0]), launch(&dirs[1])];
    let dirs = dirs.each_ref().map(|dir| dir.to_str().expect("is text"));
    let requests = format!("aeron:udp?endpoint=localhost:{}", free_port());
    let answers = format!(
        "aeron:udp?control-mode=response|control=localhost:{}",
        free_port()
    );
    let channels = ["--channel", &requests, "--response-channel", &answers];
    let mut server = Program::start(
        "response_server",
        &[&["--dir", dirs[0]], &channels[..]].concat(),
    );
    server.line("subscribed", |line| line.starts_with("subscribed"));
    let clients = [(dirs[0], "ping"), (dirs[0], "hello"), (dirs[1], "over")];
    let clients = clients.map(|(dir, text)| {
        let own = ["--dir", dir, "--text", text, "-n", "20", "--interval", "5"];
        let client = Program::start("response_client", &[&own[..], &channels].concat());
        (client, text.to_uppercase())
    });
    for (client, text) in clients {
        let said = client.ended();
        let answers: Vec<_> = said
            .iter()
            .filter(|line| line.starts_with("answer after "))
            .filter_map(|line| line.split_once(": "))
            .map(|(_, answer)| answer.to_owned())
            .collect();
        let expected: Vec<_> = (0..20).map(|number| format!("{text} {number}")).collect();
        assert_eq!(answers, expected, "{said:#?}");
    }
    for _ in 0..3 {
        server.line("that a client left", |line| line.ends_with(" left"));
    }
    server.interrupt();
    server.ended();
}
