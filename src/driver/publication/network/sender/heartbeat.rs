//! What tells receivers how far the stream is while there is no data (`driver.md` §5.4).

use super::SenderHalf;
use crate::base::Position;
use crate::cnc::SystemCounter;
use crate::driver::media::send_endpoint::SendEndpoint;
use crate::driver::publication::network::Cycle;
use crate::port::Transport;
use crate::protocol::data::FRAME_ALIGNMENT;
use crate::protocol::{DataHeader, data};

/// Nanoseconds without data after which a heartbeat is sent.
pub(super) const INTERVAL_NS: i64 = 100_000_000;
/// The same on a path that loses datagrams: the receiver must hear soon of a tail that was lost.
const LOSSY_INTERVAL_NS: i64 = 10_000_000;
/// Nanoseconds from a NAK until a path counts as free of loss again.
const LOSSY_NS: i64 = 1_000_000_000;

impl SenderHalf {
    pub(super) fn send_heartbeat_if_due<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) -> usize {
        let is_due = cycle.now.is_expired(
            self.time_of_last_data_or_heartbeat,
            self.heartbeat_ns(cycle),
        );
        if !self.has_initial_connection || !is_due {
            return 0;
        }
        self.time_of_last_data_or_heartbeat = cycle.now;
        let mut flags = data::flags::UNFRAGMENTED;
        if self.log.is_publication_revoked() {
            flags |= data::flags::EOS | data::flags::REVOKED;
        } else if self.identity.signal_eos && self.shared.is_end_of_stream.get() {
            flags |= data::flags::EOS;
        }
        let is_end = flags & data::flags::EOS != 0;
        let position = if is_end {
            self.position
        } else {
            self.told_position()
        };
        let geometry = self.identity.geometry;
        let mut frame = [0; DataHeader::LENGTH];
        DataHeader::heartbeat(
            self.identity.session_id,
            self.identity.stream_id,
            geometry.term_id_at(position),
            geometry.term_offset_at(position),
            flags,
        )
        .encode(&mut frame);
        cycle.system.get(SystemCounter::HeartbeatsSent).add(1);
        self.send_frame(&frame, endpoint, cycle)
    }

    /// Nanoseconds without data after which a heartbeat is due.
    fn heartbeat_ns(&self, cycle: &Cycle<'_>) -> i64 {
        let is_lossy = self
            .time_of_last_nak
            .is_some_and(|last| !cycle.now.is_expired(last, LOSSY_NS));
        if is_lossy && self.resend_queue.is_some() {
            LOSSY_INTERVAL_NS
        } else {
            INTERVAL_NS
        }
    }

    /// How far a heartbeat tells that the stream is: no further than receivers allow.
    ///
    /// Departs from Aeron, which tells its own position always. The padding at the end of a term
    /// may begin within the limit and end behind it. A receiver whose window is half a term long
    /// ignores what is behind it: if it lost all up to there, it would not learn so (`driver.md`
    /// §8.2), and the stream would stand still until it is given up.
    fn told_position(&self) -> Position {
        let geometry = self.identity.geometry;
        let beyond = self.position - self.limit;
        let is_behind_padding = geometry.term_offset_at(self.position).0 == 0
            && (1..i64::from(geometry.term_length() / 4)).contains(&beyond);
        if is_behind_padding {
            Position(self.limit.0 & !(i64::from(FRAME_ALIGNMENT) - 1))
        } else {
            self.position
        }
    }
}
