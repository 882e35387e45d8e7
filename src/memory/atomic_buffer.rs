//! Bounds-checked window on a shared region, with the memory ordering in each method's name.

use std::fmt;
use std::io;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use super::prefetch;
use super::region::{HeapRegion, Region};
use super::sync::{AtomicI32, AtomicI64, AtomicU8, Ordering, on_bytes, on_bytes_mut};

/// A window on memory that other threads or processes read and write at the same time.
///
/// Cloning is cheap and gives a window on the same bytes. Integers are little-endian on the
/// machines that are supported, which all are.
///
/// ```
/// use aileron::memory::AtomicBuffer;
/// let whole = AtomicBuffer::heap(128);
/// let tail = whole.slice(64..128);
/// tail.store_i64_release(0, 7);
/// assert_eq!(whole.load_i64_acquire(64), 7);
/// ```
#[derive(Clone)]
pub struct AtomicBuffer {
    start: NonNull<u8>,
    length: usize,
    region: Arc<Region>,
}

/// The first word of a claimed range, at which others may look at any time.
#[derive(Clone, Copy, Debug)]
pub struct FirstWord<'a>(&'a AtomicI32);

impl FirstWord<'_> {
    /// Stores the word, publishing all earlier stores to whoever acquires it.
    #[inline(always)]
    pub fn store_release(self, value: i32) {
        before_store();
        self.0.store(value, Ordering::Release);
        // Before the bytes that follow it.
        before_store();
    }
}

// SAFETY: MEM-2 (a region is bytes without an owner thread): all access is atomic, or through the
// two range methods whose callers promise that the range is theirs.
unsafe impl Send for AtomicBuffer {}
// SAFETY: MEM-2, as above.
unsafe impl Sync for AtomicBuffer {}

impl AtomicBuffer {
    /// `length` zeroed bytes of heap memory, page-aligned.
    #[must_use]
    pub fn heap(length: usize) -> Self {
        let region = HeapRegion::new(length);
        Self {
            start: region.start(),
            length,
            region: Arc::new(Region::Heap(region)),
        }
    }

    pub(super) fn from_region(start: NonNull<u8>, length: usize, region: Region) -> Self {
        Self {
            start,
            length,
            region: Arc::new(region),
        }
    }

