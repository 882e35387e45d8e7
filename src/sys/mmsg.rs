//! Several datagrams per system call.
//!
//! The message headers that the kernel wants are laid out on the stack for each call: filling a few
//! of them costs nanoseconds, and no pointer outlives the call it was made for.

use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::address::{RAW_ADDRESS_LENGTH, RawAddress};
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

    /// # Safety
    /// As for `recvmsg(2)`.
    pub(super) unsafe fn receive_one(
        socket: libc::c_int,
        header: *mut libc::msghdr,
        flags: libc::c_int,
    ) -> io::Result<usize> {
        // SAFETY: SYS-2: the caller vouches for it.
        let length = unsafe { libc::recvmsg(socket, header, flags) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }
}

/// Datagrams that one call moves at most.
pub const DATAGRAMS_PER_CALL_MAX: usize = 16;

/// Room for the control message that carries a receive timestamp.
const CONTROL_LENGTH: usize = 64;

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

/// A datagram in the buffers of a [`ReceiveBatch`].
#[derive(Debug)]
pub struct ReceivedDatagram<'a> {
    /// The UDP payload.
    pub bytes: &'a mut [u8],
    /// The sender.
    pub source: SocketAddr,
    /// Kernel receive time in nanoseconds since the epoch, where asked for and given.
    pub timestamp_ns: Option<i64>,
    /// Whether the datagram was longer than the buffer; `bytes` then holds only its begin.
    pub is_truncated: bool,
}

/// Receive buffers for several datagrams per call.
#[derive(Debug)]
pub struct ReceiveBatch {
    buffers: Box<[Box<[u8]>]>,
    /// The last call found something, so that there may be more than one datagram now.
    expects_many: bool,
}

impl ReceiveBatch {
    /// `count` buffers of `length` bytes; `count` is cut to `1..=`[`DATAGRAMS_PER_CALL_MAX`].
    #[must_use]
    pub fn new(count: usize, length: usize) -> Self {
        let count = count.clamp(1, DATAGRAMS_PER_CALL_MAX);
        Self {
            buffers: (0..count)
                .map(|_| vec![0; length].into_boxed_slice())
                .collect(),
            expects_many: false,
        }
    }

    /// Datagrams received per call at most.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.buffers.len()
    }

    /// Receives what is there, up to one batch, without waiting, and hands each datagram to
    /// `handler`. Returns how many there were. After a call that found nothing it asks for one
    /// datagram only, which costs less: most calls find nothing.
    ///
    /// # Errors
    /// What the operating system answers; `WouldBlock` when nothing is there.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        mut handler: impl FnMut(ReceivedDatagram<'_>),
    ) -> io::Result<usize> {
        let count = if self.expects_many {
            self.buffers.len()
        } else {
            1
        };
        self.expects_many = false;
        let mut addresses = [const { MaybeUninit::<RawAddress>::uninit() }; DATAGRAMS_PER_CALL_MAX];
        let mut controls = [const { MaybeUninit::<Control>::uninit() }; DATAGRAMS_PER_CALL_MAX];
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; DATAGRAMS_PER_CALL_MAX];
        let mut headers =
            [const { MaybeUninit::<libc::mmsghdr>::uninit() }; DATAGRAMS_PER_CALL_MAX];
        for index in 0..count {
            let buffer = &mut self.buffers[index];
            let vector = vectors[index].write(libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            });
            let address = addresses[index].write(RawAddress::unspecified());
            // SAFETY: SYS-1 (kernel structures are plain integers and pointers): zeroes are valid.
            let header = headers[index].write(unsafe { zeroed() });
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(address).cast();
            header.msg_hdr.msg_namelen = RAW_ADDRESS_LENGTH;
            header.msg_hdr.msg_control = controls[index].as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_LENGTH as _;
        }
        let received = receive_headers(socket, &mut headers[..count])?;
        self.expects_many = true;
        for index in 0..received.min(count) {
            // SAFETY: SYS-3 (the kernel fills in the first `received` headers): all `count` headers
            // and addresses were initialised above.
            let header = unsafe { headers[index].assume_init_ref() };
            // SAFETY: SYS-3, as above.
            let address = unsafe { addresses[index].assume_init_ref() };
            let Some(source) = address.to_socket_address() else {
                continue;
            };
            let buffer = &mut self.buffers[index];
            let length = (header.msg_len as usize).min(buffer.len());
            handler(ReceivedDatagram {
                bytes: &mut buffer[..length],
                source,
                timestamp_ns: timestamp_ns(&header.msg_hdr),
                is_truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            });
        }
        Ok(received)
    }
}

#[repr(align(8))]
struct Control {
    _bytes: [u8; CONTROL_LENGTH],
}

