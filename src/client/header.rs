//! The header a handler is given: of a frame in the log, or of a reassembled message.

use std::fmt;
use std::ops::Deref;

use super::Image;
use crate::logbuffer;

/// Header of a fragment or message, with the image it came from. All fields and the position are
/// those of [`logbuffer::Header`], to which this dereferences.
///
/// ```no_run
/// # fn demo(subscription: &mut aileron::client::Subscription) {
/// subscription.poll(10, |payload, header| {
///     let from = header.image().map(|image| image.source_identity());
///     println!("{} bytes up to {} from {from:?}", payload.len(), header.position());
/// });
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Header<'a> {
    frame: logbuffer::Header<'a>,
    image: Option<&'a Image>,
}

impl<'a> Header<'a> {
    /// A header, of `image` if the frame is in the log of one.
    #[must_use]
    #[inline]
    pub const fn new(frame: logbuffer::Header<'a>, image: Option<&'a Image>) -> Self {
        Self { frame, image }
    }

    /// The image that the fragment, or the last fragment of the message, came from.
    #[must_use]
    #[inline]
    pub const fn image(&self) -> Option<&'a Image> {
        self.image
    }
}

impl<'a> Deref for Header<'a> {
    type Target = logbuffer::Header<'a>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.frame
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}
