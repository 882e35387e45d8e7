//! What sockets on the loopback interface do with nothing on top: no reliability, no order.
//!
//! The sender stays at most a window ahead of the receiver, of which it learns through memory, so
//! that none of its work goes into datagrams that the socket buffer drops.

use std::array::from_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt,
};

use crate::Failure;
use crate::figures::Latencies;
use crate::floor::memory::PARTITIONS;
use crate::floor::pair;
use crate::settings::{Settings, bytes};
use crate::work::schedule::{Pace, Schedule};
use crate::work::stage::{Apart, Period, Stage, Usage, Watch};
use crate::work::{Rate, RoundTrips};

/// Longest payload of a UDP datagram, and so of a run of segments.
pub(crate) const PAYLOAD_MAX: usize = 65_507;
/// Datagrams that sendmmsg and recvmmsg are given.
const DATAGRAMS_PER_CALL: usize = 32;
/// After so long without receipt, what is on the way counts as lost.
pub(crate) const LOST_AFTER: Duration = Duration::from_millis(2);

/// Two sockets that know each other, with buffers as in the settings.
fn sockets(buffer: usize) -> Result<(UdpSocket, UdpSocket), Failure> {
    let one = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    one.connect(other.local_addr()?)?;
    other.connect(one.local_addr()?)?;
    for socket in [&one, &other] {
        socket.set_nonblocking(true)?;
        setsockopt(socket, sockopt::SndBuf, &buffer)?;
        setsockopt(socket, sockopt::RcvBuf, &buffer)?;
    }
    Ok((one, other))
}

pub(crate) fn window(settings: &Settings) -> Result<usize, Failure> {
    bytes(&settings.window)
}

fn datagram_length(settings: &Settings) -> Result<usize, Failure> {
    bytes(&settings.mtu)
}

/// One datagram for each call.
pub(crate) fn plain(settings: &Settings) -> Result<Rate, Failure> {
    let length = datagram_length(settings)?;
    let (sender, receiver) = sockets(window(settings)?)?;
    let datagram = vec![0x5a; length];
    let mut buffer = vec![0; PAYLOAD_MAX];
    flood(
        settings,
        length,
        || || would_block(sender.send(&datagram)),
        || move || would_block(receiver.recv(&mut buffer)),
    )
}

/// Many datagrams for each call.
pub(crate) fn many(settings: &Settings) -> Result<Rate, Failure> {
    let length = datagram_length(settings)?;
    let (sender, receiver) = sockets(window(settings)?)?;
    let datagram = vec![0x5a; length];
    let send = || {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(DATAGRAMS_PER_CALL, None);
        let slices: [_; DATAGRAMS_PER_CALL] = from_fn(|_| [IoSlice::new(&datagram)]);
        move || {
            let sent = sendmmsg(
                sender.as_raw_fd(),
                &mut headers,
                &slices,
                [None; DATAGRAMS_PER_CALL],
                [],
                MsgFlags::MSG_DONTWAIT,
            );
            sent.map(|results| results.map(|result| result.bytes).sum())
                .or_else(nothing)
        }
    };
    let receive = || {
        let mut headers = MultiHeaders::<SockaddrIn>::preallocate(DATAGRAMS_PER_CALL, None);
        let mut buffers: [_; DATAGRAMS_PER_CALL] = from_fn(|_| vec![0; length]);
        move || {
            let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
            let received = recvmmsg(
                receiver.as_raw_fd(),
                &mut headers,
                &mut slices,
                MsgFlags::MSG_DONTWAIT,
                None,
            );
            received
                .map(|results| results.map(|result| result.bytes).sum())
                .or_else(nothing)
        }
    };
    flood(settings, length, send, receive)
}

/// A run of datagrams for each call that sends, and with `is_joined` for each that receives.
pub(crate) fn segmented(settings: &Settings, is_joined: bool) -> Result<Rate, Failure> {
    let length = datagram_length(settings)?;
    let (sender, receiver) = sockets(window(settings)?)?;
    setsockopt(&sender, sockopt::UdpGsoSegment, &i32::try_from(length)?)?;
    if is_joined {
        setsockopt(&receiver, sockopt::UdpGroSegment, &true)?;
    }
    let run = vec![0x5a; PAYLOAD_MAX / length * length];
    let mut buffer = vec![0; 65_536];
    flood(
        settings,
        length,
        || || would_block(sender.send(&run)),
        || move || would_block(receiver.recv(&mut buffer)),
    )
}

