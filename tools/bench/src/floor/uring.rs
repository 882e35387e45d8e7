//! The same bare work on sockets through `io_uring`: whether a back end of its own would pay.
//!
//! Nothing waits in the kernel: both sides look for completions in the ring without a pause.
//! Receives are always armed, so that the spinning costs no call; a call hands over what there is
//! to send and arms the next receives together.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use io_uring::squeue::Entry;
use io_uring::{IoUring, cqueue, opcode, types};
use nix::sys::socket::{setsockopt, sockopt};

use crate::Failure;
use crate::figures::Latencies;
use crate::floor::pair;
use crate::floor::udp::{LOST_AFTER, PAYLOAD_MAX, window};
use crate::settings::{Settings, bytes as parse_bytes};
use crate::work::schedule::{Pace, Schedule};
use crate::work::stage::{Apart, Period, Stage, Watch};
use crate::work::{Rate, RoundTrips};

/// Entries of a ring.
const ENTRIES: u32 = 64;
/// Receives that are armed at once, and sends that are on the way at once.
const IN_FLIGHT: usize = 8;
const BUFFER_LENGTH: usize = 65_536;
/// Marks the completion of a send; others are the index of a receive's buffer.
const SEND: u64 = u64::MAX;

/// A socket with its ring and the buffers that the kernel may use.
struct RingSocket {
    ring: IoUring,
    socket: UdpSocket,
    incoming: Vec<Vec<u8>>,
    outgoing: Vec<u8>,
    is_zero_copy: bool,
}

/// What is finished.
enum Done {
    Sent,
    /// Bytes in a buffer.
    Received(usize, usize),
}

impl RingSocket {
    fn new(socket: UdpSocket, outgoing: Vec<u8>, is_zero_copy: bool) -> Result<Self, Failure> {
        Ok(Self {
            ring: IoUring::builder().setup_single_issuer().build(ENTRIES)?,
            socket,
            incoming: vec![vec![0; BUFFER_LENGTH]; IN_FLIGHT],
            outgoing,
            is_zero_copy,
        })
    }

    /// Arms all receives.
    fn arm(&mut self) -> Result<(), Failure> {
        (0..IN_FLIGHT).try_for_each(|index| self.receive(index))?;
        self.submit()
    }

    fn descriptor(&self) -> types::Fd {
        types::Fd(self.socket.as_raw_fd())
    }

    fn receive(&mut self, index: usize) -> Result<(), Failure> {
        let descriptor = self.descriptor();
        let buffer = &mut self.incoming[index];
        let length = u32::try_from(buffer.len())?;
        let entry = opcode::Recv::new(descriptor, buffer.as_mut_ptr(), length).build();
        self.push(&entry.user_data(index as u64))
    }

    fn send(&mut self, length: usize) -> Result<(), Failure> {
        let length = u32::try_from(length.min(self.outgoing.len()))?;
        let (descriptor, start) = (self.descriptor(), self.outgoing.as_ptr());
        let entry = match self.is_zero_copy {
            true => opcode::SendZc::new(descriptor, start, length).build(),
            false => opcode::Send::new(descriptor, start, length).build(),
        };
        self.push(&entry.user_data(SEND))
    }

    fn push(&mut self, entry: &Entry) -> Result<(), Failure> {
        // SAFETY: what `receive` and `send` name lies in vectors of this struct, which are never
        // resized and, as the kernel may write to them until it has noticed that the ring is gone,
        // never freed. Nobody reads a buffer while a receive into it is armed.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(|_| "the ring is full".into())
    }

    fn submit(&mut self) -> Result<(), Failure> {
        self.ring.submit()?;
        Ok(())
    }

    /// The next completion, if there is one.
    fn poll(&mut self) -> Result<Option<Done>, Failure> {
        let Some(entry) = self.ring.completion().next() else {
            return Ok(None);
        };
        if cqueue::notif(entry.flags()) {
            return Ok(None);
        }
        let moved = usize::try_from(entry.result())
            .map_err(|_| std::io::Error::from_raw_os_error(-entry.result()))?;
        Ok(Some(match entry.user_data() {
            SEND => Done::Sent,
            index => Done::Received(usize::try_from(index)?, moved),
        }))
    }
}

impl Drop for RingSocket {
    /// The kernel gives up what is on the way some time after the ring is closed; until then the
    /// buffers are its own. The process ends with the measurement.
    fn drop(&mut self) {
        for buffer in std::mem::take(&mut self.incoming) {
            buffer.leak();
        }
        std::mem::take(&mut self.outgoing).leak();
    }
}

fn sockets(buffer: usize) -> Result<(UdpSocket, UdpSocket), Failure> {
    let one = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    one.connect(other.local_addr()?)?;
    other.connect(one.local_addr()?)?;
    for socket in [&one, &other] {
        setsockopt(socket, sockopt::SndBuf, &buffer)?;
        setsockopt(socket, sockopt::RcvBuf, &buffer)?;
    }
    Ok((one, other))
}

