//! What becomes of received datagrams.

use std::net::SocketAddr;

use super::Datagram;

/// Bytes at the begin of what is received that are kept apart: see [`Arrivals::room`].
pub const APART_LENGTH: usize = 32;

/// Takes in what a transport receives.
///
/// Who knows what comes next can have it received right where it belongs, all but its begin: until
/// the rest is there and has been checked, nobody must see that.
///
/// ```
/// use aileron::port::{Arrivals, Datagram, Landed, deliver};
/// struct Taker { place: [u8; 64], landed: usize }
/// impl Arrivals for Taker {
///     fn room(&mut self) -> Option<&mut [u8]> {
///         Some(&mut self.place)
///     }
///     fn on_landed(&mut self, landed: &Landed<'_>) -> bool {
///         self.landed = landed.length;
///         landed.apart[0] == 7
///     }
///     fn on_datagram(&mut self, _datagram: Datagram<'_>) {}
/// }
/// let mut taker = Taker { place: [0; 64], landed: 0 };
/// deliver(&mut taker, Datagram::whole(&mut [7; 40], "127.0.0.1:4000".parse().unwrap()));
/// assert_eq!((taker.landed, taker.place[7], taker.place[8]), (40, 7, 0));
/// ```
pub trait Arrivals {
    /// Where all but the first [`APART_LENGTH`] bytes of what comes next are best put, if anywhere.
    /// Asked twice in a row it answers the same.
    fn room(&mut self) -> Option<&mut [u8]>;

    /// Something was received that way. Returns whether it belongs there; if not, it is passed to
    /// [`Self::on_datagram`].
    fn on_landed(&mut self, landed: &Landed<'_>) -> bool;

    /// Something was received elsewhere.
    fn on_datagram(&mut self, datagram: Datagram<'_>);
}

/// One or more datagrams of one sender that were put where [`Arrivals::room`] said.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by transports elsewhere")]
pub struct Landed<'a> {
    /// The first bytes.
    pub apart: &'a [u8; APART_LENGTH],
    /// Bytes of all, these included.
    pub length: usize,
    /// Bytes of each datagram but the last, which may be shorter. Not 0.
    pub segment_length: usize,
    /// Who sent it.
    pub source: SocketAddr,
}

/// Hands over what is in memory already, into the room for it where there is one. For transports
/// without a kernel that could put it there.
pub fn deliver(arrivals: &mut impl Arrivals, datagram: Datagram<'_>) {
    if let Some((apart, rest)) = datagram.bytes.split_first_chunk()
        && !datagram.is_truncated
        && let Some(room) = arrivals.room()
        && let Some(room) = room.get_mut(..rest.len())
    {
        room.copy_from_slice(rest);
        let landed = Landed {
            apart,
            length: datagram.bytes.len(),
            segment_length: datagram.segment_length,
            source: datagram.source,
        };
        if arrivals.on_landed(&landed) {
            return;
        }
    }
    arrivals.on_datagram(datagram);
}
