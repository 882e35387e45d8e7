//! Events to a client.

use std::error::Error;

use aileron::client::{Client, ConductorInvoker, Publication, Subscription};
use aileron::memory::AtomicBuffer;

use crate::fake_driver::{FakeDriver, STREAM, drive, new_log};
use crate::patch::patch;
use crate::script::steps;

/// What is added to a control byte to make the type of an event.
pub(crate) const FIRST_EVENT: i32 = 0x0F00;

/// Has each step of the script happen in the broadcast buffer of a client that publishes and
/// subscribes: an event of a type and some bytes, or a word changed anywhere.
///
/// Whatever it was told, a client that connects afterwards works, unless words were changed.
///
/// ```
/// aileron_fuzz::targets::events(&[4, 3, 0, 1, 2, 3]);
/// ```
pub fn events(data: &[u8]) {
    let driver = FakeDriver::new(new_log());
    let mut target = Target::new(&driver).expect("nothing has happened yet");
    let buffer: AtomicBuffer = driver.event_bytes();
    let mut is_wrecked = false;
    for step in steps(data) {
        if step.control >= 240 {
            // Near the trailer, where the newest event is.
            let origin = if step.control % 2 == 0 {
                0
            } else {
                buffer.len() - 128
            };
            patch(&buffer, origin, step.bytes);
            is_wrecked = true;
        } else {
            driver.send(FIRST_EVENT + i32::from(step.control), step.bytes);
        }
        driver.clock.advance(1_000_000);
        target.work();
        // It may have been told that it is dead, and is right to believe so.
        if target.client.is_closed()
            && let Ok(next) = Target::new(&driver)
        {
            target = next;
        }
    }
    if is_wrecked {
        return;
    }
    // A client begins with the newest event. That one may speak of any client, even of one to come.
    driver.send(FIRST_EVENT, &[]);
    let last = Target::new(&driver).expect("an honest answer is understood");
    last.publication.offer(b"hello").expect("room");
}

/// A client with one of each thing that events are about.
struct Target {
    client: Client,
    invoker: ConductorInvoker,
    publication: Publication,
    subscription: Subscription,
}

impl Target {
    fn new(driver: &FakeDriver) -> Result<Self, Box<dyn Error>> {
        let (client, mut invoker) = driver.connect()?;
        drive(&mut invoker);
        let publication = client.add_publication("aeron:ipc", STREAM)?;
        let subscription = client.add_subscription("aeron:ipc", STREAM)?;
        Ok(Self {
            client,
            invoker,
            publication,
            subscription,
        })
    }

    /// Lets the client take in all there is.
    fn work(&mut self) {
        for _ in 0..4 {
            self.invoker.do_work();
        }
        let _ = self.publication.offer(b"hello");
        self.subscription.poll(10, |payload, header| {
            let _ = (payload.len(), header.position());
        });
    }
}
