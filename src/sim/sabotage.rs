//! Faults that no world may survive: they show that the oracles see.

/// Something broken on purpose.
///
/// ```
/// use aileron::sim::{Sabotage, World};
/// let caught = World::new(1).sabotage(Sabotage::FlipPayload).run();
/// assert!(caught.is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sabotage {
    /// No NAK reaches a sender.
    DropNaks,
    /// No datagram of data is sent a second time.
    NeverRetransmit,
    /// A bit of each payload turns over on its way.
    FlipPayload,
    /// Subscribers see a fragment twice.
    Redeliver,
    /// Subscribers do not see a fragment.
    Swallow,
    /// A receiver asks for what it has.
    ForgeNak,
    /// A sender sends beyond its limit.
    Overrun,
    /// An agent never works again.
    StallForEver,
    /// A log outlives its publication.
    LeakLog,
    /// A socket outlives its endpoint.
    LeakSocket,
    /// Where one of the two places of a subscriber is cut for good, so is the other.
    CutBothPlaces,
    /// Nobody who asks learns who answers.
    DropAnswers,
    /// Nobody accounts for the errors that rejected images leave.
    ForgetRejections,
    /// A publisher's claim is never given up by anyone.
    NeverUnblock,
}
