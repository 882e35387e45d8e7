//! Processes whose lines are read, and which are interrupted as a person does it.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take that needs no build: far more than it needs on a busy machine.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);
/// Between looks at a condition.
const LOOK_PERIOD: Duration = Duration::from_millis(1);

/// Looks at a condition until it holds.
pub(crate) fn wait_until(
    what: &str,
    mut condition: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() > WATCHDOG {
            return Err(format!("waited in vain for {what}"));
        }
        std::thread::park_timeout(LOOK_PERIOD);
    }
    Ok(())
}

/// Runs a command to its end, which has to be a good one.
pub(crate) fn succeed(command: &mut Command) -> Result<Output, String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    Err(format!("{command:?}: {}: {said}{errors}", output.status))
}

/// Whether a program can be run here.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    let output = command.arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command without the caller's own settings.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AERON_") {
            command.env_remove(name);
        }
    }
    command
}

/// What a process wrote to a pipe so far, by lines.
struct Said {
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Said {
    fn read(pipe: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                heard.lock().expect("nobody panics with it").push(line);
            }
        });
        Self { lines, reader }
    }

    fn so_far(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics with it").clone()
    }
}

/// A process that runs; killed when dropped.
pub(crate) struct Process {
    child: Child,
    output: Said,
    errors: Said,
}

/// How a process ended, and what it had said.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: Vec<String>,
    pub(crate) errors: Vec<String>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| format!("{command:?}: {error}"))?;
        let output = Said::read(child.stdout.take().expect("it is a pipe"));
        let errors = Said::read(child.stderr.take().expect("it is a pipe"));
        Ok(Self {
            child,
            output,
            errors,
        })
    }

    /// Waits for something to be so, while it runs.
    pub(crate) fn wait_until(
        &mut self,
        what: &str,
        mut condition: impl FnMut() -> bool,
    ) -> Result<(), String> {
        wait_until(what, || {
            let is_so = condition();
            match self.child.try_wait().map_err(|error| error.to_string())? {
                Some(status) if !is_so => Err(format!(
                    "{status} before {what}: {:?} {:?}",
                    self.output.so_far(),
                    self.errors.so_far()
                )),
                _ => Ok(is_so),
            }
        })
    }

    /// The lines of its output so far.
    pub(crate) fn lines(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.output.lines)
    }

    /// Waits for a line of its output.
    pub(crate) fn await_line(&mut self, part: &str) -> Result<(), String> {
        let output = self.lines();
        let has = move || {
            let lines = output.lock().expect("nobody panics with it");
            lines.iter().any(|line| line.contains(part))
        };
        self.wait_until(&format!("the line '{part}'"), has)
            .map_err(|error| format!("{error}: {:?}", self.output.so_far()))
    }

    /// Sends a signal to this process and to no other.
    pub(crate) fn signal(&self, name: &str) -> Result<(), String> {
        let mut kill = Command::new("kill");
        succeed(kill.args([name, &self.child.id().to_string()])).map(|_| ())
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Ended, String> {
        let mut status = None;
        wait_until("its end", || {
            status = self.child.try_wait().map_err(|error| error.to_string())?;
            Ok(status.is_some())
        })?;
        // Its pipes end when it does.
        wait_until("the end of its output", || {
            Ok(self.output.reader.is_finished() && self.errors.reader.is_finished())
        })?;
        Ok(Ended {
            status: status.expect("it was waited for"),
            output: self.output.so_far(),
            errors: self.errors.so_far(),
        })
    }

    /// Asks it to end, as a person does, and waits until it has.
    pub(crate) fn interrupt(self) -> Result<Ended, String> {
        self.signal("-INT")?;
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Whether it ended well, or by the interruption.
    pub(crate) fn well(self) -> Result<Self, String> {
        if self.status.success() || self.status.signal() == Some(2) {
            return Ok(self);
        }
        Err(format!(
            "{}: {:?} {:?}",
            self.status, self.output, self.errors
        ))
    }

    /// Lines of its output that have this part.
    pub(crate) fn count(&self, part: &str) -> usize {
        let lines = self.output.iter();
        lines.filter(|line| line.contains(part)).count()
    }
}