    /// A window on a part of this one.
    ///
    /// # Panics
    /// When the range does not lie within the window.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let length = self.check_range(&range);
        // SAFETY: MEM-4 (every access is bounds-checked against the window): just checked.
        let start = unsafe { self.start.add(range.start) };
        Self {
            start,
            length,
            region: Arc::clone(&self.region),
        }
    }

    /// Asks for huge pages under the whole region, which saves look-ups of addresses. It is up to
    /// the operating system and the file system whether there are any; heap memory is left as it
    /// is.
    ///
    /// # Errors
    /// The operating system has no huge pages.
    pub fn advise_huge_pages(&self) -> io::Result<()> {
        self.region.advise_huge_pages()
    }

    /// Where the window lies in the address space of this process: to be told to the operating
    /// system, not to be read.
    #[must_use]
    pub fn addresses(&self) -> Range<usize> {
        let start = self.start.as_ptr().addr();
        start..start + self.length
    }

    /// Length of the window in bytes.
    #[must_use]
    #[inline]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a window is never empty in practice"
    )]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Loads an `i32` with no ordering.
    #[must_use]
    #[inline]
    pub fn load_i32_relaxed(&self, offset: usize) -> i32 {
        self.i32_at(offset).load(Ordering::Relaxed)
    }

    /// Loads an `i32`; what was stored before its release store is visible after.
    #[must_use]
    #[inline]
    pub fn load_i32_acquire(&self, offset: usize) -> i32 {
        self.i32_at(offset).load(Ordering::Acquire)
    }

    /// Stores an `i32` with no ordering.
    #[inline]
    pub fn store_i32_relaxed(&self, offset: usize, value: i32) {
        before_store();
        self.i32_at(offset).store(value, Ordering::Relaxed);
    }

    /// Stores an `i32`, publishing all earlier stores to whoever acquires it.
    #[inline]
    pub fn store_i32_release(&self, offset: usize, value: i32) {
        before_store();
        self.i32_at(offset).store(value, Ordering::Release);
    }

    /// Adds to an `i32` and returns what it was before.
    #[inline]
    pub fn fetch_add_i32_acq_rel(&self, offset: usize, delta: i32) -> i32 {
        before_store();
        self.i32_at(offset).fetch_add(delta, Ordering::AcqRel)
    }

    /// Replaces an `i32` if it still is `current`; `Err` holds what it is instead.
    ///
    /// # Errors
    /// The actual value, when it differs from `current`.
    #[inline]
    pub fn compare_exchange_i32_seq_cst(
        &self,
        offset: usize,
        current: i32,
        new: i32,
    ) -> Result<i32, i32> {
        before_store();
        self.i32_at(offset)
            .compare_exchange(current, new, Ordering::SeqCst, Ordering::Acquire)
    }

    /// Loads an `i64` with no ordering.
    #[must_use]
    #[inline]
    pub fn load_i64_relaxed(&self, offset: usize) -> i64 {
        self.i64_at(offset).load(Ordering::Relaxed)
    }

    /// Loads an `i64`; what was stored before its release store is visible after.
    #[must_use]
    #[inline]
    pub fn load_i64_acquire(&self, offset: usize) -> i64 {
        self.i64_at(offset).load(Ordering::Acquire)
    }

    /// Stores an `i64` with no ordering.
    #[inline]
    pub fn store_i64_relaxed(&self, offset: usize, value: i64) {
        before_store();
        self.i64_at(offset).store(value, Ordering::Relaxed);
    }

    /// Stores an `i64`, publishing all earlier stores to whoever acquires it.
    #[inline]
    pub fn store_i64_release(&self, offset: usize, value: i64) {
        before_store();
        self.i64_at(offset).store(value, Ordering::Release);
    }

    /// Adds to an `i64` and returns what it was before; one total order with all of its kind.
    #[inline]
    pub fn fetch_add_i64_seq_cst(&self, offset: usize, delta: i64) -> i64 {
        before_store();
        self.i64_at(offset).fetch_add(delta, Ordering::SeqCst)
    }

    /// Adds to an `i64` and returns what it was before.
    #[inline]
    pub fn fetch_add_i64_acq_rel(&self, offset: usize, delta: i64) -> i64 {
        before_store();
        self.i64_at(offset).fetch_add(delta, Ordering::AcqRel)
    }

    /// Replaces an `i64` if it still is `current`; `Err` holds what it is instead.
    ///
    /// # Errors
    /// The actual value, when it differs from `current`.
    #[inline]
    pub fn compare_exchange_i64_seq_cst(
        &self,
        offset: usize,
        current: i64,
        new: i64,
    ) -> Result<i64, i64> {
        before_store();
        self.i64_at(offset)
            .compare_exchange(current, new, Ordering::SeqCst, Ordering::Acquire)
    }

    /// Loads a byte with no ordering.
    #[must_use]
    #[inline]
    pub fn load_u8_relaxed(&self, offset: usize) -> u8 {
        self.u8_at(offset).load(Ordering::Relaxed)
    }

    /// Loads a byte; what was stored before its release store is visible after.
    #[must_use]
    #[inline]
    pub fn load_u8_acquire(&self, offset: usize) -> u8 {
        self.u8_at(offset).load(Ordering::Acquire)
    }

    /// Stores a byte with no ordering.
    #[inline]
    pub fn store_u8_relaxed(&self, offset: usize, value: u8) {
        before_store();
        self.u8_at(offset).store(value, Ordering::Relaxed);
    }

    /// Stores a byte, publishing all earlier stores to whoever acquires it.
    #[inline]
    pub fn store_u8_release(&self, offset: usize, value: u8) {
        before_store();
        self.u8_at(offset).store(value, Ordering::Release);
    }

    /// Copies bytes out one relaxed load at a time: right for ranges that another process may be
    /// changing meanwhile, such as labels and messages. Torn contents are the caller's to detect.
    ///
    /// # Panics
    /// When the range does not lie within the window.
    pub fn read_bytes(&self, offset: usize, into: &mut [u8]) {
        self.check_range(&(offset..offset.saturating_add(into.len())));
        for (index, byte) in into.iter_mut().enumerate() {
            *byte = self.u8_at(offset + index).load(Ordering::Relaxed);
        }
    }

    /// Copies bytes in one relaxed store at a time; the counterpart of [`Self::read_bytes`].
    ///
    /// # Panics
    /// When the range does not lie within the window.
    pub fn write_bytes(&self, offset: usize, from: &[u8]) {
        before_store();
        self.check_range(&(offset..offset.saturating_add(from.len())));
        for (index, byte) in from.iter().enumerate() {
            self.u8_at(offset + index).store(*byte, Ordering::Relaxed);
        }
    }

    /// Zeroes a range with relaxed byte stores; for whole terms claim the range and use
    /// [`Self::bytes_mut`].
    ///
    /// # Panics
    /// When the range does not lie within the window.
    pub fn zero(&self, range: Range<usize>) {
        self.check_range(&range);
        for offset in range {
            self.u8_at(offset).store(0, Ordering::Relaxed);
        }
    }

    /// The bytes of a range that this thread has **acquired**: an acquire load told that its writer
    /// is done with it, and by the protocol nobody writes it again while the slice lives.
    ///
    /// # Safety
    /// No thread or process writes the range during `'_`.
    ///
    /// # Panics
    /// When the range does not lie within the window.
    #[must_use]
    #[inline]
    pub unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        let length = self.check_range(&range);
        // SAFETY: MEM-4: in bounds, checked just above.
        let start = unsafe { self.start.add(range.start) };
        on_bytes(start.as_ptr(), length);
        // SAFETY: MEM-2: the caller vouches that nobody writes the range while the slice lives; it
        // is initialised (regions start zeroed) and its region outlives `self`.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }

    /// The bytes of a range that this thread has **claimed**: by the protocol it is the only one to
    /// touch them until it publishes them.
    ///
    /// # Safety
    /// No other thread or process reads or writes the range during `'_`, and no other slice of it
    /// is alive.
    ///
    /// # Panics
    /// When the range does not lie within the window.
    #[must_use]
    #[inline]
    #[expect(
        clippy::mut_from_ref,
        reason = "exclusive by protocol, which is the safety contract"
    )]
    pub unsafe fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        before_store();
        let length = self.check_range(&range);
        // SAFETY: MEM-4: in bounds, checked just above.
        let start = unsafe { self.start.add(range.start) };
        on_bytes_mut(start.as_ptr(), length);
        // SAFETY: MEM-2: the caller vouches that the range is its own while the slice lives; it is
        // initialised (regions start zeroed) and its region outlives `self`.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), length) }
    }

    /// The bytes of a range that this thread has **claimed**, except that others may look at the
    /// first word meanwhile: that word, and the bytes after it. Checked once for both.
    ///
    /// # Safety
    /// No other thread or process writes the range during `'_`, nor reads more of it than with
    /// atomic 32-bit loads of its first word. No other slice of it is alive.
    ///
    /// # Panics
    /// When the range does not lie within the window, is shorter than the word, or does not begin
    /// at a multiple of 4.
    #[must_use]
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "exclusive by protocol, which is the safety contract"
    )]
    pub unsafe fn word_and_bytes_mut(&self, range: Range<usize>) -> (FirstWord<'_>, &mut [u8]) {
        let length = self.check_range(&range);
        if length < size_of::<AtomicI32>() {
            range_lies_outside(range.start, range.start + size_of::<AtomicI32>(), range.end);
        }
        let word = self.check_alignment::<4>(range.start);
        // SAFETY: MEM-4: in bounds and aligned; only ever accessed atomically while others look.
        let first = FirstWord(unsafe { AtomicI32::from_ptr(word.as_ptr().cast()) });
        // SAFETY: MEM-4: the range is longer than the word.
        let rest = unsafe { word.add(size_of::<AtomicI32>()) };
        let length = length - size_of::<AtomicI32>();
        on_bytes_mut(rest.as_ptr(), length);
        // SAFETY: MEM-2: the caller vouches that nobody else touches these bytes while the slice
        // lives; they are initialised (regions start zeroed) and their region outlives `self`.
        let rest = unsafe { std::slice::from_raw_parts_mut(rest.as_ptr(), length) };
        (first, rest)
    }

    /// Copies whole 32-byte slots into a range that this thread has **claimed**, except that others
    /// may look at the first word of each slot meanwhile: that word is stored atomically, 32 bits
    /// wide and without ordering.
    ///
    /// # Safety
    /// No other thread or process writes the range during the call, nor reads more of it than with
    /// atomic 32-bit loads of the slots' first words. No slice of it is alive.
    ///
    /// # Panics
    /// When the range does not lie within the window, or does not begin at a multiple of 4.
    #[inline]
    pub unsafe fn copy_slots_relaxed(&self, offset: usize, slots: &[[u8; 32]]) {
        before_store();
        if slots.is_empty() {
            return;
        }
        self.check_range(&(offset..offset.saturating_add(size_of_val(slots))));
        let mut at = self.check::<4>(offset);
        for slot in slots {
            let [a, b, c, d, rest @ ..] = slot;
            // SAFETY: MEM-4: in bounds and aligned, as checked above for the first slot and the
            // whole range; only ever accessed atomically while others look.
            let word = unsafe { AtomicI32::from_ptr(at.as_ptr().cast()) };
            word.store(i32::from_ne_bytes([*a, *b, *c, *d]), Ordering::Relaxed);
            // SAFETY: MEM-4: still within the slot.
            let target = unsafe { at.add(4) };
            on_bytes_mut(target.as_ptr(), rest.len());
            // SAFETY: MEM-2: the caller vouches that nobody else touches these bytes, and a borrowed
            // slot lies outside of memory that nobody borrows.
            unsafe { target.copy_from_nonoverlapping(NonNull::from(rest).cast(), rest.len()) };
            // SAFETY: MEM-4: at most one past the range that was checked.
            at = unsafe { at.add(slot.len()) };
        }
    }

    /// Asks for the cache line at `offset`, to be written soon, while other work goes on. Nothing
    /// changes but which processor has the line, so any offset will do, one past the end too.
    #[inline(always)]
    pub fn prefetch_to_write(&self, offset: usize) {
        prefetch::to_write(self.start.as_ptr().wrapping_add(offset));
    }

    /// Asks for the cache line at `offset`, to be read soon, as [`Self::prefetch_to_write`] does.
    #[inline(always)]
    pub fn prefetch_to_read(&self, offset: usize) {
        prefetch::to_read(self.start.as_ptr().wrapping_add(offset));
    }

    #[inline]
    fn check_range(&self, range: &Range<usize>) -> usize {
        if range.start > range.end || range.end > self.length {
            range_lies_outside(range.start, range.end, self.length);
        }
        range.end - range.start
    }

    #[inline]
    fn check<const WIDTH: usize>(&self, offset: usize) -> NonNull<u8> {
        if offset >= self.length || WIDTH > self.length - offset {
            value_lies_outside(WIDTH, offset, self.length);
        }
        self.check_alignment::<WIDTH>(offset)
    }

    /// The byte at an offset that is in bounds.
    #[inline]
    fn check_alignment<const WIDTH: usize>(&self, offset: usize) -> NonNull<u8> {
        debug_assert!(offset < self.length, "the caller has checked it");
        // SAFETY: MEM-4: in bounds, as every caller has checked.
        let at = unsafe { self.start.add(offset) };
        if at.as_ptr().addr() & (WIDTH - 1) != 0 {
            value_is_not_aligned(WIDTH, offset);
        }
        at
    }

    #[inline]
    fn i32_at(&self, offset: usize) -> &AtomicI32 {
        let at = self.check::<4>(offset);
        // SAFETY: MEM-4: in bounds and aligned; the location is only accessed atomically at this
        // width, or as bytes by whoever has exclusive claim to it.
        unsafe { AtomicI32::from_ptr(at.as_ptr().cast()) }
    }

    #[inline]
    fn i64_at(&self, offset: usize) -> &AtomicI64 {
        let at = self.check::<8>(offset);
        // SAFETY: MEM-4, as in `i32_at`.
        unsafe { AtomicI64::from_ptr(at.as_ptr().cast()) }
    }

    #[inline]
    fn u8_at(&self, offset: usize) -> &AtomicU8 {
        let at = self.check::<1>(offset);
        // SAFETY: MEM-4, as in `i32_at`.
        unsafe { AtomicU8::from_ptr(at.as_ptr()) }
    }
}

