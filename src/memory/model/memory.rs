//! What was stored, what each thread has seen of it, and which accesses race.
//!
//! Every place keeps all values that were stored there, in order. A thread's [`View`] tells how old
//! a value it may still get from each place, and which accesses of others happened before its own.
//! A store that releases hands on the view of its thread; a load that acquires takes it over.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Threads of a run at most.
pub(super) const THREADS_MAX: usize = 4;
/// Bytes that are watched together for races.
const GRANULE: usize = 4;

/// An atomic access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    address: usize,
    width: usize,
    acquires: bool,
    releases: bool,
}

impl Access {
    pub(super) fn new(address: usize, width: usize, ordering: Ordering) -> Self {
        let is_both = matches!(ordering, Ordering::AcqRel | Ordering::SeqCst);
        Self {
            address,
            width,
            acquires: is_both || ordering == Ordering::Acquire,
            releases: is_both || ordering == Ordering::Release,
        }
    }

    fn granules(&self) -> impl Iterator<Item = usize> + use<> {
        granules(self.address, self.width)
    }
}

/// How many accesses of each thread happened before.
type Clock = [u32; THREADS_MAX];

fn join_clocks(clock: &mut Clock, other: &Clock) {
    for (own, other) in clock.iter_mut().zip(other) {
        *own = (*own).max(*other);
    }
}

fn is_before(clock: &Clock, now: &Clock) -> bool {
    clock.iter().zip(now).all(|(clock, now)| clock <= now)
}

#[derive(Clone, Debug, Default)]
struct View {
    clock: Clock,
    /// The oldest value of each place that may still be seen, by its number.
    seen: BTreeMap<usize, usize>,
}

impl View {
    fn join(&mut self, other: &Self) {
        join_clocks(&mut self.clock, &other.clock);
        for (address, number) in &other.seen {
            let seen = self.seen.entry(*address).or_default();
            *seen = (*seen).max(*number);
        }
    }
}

/// A value that was stored.
#[derive(Clone, Debug)]
struct Message {
    value: i64,
    /// What whoever acquires it has seen.
    released: View,
}

/// A place that is accessed atomically.
#[derive(Debug, Default)]
struct Place {
    width: usize,
    messages: Vec<Message>,
    /// Values before this one were overwritten by someone who owned the bytes.
    floor: usize,
    /// The bytes were written as such since.
    is_overwritten: bool,
}

impl Place {
    /// Takes up what is in memory, unless that is known.
    fn take_up(&mut self, value: impl FnOnce() -> i64) {
        if self.messages.is_empty() || self.is_overwritten {
            self.is_overwritten = false;
            self.floor = self.messages.len();
            self.messages.push(Message {
                value: value(),
                released: View::default(),
            });
        }
    }
}

/// Who accessed some bytes last, and how.
#[derive(Debug, Default)]
struct Granule {
    /// Whose they were last.
    owner: usize,
    plain_reads: Clock,
    plain_writes: Clock,
    atomic_reads: Clock,
    atomic_writes: Clock,
}

#[derive(Debug, Default)]
struct Thread {
    now: View,
    /// What relaxed loads brought, for an acquire fence to come.
    unacquired: View,
    /// What was seen at the last release fence.
    fenced: View,
}

/// The memory of a run.
#[derive(Debug)]
pub(super) struct Memory {
    places: BTreeMap<usize, Place>,
    granules: BTreeMap<usize, Granule>,
    threads: Vec<Thread>,
    /// Whether words may be looked at whose bytes somebody else owns.
    allows_peeks: bool,
}

/// A promise that was broken, in words.
type Outcome<T> = Result<T, String>;

impl Memory {
    /// Memory that all threads know as it is.
    pub(super) fn new(threads: usize, allows_peeks: bool) -> Self {
        Self {
            allows_peeks,
            places: BTreeMap::new(),
            granules: BTreeMap::new(),
            threads: (0..threads).map(|_| Thread::default()).collect(),
        }
    }

    /// Loads; `choose` picks one of so many values, the newest first.
    pub(super) fn load(
        &mut self,
        thread: usize,
        access: &Access,
        now: impl FnOnce() -> i64,
        choose: impl FnOnce(usize) -> usize,
    ) -> Outcome<i64> {
        if self.allows_peeks && !self.is_race_free(thread, access, false) {
            return Ok(self.peek(thread, access, now()));
        }
        self.begin(thread, access, false)?;
        let place = self.place(access, now)?;
        let newest = place.messages.len() - 1;
        let floor = place.floor;
        let oldest = self.threads[thread].oldest(access.address).max(floor);
        let number = newest - choose(newest - oldest + 1);
        Ok(self.take_in(thread, access, number))
    }

    /// Stores.
    pub(super) fn store(
        &mut self,
        thread: usize,
        access: &Access,
        value: i64,
        now: impl FnOnce() -> i64,
    ) -> Outcome<()> {
        self.begin(thread, access, true)?;
        self.place(access, now)?;
        self.put(thread, access, value, &View::default());
        Ok(())
    }

    /// Replaces the newest value by what `change` makes of it. `Err` holds the value where that
    /// was nothing, which may be an old one.
    pub(super) fn modify(
        &mut self,
        thread: usize,
        access: &Access,
        now: impl FnOnce() -> i64,
        change: impl Fn(i64) -> Option<i64>,
        choose: impl FnOnce(usize) -> usize,
    ) -> Outcome<Result<(i64, i64), i64>> {
        self.begin(thread, access, true)?;
        let place = self.place(access, now)?;
        let newest = place.messages.len() - 1;
        let floor = place.floor;
        let oldest = self.threads[thread].oldest(access.address).max(floor);
        let messages = &self.places[&access.address].messages;
        let fails = |number: &usize| change(messages[*number].value).is_none();
        let old = (oldest..newest).rev().filter(fails);
        let options: Vec<usize> = std::iter::once(newest).chain(old).collect();
        let number = options[choose(options.len())];
        let released = messages[number].released.clone();
        let value = self.take_in(thread, access, number);
        match change(value) {
            None => Ok(Err(value)),
            Some(next) => {
                self.put(thread, access, next, &released);
                Ok(Ok((value, next)))
            }
        }
    }

