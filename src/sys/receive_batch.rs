//! Several datagrams per system call, in: as many as there are, each from its own buffer, and where
//! the kernel can (`UDP_GRO`) many datagrams of one sender in one buffer.
//!
//! How much is asked for follows what the last call found: nothing, datagrams, or whole buffers.

use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::address::{RAW_ADDRESS_LENGTH, RawAddress};
use super::mmsg::DATAGRAMS_PER_CALL_MAX;
#[cfg(target_os = "linux")]
use super::socket_calls as calls;

/// Elsewhere the C library's own calls do.
#[cfg(not(target_os = "linux"))]
mod calls {
    use std::io;

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

    /// # Safety
    /// As for `recvfrom(2)`.
    pub(super) unsafe fn receive_from(
        socket: libc::c_int,
        (buffer, length): (*mut libc::c_void, usize),
        flags: libc::c_int,
        (address, address_length): (*mut libc::sockaddr, &mut libc::socklen_t),
    ) -> io::Result<usize> {
        // SAFETY: SYS-2: the caller vouches for it.
        let length =
            unsafe { libc::recvfrom(socket, buffer, length, flags, address, address_length) };
        usize::try_from(length).map_err(|_| io::Error::last_os_error())
    }
}

/// Room for the control messages that carry a receive timestamp and a segment length.
const CONTROL_LENGTH: usize = 64;

/// Bytes of a buffer from which on a datagram counts as a whole buffer full: asking for several of
/// these at once saves nothing, and one buffer stays in the cache.
const LARGE: usize = 16 * 1024;

/// Calls that find small ones only, after which large ones are not expected any more: long messages
/// are large bursts with a small rest behind each.
const PATIENCE: u8 = 3;

/// A datagram in the buffers of a [`ReceiveBatch`].
#[derive(Debug)]
pub struct ReceivedDatagram<'a> {
    /// The UDP payload.
    pub bytes: &'a mut [u8],
    /// The sender.
    pub source: SocketAddr,
    /// Bytes of each of the datagrams that the kernel put together in `bytes`, but the last, which
    /// may be shorter; that of `bytes` if it is one datagram. Never 0.
    pub segment_length: usize,
    /// Kernel receive time in nanoseconds since the epoch, where asked for and given.
    pub timestamp_ns: Option<i64>,
    /// Whether the datagram was longer than the buffer; `bytes` then holds only its begin.
    pub is_truncated: bool,
}

/// Receive buffers for several datagrams per call.
#[derive(Debug)]
pub struct ReceiveBatch {
    buffers: Box<[Box<[u8]>]>,
    /// How many the next call asks for: one where the last found nothing or large ones, else twice
    /// as many as that found.
    asks_for: usize,
    /// Whether the kernel may have more to say about a datagram than where it came from.
    has_controls: bool,
    /// How many more calls that find small ones only it takes until large ones are not expected.
    patience: u8,
}

