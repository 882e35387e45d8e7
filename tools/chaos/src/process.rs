//! Child processes: started in a role, read line by line, signalled, and gone when dropped.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Something a child said, or, without words, its end.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// When it was heard.
    pub(crate) at: Instant,
    /// Which child.
    pub(crate) child: usize,
    pub(crate) words: Option<String>,
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
}

impl Process {
    /// Starts this executable with `arguments`, by way of a `wrapper` if there is one. What it says
    /// goes to `heard` as that of child `index`; its complaints go to the file `errors`.
    pub(crate) fn start(
        wrapper: &[String],
        arguments: &[String],
        errors: &Path,
        index: usize,
        heard: Sender<Said>,
    ) -> io::Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = match wrapper {
            [] => Command::new(own),
            [program, rest @ ..] => {
                let mut command = Command::new(program);
                command.args(rest).arg(own);
                command
            }
        };
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(errors)?)
            .spawn()?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no pipe from the child"))?;
        std::thread::spawn(move || {
            let hear = |words| {
                let at = Instant::now();
                heard.send(Said {
                    at,
                    child: index,
                    words,
                })
            };
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if hear(Some(line)).is_err() {
                    return;
                }
            }
            // Whoever listened may be gone.
            let _ = hear(None);
        });
        let orders = child.stdin.take();
        Ok(Self { child, orders })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order. A child that is gone does not hear it.
    pub(crate) fn order(&mut self, line: &str) {
        if let Some(orders) = &mut self.orders {
            let _ = writeln!(orders, "{line}").and_then(|()| orders.flush());
        }
    }

    /// Sends a signal. A child that is gone does not mind.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(id), signal);
        }
    }

    /// Ends its standard input, and with it the role.
    pub(crate) fn dismiss(&mut self) {
        self.orders = None;
    }

    /// Its status, if it has ended.
    pub(crate) fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // It is a child of this process and was not waited for: the id is its own.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
