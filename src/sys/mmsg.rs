//! Several datagrams per system call, out: one message for each, or one message for a whole burst
//! of datagrams of one length that lie one behind the other (`UDP_SEGMENT`, Linux).
//!
//! The message headers that the kernel wants are laid out on the stack for each call: filling a few
//! of them costs nanoseconds, and no pointer outlives the call it was made for.

use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::address::RawAddress;
#[cfg(target_os = "linux")]
use super::socket_calls as calls;

/// Elsewhere the C library's own calls do.
#[cfg(not(target_os = "linux"))]
mod calls {
    use std::io;

    /// # Safety
    /// As for `sendto(2)`.
    pub(super) unsafe fn send_to(
        socket: libc::c_int,
        (datagram, length): (*const libc::c_void, usize),
        flags: libc::c_int,
        (address, address_length): (*const libc::sockaddr, libc::socklen_t),
    ) -> io::Result<usize> {
        // SAFETY: SYS-2: the caller vouches for it.
        let sent =
            unsafe { libc::sendto(socket, datagram, length, flags, address, address_length) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Datagrams that one call moves at most.
pub const DATAGRAMS_PER_CALL_MAX: usize = 16;

/// Datagrams that one burst holds at most: what the oldest kernels with `UDP_SEGMENT` take.
pub const DATAGRAMS_PER_BURST_MAX: usize = 64;

/// Bytes that one burst holds at most: the longest UDP payload over IPv4.
pub const BURST_LENGTH_MAX: usize = 65_507;

/// Sends `datagrams` in order without waiting, to `to` or to the connected peer; at most
/// [`DATAGRAMS_PER_CALL_MAX`] of them. Returns how many went out whole.
///
/// # Errors
/// What the operating system answers for the first datagram; a later failure ends the batch short
/// and shows itself on the next call.
pub fn send_datagrams(
    socket: BorrowedFd<'_>,
    to: Option<&SocketAddr>,
    datagrams: &[&[u8]],
) -> io::Result<usize> {
    let raw = to.map(RawAddress::new);
    match datagrams {
        [] => Ok(0),
        [one] => send_one(socket, raw.as_ref(), one),
        many => send_many(socket, raw.as_ref(), many),
    }
}

fn send_one(
    socket: BorrowedFd<'_>,
    to: Option<&(RawAddress, libc::socklen_t)>,
    datagram: &[u8],
) -> io::Result<usize> {
    let address = match to {
        Some((address, length)) => (ptr::from_ref(address).cast(), *length),
        None => (ptr::null(), 0),
    };
    let bytes = (datagram.as_ptr().cast(), datagram.len());
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and for
    // the whole call): the datagram is a live slice; the address is null or a live `RawAddress`.
    let sent = unsafe { calls::send_to(socket.as_raw_fd(), bytes, flags, address) }?;
    Ok(usize::from(sent == datagram.len()))
}

#[cfg(target_os = "linux")]
fn send_many(
    socket: BorrowedFd<'_>,
    to: Option<&(RawAddress, libc::socklen_t)>,
    datagrams: &[&[u8]],
) -> io::Result<usize> {
    let count = datagrams.len().min(DATAGRAMS_PER_CALL_MAX);
    let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; DATAGRAMS_PER_CALL_MAX];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; DATAGRAMS_PER_CALL_MAX];
    let (name, name_length) = match to {
        Some((address, length)) => (ptr::from_ref(address).cast_mut().cast(), *length),
        None => (ptr::null_mut(), 0),
    };
    for ((datagram, vector), header) in datagrams[..count]
        .iter()
        .zip(&mut vectors)
        .zip(&mut headers)
    {
        let vector = vector.write(libc::iovec {
            iov_base: datagram.as_ptr().cast_mut().cast(),
            iov_len: datagram.len(),
        });
        // SAFETY: SYS-1 (kernel structures are plain integers and pointers): zero bytes are valid.
        let header = header.write(unsafe { zeroed() });
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = name;
        header.msg_hdr.msg_namelen = name_length;
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let headers = headers.as_mut_ptr().cast();
    // SAFETY: SYS-2: `count` headers were filled in just above; what they point to is alive.
    unsafe { calls::send_many(socket.as_raw_fd(), headers, count, flags) }
}

#[cfg(not(target_os = "linux"))]
fn send_many(
    socket: BorrowedFd<'_>,
    to: Option<&(RawAddress, libc::socklen_t)>,
    datagrams: &[&[u8]],
) -> io::Result<usize> {
    for (index, datagram) in datagrams.iter().enumerate() {
        match send_one(socket, to, datagram) {
            Ok(1) => {}
            Err(error) if index == 0 => return Err(error),
            Ok(_) | Err(_) => return Ok(index),
        }
    }
    Ok(datagrams.len())
}

/// Tells the kernel the length of the datagrams that a message is to be cut into.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct SegmentControl {
    header: libc::cmsghdr,
    segment_length: u16,
}

#[cfg(target_os = "linux")]
impl SegmentControl {
    fn new(segment_length: u16) -> Self {
        // SAFETY: SYS-1 (kernel structures are plain integers and pointers): zero bytes are valid.
        let mut header: libc::cmsghdr = unsafe { zeroed() };
        header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<u16>()) as _;
        header.cmsg_level = libc::SOL_UDP;
        header.cmsg_type = libc::UDP_SEGMENT;
        Self {
            header,
            segment_length,
        }
    }
}

