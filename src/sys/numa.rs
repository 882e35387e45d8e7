//! Which NUMA node memory comes from.

use std::io;
use std::ops::Range;

/// Has the kernel take pages of a mapping from `node` as long as it has any. For a mapping of a
/// file in a tmpfs it holds for everybody who maps that file. Pages that exist stay where they are.
///
/// # Errors
/// What the operating system answers: there is no such node, or it may not be asked.
#[cfg(target_os = "linux")]
pub fn prefer_numa_node(addresses: Range<usize>, node: u8) -> io::Result<()> {
    const BITS: usize = u64::BITS as usize;
    let mut nodes = [0_u64; 256 / BITS];
    nodes[usize::from(node) / BITS] |= 1 << (usize::from(node) % BITS);
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): the node mask is live and has the bits that are said (the kernel reads one
    // less). The kernel checks the addresses itself, and where pages come from changes no byte.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_mbind,
            addresses.start,
            addresses.len(),
            libc::c_long::from(libc::MPOL_PREFERRED),
            nodes.as_ptr(),
            nodes.len() * BITS + 1,
            0_usize,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Has memory come from a NUMA node; not offered by this operating system.
///
/// # Errors
/// Always `Unsupported` on this operating system.
#[cfg(not(target_os = "linux"))]
pub fn prefer_numa_node(_addresses: Range<usize>, _node: u8) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
