//! The five socket calls of the data path as bare system calls, for Linux.
//!
//! The C library's wrappers are cancellation points: in a program with threads each call has two
//! atomic read-modify-writes for the sake of `pthread_cancel`, which Rust programs do not use. That
//! is a quarter of the cost of a receive that finds nothing, and polling is mostly that.

use std::io;

/// What the kernel answered, as a count or an error.
fn outcome(result: libc::c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `sendto(2)`. Returns the bytes sent.
///
/// # Errors
/// What the operating system answers.
///
/// # Safety
/// `datagram` is valid for reads of `length` bytes; `address` is null or valid for reads of
/// `address_length` bytes.
pub(super) unsafe fn send_to(
    socket: libc::c_int,
    (datagram, length): (*const libc::c_void, usize),
    flags: libc::c_int,
    (address, address_length): (*const libc::sockaddr, libc::socklen_t),
) -> io::Result<usize> {
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): the caller vouches for it. Integers are widened to registers.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sendto,
            libc::c_long::from(socket),
            datagram,
            length,
            libc::c_long::from(flags),
            address,
            libc::c_long::from(address_length),
        )
    };
    outcome(result)
}

/// `sendmmsg(2)`. Returns the datagrams sent.
///
/// # Errors
/// What the operating system answers.
///
/// # Safety
/// `headers` points to `count` headers that describe valid memory.
pub(super) unsafe fn send_many(
    socket: libc::c_int,
    headers: *mut libc::mmsghdr,
    count: usize,
    flags: libc::c_int,
) -> io::Result<usize> {
    // SAFETY: SYS-2: the caller vouches for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sendmmsg,
            libc::c_long::from(socket),
            headers,
            count,
            libc::c_long::from(flags),
        )
    };
    outcome(result)
}

/// `recvfrom(2)`. Returns the bytes received; with `MSG_TRUNC` those that there were.
///
/// # Errors
/// What the operating system answers.
///
/// # Safety
/// `buffer` is valid for writes of `length` bytes, `address` for writes of `address_length` bytes.
pub(super) unsafe fn receive_from(
    socket: libc::c_int,
    (buffer, length): (*mut libc::c_void, usize),
    flags: libc::c_int,
    (address, address_length): (*mut libc::sockaddr, &mut libc::socklen_t),
) -> io::Result<usize> {
    // SAFETY: SYS-2: the caller vouches for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_recvfrom,
            libc::c_long::from(socket),
            buffer,
            length,
            libc::c_long::from(flags),
            address,
            std::ptr::from_mut(address_length),
        )
    };
    outcome(result)
}

/// `recvmsg(2)`. Returns the bytes received.
///
/// # Errors
/// What the operating system answers.
///
/// # Safety
/// `header` describes valid memory that the kernel may write to.
pub(super) unsafe fn receive_one(
    socket: libc::c_int,
    header: *mut libc::msghdr,
    flags: libc::c_int,
) -> io::Result<usize> {
    // SAFETY: SYS-2: the caller vouches for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_recvmsg,
            libc::c_long::from(socket),
            header,
            libc::c_long::from(flags),
        )
    };
    outcome(result)
}

/// `recvmmsg(2)` without a timeout. Returns the datagrams received.
///
/// # Errors
/// What the operating system answers.
///
/// # Safety
/// `headers` points to `count` headers that describe valid memory that the kernel may write to.
pub(super) unsafe fn receive_many(
    socket: libc::c_int,
    headers: *mut libc::mmsghdr,
    count: usize,
    flags: libc::c_int,
) -> io::Result<usize> {
    // SAFETY: SYS-2: the caller vouches for it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_recvmmsg,
            libc::c_long::from(socket),
            headers,
            count,
            libc::c_long::from(flags),
            std::ptr::null_mut::<libc::timespec>(),
        )
    };
    outcome(result)
}
