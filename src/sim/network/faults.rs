//! How links misbehave.

/// How a link between two hosts misbehaves. Probabilities are per million datagrams.
///
/// ```
/// use aileron::sim::LinkFaults;
/// let lossy = LinkFaults { loss_ppm: 50_000, ..LinkFaults::default() };
/// assert!(!lossy.is_partitioned);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by name in tests; a new fault is a new field"
)]
pub struct LinkFaults {
    /// Lost on the way.
    pub loss_ppm: u32,
    /// Delivered twice.
    pub duplicate_ppm: u32,
    /// Held back by up to `reorder_ns` more than the others.
    pub reorder_ppm: u32,
    /// Longest extra delay of a held-back datagram.
    pub reorder_ns: i64,
    /// Damaged: dropped, or replaced by garbage.
    pub corrupt_ppm: u32,
    /// Refused by the sending socket, as when its buffer is full.
    pub refuse_ppm: u32,
    /// Delay of every datagram.
    pub delay_ns: i64,
    /// Random extra delay of every datagram, up to this much; may reorder.
    pub jitter_ns: i64,
    /// Begins a run of up to `burst_length` datagrams that are all lost.
    pub burst_ppm: u32,
    /// Longest such run.
    pub burst_length: u32,
    /// What the link carries in a millisecond, in bytes; 0 for no limit. More than that waits.
    pub rate_bytes_per_ms: u32,
    /// How much may wait, in bytes, where there is a limit; what comes then is lost.
    pub queue_bytes: u32,
    /// Nothing gets through.
    pub is_partitioned: bool,
}

impl Default for LinkFaults {
    /// A perfect link with 20 µs of delay.
    fn default() -> Self {
        Self {
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            reorder_ns: 0,
            corrupt_ppm: 0,
            refuse_ppm: 0,
            delay_ns: 20_000,
            jitter_ns: 0,
            burst_ppm: 0,
            burst_length: 0,
            rate_bytes_per_ms: 0,
            queue_bytes: 0,
            is_partitioned: false,
        }
    }
}
