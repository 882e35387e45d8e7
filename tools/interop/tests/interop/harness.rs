//! Processes of a test: started, read line by line, and gone when the test is.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long any one thing may take before a test gives up on it.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

/// Ids of system counters.
const INVALID_PACKETS: i32 = 14;
const ERRORS: i32 = 15;

/// Whose driver, whose client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Theirs,
    Ours,
}

impl Side {
    fn program(self) -> &'static str {
        match self {
            Self::Theirs => env!("CARGO_BIN_EXE_aeron-peer"),
            Self::Ours => env!("CARGO_BIN_EXE_aileron-peer"),
        }
    }
}

/// A process that prints lines and stops when its standard input ends.
///
/// Killed, by its own id, if it is still there when dropped.
pub(crate) struct Peer {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
    errors: Option<JoinHandle<String>>,
}

impl Peer {
    pub(crate) fn spawn(name: impl Into<String>, command: &mut Command) -> Self {
        let name = name.into();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let (send, lines) = channel();
        let out = child.stdout.take().expect("is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut err = child.stderr.take().expect("is piped");
        let errors = std::thread::spawn(move || {
            let mut text = Vec::new();
            drop(err.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let orders = child.stdin.take();
        Self {
            name,
            child,
            orders,
            lines,
            seen: Vec::new(),
            errors: Some(errors),
        }
    }

    /// The rest of the first line, from now on or already seen and not yet asked for, that begins
    /// with `prefix`.
    pub(crate) fn line(&mut self, prefix: &str) -> String {
        self.line_within(prefix, WATCHDOG)
            .unwrap_or_else(|| self.fail(&format!("no line {prefix:?} in {WATCHDOG:?}")))
    }

    /// The same, or nothing if it does not come in time.
    pub(crate) fn line_within(&mut self, prefix: &str, limit: Duration) -> Option<String> {
        if let Some(at) = self.seen.iter().position(|line| line.starts_with(prefix)) {
            return Some(self.seen.remove(at)[prefix.len()..].trim().to_owned());
        }
        let deadline = Instant::now() + limit;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) if line.starts_with(prefix) => {
                    return Some(line[prefix.len()..].trim().to_owned());
                }
                Ok(line) if line.starts_with("FAILED") => self.fail(&line),
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("ended before a line {prefix:?}"))
                }
            }
        }
    }

    /// The next line, whatever it says.
    pub(crate) fn next_line(&mut self) -> String {
        self.line("")
    }

    /// Kills the process, which gets no time to tidy up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("is a child of ours");
        self.child.wait().expect("is a child of ours");
    }

    /// Gives an order.
    pub(crate) fn order(&mut self, line: &str) {
        let orders = self.orders.as_mut().expect("not stopped");
        writeln!(orders, "{line}")
            .and_then(|()| orders.flush())
            .expect("peer takes orders");
    }

    /// Ends the process and returns the lines nobody asked for.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.orders = None;
        let deadline = Instant::now() + WATCHDOG;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(line) if line.starts_with("FAILED") => self.fail(&line),
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("does not stop"),
            }
        }
        let status = self.child.wait().expect("is a child of ours");
        if !status.success() {
            self.fail(&format!("ended with {status}"));
        }
        std::mem::take(&mut self.seen)
    }

    fn fail(&mut self, why: &str) -> ! {
        self.end();
        let errors = self
            .errors
            .take()
            .and_then(|errors| errors.join().ok())
            .unwrap_or_default();
        panic!(
            "{}: {why}\nlines: {:#?}\nstandard error: {errors}",
            self.name, self.seen
        );
    }

    fn end(&mut self) {
        self.orders = None;
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Upper half of the type ids that only our driver has.
const EXTRA_COUNTERS: i32 = 0x414C;

/// A media driver of either side, in a directory of its own.
pub(crate) struct Driver {
    side: Side,
    dir: PathBuf,
    process: Option<Peer>,
    // After the process: a directory is removed when nobody maps its files.
    _root: TempDir,
}

impl Driver {
    pub(crate) fn launch(side: Side, settings: &[(&str, &str)]) -> Self {
        let shared_memory = Path::new("/dev/shm");
        let parent = if shared_memory.is_dir() {
            shared_memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let root = tempfile::Builder::new()
            .prefix("aileron-interop-")
            .tempdir_in(parent)
            .expect("a directory");
        let dir = root.path().join("driver");
        let mut command = Command::new(side.program());
        command.arg("driver").arg("--dir").arg(&dir);
        for (name, value) in settings {
            command.arg(format!("-D{name}={value}"));
        }
        let mut process = Peer::spawn(format!("{side:?} driver"), &mut command);
        process.line("READY");
        Self {
            side,
            dir,
            process: Some(process),
            _root: root,
        }
    }

    pub(crate) fn side(&self) -> Side {
        self.side
    }

    /// Directory of this driver.
    pub(crate) fn directory(&self) -> &Path {
        &self.dir
    }

    /// A client of the given side on this driver.
    pub(crate) fn client(&self, side: Side, role: &str, arguments: &[String]) -> Peer {
        let mut command = Command::new(side.program());
        command
            .arg(role)
            .arg("--dir")
            .arg(self.directory())
            .args(arguments);
        Peer::spawn(
            format!("{side:?} {role} on {:?} driver", self.side),
            &mut command,
        )
    }

    /// The counters of this driver that Aeron's have too, as the given side lists them.
    pub(crate) fn counters(&self, reader: Side) -> Vec<Counter> {
        let lines = self.client(reader, "counters", &[]).stop();
        lines
            .iter()
            .filter_map(|line| Counter::parse(line))
            .filter(|counter| counter.type_id >> 16 != EXTRA_COUNTERS)
            .collect()
    }

    /// The same, as soon as `complete` says that they are what the test waits for.
    pub(crate) fn counters_when(
        &self,
        reader: Side,
        complete: impl Fn(&[Counter]) -> bool,
    ) -> Vec<Counter> {
        let deadline = Instant::now() + WATCHDOG;
        loop {
            let counters = self.counters(reader);
            if complete(&counters) {
                return counters;
            }
            assert!(
                Instant::now() < deadline,
                "counters after {WATCHDOG:?}: {counters:#?}"
            );
        }
    }

    /// The value of a system counter, read through the C reader.
    pub(crate) fn system_counter(&self, id: i32) -> i64 {
        let counters = self.counters(Side::Theirs);
        let found = counters
            .iter()
            .find(|counter| counter.type_id == 0 && counter.id == id);
        found
            .unwrap_or_else(|| panic!("no system counter {id}"))
            .value
    }

    /// Stops the driver, which has to have found nothing wrong with its clients and its peers.
    pub(crate) fn stop(self) {
        self.stop_after_errors(0);
    }

    /// Stops the driver, which has to have recorded so many errors.
    pub(crate) fn stop_after_errors(self, errors: i64) {
        for (counter, expected) in [(INVALID_PACKETS, 0), (ERRORS, errors)] {
            let count = self.system_counter(counter);
            assert_eq!(
                count, expected,
                "system counter {counter} of {:?} driver",
                self.side
            );
        }
        self.stop_with_errors();
    }

    /// Kills the driver, which gets no time to tidy up.
    pub(crate) fn kill(mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops the driver, whatever it has found.
    pub(crate) fn stop_with_errors(mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
    }
}

/// A counter as a peer lists it.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    pub(crate) id: i32,
    pub(crate) type_id: i32,
    pub(crate) registration: i64,
    pub(crate) owner: i64,
    pub(crate) reference: i64,
    pub(crate) value: i64,
    pub(crate) label: String,
}

impl Counter {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_prefix("COUNTER ")?.splitn(7, '\t');
        Some(Self {
            id: fields.next()?.parse().ok()?,
            type_id: fields.next()?.parse().ok()?,
            registration: fields.next()?.parse().ok()?,
            owner: fields.next()?.parse().ok()?,
            reference: fields.next()?.parse().ok()?,
            value: fields.next()?.parse().ok()?,
            label: fields.next()?.to_owned(),
        })
    }
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Ipc,
    UdpV4,
    UdpV6,
}

impl Media {
    pub(crate) fn subscription_channel(self, parameters: &str) -> String {
        match self {
            Self::Ipc => with_parameters("aeron:ipc", parameters),
            // Port 0: the driver picks a free one, and the publisher is told which.
            Self::UdpV4 => with_parameters("aeron:udp?endpoint=127.0.0.1:0", parameters),
            Self::UdpV6 => with_parameters("aeron:udp?endpoint=[::1]:0", parameters),
        }
    }

    pub(crate) fn publication_channel(self, endpoint: &str, parameters: &str) -> String {
        match self {
            Self::Ipc => with_parameters("aeron:ipc", parameters),
            Self::UdpV4 | Self::UdpV6 => {
                with_parameters(&format!("aeron:udp?endpoint={endpoint}"), parameters)
            }
        }
    }
}

fn with_parameters(channel: &str, parameters: &str) -> String {
    match (parameters, channel.contains('?')) {
        ("", _) => channel.to_owned(),
        (_, true) => format!("{channel}|{parameters}"),
        (_, false) => format!("{channel}?{parameters}"),
    }
}

/// Sizes at every edge: empty, one byte, around an aligned frame, around one fragment of the default
/// MTU, and from a few to hundreds of fragments.
pub(crate) const SIZES: &[usize] = &[0, 1, 31, 32, 1376, 1377, 8 << 10, 64 << 10, 1 << 20];

/// One publisher and one subscriber, on one or two drivers.
#[derive(Clone)]
pub(crate) struct Session<'a> {
    pub(crate) publisher: Side,
    pub(crate) publisher_driver: &'a Driver,
    pub(crate) subscriber: Side,
    pub(crate) subscriber_driver: &'a Driver,
    pub(crate) media: Media,
    pub(crate) exclusive: bool,
    pub(crate) claim: bool,
    pub(crate) count: u64,
    pub(crate) sizes: &'a [usize],
    pub(crate) stream: i32,
    pub(crate) publication_parameters: &'a str,
    pub(crate) subscription_parameters: &'a str,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} publisher on {:?} driver to {:?} subscriber on {:?} driver, {:?}, {}",
            self.publisher,
            self.publisher_driver.side,
            self.subscriber,
            self.subscriber_driver.side,
            self.media,
            if self.exclusive {
                "exclusive"
            } else {
                "concurrent"
            },
        )
    }
}

