//! The metadata page at the end of a log file: layout and typed access.
//!
//! Tails and the active term count drive appends and rotation (`appender`, `exclusive`). The
//! life-cycle fields are written by the driver with release and read with acquire. The rest is
//! written once, before the log is announced, and read without ordering.

use crate::base::{Position, SessionId, StreamId, TermId, TermOffset};
use crate::memory::AtomicBuffer;

use super::frame::{FLAGS_UNFRAGMENTED, HEADER_LENGTH, TYPE_DATA, field};
use super::geometry::{PARTITION_COUNT, TermGeometry};
use super::spec::{LogKind, LogSpec};

/// Bytes of metadata at the end of a log file.
pub const METADATA_LENGTH: usize = 4096;

/// Offsets from the start of the metadata.
mod at {
    pub(super) const TAILS: usize = 0;
    pub(super) const ACTIVE_TERM_COUNT: usize = TAILS + 24;
    pub(super) const END_OF_STREAM_POSITION: usize = 128;
    pub(super) const IS_CONNECTED: usize = END_OF_STREAM_POSITION + 8;
    pub(super) const ACTIVE_TRANSPORT_COUNT: usize = IS_CONNECTED + 4;
    pub(super) const CORRELATION_ID: usize = 256;
    pub(super) const INITIAL_TERM_ID: usize = CORRELATION_ID + 8;
    pub(super) const FRAME_HEADER_LENGTH: usize = INITIAL_TERM_ID + 4;
    pub(super) const MTU_LENGTH: usize = FRAME_HEADER_LENGTH + 4;
    pub(super) const TERM_LENGTH: usize = MTU_LENGTH + 4;
    pub(super) const PAGE_SIZE: usize = TERM_LENGTH + 4;
    pub(super) const PUBLICATION_WINDOW_LENGTH: usize = PAGE_SIZE + 4;
    pub(super) const RECEIVER_WINDOW_LENGTH: usize = PUBLICATION_WINDOW_LENGTH + 4;
    pub(super) const SOCKET_SNDBUF_LENGTH: usize = RECEIVER_WINDOW_LENGTH + 4;
    pub(super) const OS_DEFAULT_SOCKET_SNDBUF_LENGTH: usize = SOCKET_SNDBUF_LENGTH + 4;
    pub(super) const OS_MAX_SOCKET_SNDBUF_LENGTH: usize = OS_DEFAULT_SOCKET_SNDBUF_LENGTH + 4;
    pub(super) const SOCKET_RCVBUF_LENGTH: usize = OS_MAX_SOCKET_SNDBUF_LENGTH + 4;
    pub(super) const OS_DEFAULT_SOCKET_RCVBUF_LENGTH: usize = SOCKET_RCVBUF_LENGTH + 4;
    pub(super) const OS_MAX_SOCKET_RCVBUF_LENGTH: usize = OS_DEFAULT_SOCKET_RCVBUF_LENGTH + 4;
    pub(super) const MAX_RESEND: usize = OS_MAX_SOCKET_RCVBUF_LENGTH + 4;
    pub(super) const DEFAULT_HEADER: usize = MAX_RESEND + 4;
    pub(super) const ENTITY_TAG: usize = DEFAULT_HEADER + 128;
    pub(super) const RESPONSE_CORRELATION_ID: usize = ENTITY_TAG + 8;
    pub(super) const LINGER_TIMEOUT_NS: usize = RESPONSE_CORRELATION_ID + 8;
    pub(super) const UNTETHERED_WINDOW_LIMIT_TIMEOUT_NS: usize = LINGER_TIMEOUT_NS + 8;
    pub(super) const UNTETHERED_RESTING_TIMEOUT_NS: usize = UNTETHERED_WINDOW_LIMIT_TIMEOUT_NS + 8;
    pub(super) const GROUP: usize = UNTETHERED_RESTING_TIMEOUT_NS + 8;
    pub(super) const IS_RESPONSE: usize = GROUP + 1;
    pub(super) const REJOIN: usize = IS_RESPONSE + 1;
    pub(super) const RELIABLE: usize = REJOIN + 1;
    pub(super) const SPARSE: usize = RELIABLE + 1;
    pub(super) const SIGNAL_EOS: usize = SPARSE + 1;
    pub(super) const SPIES_SIMULATE_CONNECTION: usize = SIGNAL_EOS + 1;
    pub(super) const TETHER: usize = SPIES_SIMULATE_CONNECTION + 1;
    pub(super) const IS_PUBLICATION_REVOKED: usize = TETHER + 1;
    pub(super) const TYPE: usize = IS_PUBLICATION_REVOKED + 1;
    /// Only 4-aligned: accessed as two halves.
    pub(super) const UNTETHERED_LINGER_TIMEOUT_NS: usize = TYPE + 3;
    pub(super) const END: usize = UNTETHERED_LINGER_TIMEOUT_NS + 8;
}

