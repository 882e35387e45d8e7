//! The processes of a round, and what they have said.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::failure::Failure;
use crate::process::{Process, Said};

/// Between looks at a condition when nobody says anything.
const LOOK_PERIOD: Duration = Duration::from_millis(5);

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Driver,
    Publisher,
    Subscriber,
    Adder,
}

/// A driver and its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Of the publishers.
    Near,
    /// Of the subscribers.
    Far,
}

/// A process of the round, dead or alive.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) side: Side,
    pub(crate) process: Process,
    /// Whether its end is no surprise.
    pub(crate) may_end: bool,
    pub(crate) status: Option<ExitStatus>,
    errors: PathBuf,
}

impl Actor {
    pub(crate) const fn is_alive(&self) -> bool {
        self.status.is_none()
    }
}

/// All processes of a round.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) root: PathBuf,
    pub(crate) actors: Vec<Actor>,
    /// All that was said, and all ends.
    pub(crate) log: Vec<Said>,
    pub(crate) began: Instant,
    heard: Receiver<Said>,
    sender: Sender<Said>,
    failure: Option<Failure>,
}

impl Stage {
    pub(crate) fn new(root: &Path) -> Self {
        let (sender, heard) = channel();
        Self {
            root: root.to_owned(),
            actors: Vec::new(),
            log: Vec::new(),
            began: Instant::now(),
            heard,
            sender,
            failure: None,
        }
    }

    /// Starts a process; returns its index.
    pub(crate) fn start(
        &mut self,
        name: String,
        (kind, side): (Kind, Side),
        wrapper: &[String],
        arguments: &[String],
    ) -> Result<usize, Failure> {
        let index = self.actors.len();
        let errors = self.root.join(format!("{index}-{name}.err"));
        let process = Process::start(wrapper, arguments, &errors, index, self.sender.clone())
            .map_err(|error| Failure::setup(&name, error))?;
        self.actors.push(Actor {
            name,
            kind,
            side,
            process,
            may_end: false,
            status: None,
            errors,
        });
        Ok(index)
    }

    /// Living processes of a kind.
    pub(crate) fn living(&self, kind: Kind) -> Vec<usize> {
        self.chosen(|actor| actor.kind == kind)
    }

    /// Living clients of a driver.
    pub(crate) fn clients_of(&self, side: Side) -> Vec<usize> {
        self.chosen(|actor| actor.kind != Kind::Driver && actor.side == side)
    }

    fn chosen(&self, choose: impl Fn(&Actor) -> bool) -> Vec<usize> {
        let all = self.actors.iter().enumerate();
        all.filter(|(_, actor)| actor.is_alive() && !actor.may_end && choose(actor))
            .map(|(index, _)| index)
            .collect()
    }

    /// Kills, as `kill -9` does. Returns when.
    pub(crate) fn kill(&mut self, index: usize) -> Instant {
        self.actors[index].may_end = true;
        let at = Instant::now();
        self.actors[index].process.signal(Signal::SIGKILL);
        at
    }

    pub(crate) fn signal(&self, index: usize, signal: Signal) -> Instant {
        let at = Instant::now();
        self.actors[index].process.signal(signal);
        at
    }

    pub(crate) fn order(&mut self, index: usize, line: &str) {
        self.actors[index].process.order(line);
    }

    /// The first thing that begins with `prefix` and was said by `index` since then.
    pub(crate) fn heard_from(&self, index: usize, prefix: &str, since: Instant) -> Option<&Said> {
        self.log.iter().find(|said| {
            said.child == index
                && said.at >= since
                && said
                    .words
                    .as_ref()
                    .is_some_and(|words| words.starts_with(prefix))
        })
    }

    /// All that was said by `index` since then.
    pub(crate) fn words_of(&self, index: usize, since: Instant) -> impl Iterator<Item = &str> {
        let said = self.log.iter();
        said.filter(move |said| said.child == index && said.at >= since)
            .filter_map(|said| said.words.as_deref())
    }

    /// The last thing that begins with one of `prefixes` and was said by `index`.
    pub(crate) fn last_of(&self, index: usize, prefixes: &[&str]) -> Option<&str> {
        let all = self.log.iter().rev().filter(|said| said.child == index);
        all.filter_map(|said| said.words.as_deref())
            .find(|words| prefixes.iter().any(|prefix| words.starts_with(prefix)))
    }