/// Where a fault test may end the process; nothing otherwise.
#[inline(always)]
fn before_store() {
    #[cfg(feature = "fault-hooks")]
    super::fault::on_store();
}

// The panics are out of line and take plain values: text that is put together in place would have
// the callers keep what it names in memory, on paths that cost a few nanoseconds in all.

#[cold]
#[inline(never)]
fn range_lies_outside(start: usize, end: usize, length: usize) -> ! {
    panic!("range {start}..{end} lies outside of a buffer of {length} bytes");
}

#[cold]
#[inline(never)]
fn value_lies_outside(width: usize, offset: usize, length: usize) -> ! {
    panic!("{width} bytes at {offset} lie outside of a buffer of {length} bytes");
}

#[cold]
#[inline(never)]
fn value_is_not_aligned(width: usize, offset: usize) -> ! {
    panic!("offset {offset} is not {width}-aligned");
}

impl fmt::Debug for AtomicBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicBuffer")
            .field("length", &self.length)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heap_memory_starts_zeroed_and_slices_share_it() {
        let buffer = AtomicBuffer::heap(256);
        assert!((0..256).all(|i| buffer.load_u8_relaxed(i) == 0));
        let part = buffer.slice(128..256);
        part.store_i32_release(4, -5);
        assert_eq!(buffer.load_i32_acquire(132), -5);
        drop(buffer);
        assert_eq!(
            part.load_i32_relaxed(4),
            -5,
            "a slice keeps its region alive"
        );
    }

    #[test]
    fn bytes_go_in_and_come_out() {
        let buffer = AtomicBuffer::heap(64);
        buffer.write_bytes(3, b"hello");
        let mut out = [0; 5];
        buffer.read_bytes(3, &mut out);
        assert_eq!(&out, b"hello");
        buffer.zero(3..8);
        buffer.read_bytes(3, &mut out);
        assert_eq!(out, [0; 5]);
    }

    #[test]
    fn slots_are_copied_whole_and_nowhere_else() {
        let buffer = AtomicBuffer::heap(128);
        let slots: [[u8; 32]; 2] = [std::array::from_fn(|n| u8::try_from(n).expect("small")); 2];
        // SAFETY: MEM-2: nobody else has the buffer.
        unsafe { buffer.copy_slots_relaxed(32, &slots) };
        // SAFETY: MEM-2: as above; an empty copy touches nothing, even at the end.
        unsafe { buffer.copy_slots_relaxed(128, &[]) };
        let mut bytes = [0; 128];
        buffer.read_bytes(0, &mut bytes);
        assert_eq!(bytes[..32], [0; 32]);
        assert_eq!(bytes[32..96], *slots.as_flattened());
        assert_eq!(bytes[96..], [0; 32]);
    }

    #[test]
    fn a_claimed_range_is_a_word_and_bytes() {
        let buffer = AtomicBuffer::heap(64);
        // SAFETY: MEM-2: nobody else has the buffer.
        let (word, bytes) = unsafe { buffer.word_and_bytes_mut(8..16) };
        word.store_release(-7);
        bytes.fill(9);
        assert_eq!(buffer.load_i32_acquire(8), -7);
        let around: Vec<u8> = (11..17).map(|at| buffer.load_u8_relaxed(at)).collect();
        assert_eq!(around, [0xFF, 9, 9, 9, 9, 0]);
        buffer.prefetch_to_write(1 << 40);
    }

    #[test]
    #[should_panic(expected = "lies outside")]
    fn a_word_needs_four_bytes() {
        let buffer = AtomicBuffer::heap(64);
        // SAFETY: MEM-2: nobody else has the buffer.
        let _ = unsafe { buffer.word_and_bytes_mut(8..11) };
    }

    #[test]
    #[should_panic(expected = "lies outside")]
    fn slots_past_the_end_panic() {
        // SAFETY: MEM-2: nobody else has the buffer.
        unsafe { AtomicBuffer::heap(64).copy_slots_relaxed(32, &[[0; 32]; 2]) };
    }

    #[test]
    fn read_modify_write_returns_the_earlier_value() {
        let buffer = AtomicBuffer::heap(64);
        assert_eq!(buffer.fetch_add_i64_seq_cst(8, 3), 0);
        assert_eq!(buffer.fetch_add_i64_acq_rel(8, 3), 3);
        assert_eq!(buffer.compare_exchange_i64_seq_cst(8, 6, 9), Ok(6));
        assert_eq!(buffer.compare_exchange_i64_seq_cst(8, 6, 9), Err(9));
    }

    #[test]
    #[should_panic(expected = "lie outside")]
    fn an_access_past_the_end_panics() {
        let _ = AtomicBuffer::heap(64).load_i64_relaxed(60);
    }

    #[test]
    #[should_panic(expected = "not 8-aligned")]
    fn an_unaligned_access_panics() {
        let _ = AtomicBuffer::heap(64).load_i64_relaxed(4);
    }

    #[test]
    #[should_panic(expected = "lies outside")]
    fn a_slice_past_the_end_panics() {
        let _ = AtomicBuffer::heap(64).slice(32..65);
    }
}