/// The same as [`segmented`] for both, out of a region as long as a log, into which each run is
/// copied first and which is cleaned a term behind it, and into a region as long: what a
/// publication and an image do with the bytes, and nothing else.
pub(crate) fn log_to_log(settings: &Settings) -> Result<Rate, Failure> {
    let length = datagram_length(settings)?;
    let term = bytes(&settings.term_length)?;
    let (sender, receiver) = sockets(window(settings)?)?;
    setsockopt(&sender, sockopt::UdpGsoSegment, &i32::try_from(length)?)?;
    setsockopt(&receiver, sockopt::UdpGroSegment, &true)?;
    let run_length = PAYLOAD_MAX / length * length;
    let message = vec![0x5a; run_length];
    let slots = (PARTITIONS * term / run_length).max(PARTITIONS);
    let (mut sent_from, mut received_into) = (
        vec![1_u8; slots * run_length],
        vec![1_u8; slots * run_length],
    );
    let send = move || {
        let mut slot = 0;
        let mut is_written = false;
        move || {
            let at = slot * run_length;
            if !is_written {
                sent_from[at..at + run_length].copy_from_slice(std::hint::black_box(&message));
                let behind = (slot + slots - slots / PARTITIONS) % slots * run_length;
                sent_from[behind..behind + run_length].fill(0);
                is_written = true;
            }
            let sent = would_block(sender.send(&sent_from[at..at + run_length]))?;
            if sent > 0 {
                slot = (slot + 1) % slots;
                is_written = false;
            }
            Ok(sent)
        }
    };
    let receive = move || {
        let mut at = 0;
        move || {
            if received_into.len() - at < PAYLOAD_MAX {
                at = 0;
            }
            let received = would_block(receiver.recv(&mut received_into[at..at + PAYLOAD_MAX]))?;
            at += received;
            Ok(received)
        }
    };
    flood(settings, length, send, receive)
}

fn would_block(result: std::io::Result<usize>) -> Result<usize, Failure> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        other => Ok(other?),
    }
}

fn nothing(errno: Errno) -> Result<usize, Failure> {
    if errno == Errno::EAGAIN {
        return Ok(0);
    }
    Err(errno.into())
}

/// Sends as fast as it goes. `sender` and `receiver` make, each in its thread, the call that moves
/// bytes and says how many.
fn flood<S, R>(
    settings: &Settings,
    length: usize,
    sender: impl FnOnce() -> S + Send,
    receiver: impl FnOnce() -> R + Send,
) -> Result<Rate, Failure>
where
    S: FnMut() -> Result<usize, Failure>,
    R: FnMut() -> Result<usize, Failure>,
{
    let window = window(settings)? as u64;
    let stage = Stage::new();
    let arrived = Apart(AtomicU64::new(0));
    let publish = || {
        let mut send = sender();
        stage.join();
        let mut watch = None;
        let (mut sent, mut seen) = (0, 0);
        let mut seen_at = Instant::now();
        while !stage.is_over() {
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
            }
            let received = arrived.0.load(Ordering::Acquire);
            if received != seen {
                (seen, seen_at) = (received, Instant::now());
            }
            if sent + (PAYLOAD_MAX as u64) < received + window {
                sent += send()? as u64;
            } else if seen_at.elapsed() > LOST_AFTER {
                sent = received;
            }
        }
        finish(watch)
    };
    let subscribe = || {
        let mut receive = receiver();
        stage.join();
        let mut watch = None;
        let mut bytes = 0;
        while !stage.is_over() {
            bytes += receive()? as u64;
            arrived.0.store(bytes, Ordering::Release);
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

fn finish(watch: Option<Watch>) -> Result<Usage, Failure> {
    let watch = watch.ok_or("time was over before it began")?;
    Ok(watch.stop())
}

/// Datagrams there and back between sockets that both sides poll without a pause. They are as long
/// as the frame of a message of `length` bytes.
pub(crate) fn round_trips(
    pace: Pace,
    length: usize,
    period: Period,
) -> Result<RoundTrips, Failure> {
    let (one, other) = sockets(2 << 20)?;
    let length = (length + 32).next_multiple_of(32);
    let stage = Stage::new();
    let ping = || {
        let mut latencies = Latencies::new()?;
        let mut datagram = vec![0_u8; length];
        let mut buffer = vec![0; PAYLOAD_MAX];
        let mut watch = None;
        stage.join();
        let start = Instant::now();
        let now = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let mut schedule = Schedule::new(pace);
        while !stage.is_over() {
            if !schedule.is_waiting()
                && let Some(due) = schedule.due(now())
            {
                datagram[..8].copy_from_slice(&due.to_le_bytes());
                if would_block(one.send(&datagram))? > 0 {
                    schedule.sent();
                }
            }
            if would_block(one.recv(&mut buffer))? > 0 {
                let sent = buffer
                    .first_chunk()
                    .map_or(0, |bytes| u64::from_le_bytes(*bytes));
                latencies.record(now().saturating_sub(sent));
                schedule.on_reply();
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
                latencies.clear();
            }
        }
        if latencies.count() == 0 {
            return Err("nothing came back".into());
        }
        Ok((latencies, schedule.behind(now()), finish(watch)?))
    };
    let pong = || {
        let mut buffer = vec![0; PAYLOAD_MAX];
        let mut watch = None;
        stage.join();
        while !stage.is_over() {
            let received = would_block(other.recv(&mut buffer))?;
            if received > 0 {
                would_block(other.send(&buffer[..received]))?;
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
            }
        }
        finish(watch)
    };
    let ((latencies, unsent, one), other) = pair::run(&stage, period, ping, pong)?;
    Ok(RoundTrips {
        latencies,
        unsent,
        stolen: f64::midpoint(one.stolen, other.stolen),
    })
}