    /// Waits for something that begins with `prefix`, said by `index` since then; at most until
    /// `limit` after it.
    pub(crate) fn await_words(
        &mut self,
        index: usize,
        prefix: &str,
        since: Instant,
        limit: Duration,
    ) -> Result<Said, Failure> {
        let what = format!("{prefix:?} from {}", self.actors[index].name);
        self.wait(&what, since, limit, |stage| {
            stage.heard_from(index, prefix, since).cloned()
        })
    }

    /// Waits until `look` finds something, at most until `limit` after `since`.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        since: Instant,
        limit: Duration,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T, Failure> {
        loop {
            self.listen(LOOK_PERIOD)?;
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if since.elapsed() > limit {
                let limit = limit.as_millis();
                return Err(Failure::Late(format!("{what}: not within {limit} ms")));
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < time {
            self.listen(time.saturating_sub(start.elapsed()).min(LOOK_PERIOD))?;
        }
        Ok(())
    }

    /// Takes in what was said.
    ///
    /// # Errors
    /// Somebody reported a violation, or ended who should not have.
    pub(crate) fn listen(&mut self, patience: Duration) -> Result<(), Failure> {
        let mut next = self.heard.recv_timeout(patience).ok();
        while let Some(said) = next {
            self.take(said);
            next = self.heard.try_recv().ok();
        }
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    fn take(&mut self, said: Said) {
        let index = said.child;
        match said.words.as_deref() {
            Some(words) if words.starts_with("violation") => {
                let text = format!("{}: {words}", self.actors[index].name);
                self.failure.get_or_insert(Failure::Violation(text));
            }
            Some(_) => {}
            None => self.bury(index),
        }
        self.log.push(said);
    }

    /// Takes note of an end.
    fn bury(&mut self, index: usize) {
        let status = loop {
            // Its output has ended, so it is ending.
            match self.actors[index].process.status() {
                Ok(Some(status)) => break status,
                Ok(None) => std::thread::sleep(Duration::from_micros(100)),
                Err(error) => {
                    let failure = Failure::setup("waiting for a child", error);
                    self.failure.get_or_insert(failure);
                    return;
                }
            }
        };
        self.actors[index].status = Some(status);
        let complaint = self.complaint(index);
        let name = &self.actors[index].name;
        if complaint.contains("panicked") {
            let failure = Failure::Violation(format!("{name} panicked: {complaint}"));
            self.failure.get_or_insert(failure);
        } else if !self.actors[index].may_end {
            let text = match self.last_of(index, &["ended"]) {
                // It was told of a death that nobody ordered.
                Some(words) => Failure::Late(format!("{name} {words} without a reason")),
                None => Failure::Violation(format!("{name} ended with {status}: {complaint}")),
            };
            self.failure.get_or_insert(text);
        }
    }

    /// What a process wrote to standard error.
    pub(crate) fn complaint(&self, index: usize) -> String {
        std::fs::read_to_string(&self.actors[index].errors).unwrap_or_default()
    }

    /// Ends roles in order, and waits until their processes are gone.
    pub(crate) fn dismiss(&mut self, indexes: &[usize], limit: Duration) -> Result<(), Failure> {
        for index in indexes {
            self.actors[*index].may_end = true;
            self.actors[*index].process.dismiss();
        }
        let start = Instant::now();
        for index in indexes {
            let what = format!("the end of {}", self.actors[*index].name);
            let status = self.wait(&what, start, limit, |stage| stage.actors[*index].status)?;
            if !status.success() {
                let complaint = self.complaint(*index);
                let name = &self.actors[*index].name;
                let text = format!("{name} ended with {status}: {complaint}");
                return Err(Failure::Violation(text));
            }
        }
        Ok(())
    }

    /// Forgets what the dead have said, so that a long run needs no more memory than a short one.
    pub(crate) fn forget_the_dead(&mut self) {
        let actors = &self.actors;
        self.log.retain(|said| actors[said.child].is_alive());
    }

    /// All that was said, with times in milliseconds, for the report of a failure.
    pub(crate) fn transcript(&self) -> String {
        let mut text = String::new();
        for said in &self.log {
            let ms = said.at.saturating_duration_since(self.began).as_millis();
            let name = &self.actors[said.child].name;
            let words = said.words.as_deref().unwrap_or("(gone)");
            text.push_str(&format!("{ms:>6} ms  {name}: {words}\n"));
        }
        text
    }
}
