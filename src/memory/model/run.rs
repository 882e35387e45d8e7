//! Threads that take turns: one at a time, until its next access to shared memory.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::choices::Choices;
use super::memory::{Access, Memory, THREADS_MAX};

/// Accesses of a run at most: who does more waits for something that may never come.
const ACCESSES_MAX: usize = 20_000;

thread_local! {
    static CURRENT: RefCell<Option<(Arc<Run>, usize)>> = const { RefCell::new(None) };
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// Runs, each in an order of its own.
    pub runs: usize,
    /// Whether those were all that there are within the bounds.
    pub is_complete: bool,
}

/// How far to look.
///
/// ```
/// use aileron::memory::AtomicBuffer;
/// use aileron::memory::model::Explorer;
/// let pass = |buffer: &AtomicBuffer| {
///     buffer.store_i32_relaxed(4, 7);
///     buffer.store_i32_release(0, 1);
/// };
/// let receive = |buffer: &AtomicBuffer| {
///     if buffer.load_i32_acquire(0) == 1 {
///         assert_eq!(buffer.load_i32_relaxed(4), 7);
///     }
/// };
/// let coverage = Explorer::default().check(|| AtomicBuffer::heap(64), &[&pass, &receive], |_| {});
/// assert!(coverage.is_complete && coverage.runs > 3);
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by name")]
pub struct Explorer {
    /// Switches away from a thread that could have gone on, per run.
    pub preemptions: usize,
    /// Loads that give an old value, per run.
    pub old_values: usize,
    /// Runs after which it is enough.
    pub runs_max: usize,
    /// Whether words may be loaded atomically whose bytes somebody else owns and writes as such.
    /// The language calls that a race; the load gives what is there, and what the owner's fence
    /// handed on.
    pub allows_peeks: bool,
}

impl Default for Explorer {
    fn default() -> Self {
        Self {
            preemptions: 2,
            old_values: 2,
            runs_max: 1_000_000,
            allows_peeks: false,
        }
    }
}

/// What a thread does with what all share.
pub type Body<'a, S> = &'a (dyn Fn(&S) + Sync);

impl Explorer {
    /// Runs the threads in every order, on a fresh `setup()` each time, and has `finish` look at
    /// what is left.
    ///
    /// # Panics
    /// A thread or `finish` panics in one of the orders, or accesses race.
    pub fn check<S: Sync>(
        &self,
        setup: impl Fn() -> S,
        threads: &[Body<'_, S>],
        finish: impl Fn(&S),
    ) -> Coverage {
        assert!(
            threads.len() <= THREADS_MAX,
            "at most {THREADS_MAX} threads"
        );
        let mut choices = Choices::default();
        let mut runs = 0;
        loop {
            let shared = setup();
            let run = Arc::new(Run::new(self, threads.len(), choices));
            thread::scope(|scope| {
                for (number, body) in threads.iter().enumerate() {
                    let (run, shared) = (Arc::clone(&run), &shared);
                    scope.spawn(move || run.drive(number, || body(shared)));
                }
            });
            let mut state = run.lock();
            if state.failure.is_none() {
                let finished = catch_unwind(AssertUnwindSafe(|| finish(&shared)));
                state.failure = finished.err().map(|payload| text_of(&*payload));
            }
            runs += 1;
            choices = std::mem::take(&mut state.choices);
            if let Some(failure) = &state.failure {
                let chosen = choices.chosen();
                panic!("run {runs}: {failure}; decisions: {chosen:?}");
            }
            let has_more = choices.advance();
            if !has_more || runs >= self.runs_max {
                return Coverage {
                    runs,
                    is_complete: !has_more,
                };
            }
        }
    }
}

struct Run {
    state: Mutex<State>,
    turns: [Condvar; THREADS_MAX],
}

struct State {
    memory: Memory,
    choices: Choices,
    /// Whose turn it is.
    active: usize,
    is_finished: Vec<bool>,
    preemptions_left: usize,
    old_values_left: usize,
    accesses: usize,
    failure: Option<String>,
}

impl State {
    /// Those that could go on, without `thread`.
    fn others(&self, thread: usize) -> Vec<usize> {
        let all = 0..self.is_finished.len();
        all.filter(|other| *other != thread && !self.is_finished[*other])
            .collect()
    }

