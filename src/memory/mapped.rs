//! Mapping files.

use std::fs::File;
use std::io;
use std::ptr::NonNull;

use memmap2::MmapOptions;

use super::AtomicBuffer;
use super::region::Region;

/// Maps the first `length` bytes of `file`, shared and read-write.
///
/// # Errors
/// Whatever the operating system answers, and `UnexpectedEof` when the file is shorter than
/// `length`: touching a page past its end would kill the process.
pub fn map_file(file: &File, length: usize) -> io::Result<AtomicBuffer> {
    check_length(file, length)?;
    let map = MmapOptions::new().len(length).map_raw(file)?;
    let start = NonNull::new(map.as_mut_ptr()).ok_or_else(null_mapping)?;
    Ok(AtomicBuffer::from_region(
        start,
        length,
        Region::Mapped(map),
    ))
}

/// Maps the first `length` bytes of `file` for reading. A store to the buffer is a bug that ends
/// the process with a signal; tools that only look use this.
///
/// # Errors
/// As [`map_file`].
pub fn map_file_read_only(file: &File, length: usize) -> io::Result<AtomicBuffer> {
    check_length(file, length)?;
    // SAFETY: MEM-3 (mapped bytes are shared with other processes and only read through atomics or
    // ranges that a protocol makes stable): no slice of the whole map is ever taken.
    let map = unsafe { MmapOptions::new().len(length).map(file)? };
    let start = NonNull::new(map.as_ptr().cast_mut()).ok_or_else(null_mapping)?;
    Ok(AtomicBuffer::from_region(
        start,
        length,
        Region::MappedReadOnly(map),
    ))
}

fn check_length(file: &File, length: usize) -> io::Result<()> {
    let actual = file.metadata()?.len();
    if length == 0 || actual < length as u64 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file has {actual} bytes, {length} are to be mapped"),
        ));
    }
    Ok(())
}

fn null_mapping() -> io::Error {
    io::Error::other("the operating system mapped the file at address zero")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(length: u64) -> File {
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(length).expect("its length");
        file
    }

    #[test]
    fn two_mappings_of_a_file_see_the_same_bytes() {
        let file = file_of(4096);
        let a = map_file(&file, 4096).expect("mapped");
        let b = map_file_read_only(&file, 4096).expect("mapped");
        a.store_i64_release(64, 0x1122_3344_5566_7788);
        assert_eq!(b.load_i64_acquire(64), 0x1122_3344_5566_7788);
    }

    #[test]
    fn a_file_too_short_is_refused_before_it_can_fault() {
        let error = map_file(&file_of(100), 4096).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(map_file(&file_of(100), 0).is_err());
    }
}