/// Receives into `headers`, each of which describes live buffers. Returns how many were filled in.
fn receive_headers(
    socket: BorrowedFd<'_>,
    headers: &mut [MaybeUninit<libc::mmsghdr>],
) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    if headers.len() > 1 {
        let (start, count) = (headers.as_mut_ptr().cast(), headers.len());
        // SAFETY: SYS-2: every header was initialised by the caller with live buffers.
        return unsafe {
            calls::receive_many(socket.as_raw_fd(), start, count, libc::MSG_DONTWAIT)
        };
    }
    let Some(first) = headers.first_mut() else {
        return Ok(0);
    };
    // SAFETY: SYS-3: initialised by the caller.
    let header = unsafe { first.assume_init_mut() };
    // SAFETY: SYS-2: as above.
    let length =
        unsafe { calls::receive_one(socket.as_raw_fd(), &mut header.msg_hdr, libc::MSG_DONTWAIT) }?;
    header.msg_len = u32::try_from(length).unwrap_or(u32::MAX);
    Ok(1)
}

/// The kernel's receive time, when a control message carries it.
fn timestamp_ns(header: &libc::msghdr) -> Option<i64> {
    if header.msg_controllen == 0 {
        return None;
    }
    // SAFETY: SYS-3: after a receive call the header describes the control bytes written.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: SYS-3: not null, hence a whole control header inside the control buffer.
        let current = unsafe { message.read_unaligned() };
        if current.cmsg_level == libc::SOL_SOCKET && current.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: SYS-3: the data of a message follows its header.
            let data = unsafe { libc::CMSG_DATA(message) };
            // SAFETY: SYS-3: a message of this type carries a whole `timespec`.
            let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
            return time
                .tv_sec
                .checked_mul(1_000_000_000)?
                .checked_add(time.tv_nsec);
        }
        // SAFETY: SYS-3: both pointers come from this header.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn receive_all(socket: &UdpSocket, batch: &mut ReceiveBatch, wanted: usize) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        socket.set_nonblocking(true).expect("non-blocking");
        for _ in 0..1_000_000 {
            let outcome = batch.receive(socket.as_fd(), |d| got.push(d.bytes.to_vec()));
            if let Err(error) = outcome {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            }
            if got.len() >= wanted {
                return got;
            }
        }
        panic!("only {} of {wanted} datagrams arrived", got.len());
    }

    #[test]
    fn a_batch_arrives_in_order_with_its_source() {
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(receiver) = UdpSocket::bind(bind) else {
                continue;
            };
            let sender = UdpSocket::bind(bind).expect("a second socket");
            let to = receiver.local_addr().expect("bound");
            let datagrams: Vec<Vec<u8>> = (0..5u8).map(|i| vec![i; 100 + usize::from(i)]).collect();
            let slices: Vec<&[u8]> = datagrams.iter().map(Vec::as_slice).collect();
            let sent = send_datagrams(sender.as_fd(), Some(&to), &slices).expect("sent");
            assert_eq!(sent, 5);
            let mut batch = ReceiveBatch::new(4, 2048);
            assert_eq!(receive_all(&receiver, &mut batch, 5), datagrams);
        }
    }

    #[test]
    fn after_silence_one_datagram_is_asked_for_and_then_a_batch() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let to = receiver.local_addr().expect("bound");
        let mut batch = ReceiveBatch::new(4, 2048);
        // Loopback delivers within the call that sends.
        let sent = send_datagrams(sender.as_fd(), Some(&to), &[b"0", b"1", b"2", b"3"]);
        assert_eq!(sent.expect("sent"), 4);
        let mut receive = || {
            batch
                .receive(receiver.as_fd(), |_| {})
                .map_err(|error| error.kind())
        };
        assert_eq!(receive(), Ok(1));
        let batch_length = if cfg!(target_os = "linux") { 3 } else { 1 };
        assert_eq!(receive(), Ok(batch_length));
    }

    #[test]
    fn a_datagram_too_long_for_the_buffer_is_marked() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        sender
            .connect(receiver.local_addr().expect("bound"))
            .expect("connected");
        assert_eq!(
            send_datagrams(sender.as_fd(), None, &[&[7; 300]]).expect("sent"),
            1
        );
        let mut batch = ReceiveBatch::new(1, 64);
        let mut truncated = None;
        for _ in 0..1_000_000 {
            let _ = batch.receive(receiver.as_fd(), |d| truncated = Some(d.is_truncated));
            if truncated.is_some() {
                break;
            }
        }
        assert_eq!(truncated, Some(true));
    }

    #[test]
    fn nothing_to_send_is_no_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert_eq!(
            send_datagrams(socket.as_fd(), None, &[]).expect("nothing"),
            0
        );
    }
}