    /// Memory, and what picks a value from those that a thread may get.
    fn split(&mut self) -> (&mut Memory, impl FnOnce(usize) -> usize + use<'_>) {
        let Self {
            memory,
            choices,
            old_values_left,
            ..
        } = self;
        let choose = |count| {
            let chosen = choices.choose(if *old_values_left > 0 { count } else { 1 });
            *old_values_left -= usize::from(chosen > 0);
            chosen
        };
        (memory, choose)
    }
}

impl Run {
    fn new(explorer: &Explorer, threads: usize, mut choices: Choices) -> Self {
        let active = choices.choose(threads);
        Self {
            state: Mutex::new(State {
                memory: Memory::new(threads, explorer.allows_peeks),
                choices,
                active,
                is_finished: vec![false; threads],
                preemptions_left: explorer.preemptions,
                old_values_left: explorer.old_values,
                accesses: 0,
                failure: None,
            }),
            turns: [const { Condvar::new() }; THREADS_MAX],
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a thread from begin to end.
    fn drive(self: Arc<Self>, number: usize, body: impl FnOnce()) {
        drop(self.wait_for_turn(self.lock(), number));
        CURRENT.set(Some((Arc::clone(&self), number)));
        let outcome = catch_unwind(AssertUnwindSafe(body));
        CURRENT.set(None);
        let mut state = self.lock();
        if let Err(payload) = outcome {
            self.fail(
                &mut state,
                format!("thread {number}: {}", text_of(&*payload)),
            );
        }
        state.is_finished[number] = true;
        let others = state.others(number);
        if !others.is_empty() {
            let chosen = state.choices.choose(others.len());
            state.active = others[chosen];
            self.turns[others[chosen]].notify_one();
        }
    }

    fn wait_for_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        number: usize,
    ) -> MutexGuard<'a, State> {
        while state.active != number && state.failure.is_none() {
            let waited = self.turns[number].wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Ends the run: all threads unwind at their next access.
    fn fail(&self, state: &mut State, text: String) {
        state.failure.get_or_insert(text);
        self.turns.iter().for_each(Condvar::notify_one);
    }

    /// Lets somebody else have a turn, or not.
    fn reschedule(&self, number: usize) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.accesses += 1;
        if state.accesses > ACCESSES_MAX {
            self.fail(&mut state, format!("thread {number} waits for ever"));
        }
        if state.failure.is_some() || state.preemptions_left == 0 {
            return state;
        }
        let others = state.others(number);
        let chosen = state.choices.choose(others.len() + 1);
        if chosen == 0 {
            return state;
        }
        state.preemptions_left -= 1;
        state.active = others[chosen - 1];
        self.turns[others[chosen - 1]].notify_one();
        self.wait_for_turn(state, number)
    }
}

/// Has a thread of a run do something with memory; `None` outside of one, and while it unwinds
/// from one that has failed.
fn access<R>(
    is_turn: bool,
    what: impl FnOnce(&mut State, usize) -> Result<R, String>,
) -> Option<R> {
    let (run, number) = CURRENT.with_borrow(Clone::clone)?;
    let mut state = if is_turn {
        run.reschedule(number)
    } else {
        run.lock()
    };
    if state.failure.is_some() {
        drop(state);
        // Whoever unwinds already goes on without the run.
        assert!(thread::panicking(), "the run has failed elsewhere");
        return None;
    }
    match what(&mut state, number) {
        Ok(value) => Some(value),
        Err(text) => {
            run.fail(&mut state, text.clone());
            drop(state);
            panic!("{text}");
        }
    }
}

pub(super) fn load(at: &Access, now: impl FnOnce() -> i64) -> Option<i64> {
    access(true, |state, thread| {
        let (memory, choose) = state.split();
        memory.load(thread, at, now, choose)
    })
}

pub(super) fn store(
    at: &Access,
    value: i64,
    now: impl FnOnce() -> i64,
    write: impl FnOnce(i64),
) -> Option<()> {
    access(true, |state, thread| {
        state.memory.store(thread, at, value, now)?;
        write(value);
        Ok(())
    })
}

pub(super) fn modify(
    at: &Access,
    now: impl FnOnce() -> i64,
    write: impl FnOnce(i64),
    change: impl Fn(i64) -> Option<i64>,
) -> Option<Result<i64, i64>> {
    access(true, |state, thread| {
        let (memory, choose) = state.split();
        let modified = memory.modify(thread, at, now, change, choose)?;
        Ok(modified.map(|(value, next)| {
            write(next);
            value
        }))
    })
}

pub(super) fn fence(at: &Access) -> Option<()> {
    access(false, |state, thread| {
        state.memory.fence(thread, at);
        Ok(())
    })
}

/// Bytes are about to be accessed as such.
pub(in crate::memory) fn on_plain_access(address: usize, length: usize, is_write: bool) {
    let _ = access(false, |state, thread| {
        state.memory.plain(thread, address, length, is_write)
    });
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no text").to_owned()
}