/// Runs of datagrams as fast as they go, with GSO and GRO.
pub(crate) fn segmented(settings: &Settings, is_zero_copy: bool) -> Result<Rate, Failure> {
    let length = parse_bytes(&settings.mtu)?;
    let window = window(settings)?;
    let (sender, receiver) = sockets(window)?;
    setsockopt(&sender, sockopt::UdpGsoSegment, &i32::try_from(length)?)?;
    setsockopt(&receiver, sockopt::UdpGroSegment, &true)?;
    let run = PAYLOAD_MAX / length * length;
    let window = window as u64;
    let stage = Stage::new();
    let arrived = Apart(AtomicU64::new(0));
    let publish = || {
        let mut socket = RingSocket::new(sender, vec![0x5a; run], is_zero_copy)?;
        stage.join();
        let mut watch = None;
        let (mut sent, mut seen, mut on_the_way) = (0_u64, 0, 0);
        let mut seen_at = Instant::now();
        while !stage.is_over() {
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
            }
            while let Some(Done::Sent) = socket.poll()? {
                on_the_way -= 1;
            }
            let received = arrived.0.load(Ordering::Acquire);
            if received != seen {
                (seen, seen_at) = (received, Instant::now());
            } else if seen_at.elapsed() > LOST_AFTER {
                sent = received;
            }
            let before = on_the_way;
            while on_the_way < IN_FLIGHT && sent + (PAYLOAD_MAX as u64) < received + window {
                socket.send(run)?;
                sent += run as u64;
                on_the_way += 1;
            }
            if on_the_way > before {
                socket.submit()?;
            }
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok(watch.stop())
    };
    let subscribe = || {
        let mut socket = RingSocket::new(receiver, Vec::new(), false)?;
        socket.arm()?;
        stage.join();
        let mut watch = None;
        let mut bytes = 0;
        while !stage.is_over() {
            let mut is_finished = false;
            while let Some(Done::Received(index, length)) = socket.poll()? {
                bytes += length as u64;
                socket.receive(index)?;
                is_finished = true;
            }
            if is_finished {
                arrived.0.store(bytes, Ordering::Release);
                socket.submit()?;
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some((Watch::start(), bytes));
            }
        }
        let (watch, before) = watch.ok_or("time was over before it began")?;
        Ok((bytes - before, watch.stop()))
    };
    let (sender, (bytes, receiver)) = pair::run(&stage, settings.period()?, publish, subscribe)?;
    Ok(Rate::new(bytes, length, receiver, sender))
}

/// Datagrams there and back.
pub(crate) fn round_trips(
    pace: Pace,
    length: usize,
    period: Period,
) -> Result<RoundTrips, Failure> {
    let (one, other) = sockets(2 << 20)?;
    let length = (length + 32).next_multiple_of(32);
    let stage = Stage::new();
    let ping = || {
        let mut socket = RingSocket::new(one, vec![0; length], false)?;
        socket.arm()?;
        let mut latencies = Latencies::new()?;
        let mut watch = None;
        stage.join();
        let start = Instant::now();
        let now = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut schedule = Schedule::new(pace);
        while !stage.is_over() {
            if !schedule.is_waiting()
                && let Some(due) = schedule.due(now())
            {
                socket.outgoing[..8].copy_from_slice(&due.to_le_bytes());
                socket.send(length)?;
                socket.submit()?;
                schedule.sent();
            }
            if let Some(Done::Received(index, _)) = socket.poll()? {
                let sent = socket.incoming[index].first_chunk();
                let sent = sent.map_or(0, |bytes| u64::from_le_bytes(*bytes));
                latencies.record(now().saturating_sub(sent));
                schedule.on_reply();
                socket.receive(index)?;
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
                latencies.clear();
            }
        }
        if latencies.count() == 0 {
            return Err("nothing came back".into());
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok((latencies, schedule.behind(now()), watch.stop().stolen))
    };
    let pong = || {
        let mut socket = RingSocket::new(other, vec![0; length], false)?;
        socket.arm()?;
        stage.join();
        while !stage.is_over() {
            if let Some(Done::Received(index, received)) = socket.poll()? {
                let (incoming, outgoing) = (&socket.incoming[index], &mut socket.outgoing);
                outgoing[..received].copy_from_slice(&incoming[..received]);
                socket.send(received)?;
                socket.receive(index)?;
                socket.submit()?;
            }
        }
        Ok(())
    };
    let ((latencies, unsent, stolen), ()) = pair::run(&stage, period, ping, pong)?;
    Ok(RoundTrips {
        latencies,
        unsent,
        stolen,
    })
}