const _: () = assert!(at::ACTIVE_TERM_COUNT == 24);
const _: () = assert!(at::ACTIVE_TRANSPORT_COUNT == 140);
const _: () = assert!(at::MTU_LENGTH == 272 && at::TERM_LENGTH == 276 && at::PAGE_SIZE == 280);
const _: () = assert!(at::MAX_RESEND == 316 && at::DEFAULT_HEADER == 320);
const _: () = assert!(at::ENTITY_TAG == 448 && at::UNTETHERED_RESTING_TIMEOUT_NS == 480);
const _: () = assert!(at::GROUP == 488 && at::IS_PUBLICATION_REVOKED == 496 && at::TYPE == 497);
const _: () = assert!(at::UNTETHERED_LINGER_TIMEOUT_NS == 500 && at::END == 508);
const _: () = assert!(at::END <= METADATA_LENGTH);

/// A tail counter: the id of the term its partition holds and how much of it is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) term_id: TermId,
    /// Not clamped: failed appends leave it beyond the term's end.
    offset: u32,
}

impl Tail {
    /// Term id in the upper 32 bits, offset in the lower.
    #[inline]
    pub(super) const fn pack(term_id: TermId, offset: i32) -> i64 {
        ((term_id.0 as i64) << 32) | offset.unsigned_abs() as i64
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "two halves"
    )]
    pub(super) const fn unpack(raw: i64) -> Self {
        Self {
            term_id: TermId((raw >> 32) as i32),
            offset: raw as u32,
        }
    }

    /// The offset, at most `term_length`.
    #[inline]
    pub(super) const fn offset(self, term_length: i32) -> i32 {
        let limit = term_length.unsigned_abs();
        let offset = if self.offset < limit {
            self.offset
        } else {
            limit
        };
        offset.cast_signed()
    }
}

/// The metadata page of a log. Getters of fields that never change are unordered loads; the others
/// name who writes them. Values may come from a foreign driver, so they are plain integers here.
///
/// ```
/// use aileron::logbuffer::{LogBuffer, LogSpec};
/// use aileron::memory::AtomicBuffer;
/// let spec = LogSpec { correlation_id: 42, ..LogSpec::default() };
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).unwrap();
/// assert_eq!(log.metadata().correlation_id(), 42);
/// ```
#[derive(Clone, Debug)]
pub struct Metadata {
    buffer: AtomicBuffer,
}

macro_rules! i32_fields {
    ($($(#[$doc:meta])* $name:ident: $offset:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> i32 {
            self.buffer.load_i32_relaxed(at::$offset)
        })*
    };
}

macro_rules! i64_fields {
    ($($(#[$doc:meta])* $name:ident: $offset:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> i64 {
            self.buffer.load_i64_relaxed(at::$offset)
        })*
    };
}

macro_rules! bool_fields {
    ($($(#[$doc:meta])* $name:ident: $offset:ident;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> bool {
            self.buffer.load_u8_relaxed(at::$offset) == 1
        })*
    };
}

impl Metadata {
    /// `buffer` is the last page of the log.
    pub(super) const fn new(buffer: AtomicBuffer) -> Self {
        Self { buffer }
    }

