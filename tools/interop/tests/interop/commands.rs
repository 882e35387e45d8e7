//! The same commands to either driver: what one takes, the other takes.
//!
//! Their driver gets them from their client, ours from both clients. Where ours is stricter it is on
//! purpose, and said so in the table.

use crate::harness::{Driver, Peer, Side, free_port};

use Outcome::{Added, OursRefuses, Refused};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Both drivers take it.
    Added,
    /// Both refuse it; theirs often with the code for any error (11), ours with this one.
    Refused(i32),
    /// Theirs takes it and ignores what is wrong, ours refuses with this code, as the Java driver
    /// does.
    OursRefuses(i32),
}

const INVALID_CHANNEL: i32 = 1;
const GENERIC_ERROR: i32 = 11;
const NO_CHANNEL: Outcome = Refused(INVALID_CHANNEL);
const CLASH: Outcome = Refused(GENERIC_ERROR);
const STRICTER: Outcome = OursRefuses(INVALID_CHANNEL);

/// Commands given one after another by one client: `P1` to `P3` stand for free ports, `UDP1` to `UDP3`
/// for channels to them, `pub`, `xpub` and `sub` for publication, exclusive publication and
/// subscription.
const COMMANDS: &[(Outcome, &str)] = &[
    (Added, "pub 1 aeron:ipc"),
    (NO_CHANNEL, "pub 1 aeron:udp"),
    (NO_CHANNEL, "pub 1 aeron:udp?endpoint="),
    (NO_CHANNEL, "pub 1 aeron:udp?endpoint=127.0.0.1"),
    (NO_CHANNEL, "pub 1 aeron:udp?endpoint=127.0.0.1:port"),
    (NO_CHANNEL, "pub 1 aeron:udp?endpoint=127.0.0.1:70000"),
    (NO_CHANNEL, "pub 1 aeron:udp?endpoint=127.0.0.1:0"),
    (NO_CHANNEL, "pub 1 udp://127.0.0.1:P1"),
    (NO_CHANNEL, "pub 1 aeron:tcp?endpoint=127.0.0.1:P1"),
    (STRICTER, "xpub 1 UDP1|"),
    (STRICTER, "xpub 1 UDP1|mtu"),
    (Added, "xpub 1 UDP1|unknown=parameter"),
    // Lengths.
    (NO_CHANNEL, "pub 1 UDP1|mtu=1400"),
    (Added, "pub 1 UDP1|mtu=1408"),
    (CLASH, "pub 1 UDP1|mtu=1440"),
    (NO_CHANNEL, "xpub 1 UDP1|mtu=33"),
    (NO_CHANNEL, "xpub 1 UDP1|mtu=65536"),
    (NO_CHANNEL, "xpub 1 UDP1|mtu=abc"),
    (NO_CHANNEL, "xpub 1 UDP1|term-length=100"),
    (NO_CHANNEL, "xpub 1 UDP1|term-length=65537"),
    (NO_CHANNEL, "xpub 1 UDP1|term-length=2g"),
    (NO_CHANNEL, "xpub 1 aeron:ipc?mtu=33"),
    (NO_CHANNEL, "xpub 1 aeron:ipc?term-length=100"),
    // Sessions and positions.
    (Added, "xpub 1 UDP1|term-length=64k|session-id=7"),
    (NO_CHANNEL, "xpub 1 UDP1|term-length=64k|session-id=7"),
    (CLASH, "pub 1 UDP1|session-id=8"),
    (NO_CHANNEL, "xpub 1 UDP1|session-id=x"),
    (NO_CHANNEL, "xpub 1 UDP1|init-term-id=1"),
    (
        NO_CHANNEL,
        "xpub 1 UDP1|init-term-id=1|term-id=0|term-offset=0",
    ),
    (
        NO_CHANNEL,
        "xpub 1 UDP1|init-term-id=1|term-id=2|term-offset=33",
    ),
    (Added, "xpub 1 UDP1|init-term-id=1|term-id=2|term-offset=64"),
    // Other parameters of publications.
    (NO_CHANNEL, "xpub 1 UDP1|linger=10x"),
    (Added, "xpub 1 UDP1|linger=10ms"),
    (NO_CHANNEL, "xpub 1 UDP1|sparse=maybe"),
    (NO_CHANNEL, "xpub 1 UDP1|eos=maybe"),
    (NO_CHANNEL, "xpub 1 UDP1|ssc=maybe"),
    (NO_CHANNEL, "xpub 1 UDP1|max-resend=0"),
    (NO_CHANNEL, "xpub 1 UDP1|max-resend=300"),
    (Added, "xpub 1 UDP1|max-resend=10"),
    (STRICTER, "xpub 1 UDP1|fc=min"),
    (STRICTER, "xpub 1 UDP1|ttl=300"),
    (STRICTER, "xpub 1 UDP1|stream-id=7"),
    (NO_CHANNEL, "xpub 1 UDP1|channel-snd-ts-offset=0"),
    (Added, "xpub 1 UDP1|untethered-window-limit-timeout=1s"),
    // What a publication that is there already does not have.
    (Added, "pub 7 UDP1|term-length=128k"),
    (CLASH, "pub 7 UDP1|term-length=64k"),
    (Added, "pub 7 UDP1|mtu=1408|term-length=128k"),
    (CLASH, "pub 7 UDP1|mtu=1376"),
    (NO_CHANNEL, "pub 7 UDP1|so-sndbuf=64k"),
    (NO_CHANNEL, "pub 7 UDP1|so-rcvbuf=64k"),
    (Added, "pub 8 aeron:ipc?term-length=128k"),
    // More than one destination, or none.
    (Added, "xpub 1 UDP1|tags=1"),
    (NO_CHANNEL, "xpub 1 UDP1|tags=x"),
    (NO_CHANNEL, "xpub 1 aeron:udp?control-mode=dynamic"),
    (Added, "xpub 1 aeron:udp?control-mode=manual"),
    (
        Added,
        "xpub 1 aeron:udp?control=127.0.0.1:P2|control-mode=dynamic",
    ),
    (
        NO_CHANNEL,
        "xpub 1 aeron:udp?endpoint=224.0.1.2:P1|interface=127.0.0.1",
    ),
    // Subscriptions.
    (Added, "sub 1 aeron:ipc"),
    (NO_CHANNEL, "sub 1 aeron:udp"),
    (Added, "sub 1 UDP3"),
    (NO_CHANNEL, "sub 1 UDP3|reliable=false"),
    (Added, "sub 2 UDP3|reliable=false"),
    (NO_CHANNEL, "sub 1 UDP3|rejoin=false"),
    (Added, "sub 1 UDP3|session-id=5"),
    (NO_CHANNEL, "sub 1 UDP3|session-id=5|reliable=false"),
    (NO_CHANNEL, "sub 1 UDP3|tether=maybe"),
    (Added, "sub 1 UDP3|tether=false"),
    (Added, "sub 1 UDP3|rcv-wnd=64k"),
    (NO_CHANNEL, "sub 1 UDP3|so-rcvbuf=4m"),
    (STRICTER, "sub 1 UDP3|gtag=x"),
    (STRICTER, "sub 1 UDP3|nak-delay=x"),
    (Added, "sub 1 aeron:udp?control-mode=manual"),
    (Added, "sub 1 aeron-spy:UDP1"),
    (NO_CHANNEL, "sub 1 aeron-spy:aeron:ipc"),
    (NO_CHANNEL, "sub 1 aeron-spy:foo"),
    (Added, "sub 1 aeron:udp?endpoint=[::1]:P3"),
    (NO_CHANNEL, "sub 1 aeron:udp?endpoint=[::1"),
    // Counters.
    (Added, "counter 1000 with a label"),
    (Added, "counter 1001 "),
];

