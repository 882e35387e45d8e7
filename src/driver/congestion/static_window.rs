//! The window that never changes: flow control alone.

use super::WindowDecision;

/// Advertises the same window for the life of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StaticWindow {
    window_length: i32,
}

impl StaticWindow {
    /// A window of `window_length` bytes.
    pub(crate) const fn new(window_length: i32) -> Self {
        debug_assert!(window_length > 0);
        Self { window_length }
    }

    /// Bytes.
    pub(crate) const fn window_length(self) -> i32 {
        self.window_length
    }

    pub(super) const fn decision(self) -> WindowDecision {
        WindowDecision {
            window_length: self.window_length,
            force_status_message: false,
        }
    }
}
