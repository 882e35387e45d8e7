//! Loss: finding what an image misses, deciding when to ask for it, and writing it down.
//!
//! There are two ways. [`LossRecovery`] belongs to the receiver, knows all gaps of a reliable image
//! and asks for all of them. [`LossDetector`] is Aeron's: it runs on the conductor, is told what
//! each scan of the log saw and answers whether the first gap is due; the image hands that gap to
//! the receiver, which asks the sender for it, or pads it if the stream is not reliable. Which of
//! them reliable images use is a setting, `aileron.loss.recovery`. A [`NakDelay`] says how long to
//! wait, a [`LossReporter`] keeps the image's line of the loss report.

mod delay;
mod detector;
mod gaps;
mod recovery;
mod report;
mod round_trip;

pub(crate) use delay::NakDelay;
pub(crate) use detector::LossDetector;
pub(crate) use recovery::{LossRecovery, LossTally, RecoveryParams};
pub(crate) use report::LossReporter;
