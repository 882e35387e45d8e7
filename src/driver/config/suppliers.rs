//! Strategies of the user's own, which no text can name: only a program that embeds the driver has
//! them.

use std::fmt;
use std::sync::Arc;

use super::DriverConfigBuilder;
use crate::base::{SessionId, StreamId};
use crate::driver::congestion::CongestionController;
use crate::driver::flow_control::FlowControlStrategy;

/// The stream that a strategy is wanted for.
///
/// ```
/// use aileron::DriverConfig;
/// let config = DriverConfig::builder()
///     .flow_control_supplier(|stream| {
///         println!("stream {} of {}", stream.stream_id, stream.channel);
///         None // The driver's own will do.
///     })
///     .build()?;
/// # Ok::<(), aileron::driver::config::ConfigErrors>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamProfile<'a> {
    /// The channel: of flow control the publication's, of congestion control the subscription's.
    pub channel: &'a str,
    /// The stream.
    pub stream_id: StreamId,
    /// The session.
    pub session_id: SessionId,
    /// Length of a term.
    pub term_length: i32,
    /// Longest frame.
    pub mtu_length: i32,
    /// The window that the channel or the driver's settings give: of flow control the publication
    /// window, of congestion control the receiver window.
    pub window_length: i32,
}

type Supplier<T> = Arc<dyn Fn(&StreamProfile<'_>) -> Option<Box<T>> + Send + Sync>;

/// What makes strategies of the user's; called by the conductor.
#[derive(Clone, Default)]
pub(crate) struct Suppliers {
    flow_control: Option<Supplier<dyn FlowControlStrategy>>,
    congestion: Option<Supplier<dyn CongestionController>>,
}

impl Suppliers {
    /// The user's flow control of a publication, if it is to have any.
    pub(crate) fn flow_control(
        &self,
        profile: &StreamProfile<'_>,
    ) -> Option<Box<dyn FlowControlStrategy>> {
        self.flow_control.as_ref()?(profile)
    }

    /// The user's congestion control of an image, if it is to have any.
    pub(crate) fn congestion(
        &self,
        profile: &StreamProfile<'_>,
    ) -> Option<Box<dyn CongestionController>> {
        self.congestion.as_ref()?(profile)
    }
}

impl fmt::Debug for Suppliers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suppliers")
            .field("flow_control", &self.flow_control.is_some())
            .field("congestion", &self.congestion.is_some())
            .finish()
    }
}

/// Two suppliers are equal if they are the same.
impl PartialEq for Suppliers {
    fn eq(&self, other: &Self) -> bool {
        fn is_same<T: ?Sized>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
        }
        is_same(self.flow_control.as_ref(), other.flow_control.as_ref())
            && is_same(self.congestion.as_ref(), other.congestion.as_ref())
    }
}

impl DriverConfigBuilder {
    /// Gives network publications a flow control of the user's own, where `supplier` returns one;
    /// the others keep what their channels and the settings say. Called when a publication is
    /// added, on the conductor's thread, which must not wait.
    #[must_use]
    pub fn flow_control_supplier(
        mut self,
        supplier: impl Fn(&StreamProfile<'_>) -> Option<Box<dyn FlowControlStrategy>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.config.suppliers.flow_control = Some(Arc::new(supplier));
        self
    }

    /// Gives images a congestion control of the user's own, where `supplier` returns one; the
    /// others keep what their channels and the settings say. Called when an image is created, on
    /// the conductor's thread, which must not wait.
    #[must_use]
    pub fn congestion_control_supplier(
        mut self,
        supplier: impl Fn(&StreamProfile<'_>) -> Option<Box<dyn CongestionController>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.config.suppliers.congestion = Some(Arc::new(supplier));
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::driver::config::DriverConfig;

    #[test]
    fn configurations_differ_by_their_suppliers() {
        let builder = DriverConfig::builder().flow_control_supplier(|_| None);
        let config = builder.clone().build().expect("valid");
        assert_eq!(config, builder.build().expect("valid"));
        assert_ne!(config, DriverConfig::default());
        assert!(format!("{config:?}").contains("flow_control: true, congestion: false"));
    }
}
