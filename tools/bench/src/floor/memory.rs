//! What memory allows: a number passed between two cores and back, a copy, and a copy that another
//! core looks at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::Failure;
use crate::figures::Latencies;
use crate::floor::pair;
use crate::machine::pin_to_cpu;
use crate::settings::{Settings, bytes as parse_bytes};
use crate::work::stage::{Apart, Period, Stage, Usage, Watch};
use crate::work::{Rate, RoundTrips};

/// Partitions of a log, each a term long.
pub(crate) const PARTITIONS: usize = 3;
/// Bytes before the payload of a frame.
const HEADER: usize = 32;

/// Round trips of a number between two cores: each thread writes a cache line of its own and reads
/// the other's. Timed one by one, as messages are.
pub(crate) fn round_trips(period: Period) -> Result<RoundTrips, Failure> {
    let stage = Stage::new();
    let (ping, pong) = (Apart(AtomicU64::new(0)), Apart(AtomicU64::new(0)));
    let send = || {
        let mut latencies = Latencies::new()?;
        let mut watch = None;
        let mut number = 0;
        stage.join();
        while !stage.is_over() {
            number += 1;
            let start = Instant::now();
            ping.0.store(number, Ordering::Release);
            while pong.0.load(Ordering::Acquire) != number && !stage.is_over() {
                std::hint::spin_loop();
            }
            let nanos = start.elapsed().as_nanos();
            if stage.is_measuring() {
                watch = watch.or_else(|| Some(Watch::start()));
                latencies.record(u64::try_from(nanos)?);
            }
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok((latencies, watch.stop().stolen))
    };
    let answer = || {
        stage.join();
        while !stage.is_over() {
            pong.0
                .store(ping.0.load(Ordering::Acquire), Ordering::Release);
        }
        Ok(())
    };
    let ((latencies, stolen), ()) = pair::run(&stage, period, send, answer)?;
    Ok(RoundTrips {
        latencies,
        unsent: 0,
        stolen,
    })
}

/// One thread that copies messages of `length` bytes into a region as long as an IPC log, one after
/// the other, as a publication does.
pub(crate) fn copy(settings: &Settings, length: usize) -> Result<Rate, Failure> {
    let term = parse_bytes(&settings.ipc_term_length)?;
    let message = vec![0x5a_u8; length];
    let mut region = vec![1_u8; PARTITIONS * term];
    let Settings {
        warm_up, duration, ..
    } = settings;
    std::thread::scope(|scope| {
        let copier = scope.spawn(|| {
            pin_to_cpu(0);
            let start = Instant::now();
            let mut watch = None;
            let mut bytes = 0_u64;
            loop {
                for target in region.chunks_exact_mut(length) {
                    target.copy_from_slice(std::hint::black_box(&message));
                    bytes += length as u64;
                }
                std::hint::black_box(&mut region);
                let elapsed = start.elapsed().as_secs_f64();
                if watch.is_none() && elapsed >= *warm_up {
                    watch = Some(Watch::start());
                    bytes = 0;
                }
                if let Some(watch) = &watch
                    && elapsed >= warm_up + duration
                {
                    let usage = watch.stop();
                    let idle = Usage {
                        cpu_share: 0.0,
                        ..usage
                    };
                    return Ok(Rate::new(bytes, length, usage, idle));
                }
            }
        });
        copier
            .join()
            .map_err(|_| Failure::from("the copying thread panicked"))?
    })
}

/// One thread that copies messages of `length` bytes, frame by frame, into a region as long as an
/// IPC log and cleans what has been read, and one that looks at each frame's header. They meet once
/// for a message, which costs next to nothing: what is left is what memory takes for a log.
pub(crate) fn handed_over(settings: &Settings, length: usize) -> Result<Rate, Failure> {
    let term = parse_bytes(&settings.ipc_term_length)?;
    let frame = parse_bytes(&settings.mtu)?.next_multiple_of(HEADER);
    let frames = length.div_ceil(frame - HEADER);
    let slot_count = (PARTITIONS * term / (frames * frame)).max(2);
    let slots: Vec<Mutex<Vec<u8>>> = (0..slot_count)
        .map(|_| Mutex::new(vec![1; frames * frame]))
        .collect();
    let slot = |number: u64| {
        let index = usize::try_from(number % slot_count as u64).unwrap_or(0);
        slots[index].lock().unwrap_or_else(PoisonError::into_inner)
    };
    let message = vec![0x5a_u8; length];
    let (written, read) = (Apart(AtomicU64::new(0)), Apart(AtomicU64::new(0)));
    // As far ahead as flow control lets a publication go: half a term.
    let window = (term / 2 / (frames * frame)).max(1) as u64;
    let stage = Stage::new();
    let write = || {
        let (mut number, mut cleaned) = (0, 0);
        let mut watch = None;
        stage.join();
        while !stage.is_over() {
            let seen = read.0.load(Ordering::Acquire);
            while cleaned < seen {
                slot(cleaned).fill(0);
                cleaned += 1;
            }
            if number - seen < window {
                let payloads = message.chunks(frame - HEADER);
                for (target, payload) in slot(number).chunks_exact_mut(frame).zip(payloads) {
                    target[HEADER..HEADER + payload.len()].copy_from_slice(payload);
                    target[0] = 1;
                }
                number += 1;
                written.0.store(number, Ordering::Release);
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
            }
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok(watch.stop())
    };
    let look = || {
        let (mut number, mut seen) = (0, 0_u64);
        let mut watch = None;
        stage.join();
        while !stage.is_over() {
            if number < written.0.load(Ordering::Acquire) {
                let headers = slot(number)
                    .chunks_exact(frame)
                    .fold(0, |all, frame| all ^ frame[0]);
                std::hint::black_box(headers);
                number += 1;
                read.0.store(number, Ordering::Release);
            }
            if watch.is_none() && stage.is_measuring() {
                watch = Some(Watch::start());
                seen = number;
            }
        }
        let watch = watch.ok_or("time was over before it began")?;
        Ok(((number - seen) * length as u64, watch.stop()))
    };
    let (sender, (bytes, receiver)) = pair::run(&stage, settings.period()?, write, look)?;
    Ok(Rate::new(bytes, length, receiver, sender))
}