/// What [`ReceiveBatch::receive_apart`] received.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedApart {
    /// Bytes of all.
    pub length: usize,
    /// The sender.
    pub source: SocketAddr,
    /// As in [`ReceivedDatagram`].
    pub segment_length: usize,
    /// As in [`ReceivedDatagram`].
    pub timestamp_ns: Option<i64>,
    /// As in [`ReceivedDatagram`].
    pub is_truncated: bool,
    /// Whether there is likely to be more of the kind.
    pub may_be_more: bool,
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
            asks_for: 1,
            has_controls: false,
            patience: 0,
        }
    }

    /// Listens from now on to what the kernel says about datagrams: when they came, and of how many
    /// it made one. To ask costs something with each call.
    pub const fn take_controls(&mut self) {
        self.has_controls = true;
    }

    /// Whether what comes next is likely to be long, so that it is worth while to receive it where
    /// it belongs.
    #[must_use]
    pub const fn expects_large(&self) -> bool {
        self.patience > 0
    }

    /// Notes what a call found.
    #[inline]
    fn note(&mut self, is_large: bool, received: usize) {
        self.patience = match is_large {
            true => PATIENCE,
            false => self.patience.saturating_sub(1),
        };
        self.asks_for = match self.expects_large() {
            true => 1,
            false => (2 * received).min(self.buffers.len()),
        };
    }

    /// Bytes of a buffer.
    #[must_use]
    pub fn buffer_length(&self) -> usize {
        self.buffers[0].len()
    }

    /// Receives one datagram, or what the kernel put together, without waiting: its first bytes
    /// into `apart`, the others into `room`. Together they are as long as a buffer, so that nothing
    /// is cut that would otherwise fit.
    ///
    /// # Errors
    /// What the operating system answers; `WouldBlock` when nothing is there.
    ///
    /// # Panics
    /// When `room` is too short for that.
    pub fn receive_apart<const N: usize>(
        &mut self,
        socket: BorrowedFd<'_>,
        apart: &mut [u8; N],
        room: &mut [u8],
    ) -> io::Result<ReceivedApart> {
        self.asks_for = 1;
        let room = &mut room[..self.buffers[0].len() - N];
        let mut vectors = [
            libc::iovec {
                iov_base: apart.as_mut_ptr().cast(),
                iov_len: N,
            },
            libc::iovec {
                iov_base: room.as_mut_ptr().cast(),
                iov_len: room.len(),
            },
        ];
        let mut address = RawAddress::unspecified();
        let mut control = MaybeUninit::<Control>::uninit();
        // SAFETY: SYS-1 (kernel structures are plain integers and pointers): zeroes are valid.
        let mut header: libc::msghdr = unsafe { zeroed() };
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = vectors.len() as _;
        header.msg_name = ptr::from_mut(&mut address).cast();
        header.msg_namelen = RAW_ADDRESS_LENGTH;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = CONTROL_LENGTH as _;
        // SAFETY: SYS-2 (what the kernel is given is alive): all that the header points to lives on
        // this stack or is borrowed until the end of this function.
        let length =
            unsafe { calls::receive_one(socket.as_raw_fd(), &mut header, libc::MSG_DONTWAIT) }?;
        let length = length.min(N + room.len());
        let source = address
            .to_socket_address()
            .ok_or(io::ErrorKind::InvalidData)?;
        let control = ControlValues::of(&header);
        self.note(length >= LARGE, 1);
        Ok(ReceivedApart {
            length,
            source,
            segment_length: control.segment_length.unwrap_or(length).max(1),
            timestamp_ns: control.timestamp_ns,
            is_truncated: header.msg_flags & libc::MSG_TRUNC != 0,
            may_be_more: self.expects_large(),
        })
    }

    /// Puts together in a buffer what [`Self::receive_apart`] received, for who wants it in one
    /// piece.
    pub fn join(&mut self, apart: &[u8], rest: &[u8]) -> &mut [u8] {
        let joined = &mut self.buffers[0][..apart.len() + rest.len()];
        let (begin, end) = joined.split_at_mut(apart.len());
        begin.copy_from_slice(apart);
        end.copy_from_slice(rest);
        joined
    }

    /// Receives what is there, up to one batch, without waiting, and hands each datagram to
    /// `handler`. Returns whether there may be more. After a call that found nothing it asks for
    /// one datagram only, which costs less: most calls find nothing.
    ///
    /// # Errors
    /// What the operating system answers; `WouldBlock` when nothing is there.
    pub fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        mut handler: impl FnMut(ReceivedDatagram<'_>),
    ) -> io::Result<bool> {
        let count = self.asks_for;
        self.asks_for = 1;
        if count == 1 && !self.has_controls {
            return self.receive_one(socket, handler);
        }
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
        let mut bytes = 0;
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
            bytes += length;
            let control = ControlValues::of(&header.msg_hdr);
            handler(ReceivedDatagram {
                bytes: &mut buffer[..length],
                source,
                segment_length: control.segment_length.unwrap_or(length).max(1),
                timestamp_ns: control.timestamp_ns,
                is_truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            });
        }
        let is_large = bytes >= received * LARGE;
        self.note(is_large, received);
        Ok(received == count && (count > 1 || self.expects_large()))
    }

    /// The same for one datagram of which only its source is to be known.
    fn receive_one(
        &mut self,
        socket: BorrowedFd<'_>,
        mut handler: impl FnMut(ReceivedDatagram<'_>),
    ) -> io::Result<bool> {
        let buffer = &mut self.buffers[0];
        let mut address = RawAddress::unspecified();
        let mut address_length = RAW_ADDRESS_LENGTH;
        let name = (ptr::from_mut(&mut address).cast(), &mut address_length);
        let room = (buffer.as_mut_ptr().cast(), buffer.len());
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        // SAFETY: SYS-2 (pointers given to the kernel are valid for the lengths given with them and
        // for the whole call): a live buffer and a live `RawAddress`.
        let length = unsafe { calls::receive_from(socket.as_raw_fd(), room, flags, name) }?;
        let is_truncated = length > buffer.len();
        let length = length.min(buffer.len());
        if let Some(source) = address.to_socket_address() {
            handler(ReceivedDatagram {
                bytes: &mut buffer[..length],
                source,
                segment_length: length.max(1),
                timestamp_ns: None,
                is_truncated,
            });
        }
        self.note(length >= LARGE, 1);
        Ok(self.expects_large())
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

/// What the kernel says about a datagram.
#[derive(Clone, Copy, Debug, Default)]
struct ControlValues {
    timestamp_ns: Option<i64>,
    segment_length: Option<usize>,
}

impl ControlValues {
    /// What the control messages of a header say that a receive call filled in.
    #[inline]
    fn of(header: &libc::msghdr) -> Self {
        if header.msg_controllen == 0 {
            return Self::default();
        }
        Self::parse(header)
    }

    fn parse(header: &libc::msghdr) -> Self {
        let mut values = Self::default();
        // SAFETY: SYS-3: after a receive call the header describes the control bytes written.
        let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
        while !message.is_null() {
            // SAFETY: SYS-3: not null, hence a whole control header inside the control buffer.
            let current = unsafe { message.read_unaligned() };
            // SAFETY: SYS-3: the data of a message follows its header.
            let data = unsafe { libc::CMSG_DATA(message) };
            match (current.cmsg_level, current.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    // SAFETY: SYS-3: a message of this type carries a whole `timespec`.
                    let time = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                    values.timestamp_ns = nanoseconds(time);
                }
                #[cfg(target_os = "linux")]
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    // SAFETY: SYS-3: a message of this type carries a whole `int`.
                    let length = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                    values.segment_length = usize::try_from(length).ok();
                }
                _ => {}
            }
            // SAFETY: SYS-3: both pointers come from this header.
            message = unsafe { libc::CMSG_NXTHDR(header, message) };
        }
        values
    }
}

