//! CnC files and log files that are cut short or changed, handed to a client.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aileron::base::{CorrelationId, Rng};
use aileron::client::{AddError, ConductorInvoker, ConnectError};
use aileron::logbuffer::LogKind;
use aileron::{Client, Context, OfferError, Subscription};

use super::fake_driver::{FakeDriver, STREAM, Shared, new_log};
use super::mutation::{index, pick};
use super::support::place;

/// How long a client may take to refuse a file: it waits for a driver that may be writing it.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(5);
/// How long a case may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Values at which arithmetic goes wrong.
const EDGES: [i64; 12] = [
    0,
    1,
    -1,
    7,
    31,
    4096,
    1 << 16,
    1 << 30,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// Changes a few words of `bytes` below `length`.
fn corrupt(rng: &mut Rng, bytes: &mut [u8], length: usize) {
    for _ in 0..=rng.below(4) {
        let width = if rng.chance(1, 2) { 4 } else { 8 };
        let at = index(rng, length / width) * width;
        let value = match rng.below(3) {
            0 => *pick(rng, &EDGES),
            1 => rng.next_u64().cast_signed(),
            _ => {
                let mut word = [0; 8];
                word[..width].copy_from_slice(&bytes[at..at + width]);
                i64::from_le_bytes(word) ^ (1 << rng.below(8 * width as u64))
            }
        };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

fn connect_to(dir: &Path) -> Result<(Client, ConductorInvoker), ConnectError> {
    Context::new()
        .dir(dir)
        .driver_timeout(CONNECT_TIMEOUT)
        .configure(|config| config.keepalive_interval(Duration::from_millis(1)))
        .on_error(|_| {})
        .connect_invoked()
}

#[test]
fn cnc_files_that_are_cut_short_are_refused() {
    let place = place();
    let driver = FakeDriver::create(&place.path().join("good"));
    let bytes = driver.lock().cnc_bytes();
    let dir = place.path().join("bad");
    fs::create_dir(&dir).expect("a directory");
    let path = dir.join("cnc.dat");
    // The last page may be half empty, so what is cut off goes beyond it.
    let end = bytes.len() - 4096;
    let mut lengths = vec![
        0,
        1,
        3,
        4,
        8,
        51,
        52,
        127,
        128,
        129,
        4095,
        4096,
        4097,
        end - 1,
        end,
    ];
    let mut rng = super::rng();
    lengths.extend((0..50).map(|_| index(&mut rng, end)));
    for length in lengths {
        fs::write(&path, &bytes[..length]).expect("written");
        let start = Instant::now();
        let error = connect_to(&dir).expect_err("a file cut short");
        assert!(start.elapsed() < PATIENCE, "{length} bytes: {error}");
        assert!(!error.to_string().is_empty());
    }
    fs::write(&path, &bytes).expect("written");
    connect_to(&dir).expect("the whole file is good");
}

/// Does with a client what can be done when nobody answers.
fn exercise(client: &Client, invoker: &mut ConductorInvoker) {
    let pending = client.add_publication_async("aeron:ipc", STREAM);
    for _ in 0..4 {
        invoker.do_work();
    }
    if let Ok(mut pending) = pending {
        let _ = pending.try_get();
    }
    client.counters().for_each(|record| {
        let _ = record.label.len();
    });
    let _ = client.next_correlation_id();
    let _ = client.next_session_id_async(STREAM);
    invoker.do_work();
}

#[test]
fn cnc_files_of_any_content_do_no_harm_to_a_client() {
    let place = place();
    let driver = FakeDriver::create(&place.path().join("good"));
    let bytes = driver.lock().cnc_bytes();
    let dir = place.path().join("bad");
    fs::create_dir(&dir).expect("a directory");
    let path = dir.join("cnc.dat");
    let mut rng = super::rng();
    let mut refused = 0;
    for _ in 0..super::count(300) {
        let mut changed = bytes.clone();
        match rng.below(4) {
            0 | 1 => corrupt(&mut rng, &mut changed, 52),
            2 => {
                let length = changed.len();
                corrupt(&mut rng, &mut changed, length);
            }
            _ => {
                // All but the header.
                for word in changed[128..].chunks_exact_mut(8) {
                    word.copy_from_slice(&rng.next_u64().to_le_bytes());
                }
            }
        }
        fs::write(&path, &changed).expect("written");
        let start = Instant::now();
        match connect_to(&dir) {
            Ok((client, mut invoker)) => exercise(&client, &mut invoker),
            Err(error) => refused += u64::from(!error.to_string().is_empty()),
        }
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
    assert!(refused > 0);
}

/// A client of a fake driver, with what it does to logs.
struct Reader {
    driver: Shared,
    client: Client,
    invoker: ConductorInvoker,
    subscription: Subscription,
    errors: Arc<AtomicU64>,
    images: i64,
}

impl Reader {
    fn new(driver: Shared) -> Self {
        let errors = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&errors);
        let (client, invoker) = driver.connect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let subscription = client
            .add_subscription("aeron:ipc", STREAM)
            .expect("answered");
        Self {
            driver,
            client,
            invoker,
            subscription,
            errors,
            images: 1 << 20,
        }
    }

    /// Publishes through the log at `path`; the refusal, if it is refused.
    fn publish(&self, path: &str) -> Option<AddError> {
        self.driver.lock().log_path = path.to_owned();
        let mut refusal = None;
        match self.client.add_publication("aeron:ipc", STREAM) {
            Ok(publication) => {
                for length in [0, 8, 1000, 5000] {
                    let outcome = publication.offer(&vec![1; length]);
                    assert_ne!(outcome, Err(OfferError::Closed));
                    if let Ok(claim) = publication.try_claim(length.min(1000)) {
                        claim.abort();
                    }
                }
                let _ = (publication.position(), publication.available_window());
            }
            Err(error) => refusal = Some(error),
        }
        // Begins where the other ended.
        match self.client.add_exclusive_publication("aeron:ipc", STREAM) {
            Ok(mut publication) => {
                for length in [0, 8, 1000, 5000] {
                    let outcome = publication.offer(&vec![1; length]);
                    assert_ne!(outcome, Err(OfferError::Closed));
                    let _ = publication.append_padding(100);
                }
                let _ = publication.position();
            }
            Err(error) => refusal = Some(error),
        }
        refusal
    }

    /// Reads the log at `path` as that of an image that begins at `position`. Returns whether it
    /// became an image, or an error told.
    fn read(&mut self, path: &str, position: i64) -> (bool, bool) {
        self.images += 1;
        let image = CorrelationId(self.images);
        let registration_id = self.subscription.registration_id();
        let before = self.errors.load(Ordering::Relaxed);
        self.driver
            .lock()
            .add_image(image, registration_id, path, position);
        while self.invoker.do_work() > 0 {}
        let mut fragments = 0;
        for _ in 0..100 {
            fragments += self.subscription.poll(50, |bytes, header| {
                let _ = (
                    bytes.iter().map(|b| u64::from(*b)).sum::<u64>(),
                    header.position(),
                );
            });
        }
        assert!(fragments <= 5000);
        self.subscription
            .block_poll(1 << 16, |block| assert!(block.bytes.len() <= 1 << 20));
        let was_image = self.subscription.image_count() > 0;
        self.driver.lock().remove_image(image, registration_id);
        while self.invoker.do_work() > 0 {}
        assert!(self.subscription.has_no_images());
        (was_image, self.errors.load(Ordering::Relaxed) > before)
    }
}

/// The bytes of a log with a few messages in it.
fn used_log(place: &Path, reader: &Reader, kind: LogKind) -> Vec<u8> {
    let path = place.join(format!("log-{kind:?}"));
    let log = new_log(&path, kind);
    reader.driver.lock().log_path = path.to_string_lossy().into_owned();
    let publication = reader
        .client
        .add_publication("aeron:ipc", STREAM)
        .expect("a good log");
    for number in 0..200_usize {
        publication.offer(&vec![2; number]).expect("room");
    }
    drop(log);
    fs::read(path).expect("read")
}

#[test]
fn logs_that_are_cut_short_are_refused() {
    let place = place();
    let mut reader = Reader::new(FakeDriver::create(&place.path().join("aeron")));
    let bytes = used_log(place.path(), &reader, LogKind::Concurrent);
    let path = place.path().join("bad");
    let text = path.to_string_lossy().into_owned();
    let mut rng = super::rng();
    let mut lengths = vec![
        0,
        1,
        100,
        4095,
        4096,
        65_536,
        bytes.len() - 4096,
        bytes.len() - 1,
    ];
    lengths.extend((0..30).map(|_| index(&mut rng, bytes.len())));
    for length in lengths {
        fs::write(&path, &bytes[..length]).expect("written");
        let refusal = reader.publish(&text).expect("a log cut short");
        assert!(
            matches!(refusal, AddError::Log { .. }),
            "{length} bytes: {refusal}"
        );
        let (was_image, was_told) = reader.read(&text, 0);
        assert!(!was_image && was_told, "{length} bytes");
    }
    fs::write(&path, &bytes).expect("written");
    assert!(reader.publish(&text).is_none());
    assert_eq!(reader.read(&text, 0), (true, false));
    let refusal = reader.publish("/no/such/log").expect("no log");
    assert!(refusal.to_string().contains("/no/such/log"), "{refusal}");
    assert!(!reader.client.is_closed());
}

#[test]
fn logs_of_any_content_do_no_harm_to_a_client() {
    let place = place();
    let mut reader = Reader::new(FakeDriver::create(&place.path().join("aeron")));
    let good = used_log(place.path(), &reader, LogKind::Concurrent);
    let metadata = good.len() - 4096;
    let mut rng = super::rng();
    let (mut refused, mut told) = (0, 0);
    let path = place.path().join("bad");
    let text = path.to_string_lossy().into_owned();
    for _ in 0..super::count(300) {
        let mut changed = good.clone();
        match rng.below(4) {
            0 => corrupt(&mut rng, &mut changed[metadata..], 1024),
            1 => corrupt(&mut rng, &mut changed, 8192),
            2 => {
                // Headers of frames.
                for _ in 0..4 {
                    let frame = index(&mut rng, 512) * 32;
                    corrupt(&mut rng, &mut changed[frame..frame + 32], 32);
                }
            }
            _ => {
                let length = changed.len();
                corrupt(&mut rng, &mut changed, length);
                corrupt(&mut rng, &mut changed[metadata..], 64);
            }
        }
        // A new file each time: the client may have the last one mapped yet.
        let _ = fs::remove_file(&path);
        fs::write(&path, &changed).expect("written");
        let start = Instant::now();
        let position = match rng.below(4) {
            0 => rng.next_u64().cast_signed(),
            1 => *pick(&mut rng, &EDGES),
            _ => 0,
        };
        told += u64::from(reader.read(&text, position).1);
        refused += u64::from(reader.publish(&text).is_some());
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        assert!(!reader.client.is_closed());
    }
    assert!(refused > 0 && told > 0, "{refused} refused, {told} told");
}
