//! Whether a frame has come at one place: all that is asked of a stream that has been idle.

use crate::base::Position;
use crate::memory::AtomicBuffer;

use super::frame::size;
use super::log::LogBuffer;

/// The place where the next frame of a log will be.
///
/// To ask costs one look at the log and none at whoever owns it, so that many idle streams can be
/// asked in little time. It keeps the log's memory.
#[derive(Clone, Debug)]
pub(crate) struct FrameWatch {
    term: AtomicBuffer,
    offset: usize,
}

impl FrameWatch {
    /// Whether something was committed there. Relaxed: whoever reads the frame acquires it.
    #[inline]
    pub(crate) fn has_frame(&self) -> bool {
        self.term.load_i32_relaxed(self.offset) > 0
    }
}

impl LogBuffer {
    /// Watches for the frame at `position`; `None` if there can be none.
    pub(crate) fn watch(&self, position: Position) -> Option<FrameWatch> {
        let (index, offset) = self.geometry().locate(position)?;
        Some(FrameWatch {
            term: self.term(index).clone(),
            offset: size(offset),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logbuffer::LogSpec;

    #[test]
    fn a_frame_is_seen_where_it_is_watched_for_and_nowhere_else() {
        let spec = LogSpec::default();
        let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).expect("a log");
        let watches = [0, 64, 65_536].map(|at| log.watch(Position(at)).expect("a place"));
        assert!(watches.iter().all(|watch| !watch.has_frame()));
        let claim = log.claim(Position(1024), 5).expect("room");
        assert!(!watches[0].has_frame(), "claimed is not committed");
        claim.commit();
        assert!(watches[0].has_frame());
        assert!(!watches[1].has_frame());
        assert!(!watches[2].has_frame());
    }

    #[test]
    fn no_frame_comes_where_none_can_begin() {
        let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default());
        let log = log.expect("a log");
        assert!(log.watch(Position(-32)).is_none());
        assert!(log.watch(Position(33)).is_none());
    }
}
