//! What memory allows: a number passed between two cores and back, and a copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::Failure;
use crate::figures::Latencies;
use crate::floor::pair;
use crate::machine::pin_to_cpu;
use crate::settings::{Settings, bytes as parse_bytes};
use crate::work::stage::{Apart, Period, Stage, Usage, Watch};
use crate::work::{Rate, RoundTrips};

/// Partitions of a log, each a term long.
const PARTITIONS: usize = 3;

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
