//! Threads: which CPU they run on and what they are called.

use std::io;

/// Pins the calling thread to one CPU.
///
/// # Errors
/// The CPU does not exist, or this process may not use it, or the system cannot pin threads.
#[cfg(target_os = "linux")]
pub fn pin_current_thread(cpu: usize) -> io::Result<()> {
    let mut set = nix::sched::CpuSet::new();
    set.set(cpu)?;
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?;
    Ok(())
}

/// Pins the calling thread to one CPU.
///
/// # Errors
/// Always `Unsupported` on this operating system.
#[cfg(not(target_os = "linux"))]
pub fn pin_current_thread(_cpu: usize) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Names the calling thread; Linux keeps the first 15 bytes.
#[cfg(target_os = "linux")]
pub fn set_thread_name(name: &str) {
    let mut bytes = [0u8; 16];
    for (to, from) in bytes[..15].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): 16 live bytes that end in zero.
    let _ = unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
}

/// Names the calling thread; not done on this operating system.
#[cfg(not(target_os = "linux"))]
pub fn set_thread_name(_name: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_can_be_pinned_and_named() {
        std::thread::spawn(|| {
            set_thread_name("a-name-longer-than-fifteen");
            let name = std::fs::read_to_string("/proc/thread-self/comm").expect("readable");
            assert_eq!(name.trim_end(), "a-name-longer-t");
            pin_current_thread(0).expect("CPU 0 exists");
            assert!(pin_current_thread(1_000_000).is_err());
        })
        .join()
        .expect("the thread ends");
    }
}
