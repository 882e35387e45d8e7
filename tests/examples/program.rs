//! An example as a process whose lines are read.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use super::support::{WATCHDOG, wait_for};

/// An example that runs; killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    process: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Program {
    /// Starts an example.
    pub(crate) fn start(name: &'static str, arguments: &[&str]) -> Self {
        let mut process = Command::new(directory().join(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = process.stdout.take().expect("its output is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            name,
            process,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for a line that is wanted, and returns it.
    pub(crate) fn line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + WATCHDOG;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{} did not say {what} but {:#?}", self.name, self.said);
                }
            }
        }
    }

    /// Asks it to end, as a person does.
    pub(crate) fn interrupt(&self) {
        let id = self.process.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status();
        assert!(
            killed.expect("kill runs").success(),
            "{} is gone",
            self.name
        );
    }

    /// Waits until it ends, in success, and returns all its lines.
    pub(crate) fn ended(mut self) -> Vec<String> {
        // Its lines first: a full pipe would hold it up.
        let deadline = Instant::now() + WATCHDOG;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
            }
        }
        let status = wait_for("its end", || self.process.try_wait().expect("asked"));
        assert!(status.success(), "{}: {status}", self.name);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the examples are. They are built if this test was built without them.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let own = std::env::current_exe().expect("the path of this executable");
        let profile = own.parent().and_then(Path::parent).expect("is in deps");
        let target = profile.parent().expect("is in the target directory");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--package", "aileron", "--examples"])
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(target);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let built = cargo.status().expect("cargo runs");
        assert!(built.success(), "the examples build: {built}");
        profile.join("examples")
    })
}