    i32_fields! {
        /// Id of the stream's first term.
        initial_term_id_raw: INITIAL_TERM_ID;
        /// Length of a frame header; 32.
        default_frame_header_length: FRAME_HEADER_LENGTH;
        /// Longest frame, in bytes.
        mtu_length: MTU_LENGTH;
        /// Length of a term, in bytes.
        term_length: TERM_LENGTH;
        /// Page size the file was rounded up to, in bytes.
        page_size: PAGE_SIZE;
        /// The publisher's flow-control window, in bytes.
        publication_window_length: PUBLICATION_WINDOW_LENGTH;
        /// Initial receiver window of an image, in bytes.
        receiver_window_length: RECEIVER_WINDOW_LENGTH;
        /// Requested `SO_SNDBUF` in bytes; 0 for the default.
        socket_sndbuf_length: SOCKET_SNDBUF_LENGTH;
        /// `SO_SNDBUF` of a fresh socket, in bytes.
        os_default_socket_sndbuf_length: OS_DEFAULT_SOCKET_SNDBUF_LENGTH;
        /// Largest `SO_SNDBUF`, in bytes.
        os_max_socket_sndbuf_length: OS_MAX_SOCKET_SNDBUF_LENGTH;
        /// Requested `SO_RCVBUF` in bytes; 0 for the default.
        socket_rcvbuf_length: SOCKET_RCVBUF_LENGTH;
        /// `SO_RCVBUF` of a fresh socket, in bytes.
        os_default_socket_rcvbuf_length: OS_DEFAULT_SOCKET_RCVBUF_LENGTH;
        /// Largest `SO_RCVBUF`, in bytes.
        os_max_socket_rcvbuf_length: OS_MAX_SOCKET_RCVBUF_LENGTH;
        /// Most retransmissions under way at once.
        max_resend: MAX_RESEND;
    }

    i64_fields! {
        /// Registration id of the publication, or correlation id of the image.
        correlation_id: CORRELATION_ID;
        /// Entity part of the channel's `tags`; -1 for none.
        entity_tag: ENTITY_TAG;
        /// Correlation id of the image this publication answers; -1 for none.
        response_correlation_id: RESPONSE_CORRELATION_ID;
        /// How long the publication stays after its last client, in nanoseconds.
        linger_timeout_ns: LINGER_TIMEOUT_NS;
        /// When an untethered subscriber counts as too slow, in nanoseconds.
        untethered_window_limit_timeout_ns: UNTETHERED_WINDOW_LIMIT_TIMEOUT_NS;
        /// How long an untethered subscriber rests, in nanoseconds.
        untethered_resting_timeout_ns: UNTETHERED_RESTING_TIMEOUT_NS;
    }

    bool_fields! {
        /// Whether the channel has group semantics.
        group: GROUP;
        /// Whether the channel is a response channel.
        is_response: IS_RESPONSE;
        /// Whether the image rejoins after it went unavailable.
        rejoin: REJOIN;
        /// Whether the image asks for what it lost.
        reliable: RELIABLE;
        /// Whether the file was created with holes; not to be relied upon with foreign drivers.
        sparse: SPARSE;
        /// Whether the end of the stream is signalled.
        signal_eos: SIGNAL_EOS;
        /// Whether spies count as connected subscribers.
        spies_simulate_connection: SPIES_SIMULATE_CONNECTION;
        /// Whether subscribers hold back the publisher.
        tether: TETHER;
    }

    /// How long an untethered subscriber lingers, in nanoseconds.
    #[must_use]
    pub fn untethered_linger_timeout_ns(&self) -> i64 {
        let low = self
            .buffer
            .load_i32_relaxed(at::UNTETHERED_LINGER_TIMEOUT_NS);
        let high = self
            .buffer
            .load_i32_relaxed(at::UNTETHERED_LINGER_TIMEOUT_NS + 4);
        i64::from(high) << 32 | i64::from(low.cast_unsigned())
    }

    /// Whose log it is; `None` if the byte is none of the three.
    #[must_use]
    pub fn kind(&self) -> Option<LogKind> {
        LogKind::from_wire(self.buffer.load_u8_relaxed(at::TYPE))
    }

