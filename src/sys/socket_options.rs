//! Socket options that `socket2` does not offer.

use std::io;
use std::os::fd::BorrowedFd;

/// Options of one number that Linux alone has.
#[derive(Clone, Copy)]
enum LinuxOption {
    ReceiveTimestamps,
    Coalescing,
    Bursts,
    BusyPoll,
    PreferBusyPoll,
}

/// Sets an option; `Unsupported` on any other operating system.
#[cfg(target_os = "linux")]
fn set(socket: BorrowedFd<'_>, option: LinuxOption, value: i32) -> io::Result<()> {
    let (level, name) = match option {
        LinuxOption::ReceiveTimestamps => (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS),
        LinuxOption::Coalescing => (libc::SOL_UDP, libc::UDP_GRO),
        LinuxOption::Bursts => (libc::SOL_UDP, libc::UDP_SEGMENT),
        LinuxOption::BusyPoll => (libc::SOL_SOCKET, libc::SO_BUSY_POLL),
        LinuxOption::PreferBusyPoll => (libc::SOL_SOCKET, libc::SO_PREFER_BUSY_POLL),
    };
    set_int(socket, level, name, value)
}

#[cfg(not(target_os = "linux"))]
fn set(_socket: BorrowedFd<'_>, _option: LinuxOption, _value: i32) -> io::Result<()> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Delivers only the groups that this very socket joined, not those of any socket on the port.
/// A kernel that does not know the option is left alone.
///
/// # Errors
/// What the operating system answers.
#[cfg(target_os = "linux")]
pub fn disable_multicast_all(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    let (level, option) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL)
    } else {
        (libc::IPPROTO_IP, libc::IP_MULTICAST_ALL)
    };
    match set_int(socket, level, option, 0) {
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
        outcome => outcome,
    }
}

/// Delivers only the groups that this very socket joined; not offered by this operating system.
///
/// # Errors
/// None here.
#[cfg(not(target_os = "linux"))]
pub fn disable_multicast_all(_socket: BorrowedFd<'_>, _ipv6: bool) -> io::Result<()> {
    Ok(())
}

/// Asks the kernel to stamp received datagrams with nanoseconds.
///
/// # Errors
/// What the operating system answers, `Unsupported` where it has no such option.
pub fn enable_receive_timestamps(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, LinuxOption::ReceiveTimestamps, 1)
}

/// Has the kernel put datagrams of one sender and one length together (`UDP_GRO`).
///
/// # Errors
/// What the operating system answers, `Unsupported` where it has no such option.
pub fn enable_coalescing(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, LinuxOption::Coalescing, 1)
}

/// Asks whether the kernel knows how to cut bursts into datagrams (`UDP_SEGMENT`); changes nothing.
///
/// # Errors
/// What the operating system answers if it does not, `Unsupported` where it has no such option.
pub fn probe_bursts(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, LinuxOption::Bursts, 0)
}

/// Has who finds the socket empty look into the network card's queue for so many microseconds.
///
/// # Errors
/// What the operating system answers: more than `net.core.busy_read` wants `CAP_NET_ADMIN`.
/// `Unsupported` where it has no such option.
pub fn set_busy_poll(socket: BorrowedFd<'_>, micros: u32) -> io::Result<()> {
    let micros = i32::try_from(micros).unwrap_or(i32::MAX);
    set(socket, LinuxOption::BusyPoll, micros)
}

/// Keeps the network card's interrupts away as long as somebody looks at the socket.
///
/// # Errors
/// What the operating system answers: it wants `CAP_NET_ADMIN`, and Linux 5.11. `Unsupported` where
/// there is no such option.
pub fn prefer_busy_poll(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, LinuxOption::PreferBusyPoll, 1)
}

/// Has the kernel refuse bursts on a socket from now on: it does not cut what has no checksum.
#[cfg(all(test, target_os = "linux"))]
pub(crate) fn have_bursts_refused(socket: BorrowedFd<'_>) {
    set_int(socket, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).expect("set");
}

#[cfg(target_os = "linux")]
fn set_int(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let length = libc::socklen_t::try_from(size_of::<i32>()).unwrap_or(4);
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): a live `i32` and its size.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(&value).cast(),
            length,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn options_are_accepted_on_a_udp_socket() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        disable_multicast_all(socket.as_fd(), false).expect("set");
        if cfg!(target_os = "linux") {
            enable_receive_timestamps(socket.as_fd()).expect("set");
            enable_coalescing(socket.as_fd()).expect("set");
            probe_bursts(socket.as_fd()).expect("known");
        }
    }

    #[cfg(target_os = "linux")]
    fn busy_poll_of(socket: BorrowedFd<'_>) -> i32 {
        use std::os::fd::AsRawFd;

        let (mut value, mut length) = (0_i32, 4);
        // SAFETY: SYS-2: a live `i32` and its size.
        let outcome = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_BUSY_POLL,
                (&raw mut value).cast(),
                &raw mut length,
            )
        };
        assert_eq!(outcome, 0);
        value
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn busy_polling_is_as_set_unless_it_is_not_granted() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        match set_busy_poll(socket.as_fd(), 50) {
            Ok(()) => assert_eq!(busy_poll_of(socket.as_fd()), 50),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
        if let Err(error) = prefer_busy_poll(socket.as_fd()) {
            let unknown = Some(libc::ENOPROTOOPT);
            let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
            assert!(is_denied || error.raw_os_error() == unknown, "{error}");
        }
    }
}
