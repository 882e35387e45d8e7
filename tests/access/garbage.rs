//! A client that writes anything at all into its own logs, while it and others use them: it harms
//! its own streams, and nobody else's.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aileron::base::Rng;
use aileron::{FragmentAssembler, StreamId};

use super::support::child::{Child, Part, repeat, say};
use super::support::stream::Stream;
use super::support::{aeron_dir, connect, free_port, launch, place, wait_until};

/// Stream that the scribbler ruins.
const RUINED: i32 = 666;
/// How long the others must get on beside it.
const TIME: Duration = Duration::from_millis(1500);
/// Words at which arithmetic goes wrong.
const EDGES: [i32; 12] = [
    0,
    1,
    -1,
    31,
    32,
    -32,
    4096,
    65_504,
    1 << 30,
    i32::MAX,
    i32::MIN,
    i32::MAX - 31,
];

/// Publishes, and writes words of any value all over its logs.
pub(crate) fn play(part: &Part) {
    let [channel, seed] = part.arguments.as_slice() else {
        panic!("a channel and a seed");
    };
    let mut rng = Rng::new(seed.parse().expect("a number"));
    let client = connect(&part.directory);
    let shared = client
        .add_publication(&**channel, StreamId(RUINED))
        .expect("a publication");
    let mut exclusive = client
        .add_exclusive_publication(&**channel, StreamId(RUINED))
        .expect("a publication");
    let ids = [shared.registration_id(), exclusive.registration_id()];
    let files = ids.map(|id| {
        let path: PathBuf = part.directory.join(format!("publications/{id}.logbuffer"));
        let options = std::fs::OpenOptions::new().write(true).open(&path);
        options.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    let lengths = files
        .each_ref()
        .map(|file| file.metadata().expect("its length").len());
    say("scribbling");
    let mut message = vec![0; 1000];
    repeat(|| {
        for (file, length) in files.iter().zip(lengths) {
            // Metadata, the heads of the terms, or anywhere.
            let at = match rng.below(4) {
                0 => length - 4096 + rng.below(512),
                1 => rng.below(8192),
                _ => rng.below(length - 8),
            } & !3;
            let word = if rng.chance(1, 2) {
                let index = usize::try_from(rng.below(EDGES.len() as u64)).expect("small");
                EDGES[index]
            } else {
                rng.next_i32()
            };
            file.write_all_at(&word.to_le_bytes(), at).expect("written");
        }
        message.fill(rng.next_u64().to_le_bytes()[0]);
        let _ = shared.offer(&message);
        let _ = exclusive.offer(&message);
    });
}

/// Others get on beside a scribbler on `channel`.
fn others_get_on(channel: &str, seed: u64) {
    say(&format!("seed {seed} on {channel}"));
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let network = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let mut streams = [
        Stream::open(&client, "aeron:ipc", 1),
        Stream::open(&client, &network, 2),
        // The same channel as the scribbler's, another stream.
        Stream::open(&client, channel, 3),
    ];
    // Somebody listens to it: a client that has good streams as well.
    let mut listener = client
        .add_subscription(channel, StreamId(RUINED))
        .expect("a subscription");
    let scribbler = Child::start("role", "scribbler", &dir, &[channel, &seed.to_string()]);
    scribbler.await_words("scribbling");
    let mut assembler = FragmentAssembler::new();
    let start = Instant::now();
    while start.elapsed() < TIME {
        for stream in &mut streams {
            stream.step();
        }
        listener.poll_assembled(&mut assembler, 16, |_, _| {});
    }
    for stream in &mut streams {
        stream.pass(2000);
        assert!(stream.received() > 2000);
    }
    scribbler.kill();
    // An image that cannot be read any further stays until its subscription goes.
    drop(listener);
    // What the scribbler had is given back, and its place can be taken.
    wait_until("the scribbler's logs to go", || {
        streams.iter_mut().for_each(Stream::step);
        let logs = std::fs::read_dir(dir.join("publications")).expect("a folder");
        let images = std::fs::read_dir(dir.join("images")).expect("a folder");
        // Of the streams, one or two are on the network.
        logs.count() == streams.len() && images.count() < streams.len()
    });
    Stream::open(&client, channel, RUINED).pass(1000);
    assert!(!driver.has_failed());
    assert!(!client.is_closed());
}

#[test]
fn garbage_in_ones_own_ipc_log_harms_nobody_else() {
    for seed in 1..=2 {
        others_get_on("aeron:ipc", seed);
    }
}

#[test]
fn garbage_in_ones_own_network_log_harms_nobody_else() {
    for seed in 1..=2 {
        others_get_on(
            &format!("aeron:udp?endpoint=127.0.0.1:{}", free_port()),
            seed,
        );
    }
}
