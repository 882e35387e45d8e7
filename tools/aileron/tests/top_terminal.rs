//! `aileron top` as a person meets it: in a pseudo-terminal, with keys, on a real driver.

use std::io::Write;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use aileron::driver::config::DriverConfig;
use aileron::{Client, Context, MediaDriver, Publication, StreamId, Subscription};
use portable_pty::{Child, MasterPty};
use terminal::{Running, aileron, run, size};

mod terminal;

const WATCHDOG: Duration = Duration::from_secs(30);

fn launch() -> MediaDriver {
    let config = DriverConfig::builder()
        .define("aeron.counters.buffer.length=1m")
        .define("aeron.threading.mode=SHARED")
        .define("aeron.ipc.term.buffer.length=64k")
        .define("aeron.term.buffer.length=64k");
    MediaDriver::launch_embedded(config.build().expect("fits")).expect("a driver")
}

/// The program in a terminal.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
}

impl Terminal {
    fn start(driver: &MediaDriver, size: (u16, u16)) -> Self {
        Self::start_every(driver, size, 50)
    }

    /// One that looks every so many milliseconds.
    fn start_every(driver: &MediaDriver, (columns, rows): (u16, u16), period_ms: u32) -> Self {
        let mut command = aileron();
        command.arg("--dir");
        command.arg(driver.directory());
        command.args([
            "top",
            "--sort",
            "stream",
            "--interval",
            &period_ms.to_string(),
        ]);
        let Running {
            child,
            master,
            output,
        } = run(command, size(columns, rows));
        Self {
            writer: master.take_writer().expect("its input"),
            master,
            child,
            output,
            parser: vt100::Parser::new(rows, columns, 0),
        }
    }

    fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("it reads");
        self.writer.flush().expect("it reads");
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.screen_mut().set_size(rows, columns);
        self.master.resize(size(columns, rows)).expect("resized");
    }

    /// Waits until the screen has all of these.
    fn await_screen(&mut self, wanted: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let screen = self.parser.screen().contents();
            if wanted.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            assert!(start.elapsed() < WATCHDOG, "no {wanted:?} on\n{screen}");
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(100)) {
                self.parser.process(&bytes);
            }
        }
    }

    fn end(mut self) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("asked") {
                break status;
            }
            while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(20)) {
                self.parser.process(&bytes);
            }
            assert!(start.elapsed() < WATCHDOG, "it does not end");
        };
        assert!(status.success(), "{status:?}");
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
            self.parser.process(&bytes);
        }
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen(), "the terminal is given back");
        assert!(!screen.hide_cursor(), "with its cursor");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// A publication whose subscriber does not read, full to the brim; and one without a subscriber.
fn streams(client: &Client) -> (Publication, Subscription, Publication) {
    let subscription = client
        .add_subscription("aeron:ipc", StreamId(31))
        .expect("a subscription");
    let full = client
        .add_publication("aeron:ipc", StreamId(31))
        .expect("a publication");
    let alone = client
        .add_publication("aeron:udp?endpoint=127.0.0.1:24325", StreamId(77))
        .expect("a publication");
    let start = Instant::now();
    let mut refusals = 0;
    while refusals < 1000 {
        let is_refused = full.is_connected() && full.offer(&[0; 1000]).is_err();
        refusals = if is_refused { refusals + 1 } else { 0 };
        assert!(start.elapsed() < WATCHDOG, "never full");
    }
    (full, subscription, alone)
}

#[test]
fn small_terminal_shows_streams_and_obeys_keys() {
    let driver = launch();
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let _streams = streams(&client);
    let mut terminal = Terminal::start(&driver, (80, 24));
    let pid = format!("pid {}", std::process::id());
    let screen =
        terminal.await_screen(&["no subscriber", "client ", "100%", "2 streams", "conductor"]);
    assert!(
        screen.contains(&pid) || screen.contains("aileron top"),
        "{screen}"
    );
    terminal.press("/77\r");
    terminal.await_screen(&["1 of 2 streams", "127.0.0.1:24325"]);
    terminal.press("\x1b");
    // Both are back. Keys that came before would make of the escape another key.
    terminal.await_screen(&["aeron:ipc", " 2 streams"]);
    terminal.press("j\r");
    terminal.await_screen(&[
        "IPC publication",
        "stream 31",
        "behind",
        "window used",
        "facts",
    ]);
    terminal.press("j");
    terminal.await_screen(&["publication stream 77", "sender"]);
    terminal.press("?");
    terminal.await_screen(&["filter by channel"]);
    terminal.press("q");
    terminal.end();
}

#[test]
fn large_terminal_shows_more_and_follows_its_size() {
    let driver = launch();
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let (full, _subscription, _alone) = streams(&client);
    let session = full.session_id().to_string();
    let mut terminal = Terminal::start(&driver, (200, 50));
    terminal.await_screen(&[&session, "position", "session", "limited by"]);
    terminal.resize(80, 24);
    let screen = terminal.await_screen(&["limited by", "? help"]);
    assert!(!screen.contains("position"), "{screen}");
    terminal.press("u");
    terminal.await_screen(&["to receive", "drops/s"]);
    terminal.press("\x03");
    terminal.end();
}

/// Clock ticks of CPU that a process has used, of which there are a hundred in a second.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let times = fields.split_ascii_whitespace().skip(11).take(2);
    times
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum()
}

/// With `AILERON_TOP_SECONDS` it watches for so long, at one look a second as a person does.
#[test]
fn thousand_streams_cost_little() {
    const STREAMS: i32 = 1000;
    let seconds: u64 =
        std::env::var("AILERON_TOP_SECONDS").map_or(2, |seconds| seconds.parse().expect("seconds"));
    let config = DriverConfig::builder()
        .define("aeron.counters.buffer.length=2m")
        .define("aeron.threading.mode=SHARED")
        .define("aeron.ipc.term.buffer.length=64k");
    let driver = MediaDriver::launch_embedded(config.build().expect("fits")).expect("a driver");
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let stream = StreamId(10_000 + number);
        let subscription = client
            .add_subscription("aeron:ipc", stream)
            .expect("a subscription");
        let publication = client
            .add_publication("aeron:ipc", stream)
            .expect("a publication");
        streams.push((publication, subscription));
    }
    let mut terminal = Terminal::start_every(&driver, (200, 50), 1000);
    terminal.await_screen(&["1000 streams", "10000"]);
    let process = terminal.child.process_id().expect("its id");
    let (start, before) = (Instant::now(), cpu_ticks(process));
    let mut next = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        let (publication, subscription) = &mut streams[next % 1000];
        let _ = publication.offer(&[7; 100]);
        subscription.poll(10, |_, _| {});
        next += 1;
        if next % 100 == 0 {
            // Drawn as it comes: a terminal that nobody reads would hold the program up.
            if let Ok(bytes) = terminal.output.recv_timeout(Duration::from_millis(5)) {
                terminal.parser.process(&bytes);
            }
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let ticks = u32::try_from(cpu_ticks(process) - before).expect("few");
    let share = f64::from(ticks) / 100.0 / elapsed;
    eprintln!(
        "top at {STREAMS} streams: {:.2} % of a CPU over {elapsed:.0} s",
        share * 100.0
    );
    let limit = if cfg!(debug_assertions) { 0.6 } else { 0.05 };
    // The first look comes early, and a tick is a coarse measure of so short a time.
    let slack = 0.2 / elapsed;
    assert!(share < limit + slack, "{:.1} % of a CPU", share * 100.0);
    terminal.press("q");
    terminal.end();
}
