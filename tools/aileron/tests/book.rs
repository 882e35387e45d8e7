//! The commands that the book and the first page of all show, run: in a terminal, on a driver with
//! a stream and events. Each shows something of that, see [`expected`]; those that go on until they
//! are interrupted are, once they have.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use aileron::client::{Publication, Subscription};
use aileron::runtime::{last_events_path, open_events};
use aileron::{Client, Context, DriverConfig, MediaDriver, StreamId};
use lines::{Line, Runner, lines};
use portable_pty::{Child, MasterPty};
use terminal::{Running, aileron, run, size};

#[path = "../../aileronmd/tests/book/lines.rs"]
mod lines;
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

    /// Waits until it has printed something.
    fn await_text(&mut self, part: &str) -> Result<(), String> {
        let start = Instant::now();
        while !self.text.contains(part) {
            if self.read() == Read::End || start.elapsed() > WATCHDOG {
                return Err(format!("no '{part}': {}", self.text));
            }
        }
        Ok(())
    }

    fn interrupt(&mut self) {
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

fn is_endless(arguments: &[&str]) -> bool {
    let has = |option: &str| arguments.contains(&option);
    match arguments[0] {
        "top" => !has("--once") && !has("--svg") && !has("--json"),
        "stat" | "metrics" => !has("--once") && !has("--json"),
        _ => has("--follow"),
    }
}

/// A part of what a command shows of the scene; nothing for one that nobody knows.
fn expected(arguments: &[&str], directory: &Path) -> Option<String> {
    let has = |option: &str| arguments.contains(&option);
    let part = match arguments[0] {
        // What this machine suits is not the book's to say.
        "check" => "",
        "drivers" => return Some(directory.to_string_lossy().into_owned()),
        "errors" => "0 distinct errors observed.",
        "events" if has("nak,state") => "PUBLICATION_STATE_CHANGE",
        "events" => "PUBLICATION_CREATED",
        "explain" => "of stream 1001, session ",
        "loss" => "0 loss entries",
        "metrics" if has("--once") => "aileron_up 1",
        "metrics" => "/metrics",
        "stat" => "1001 aeron:ipc",
        "streams" => "streamId=1001 channel=aeron:ipc",
        "terminate" => "has shut down",
        // It goes to a file.
        "top" if has("--svg") => "",
        "top" => "1001",
        _ => return None,
    };
    Some(part.to_owned())
}

/// The page that an address in a text leads to.
fn page_of(text: &str) -> Result<String, String> {
    let address = text
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let mut stream = TcpStream::connect(address.unwrap_or_default()).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(WATCHDOG)).expect("it can");
    let request = "GET /metrics HTTP/1.0\r\n\r\n";
    let mut page = String::new();
    let outcome = stream.write_all(request.as_bytes());
    let outcome = outcome.and_then(|()| stream.read_to_string(&mut page));
    outcome.map(|_| page).map_err(|error| error.to_string())
}

/// Runs a command, and looks at how it ends and what it shows.
fn run_line(scene: &mut Scene, place: &Path, line: &Line) -> Result<(), String> {
    if !line.environment.is_empty() || line.is_background {
        return Err("nobody runs it like that".to_owned());
    }
    // Any port does, and none is sure to be free.
    let words = line.arguments.iter();
    let words: Vec<String> = words.map(|word| word.replace(":9464", ":0")).collect();
    let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    let wanted = expected(&arguments, scene.driver.directory()).ok_or("nobody knows it")?;
    let mut session = Session::start(scene.driver.directory(), place, &arguments);
    if is_endless(&arguments) {
        session.await_text(&wanted)?;
        if arguments[0] == "metrics" {
            let page = page_of(&session.text)?;
            page.contains("aileron_up 1").then_some(()).ok_or(page)?;
        }
        session.interrupt();
    }
    if arguments[0] == "terminate" {
        scene.terminate();
    }
    let (code, text) = session.end();
    let is_well = match (arguments[0], code) {
        ("check", 0) => text.contains("suits the configuration") || text.contains("hint: "),
        ("check", 2) => text.contains("problem: "),
        (_, code) => code == 0 && text.contains(&wanted),
    };
    let svg = arguments.iter().skip_while(|word| **word != "--svg").nth(1);
    let is_drawn = svg.is_none_or(|name| {
        let text = std::fs::read_to_string(place.join(name)).unwrap_or_default();
        text.contains("<svg") && text.contains("1001")
    });
    (is_well && is_drawn)
        .then_some(())
        .ok_or_else(|| format!("exit code {code}, no '{wanted}': {text}"))
}

#[test]
fn commands_of_the_book_run() {
    let place = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::new();
    let lines = lines().expect("lines that somebody can run");
    let own = lines.iter().filter(|line| line.runner() == Runner::Tool);
    let mut count = 0;
    for line in own {
        let outcome = run_line(&mut scene, place.path(), line);
        outcome.unwrap_or_else(|error| panic!("{}: {}: {error}", line.place(), line.text()));
        count += 1;
    }
    assert!(count > 20, "{count} commands");
}

#[test]
fn commands_that_are_wrong_are_found() {
    let place = tempfile::tempdir().expect("a directory");
    let mut scene = Scene::new();
    for text in [
        "aileron nonsense",
        "aileron stat --no-such-option",
        "aileron stat --once &",
        "aileron streams --stream 7",
        "aileron events --only nonsense",
        "aileron events --stream 7 --only error",
        "aileron metrics --listen nowhere",
        "aileron top --once --size none",
    ] {
        let line = Line::parse("here", 1, text)
            .expect("a line")
            .expect("a command");
        let outcome = run_line(&mut scene, place.path(), &line);
        assert!(outcome.is_err(), "{text} is found to be right");
    }
}