    /// Fences.
    pub(super) fn fence(&mut self, thread: usize, access: &Access) {
        let thread = &mut self.threads[thread];
        if access.acquires {
            thread.now.join(&thread.unacquired);
        }
        if access.releases {
            thread.fenced = thread.now.clone();
        }
    }

    /// Bytes are accessed as such by someone who says that nobody else does.
    pub(super) fn plain(
        &mut self,
        thread: usize,
        address: usize,
        length: usize,
        is_write: bool,
    ) -> Outcome<()> {
        let clock = self.threads[thread].tick(thread);
        let allows_peeks = self.allows_peeks;
        for at in granules(address, length) {
            let granule = self.granules.entry(at).or_default();
            let mut is_fine = is_before(&granule.plain_writes, &clock)
                && is_before(&granule.atomic_writes, &clock);
            if is_write {
                let was_read = granule.atomic_reads;
                is_fine &= is_before(&granule.plain_reads, &clock)
                    && (allows_peeks || is_before(&was_read, &clock));
                granule.plain_writes = clock;
                granule.owner = thread;
            } else {
                granule.plain_reads[thread] = clock[thread];
            }
            if !is_fine {
                let how = if is_write { "writes" } else { "reads" };
                return Err(format!(
                    "thread {thread} {how} {length} bytes that another one accesses: {granule:?}, \
                     but what happened before is {clock:?}"
                ));
            }
        }
        if is_write {
            for (_, place) in self.places.range_mut(address..address + length) {
                place.is_overwritten = true;
            }
        }
        Ok(())
    }

    fn is_race_free(&self, thread: usize, access: &Access, is_write: bool) -> bool {
        let clock = &self.threads[thread].now.clock;
        let mut granules = access.granules().filter_map(|at| self.granules.get(&at));
        granules.all(|granule| {
            is_before(&granule.plain_writes, clock)
                && (!is_write || is_before(&granule.plain_reads, clock))
        })
    }

    /// A look at a word whose bytes somebody owns: what is there, as if stored as a word
    /// after the owner's last fence.
    fn peek(&mut self, thread: usize, access: &Access, value: i64) -> i64 {
        for at in access.granules() {
            let Some(granule) = self.granules.get(&at) else {
                continue;
            };
            let fenced = self.threads[granule.owner].fenced.clone();
            let thread = &mut self.threads[thread];
            thread.unacquired.join(&fenced);
            if access.acquires {
                thread.now.join(&fenced);
            }
        }
        value
    }

    /// Looks whether an atomic access races with one of bytes as such.
    fn begin(&mut self, thread: usize, access: &Access, is_write: bool) -> Outcome<()> {
        let clock = self.threads[thread].tick(thread);
        let is_fine = self.is_race_free(thread, access, is_write);
        for at in access.granules() {
            let granule = self.granules.entry(at).or_default();
            if !is_fine {
                return Err(format!(
                    "thread {thread} accesses a word whose bytes another one owns: {granule:?}, \
                     but what happened before is {clock:?}"
                ));
            }
            let accesses = if is_write {
                &mut granule.atomic_writes
            } else {
                &mut granule.atomic_reads
            };
            accesses[thread] = clock[thread];
        }
        Ok(())
    }

    fn place(&mut self, access: &Access, now: impl FnOnce() -> i64) -> Outcome<&mut Place> {
        let end = access.address + access.width;
        let mut before = self.places.range(..end).rev();
        if let Some((at, place)) = before.next()
            && at + place.width > access.address
            && (*at, place.width) != (access.address, access.width)
        {
            return Err(format!(
                "a word of {} bytes is accessed as one of {}",
                place.width, access.width
            ));
        }
        let place = self.places.entry(access.address).or_default();
        place.width = access.width;
        place.take_up(now);
        Ok(place)
    }

    /// A thread gets a value.
    fn take_in(&mut self, thread: usize, access: &Access, number: usize) -> i64 {
        let message = &self.places[&access.address].messages[number];
        let thread = &mut self.threads[thread];
        thread.now.seen.insert(access.address, number);
        thread.unacquired.join(&message.released);
        if access.acquires {
            thread.now.join(&message.released);
        }
        message.value
    }

    /// A thread's value becomes the newest. `inherited` is handed on with it.
    fn put(&mut self, thread: usize, access: &Access, value: i64, inherited: &View) {
        let thread = &mut self.threads[thread];
        if let Some(place) = self.places.get_mut(&access.address) {
            thread.now.seen.insert(access.address, place.messages.len());
            let view = if access.releases {
                &thread.now
            } else {
                &thread.fenced
            };
            let mut released = view.clone();
            released.join(inherited);
            place.messages.push(Message { value, released });
        }
    }
}

impl Thread {
    fn oldest(&self, address: usize) -> usize {
        self.now.seen.get(&address).copied().unwrap_or(0)
    }

    /// Counts an access.
    fn tick(&mut self, number: usize) -> Clock {
        self.now.clock[number] += 1;
        self.now.clock
    }
}

fn granules(address: usize, length: usize) -> impl Iterator<Item = usize> + use<> {
    (address / GRANULE..(address + length).div_ceil(GRANULE)).take(length)
}
