//! Where the lines of a page are run, one after the other: with an aeron directory, a working
//! directory and a root of the file system of its own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::lines::Line;
use crate::process::{Ended, Process};
use crate::{cargo, driver, examples, system};

/// What a line that runs beside those after it has to have done in the end.
type Check = Box<dyn FnOnce(&mut Process) -> Result<(), String>>;
/// How it has to have ended.
type EndCheck = Box<dyn FnOnce(Ended) -> Result<(), String>>;

/// A process that a line left behind.
struct Background {
    place: String,
    process: Process,
    check: Check,
    end_check: EndCheck,
}

/// Runs the lines of a page.
pub(crate) struct Shell {
    /// What `cargo build` was told to build, by its path in `target/release`.
    pub(crate) built: BTreeMap<String, PathBuf>,
    /// What could not be tried on this machine.
    pub(crate) skipped: Vec<String>,
    background: Vec<Background>,
    /// Ports of the lines, and those that stand for them.
    ports: BTreeMap<String, u16>,
    place: TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let shell = Self {
            built: BTreeMap::new(),
            skipped: Vec::new(),
            background: Vec::new(),
            ports: BTreeMap::new(),
            place: tempfile::tempdir().expect("a directory"),
        };
        // What a system has anyway.
        for directory in [shell.work(), shell.root("/usr/bin/"), shell.root("/etc/")] {
            std::fs::create_dir_all(directory).expect("made");
        }
        let settings = shell.work().join("my.properties");
        std::fs::write(settings, "aeron.mtu.length=8k\n").expect("written");
        shell
    }

    /// The working directory.
    pub(crate) fn work(&self) -> PathBuf {
        self.place.path().join("work")
    }

    /// The directory of the driver.
    pub(crate) fn aeron_dir(&self) -> PathBuf {
        self.place.path().join("aeron")
    }

    /// A path of the system, in the root that is this shell's.
    pub(crate) fn root(&self, path: &str) -> PathBuf {
        let root = self.place.path().join("root");
        root.join(path.trim_start_matches('/'))
    }

    /// A channel or an address with another port, the same for the same one: nobody knows whether
    /// its own is free.
    pub(crate) fn on_free_port(&mut self, channel: &str) -> String {
        let is_digit = |c: char| c.is_ascii_digit();
        let before = channel.rfind(':').map_or(0, |colon| colon + 1);
        let (start, rest) = channel.split_at(before);
        let length = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        let (port, rest) = rest.split_at(length);
        let port = self.ports.entry(port.to_owned()).or_insert_with(free_port);
        format!("{start}{port}{rest}")
    }

    /// Runs a line until it is done, or seen to do its work.
    pub(crate) fn run(&mut self, line: &Line) -> Result<(), String> {
        let name = line.name();
        let is_example = line.program == format!("target/release/examples/{name}");
        if line.is_background && name != "aileronmd" && !is_example {
            return Err("nobody looks after it in the background".to_owned());
        }
        if !line.environment.is_empty() && name != "aileronmd" {
            return Err("nobody sets its environment".to_owned());
        }
        match name {
            _ if is_example => examples::run(self, line),
            "aileronmd" => driver::run(self, line),
            "cargo" => cargo::run(self, line),
            "install" => system::install(self, line),
            "sysctl" => system::sysctl(self, line),
            "systemctl" => system::systemctl(self, line),
            "systemd-sysusers" => system::sysusers(self, line),
            "tshark" => system::tshark(self, line),
            _ => Err("nobody runs it".to_owned()),
        }
    }

    /// Looks whether a program that somebody else runs is where its line says.
    pub(crate) fn expect_built(&self, line: &Line) -> Result<(), String> {
        let is_of_build = line.program.contains('/');
        (!is_of_build || self.of_build(&line.program).is_ok())
            .then_some(())
            .ok_or_else(|| "no line before it builds it".to_owned())
    }

    /// A program of a line before, which built it.
    pub(crate) fn of_build(&self, path: &str) -> Result<&Path, String> {
        let built = path.strip_prefix("target/release/");
        let built = built.and_then(|name| self.built.get(name));
        let built = built.ok_or_else(|| format!("no line before builds {path}"))?;
        Ok(built)
    }

    /// Leaves a process to itself; in the end it is checked, interrupted, and its end checked.
    pub(crate) fn leave(
        &mut self,
        line: &Line,
        process: Process,
        check: impl FnOnce(&mut Process) -> Result<(), String> + 'static,
        end_check: impl FnOnce(Ended) -> Result<(), String> + 'static,
    ) {
        self.background.push(Background {
            place: format!("{}: {}", line.place(), line.text()),
            process,
            check: Box::new(check),
            end_check: Box::new(end_check),
        });
    }

    /// Says that a line is not run here, and why.
    pub(crate) fn skip(&mut self, line: &Line, why: &str) {
        let said = format!(
            "*** NOT TESTED: {}: {}: {why} ***",
            line.place(),
            line.text()
        );
        let _ = writeln!(std::io::stderr(), "\n{said}\n");
        self.skipped.push(said);
    }

    /// Ends what still runs, the last first.
    pub(crate) fn end(&mut self) {
        while let Some(mut background) = self.background.pop() {
            let checked = (background.check)(&mut background.process);
            let ended = checked.and_then(|()| background.process.interrupt());
            let outcome = ended.and_then(background.end_check);
            outcome.unwrap_or_else(|error| panic!("{}: {error}", background.place));
        }
    }
}

/// A port that nobody has at the moment. Whoever is to have it may lose it to somebody else before
/// he binds it, which is unlikely enough.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("its address").port()
}