/// A session that is under way.
pub(crate) struct Running {
    pub(crate) publisher: Peer,
    pub(crate) subscriber: Peer,
    /// Where the subscriber listens, `address:port`; empty for IPC.
    pub(crate) endpoint: String,
    pub(crate) session_id: i32,
}

impl Session<'_> {
    /// Starts the subscriber, then the publisher.
    pub(crate) fn start(&self) -> Running {
        let (subscriber, endpoint) = self.start_subscriber();
        self.start_publisher(subscriber, endpoint)
    }

    /// Starts the subscriber, and tells where it listens.
    pub(crate) fn start_subscriber(&self) -> (Peer, String) {
        self.start_subscriber_of(&[self.stream])
    }

    /// Starts the subscriber for the publishers of these seeds, and tells where it listens.
    pub(crate) fn start_subscriber_of(&self, seeds: &[i32]) -> (Peer, String) {
        let channel = self
            .media
            .subscription_channel(self.subscription_parameters);
        self.start_subscriber_of_channel(&channel, seeds)
    }

    /// Starts a subscriber on a channel of its own, and tells where it listens.
    pub(crate) fn start_subscriber_at(&self, channel: &str) -> (Peer, String) {
        self.start_subscriber_of_channel(channel, &[self.stream])
    }

    /// Starts a subscriber on a channel of its own for the publishers of these seeds, and tells
    /// where it listens.
    pub(crate) fn start_subscriber_of_channel(
        &self,
        channel: &str,
        seeds: &[i32],
    ) -> (Peer, String) {
        let mut subscribe = self.arguments(channel);
        let seeds: Vec<_> = seeds.iter().map(ToString::to_string).collect();
        subscribe.extend(["--seeds".to_owned(), seeds.join(",")]);
        let mut subscriber =
            self.subscriber_driver
                .client(self.subscriber, "subscribe", &subscribe);
        let ready = subscriber.line("READY");
        (subscriber, value(&ready, "endpoint").unwrap_or_default())
    }

    /// Starts the publisher for a subscriber that is there already.
    pub(crate) fn start_publisher(&self, subscriber: Peer, endpoint: String) -> Running {
        let (publisher, session_id) = self.start_publisher_alone(&endpoint, self.stream, &[]);
        Running {
            publisher,
            subscriber,
            endpoint,
            session_id,
        }
    }

    /// Starts a publisher with a seed of its own; returns it and its session id.
    pub(crate) fn start_publisher_alone(
        &self,
        endpoint: &str,
        seed: i32,
        extra: &[&str],
    ) -> (Peer, i32) {
        let channel = self
            .media
            .publication_channel(endpoint, self.publication_parameters);
        self.start_publisher_at(&channel, seed, extra)
    }

    /// Starts a publisher on a channel of its own; returns it and its session id.
    pub(crate) fn start_publisher_at(
        &self,
        channel: &str,
        seed: i32,
        extra: &[&str],
    ) -> (Peer, i32) {
        let mut publish = self.arguments(channel);
        publish.extend(["--seed".to_owned(), seed.to_string()]);
        publish.extend(extra.iter().map(ToString::to_string));
        publish.extend(self.exclusive.then(|| "--exclusive".to_owned()));
        publish.extend(self.claim.then(|| "--claim".to_owned()));
        let mut publisher = self
            .publisher_driver
            .client(self.publisher, "publish", &publish);
        let ready = publisher.line("READY");
        let session_id = value(&ready, "session").and_then(|text| text.parse().ok());
        let session_id = session_id.unwrap_or_else(|| panic!("{self:?}: no session in {ready:?}"));
        (publisher, session_id)
    }

    fn arguments(&self, channel: &str) -> Vec<String> {
        let sizes: Vec<_> = self.sizes.iter().map(ToString::to_string).collect();
        let text = format!(
            "--channel {channel} --stream {} --count {} --sizes {} --timeout {}",
            self.stream,
            self.count,
            sizes.join(","),
            WATCHDOG.as_secs(),
        );
        text.split(' ').map(str::to_owned).collect()
    }

    /// The whole session: every message arrives once, in order, unchanged, and the image ends when
    /// the publication is closed.
    pub(crate) fn run(&self) {
        let start = Instant::now();
        let mut running = self.start();
        running.await_all_messages();
        let sent = start.elapsed();
        running.finish();
        eprintln!("{self:?}: {sent:?}, closed after {:?}", start.elapsed());
    }
}

impl Running {
    pub(crate) fn await_all_messages(&mut self) {
        let sent = self.publisher.line("DONE");
        let received = self.subscriber.line("DONE");
        assert_eq!(sent, received, "the tallies of publisher and subscriber");
    }

    /// Closes the publication first, so that the end of the stream is seen too.
    pub(crate) fn finish(self) {
        let Self {
            publisher,
            mut subscriber,
            session_id,
            ..
        } = self;
        let left = publisher.stop();
        assert!(
            left.iter().all(|line| line == "CONNECTED"),
            "publisher said {left:?}"
        );
        let end = subscriber.line("UNAVAILABLE");
        assert_eq!(
            end,
            format!("session={session_id} end-of-stream=true revoked=false")
        );
        let left = subscriber.stop();
        assert!(left.is_empty(), "subscriber said {left:?}");
    }
}

/// A port that was free a moment ago on every address.
pub(crate) fn free_port() -> u16 {
    let socket = UdpSocket::bind("[::]:0").expect("a socket");
    socket.local_addr().expect("is bound").port()
}

/// The value of `key=value` among words.
pub(crate) fn value(line: &str, key: &str) -> Option<String> {
    line.split(' ')
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .map(str::to_owned)
}