#[test]
fn either_driver_takes_the_same_commands() {
    let by_theirs = answers(Side::Theirs, Side::Theirs);
    let by_ours = answers(Side::Ours, Side::Theirs);
    let told_to_our_client = answers(Side::Ours, Side::Ours);
    assert_eq!(
        by_ours, told_to_our_client,
        "what our driver tells either client"
    );
    let mut wrong = Vec::new();
    for ((outcome, command), codes) in COMMANDS.iter().zip(by_theirs.iter().zip(&by_ours)) {
        let is_expected = match outcome {
            Added => codes == (&None, &None),
            Refused(code) => codes.0.is_some() && *codes.1 == Some(*code),
            OursRefuses(code) => codes == (&None, &Some(*code)),
        };
        if !is_expected {
            wrong.push(format!("{command}: {outcome:?} expected, not {codes:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The codes by which a driver refuses the commands; nothing for those it takes.
fn answers(driver: Side, client: Side) -> Vec<Option<i32>> {
    let ports: Vec<_> = (0..3).map(|_| free_port()).collect();
    let driver = Driver::launch(driver, &[]);
    let mut client = driver.client(client, "commands", &[]);
    client.line("READY");
    let answers = COMMANDS
        .iter()
        .map(|(_, command)| answer(&mut client, &spelled_out(command, &ports)))
        .collect();
    assert_eq!(client.stop(), [""; 0]);
    driver.stop_with_errors();
    answers
}

/// The code by which the driver refuses; nothing if it does not.
fn answer(client: &mut Peer, command: &str) -> Option<i32> {
    client.order(command);
    let answer = client.next_line();
    let code = answer.strip_prefix("REFUSED ")?.split(' ').next();
    Some(
        code.and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("{command}: {answer}")),
    )
}

fn spelled_out(command: &str, ports: &[u16]) -> String {
    let (kind, rest) = command.split_once(' ').expect("a kind and the rest");
    let kind = match kind {
        "pub" => "publication",
        "xpub" => "exclusive",
        "sub" => "subscription",
        other => other,
    };
    let mut command = format!("{kind} {rest}");
    for (number, port) in (1..).zip(ports) {
        command = command
            .replace(
                &format!("UDP{number}"),
                &format!("aeron:udp?endpoint=127.0.0.1:{port}"),
            )
            .replace(&format!("P{number}"), &port.to_string());
    }
    command
}