    /// Id of the stream's first term.
    #[must_use]
    pub fn initial_term_id(&self) -> TermId {
        TermId(self.initial_term_id_raw())
    }

    /// Session in the template header.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        let offset = at::DEFAULT_HEADER + field::SESSION_ID;
        SessionId(self.buffer.load_i32_relaxed(offset))
    }

    /// Stream in the template header.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        let offset = at::DEFAULT_HEADER + field::STREAM_ID;
        StreamId(self.buffer.load_i32_relaxed(offset))
    }

    /// Whether a publication has a live consumer. Written by the driver.
    #[must_use]
    #[inline]
    pub fn is_connected(&self) -> bool {
        // PUBLISH(is-connected): pairs with `set_connected`.
        self.buffer.load_i32_acquire(at::IS_CONNECTED) == 1
    }

    /// Driver: says whether a publication has a live consumer.
    pub fn set_connected(&self, is_connected: bool) {
        // PUBLISH(is-connected): pairs with `is_connected`.
        self.buffer
            .store_i32_release(at::IS_CONNECTED, i32::from(is_connected));
    }

    /// First position that will never hold data; `i64::MAX` until it is known.
    #[must_use]
    #[inline]
    pub fn end_of_stream_position(&self) -> Position {
        // PUBLISH(end-of-stream): pairs with `set_end_of_stream_position`.
        Position(self.buffer.load_i64_acquire(at::END_OF_STREAM_POSITION))
    }

    /// Driver: tells where the stream ends.
    pub fn set_end_of_stream_position(&self, position: Position) {
        // PUBLISH(end-of-stream): pairs with `end_of_stream_position`.
        self.buffer
            .store_i64_release(at::END_OF_STREAM_POSITION, position.0);
    }

    /// Whether the publisher took back what was not yet read. Written by the driver.
    #[must_use]
    #[inline]
    pub fn is_publication_revoked(&self) -> bool {
        // PUBLISH(revoked): pairs with `set_publication_revoked`.
        self.buffer.load_u8_acquire(at::IS_PUBLICATION_REVOKED) == 1
    }

    /// Driver: marks the publication as revoked, or not.
    pub fn set_publication_revoked(&self, is_revoked: bool) {
        // PUBLISH(revoked): pairs with `is_publication_revoked`.
        self.buffer
            .store_u8_release(at::IS_PUBLICATION_REVOKED, u8::from(is_revoked));
    }

    /// Transports an image was lately heard on. Written by the driver's receiver.
    #[must_use]
    #[inline]
    pub fn active_transport_count(&self) -> i32 {
        // PUBLISH(active-transports): pairs with `set_active_transport_count`.
        self.buffer.load_i32_acquire(at::ACTIVE_TRANSPORT_COUNT)
    }

    /// Driver: says on how many transports an image was lately heard.
    pub fn set_active_transport_count(&self, count: i32) {
        // PUBLISH(active-transports): pairs with `active_transport_count`.
        self.buffer
            .store_i32_release(at::ACTIVE_TRANSPORT_COUNT, count);
    }

    /// How many terms precede the active one.
    #[must_use]
    #[inline]
    pub fn active_term_count(&self) -> i32 {
        // PUBLISH(term-count): pairs with the rotations; the new tail was stored before.
        self.buffer.load_i32_acquire(at::ACTIVE_TERM_COUNT)
    }

    /// The tail counter of a partition as it is stored: term id in the upper 32 bits, offset, which
    /// may exceed the term length, in the lower.
    ///
    /// # Panics
    /// When `index` is not 0, 1 or 2.
    #[must_use]
    #[inline]
    pub fn raw_tail(&self, index: usize) -> i64 {
        // PUBLISH(tail): pairs with `fetch_add_tail`, `set_tail` and the rotations.
        self.buffer.load_i64_acquire(tail_offset(index))
    }

    /// Asks for the line of the tails and the active term, to be written. Where several publishers
    /// contend for it, it then moves once for each claim: a load alone would fetch a copy first,
    /// and the fetch-add the line itself after that.
    #[inline(always)]
    pub(super) fn prefetch_tails(&self) {
        self.buffer.prefetch_to_write(tail_offset(0));
    }

    /// Reserves `length` bytes; returns the tail as it was before.
    #[inline]
    pub(super) fn fetch_add_tail(&self, index: usize, length: i32) -> Tail {
        // PUBLISH(tail): several writers. Pairs with `raw_tail`.
        Tail::unpack(
            self.buffer
                .fetch_add_i64_seq_cst(tail_offset(index), i64::from(length)),
        )
    }

    /// Stores the tail of a log with one writer.
    #[inline]
    pub(super) fn set_tail(&self, index: usize, term_id: TermId, offset: i32) {
        // PUBLISH(tail): pairs with `raw_tail`.
        self.buffer
            .store_i64_release(tail_offset(index), Tail::pack(term_id, offset));
    }

    /// Makes the next term of a log with one writer the active one.
    pub(super) fn rotate_exclusive(&self, index: usize, term_id: TermId, count: i32) {
        // The release of the count orders this store.
        self.buffer
            .store_i64_relaxed(tail_offset(index), Tail::pack(term_id, 0));
        // PUBLISH(term-count): pairs with `active_term_count`.
        self.buffer.store_i32_release(at::ACTIVE_TERM_COUNT, count);
    }

    /// Makes the term after `term_id`, the `count`-th, the active one, unless somebody else does.
    /// Returns whether it was this call. `LogBufferDescriptor.rotateLog`.
    pub(super) fn rotate(&self, count: i32, term_id: TermId) -> bool {
        let next_id = term_id.plus(1);
        let next_count = count.wrapping_add(1);
        let index = TermGeometry::index_of_count(next_count);
        // The tail first: whoever acquires the new count must also find the new tail. A tail that
        // does not hold the id of three terms ago was reset already and must not be again.
        loop {
            let raw = self.raw_tail(index);
            if Tail::unpack(raw).term_id != next_id.plus(-3) {
                break;
            }
            // PUBLISH(tail): pairs with `raw_tail`.
            let fresh = Tail::pack(next_id, 0);
            if self
                .buffer
                .compare_exchange_i64_seq_cst(tail_offset(index), raw, fresh)
                .is_ok()
            {
                break;
            }
        }
        // PUBLISH(term-count): pairs with `active_term_count`.
        let offset = at::ACTIVE_TERM_COUNT;
        self.buffer
            .compare_exchange_i32_seq_cst(offset, count, next_count)
            .is_ok()
    }

    /// Fills a zeroed page. The log is announced afterwards, which publishes these plain stores.
    pub(super) fn write(&self, spec: &LogSpec) {
        if spec.kind != LogKind::Image {
            self.write_tails(spec);
        }
        self.write_lengths(spec);
        self.write_default_header(spec);
        self.write_flags(spec);
        let b = &self.buffer;
        b.store_i64_relaxed(at::CORRELATION_ID, spec.correlation_id);
        b.store_i64_relaxed(at::ENTITY_TAG, spec.entity_tag);
        b.store_i64_relaxed(at::RESPONSE_CORRELATION_ID, spec.response_correlation_id);
        b.store_i64_relaxed(at::LINGER_TIMEOUT_NS, spec.linger_timeout_ns);
        b.store_i64_relaxed(
            at::UNTETHERED_WINDOW_LIMIT_TIMEOUT_NS,
            spec.untethered_window_limit_timeout_ns,
        );
        b.store_i64_relaxed(
            at::UNTETHERED_RESTING_TIMEOUT_NS,
            spec.untethered_resting_timeout_ns,
        );
        let [a0, a1, a2, a3, b0, b1, b2, b3] = spec.untethered_linger_timeout_ns.to_le_bytes();
        let halves = [
            i32::from_le_bytes([a0, a1, a2, a3]),
            i32::from_le_bytes([b0, b1, b2, b3]),
        ];
        b.store_i32_relaxed(at::UNTETHERED_LINGER_TIMEOUT_NS, halves[0]);
        b.store_i32_relaxed(at::UNTETHERED_LINGER_TIMEOUT_NS + 4, halves[1]);
        self.set_end_of_stream_position(Position(i64::MAX));
    }

    fn write_tails(&self, spec: &LogSpec) {
        let initial = spec.initial_term_id;
        let (term_id, offset) = spec.start.unwrap_or((initial, TermOffset(0)));
        let count = term_id.count_since(initial);
        self.set_tail(TermGeometry::index_of_count(count), term_id, offset.0);
        // Each of the other partitions holds the id it will have next, less three.
        for step in 1..3 {
            let index = TermGeometry::index_of_count(count.wrapping_add(step));
            self.set_tail(index, term_id.plus(step - 3), 0);
        }
        self.buffer.store_i32_relaxed(at::ACTIVE_TERM_COUNT, count);
    }

    fn write_lengths(&self, spec: &LogSpec) {
        for (offset, value) in [
            (at::INITIAL_TERM_ID, spec.initial_term_id.0),
            (at::FRAME_HEADER_LENGTH, HEADER_LENGTH),
            (at::MTU_LENGTH, spec.mtu_length),
            (at::TERM_LENGTH, spec.term_length),
            (at::PAGE_SIZE, spec.page_size),
            (
                at::PUBLICATION_WINDOW_LENGTH,
                spec.publication_window_length,
            ),
            (at::RECEIVER_WINDOW_LENGTH, spec.receiver_window_length),
            (at::SOCKET_SNDBUF_LENGTH, spec.socket_sndbuf_length),
            (
                at::OS_DEFAULT_SOCKET_SNDBUF_LENGTH,
                spec.os_default_socket_sndbuf_length,
            ),
            (
                at::OS_MAX_SOCKET_SNDBUF_LENGTH,
                spec.os_max_socket_sndbuf_length,
            ),
            (at::SOCKET_RCVBUF_LENGTH, spec.socket_rcvbuf_length),
            (
                at::OS_DEFAULT_SOCKET_RCVBUF_LENGTH,
                spec.os_default_socket_rcvbuf_length,
            ),
            (
                at::OS_MAX_SOCKET_RCVBUF_LENGTH,
                spec.os_max_socket_rcvbuf_length,
            ),
            (at::MAX_RESEND, spec.max_resend),
        ] {
            self.buffer.store_i32_relaxed(offset, value);
        }
    }

    /// The template from which foreign clients build every frame they write.
    fn write_default_header(&self, spec: &LogSpec) {
        let base = at::DEFAULT_HEADER;
        let b = &self.buffer;
        b.store_u8_relaxed(base + field::FLAGS, FLAGS_UNFRAGMENTED);
        b.write_bytes(base + field::TYPE, &TYPE_DATA.to_le_bytes());
        b.store_i32_relaxed(base + field::SESSION_ID, spec.session_id.0);
        b.store_i32_relaxed(base + field::STREAM_ID, spec.stream_id.0);
        b.store_i32_relaxed(base + field::TERM_ID, spec.initial_term_id.0);
    }

    fn write_flags(&self, spec: &LogSpec) {
        for (offset, value) in [
            (at::GROUP, spec.group),
            (at::IS_RESPONSE, spec.is_response),
            (at::REJOIN, spec.rejoin),
            (at::RELIABLE, spec.reliable),
            (at::SPARSE, spec.sparse),
            (at::SIGNAL_EOS, spec.signal_eos),
            (
                at::SPIES_SIMULATE_CONNECTION,
                spec.spies_simulate_connection,
            ),
            (at::TETHER, spec.tether),
        ] {
            self.buffer.store_u8_relaxed(offset, u8::from(value));
        }
        self.buffer.store_u8_relaxed(at::TYPE, spec.kind as u8);
    }
}

#[inline]
fn tail_offset(index: usize) -> usize {
    assert!(index < PARTITION_COUNT, "a log has three partitions");
    at::TAILS + index * 8
}