fn nanoseconds(time: libc::timespec) -> Option<i64> {
    time.tv_sec
        .checked_mul(1_000_000_000)?
        .checked_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::super::mmsg::send_datagrams;
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
    fn after_silence_one_datagram_is_asked_for_and_then_more_and_more() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let to = receiver.local_addr().expect("bound");
        let mut batch = ReceiveBatch::new(4, 2048);
        // Loopback delivers within the call that sends.
        let datagrams: [&[u8]; 8] = [b"x"; 8];
        let sent = send_datagrams(sender.as_fd(), Some(&to), &datagrams);
        assert_eq!(sent.expect("sent"), 8);
        let mut receive = || {
            let mut count = 0;
            let outcome = batch.receive(receiver.as_fd(), |_| count += 1);
            outcome.map(|_| count).map_err(|error| error.kind())
        };
        assert_eq!(receive(), Ok(1));
        if cfg!(target_os = "linux") {
            assert_eq!([receive(), receive(), receive()], [Ok(2), Ok(4), Ok(1)]);
            assert_eq!(receive(), Err(io::ErrorKind::WouldBlock));
        }
    }

    #[test]
    fn a_datagram_too_long_for_the_buffer_is_marked() {
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let sender = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        sender
            .connect(receiver.local_addr().expect("bound"))
            .expect("connected");
        receiver.set_nonblocking(true).expect("non-blocking");
        for has_controls in [false, true] {
            assert_eq!(
                send_datagrams(sender.as_fd(), None, &[&[7; 300]]).expect("sent"),
                1
            );
            let mut batch = ReceiveBatch::new(1, 64);
            if has_controls {
                batch.take_controls();
            }
            let mut received = None;
            for _ in 0..1_000_000 {
                let _ = batch.receive(receiver.as_fd(), |d| {
                    received = Some((d.is_truncated, d.bytes.len()));
                });
                if received.is_some() {
                    break;
                }
            }
            assert_eq!(received, Some((true, 64)));
        }
    }
}
