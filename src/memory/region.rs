//! What keeps the bytes of an [`AtomicBuffer`](super::AtomicBuffer) alive.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::io;
use std::ptr::NonNull;

/// Alignment of heap regions: a page, as a mapping would give.
const HEAP_ALIGNMENT: usize = 4096;

/// The owner of a range of bytes; frees or unmaps it when dropped.
#[expect(dead_code, reason = "held for the drop of what is inside")]
pub(super) enum Region {
    /// Zeroed heap memory.
    Heap(HeapRegion),
    /// A file mapped read-write.
    Mapped(memmap2::MmapRaw),
    /// A file mapped for reading only.
    MappedReadOnly(memmap2::Mmap),
}

impl Region {
    /// Asks the operating system for huge pages. Heap memory is left as it is.
    #[cfg(target_os = "linux")]
    pub(super) fn advise_huge_pages(&self) -> io::Result<()> {
        match self {
            Self::Heap(_) => Ok(()),
            Self::Mapped(map) => map.advise(memmap2::Advice::HugePage),
            Self::MappedReadOnly(map) => map.advise(memmap2::Advice::HugePage),
        }
    }

    /// Asks the operating system for huge pages, which this one has no call for.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn advise_huge_pages(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heap(_) => "Heap",
            Self::Mapped(_) => "Mapped",
            Self::MappedReadOnly(_) => "MappedReadOnly",
        })
    }
}

/// Page-aligned zeroed heap memory.
pub(super) struct HeapRegion {
    start: NonNull<u8>,
    layout: Layout,
}

impl HeapRegion {
    /// Allocates `length` zeroed bytes.
    pub(super) fn new(length: usize) -> Self {
        let layout = Layout::from_size_align(length.max(1), HEAP_ALIGNMENT)
            .expect("a region is far smaller than the address space");
        // SAFETY: MEM-1 (a region's layout is never of size zero): `max(1)` above.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        Self { start, layout }
    }

    /// First byte of the region.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for HeapRegion {
    fn drop(&mut self) {
        // SAFETY: MEM-1: `start` came from `alloc_zeroed` with this very layout, and is freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

// SAFETY: MEM-2 (a region is bytes without an owner thread): the memory is only reached through the
// atomic and range accesses of `AtomicBuffer`, whose contracts cover sharing.
unsafe impl Send for HeapRegion {}
// SAFETY: MEM-2, as above.
unsafe impl Sync for HeapRegion {}
