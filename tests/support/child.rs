//! Processes that a test may kill. They are this test executable again, told by a variable of the
//! environment to play a role instead of testing; a role ends when the test that started it does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::WATCHDOG;

/// Names the role; its presence makes the executable play it.
const ROLE: &str = "AILERON_TEST_ROLE";
/// The aeron directory of a role.
const DIRECTORY: &str = "AILERON_TEST_DIRECTORY";
/// A role's further arguments, one a line.
const ARGUMENTS: &str = "AILERON_TEST_ARGUMENTS";
/// Begins what a role says: the test harness writes to the same stream.
const MARK: &str = "@@ ";

/// A child process. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    said: Receiver<String>,
}

impl Child {
    /// Starts this executable in `role`. The executable has a test `entry` that calls [`play`].
    pub(crate) fn start(entry: &str, role: &str, directory: &Path, arguments: &[&str]) -> Self {
        let own = std::env::current_exe().expect("the path of this executable");
        Self::start_through(&[], &own, entry, role, directory, arguments)
    }

    /// [`Self::start`] by way of a `wrapper`: a program with arguments that runs what follows.
    pub(crate) fn start_through(
        wrapper: &[&str],
        own: &Path,
        entry: &str,
        role: &str,
        directory: &Path,
        arguments: &[&str],
    ) -> Self {
        let mut command = match wrapper {
            [] => Command::new(own),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(own);
                command
            }
        };
        let mut process = command
            .args(["--exact", entry, "--nocapture"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .env(ARGUMENTS, arguments.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let output = process.stdout.take().expect("its output is a pipe");
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some((_, words)) = line.split_once(MARK) {
                    let _ = sender.send(words.to_owned());
                }
            }
        });
        Self { process, said }
    }

    /// Tells the child something, which it hears through [`orders`].
    pub(crate) fn tell(&mut self, words: &str) {
        let input = self.process.stdin.as_mut().expect("its input is a pipe");
        writeln!(input, "{words}")
            .and_then(|()| input.flush())
            .expect("the child listens");
    }

    /// Whatever the child has said and nobody has asked for.
    pub(crate) fn said_so_far(&self) -> Vec<String> {
        self.said.try_iter().collect()
    }

    /// Waits for the next thing that the child says.
    pub(crate) fn next_words(&self) -> Option<String> {
        match self.said.recv_timeout(WATCHDOG) {
            Ok(words) => Some(words),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the child says nothing"),
        }
    }

    /// Waits until the child says `words`, whatever it says before.
    pub(crate) fn await_words(&self, words: &str) {
        loop {
            match self.next_words() {
                Some(said) if said == words => return,
                Some(_) => {}
                None => panic!("the child ended without saying {words:?}"),
            }
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends it a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let killed = kill.args([name, &self.id().to_string()]).status();
        assert!(killed.expect("kill runs").success(), "it is gone");
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("killed");
        let status = self.process.wait().expect("its status");
        assert_eq!(
            status.signal(),
            Some(9),
            "it ended before it was killed: {status}"
        );
    }

    /// Lets it end, by closing its input.
    pub(crate) fn dismiss(mut self) -> ExitStatus {
        drop(self.process.stdin.take());
        self.process.wait().expect("its status")
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("asked").is_some()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let status = super::wait_for("the child's end", || {
            self.process.try_wait().expect("asked")
        });
        drop(self.process.stdin.take());
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a role is given.
#[derive(Debug)]
pub(crate) struct Part {
    /// Which role.
    pub(crate) role: String,
    /// The aeron directory.
    pub(crate) directory: std::path::PathBuf,
    /// Further arguments.
    pub(crate) arguments: Vec<String>,
}

/// In a child: what to play. `None` in the process that tests.
pub(crate) fn part() -> Option<Part> {
    let role = std::env::var(ROLE).ok()?;
    let directory = std::env::var_os(DIRECTORY)?.into();
    let arguments = std::env::var(ARGUMENTS).unwrap_or_default();
    let arguments = arguments.lines().map(str::to_owned).collect();
    Some(Part {
        role,
        directory,
        arguments,
    })
}

/// In a child: tells the test something.
pub(crate) fn say(words: &str) {
    // Past the harness's capturing, in one write, on a line of its own.
    let line = format!("\n{MARK}{words}\n");
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(line.as_bytes());
    let _ = output.flush();
}

/// In a child: a flag that turns true when the test lets the child go, or is gone itself.
pub(crate) fn dismissal() -> Receiver<()> {
    let (sender, dismissed) = channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(sender);
    });
    dismissed
}

/// In a child: what the test tells it, see [`Child::tell`]; disconnected when the test lets the
/// child go, or is gone itself.
pub(crate) fn orders() -> Receiver<String> {
    let (sender, orders) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    orders
}

/// In a child: waits to be killed, or let go.
pub(crate) fn linger() {
    let _ = dismissal().recv();
}

/// In a child: does `step` until it is killed or let go.
pub(crate) fn repeat(mut step: impl FnMut()) {
    let dismissed = dismissal();
    while matches!(
        dismissed.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Empty)
    ) {
        step();
    }
}
