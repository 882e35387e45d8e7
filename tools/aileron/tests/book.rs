//! The commands that the book shows, run: in a terminal, on a driver with a stream and events.
//! Those that go on until they are interrupted are, once they have printed something.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use aileron::client::{Publication, Subscription};
use aileron::runtime::{last_events_path, open_events};
use aileron::{Client, Context, DriverConfig, MediaDriver, StreamId};
use pages::{commands, pages, take_apart};
use portable_pty::{Child, MasterPty};
use terminal::{Running, aileron, run, size};

#[path = "../../aileronmd/tests/book/pages.rs"]
mod pages;
mod terminal;

const WATCHDOG: Duration = Duration::from_secs(30);

/// A driver that writes events, and has a stream that flows and one that ended.
struct Scene {
    driver: MediaDriver,
    _client: Client,
    _stream: (Publication, Subscription),
}

impl Scene {
    fn new() -> Self {
        let config = DriverConfig::builder()
            .define("aeron.event.log=all")
            .define("aeron.driver.termination.validator=allow")
            .define("aeron.threading.mode=SHARED")
            .define("aeron.ipc.term.buffer.length=64k");
        let driver = MediaDriver::launch_embedded(config.build().expect("fits")).expect("a driver");
        let client = Context::new().dir(driver.directory());
        let client = client.connect().expect("a client");
        let add = |stream| {
            let publication = client.add_publication("aeron:ipc", StreamId(stream));
            publication.expect("a publication")
        };
        drop(add(7));
        let subscription = client.add_subscription("aeron:ipc", StreamId(1001));
        let stream = (add(1001), subscription.expect("a subscription"));
        let start = Instant::now();
        while !stream.0.is_connected() || !has_state_event(driver.directory()) {
            assert!(start.elapsed() < WATCHDOG, "nothing happens");
            std::thread::yield_now();
        }
        // As they are kept when the next driver starts there.
        let kept = last_events_path(driver.directory());
        std::fs::copy(driver.directory().join("events.dat"), kept).expect("copied");
        Self {
            driver,
            _client: client,
            _stream: stream,
        }
    }
}

impl Scene {
    /// Waits for the request to end, obeys it, and starts anew.
    fn terminate(&mut self) {
        let start = Instant::now();
        while !self.driver.is_termination_requested() {
            assert!(start.elapsed() < WATCHDOG, "nobody asks");
            std::thread::yield_now();
        }
        *self = Self::new();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(last_events_path(self.driver.directory()));
    }
}

fn has_state_event(directory: &Path) -> bool {
    let Ok(mut events) = open_events(directory) else {
        return false;
    };
    std::iter::from_fn(|| events.next_event())
        .filter_map(|event| event.kind())
        .any(|kind| kind.family().name() == "state")
}

/// What comes of looking at the output of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Some,
    Nothing,
    End,
}

/// A command in a terminal.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    output: Receiver<Vec<u8>>,
    text: String,
}

impl Session {
    fn start(directory: &Path, place: &Path, arguments: &[&str]) -> Self {
        let mut command = aileron();
        command.args(arguments);
        command.env("AERON_DIR", directory);
        command.cwd(place);
        let Running {
            child,
            master,
            output,
        } = run(command, size(100, 30));
        Self {
            child,
            master,
            output,
            text: String::new(),
        }
    }

    /// Takes in what it prints, if it does so soon.
    fn read(&mut self) -> Read {
        match self.output.recv_timeout(Duration::from_millis(20)) {
            Ok(bytes) => {
                self.text += &String::from_utf8_lossy(&bytes);
                Read::Some
            }
            Err(RecvTimeoutError::Timeout) => Read::Nothing,
            Err(RecvTimeoutError::Disconnected) => Read::End,
        }
    }

    fn interrupt(&mut self) {
        let start = Instant::now();
        while self.read() != Read::Some {
            assert!(start.elapsed() < WATCHDOG, "it prints nothing");
        }
        let mut keys = self.master.take_writer().expect("its input");
        keys.write_all(b"\x03").expect("it reads");
        keys.flush().expect("it reads");
    }

    /// Waits for its end, and returns its exit code with what it printed.
    fn end(mut self) -> (u32, String) {
        let start = Instant::now();
        // The terminal is gone once nobody holds it any more and all that was printed is read.
        while self.read() != Read::End {
            assert!(start.elapsed() < WATCHDOG, "no end: {}", self.text);
        }
        let status = self.child.wait().expect("asked");
        (status.exit_code(), std::mem::take(&mut self.text))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// The commands of this tool in the blocks of a page for a shell, each with its block's line.
fn own_commands(page: &str) -> Vec<(usize, Vec<String>)> {
    let blocks = take_apart(page).0.into_iter();
    let blocks = blocks.filter(|block| block.language == "sh");
    let all = blocks.flat_map(|block| {
        let all = commands(&block.text).into_iter();
        all.map(move |words| (block.line, words))
    });
    all.filter(|(_, words)| words[0] == "aileron").collect()
}

fn is_endless(arguments: &[&str]) -> bool {
    let has = |option: &str| arguments.contains(&option);
    match arguments[0] {
        "top" => !has("--once") && !has("--svg") && !has("--json"),
        "stat" | "metrics" => !has("--once") && !has("--json"),
        _ => has("--follow"),
    }
}

#[test]
fn commands_of_the_book_run() {
    let place = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::new();
    let mut count = 0;
    for (path, page) in pages() {
        for (line, words) in own_commands(&page) {
            let command = words.join(" ");
            // Any port does, and none is sure to be free.
            let free = |word: &String| word.replace("127.0.0.1:9464", "127.0.0.1:0");
            let words: Vec<String> = words.iter().map(free).collect();
            let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            let mut session = Session::start(scene.driver.directory(), place.path(), &arguments);
            if is_endless(&arguments) {
                session.interrupt();
            }
            if arguments[0] == "terminate" {
                scene.terminate();
            }
            let (code, text) = session.end();
            // What this machine suits is not the book's to say.
            let is_well = code == 0 || arguments[0] == "check" && code == 2;
            assert!(is_well, "{}:{line}: {command}: {text}", path.display());
            // A picture is a file; with events of NAKs alone there is nothing to see.
            assert!(!text.is_empty() || command.contains("--svg"), "{command}");
            count += 1;
        }
    }
    assert!(count > 15, "{count} commands");
}
