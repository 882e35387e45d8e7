//! Loss: finding the first gap of an image, deciding when to ask for it, and writing it down.
//!
//! All of it runs on the conductor. A [`LossDetector`] is told what each scan of the log saw and
//! answers which gap is due; the image hands that gap to the receiver, which asks the sender for it
//! (reliable streams) or pads it (unreliable ones). A [`NakDelay`] says how long to wait, a
//! [`LossReporter`] keeps the image's line of the loss report.

mod delay;
mod detector;
mod report;

pub(crate) use delay::NakDelay;
pub(crate) use detector::LossDetector;
pub(crate) use report::LossReporter;
