//! Which of many sockets have something to receive: `epoll(7)`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Sockets that one look reports at most; the others are reported by the next.
const READY_MAX: usize = 64;

/// Sockets that are watched, each under a token.
#[derive(Debug)]
pub struct ReadySet {
    epoll: OwnedFd,
}

impl ReadySet {
    /// A set without sockets.
    ///
    /// # Errors
    /// What the operating system answers, for instance when there are too many open files.
    pub fn new() -> io::Result<Self> {
        // SAFETY: SYS-2: no pointer is passed.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: SYS-4 (a descriptor has one owner): the call above made it, and nobody else knows
        // it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { epoll })
    }

    /// Watches a socket.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn add(&self, token: u64, socket: BorrowedFd<'_>) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: token,
        };
        self.control(libc::EPOLL_CTL_ADD, socket, &raw mut event)
    }

    /// Does not watch a socket any more. A socket that is closed is forgotten by itself.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn remove(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, socket, std::ptr::null_mut())
    }

    fn control(
        &self,
        operation: libc::c_int,
        socket: BorrowedFd<'_>,
        event: *mut libc::epoll_event,
    ) -> io::Result<()> {
        let (epoll, socket) = (self.epoll.as_raw_fd(), socket.as_raw_fd());
        // SAFETY: SYS-2 (what the kernel is given is alive): the event is null or the caller's own.
        let outcome = unsafe { libc::epoll_ctl(epoll, operation, socket, event) };
        if outcome < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Calls `visit` with the tokens of sockets that have something to receive, without waiting.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn look(&self, mut visit: impl FnMut(u64)) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; READY_MAX];
        let count = self.epoll_wait(&mut events, 0)?;
        for event in events.iter().take(count) {
            visit(event.u64);
        }
        Ok(())
    }

    /// Waits until a socket has something to receive, `millis` at most.
    ///
    /// # Errors
    /// What the operating system answers; `Interrupted` if a signal came.
    pub fn wait(&self, millis: u16) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 1];
        self.epoll_wait(&mut events, millis).map(drop)
    }

    fn epoll_wait(&self, events: &mut [libc::epoll_event], millis: u16) -> io::Result<usize> {
        // SAFETY: SYS-2: the kernel fills in at most as many events as the live slice has.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait,
                libc::c_long::from(self.epoll.as_raw_fd()),
                events.as_mut_ptr(),
                events.len(),
                libc::c_long::from(millis),
                std::ptr::null::<libc::sigset_t>(),
                0,
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn look(set: &ReadySet) -> Vec<u64> {
        let mut tokens = Vec::new();
        set.look(|token| tokens.push(token)).expect("looked");
        tokens.sort_unstable();
        tokens
    }

    #[test]
    fn sockets_with_datagrams_are_ready_until_these_are_received_or_they_leave() {
        let set = ReadySet::new().expect("made");
        let sockets: Vec<UdpSocket> = (0..3)
            .map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket"))
            .collect();
        for (token, socket) in (10..).zip(&sockets) {
            set.add(token, socket.as_fd()).expect("added");
        }
        assert!(look(&set).is_empty());
        let send = |to: &UdpSocket| {
            let to = to.local_addr().expect("bound");
            // Loopback delivers within the call that sends.
            assert_eq!(sockets[0].send_to(b"x", to).expect("sent"), 1);
        };
        send(&sockets[1]);
        send(&sockets[2]);
        assert_eq!(look(&set), [11, 12]);
        assert_eq!(look(&set), [11, 12], "nobody received yet");
        // Comes back at once, or the test takes a minute.
        set.wait(60_000).expect("waited");
        assert_eq!(sockets[1].recv(&mut [0; 8]).expect("there"), 1);
        assert_eq!(look(&set), [12]);
        set.remove(sockets[2].as_fd()).expect("removed");
        assert!(look(&set).is_empty());
        assert!(set.remove(sockets[2].as_fd()).is_err(), "not twice");
    }
}