/// Sends bursts in order without waiting, to `to` or to the connected peer; at most
/// [`DATAGRAMS_PER_CALL_MAX`] of them. Each is the bytes of its datagrams and the length of each
/// datagram but the last; it has at most [`DATAGRAMS_PER_BURST_MAX`] datagrams and
/// [`BURST_LENGTH_MAX`] bytes. Returns how many bursts went out: none in part.
///
/// # Errors
/// What the operating system answers for the first burst, `Unsupported` for one that is too large;
/// a later failure ends the call short and shows itself on the next one.
#[cfg(target_os = "linux")]
pub fn send_bursts(
    socket: BorrowedFd<'_>,
    to: Option<&SocketAddr>,
    bursts: &[(&[u8], usize)],
) -> io::Result<usize> {
    let raw = to.map(RawAddress::new);
    let (name, name_length) = match &raw {
        Some((address, length)) => (ptr::from_ref(address).cast_mut().cast(), *length),
        None => (ptr::null_mut(), 0),
    };
    let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; DATAGRAMS_PER_CALL_MAX];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; DATAGRAMS_PER_CALL_MAX];
    let mut controls = [const { MaybeUninit::<SegmentControl>::uninit() }; DATAGRAMS_PER_CALL_MAX];
    let mut count = 0;
    for (((bytes, segment_length), vector), (header, control)) in bursts
        .iter()
        .zip(&mut vectors)
        .zip(headers.iter_mut().zip(&mut controls))
    {
        let vector = vector.write(libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        });
        // SAFETY: SYS-1 (kernel structures are plain integers and pointers): zero bytes are valid.
        let header = header.write(unsafe { zeroed() });
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = name;
        header.msg_hdr.msg_namelen = name_length;
        if bytes.len() > *segment_length {
            let datagrams = bytes.len().div_ceil((*segment_length).max(1));
            let is_legal = bytes.len() <= BURST_LENGTH_MAX && datagrams <= DATAGRAMS_PER_BURST_MAX;
            let Some(segment_length) = u16::try_from(*segment_length).ok().filter(|_| is_legal)
            else {
                break;
            };
            let control = control.write(SegmentControl::new(segment_length));
            header.msg_hdr.msg_control = ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = size_of::<SegmentControl>() as _;
        }
        count += 1;
    }
    if count == 0 {
        return match bursts {
            [] => Ok(0),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
    }
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let headers = headers.as_mut_ptr().cast();
    // SAFETY: SYS-2: `count` headers were filled in just above; what they point to is alive.
    unsafe { calls::send_many(socket.as_raw_fd(), headers, count, flags) }
}

/// Bursts are Linux's alone.
///
/// # Errors
/// Always `Unsupported` on this operating system.
#[cfg(not(target_os = "linux"))]
pub fn send_bursts(
    _socket: BorrowedFd<'_>,
    _to: Option<&SocketAddr>,
    _bursts: &[(&[u8], usize)],
) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an error of [`send_bursts`] means that the kernel, the device or the path does not take
/// bursts: the same datagrams may well go out one by one.
#[must_use]
pub fn is_burst_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(
            error.raw_os_error(),
            Some(
                libc::EIO
                    | libc::EINVAL
                    | libc::EMSGSIZE
                    | libc::ENOPROTOOPT
                    | libc::EOPNOTSUPP
                    | libc::EPROTONOSUPPORT
            )
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn nothing_to_send_is_no_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert_eq!(
            send_datagrams(socket.as_fd(), None, &[]).expect("nothing"),
            0
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_burst_arrives_as_its_datagrams() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let to = receiver.local_addr().expect("bound");
        let bytes: Vec<u8> = (0..250).collect();
        let bursts: [(&[u8], usize); 3] = [(&bytes, 100), (&bytes[..20], 20), (&bytes, 125)];
        let sent = send_bursts(sender.as_fd(), Some(&to), &bursts).expect("sent");
        assert_eq!(sent, 3);
        let expected = [
            &bytes[..100],
            &bytes[100..200],
            &bytes[200..],
            &bytes[..20],
            &bytes[..125],
            &bytes[125..],
        ];
        let mut buffer = [0; 2048];
        for datagram in expected {
            let length = receiver.recv(&mut buffer).expect("received");
            assert_eq!(&buffer[..length], datagram);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn bursts_past_the_limits_are_refused_before_the_kernel_sees_them() {
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let bytes = vec![0; BURST_LENGTH_MAX + 1];
        for (length, segment_length) in [(65, 1), (BURST_LENGTH_MAX + 1, 1408), (70_000, 66_000)] {
            let bytes = &bytes[..length.min(bytes.len())];
            let refused = send_bursts(sender.as_fd(), None, &[(bytes, segment_length)]);
            let is_one = bytes.len() <= segment_length;
            assert!(is_one || is_burst_refusal(&refused.expect_err("refused")));
        }
    }
}
