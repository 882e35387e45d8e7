//! Which flow control a channel gets: its `fc=` parameter, and the driver's configuration where
//! that says nothing.

use std::fmt;

use super::{FlowControl, GroupFlowControl, GroupParams, MaxFlowControl};
use crate::concurrent::AtomicCounter;
use crate::driver::config::{DriverConfig, MulticastFlowControlSupplier};
use crate::uri::{self, FlowControlParam};

/// Which receivers the sender limit follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StrategyKind {
    /// The only one.
    Unicast,
    /// The fastest.
    Max,
    /// The slowest.
    Min,
    /// The slowest with the group's tag.
    Tagged,
}

/// Why a channel's flow control is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FlowControlError {
    /// The `fc=` parameter does not follow its grammar.
    Parameter(uri::UriError),
    /// A unicast channel has an `fc=` parameter.
    Unicast(String),
}

impl fmt::Display for FlowControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(error) => error.fmt(f),
            Self::Unicast(value) => {
                write!(
                    f,
                    "flow control 'fc={value}' is not allowed on a unicast channel"
                )
            }
        }
    }
}

impl std::error::Error for FlowControlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Parameter(error) => Some(error),
            Self::Unicast(_) => None,
        }
    }
}

/// The flow control of a channel, with nothing left to default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowControlSpec {
    /// The strategy.
    pub(crate) kind: StrategyKind,
    /// Silence after which a receiver is dropped, in nanoseconds.
    pub(crate) receiver_timeout_ns: i64,
    /// Tag of tagged flow control.
    pub(crate) group_tag: i64,
    /// Receivers without which nothing is sent, not negative.
    pub(crate) group_min_size: i32,
    /// Receiver windows that one resend may span, at least 1.
    pub(crate) retransmit_windows: i32,
}

impl FlowControlSpec {
    /// Of a unicast channel. Departs from Aeron's C driver, which ignores `fc=` here.
    ///
    /// # Errors
    /// The channel has an `fc=` parameter.
    pub(crate) fn unicast(
        parameter: Option<&str>,
        config: &DriverConfig,
    ) -> Result<Self, FlowControlError> {
        match parameter {
            None => Ok(Self::with_kind(StrategyKind::Unicast, config)),
            Some(value) => Err(FlowControlError::Unicast(value.to_owned())),
        }
    }

    /// Of a multicast or multi-destination channel.
    ///
    /// # Errors
    /// The parameter does not follow the grammar, or has options the strategy does not know.
    pub(crate) fn group(
        parameter: Option<&str>,
        config: &DriverConfig,
    ) -> Result<Self, FlowControlError> {
        let Some(value) = parameter else {
            return Ok(Self::with_kind(configured_kind(config), config));
        };
        let param = FlowControlParam::parse(value).map_err(FlowControlError::Parameter)?;
        let kind = match param.strategy {
            uri::FlowControlStrategy::Max => StrategyKind::Max,
            uri::FlowControlStrategy::Min => StrategyKind::Min,
            uri::FlowControlStrategy::Tagged => StrategyKind::Tagged,
        };
        let default = Self::with_kind(kind, config);
        Ok(Self {
            kind,
            receiver_timeout_ns: param
                .receiver_timeout_ns
                .unwrap_or(default.receiver_timeout_ns),
            group_tag: param.group_tag.unwrap_or(default.group_tag),
            group_min_size: param.group_min_size.unwrap_or(default.group_min_size),
            retransmit_windows: param
                .retransmit_receiver_window_multiple
                .unwrap_or(default.retransmit_windows),
        })
    }

    /// The strategy itself. `receivers` is where its group publishes its size.
    pub(crate) fn build(&self, receivers: Option<AtomicCounter>) -> FlowControl {
        let tag = match self.kind {
            StrategyKind::Unicast | StrategyKind::Max => return FlowControl::Max(MaxFlowControl),
            StrategyKind::Min => None,
            StrategyKind::Tagged => Some(self.group_tag),
        };
        FlowControl::Group(GroupFlowControl::new(GroupParams {
            tag,
            min_size: usize::try_from(self.group_min_size).unwrap_or(0),
            receiver_timeout_ns: self.receiver_timeout_ns,
            receivers,
        }))
    }

    /// Whether the strategy counts receivers, and so wants a counter for them.
    pub(crate) const fn has_receiver_counter(&self) -> bool {
        matches!(self.kind, StrategyKind::Min | StrategyKind::Tagged)
    }

    const fn with_kind(kind: StrategyKind, config: &DriverConfig) -> Self {
        Self {
            kind,
            receiver_timeout_ns: config.flow_control_receiver_timeout_ns,
            group_tag: config.flow_control_group_tag,
            group_min_size: config.flow_control_group_min_size,
            retransmit_windows: if matches!(kind, StrategyKind::Unicast) {
                config.unicast_flow_control_rrwm
            } else {
                config.multicast_flow_control_rrwm
            },
        }
    }
}

const fn configured_kind(config: &DriverConfig) -> StrategyKind {
    match config.multicast_flow_control {
        MulticastFlowControlSupplier::Default
        | MulticastFlowControlSupplier::Max
        | MulticastFlowControlSupplier::UnicastMax => StrategyKind::Max,
        MulticastFlowControlSupplier::Min => StrategyKind::Min,
        MulticastFlowControlSupplier::Tagged => StrategyKind::Tagged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(value: &str) -> Result<FlowControlSpec, FlowControlError> {
        FlowControlSpec::group(Some(value), &DriverConfig::default())
    }

    #[test]
    fn the_configuration_fills_what_is_missing() {
        let config = DriverConfig::default();
        let unicast = FlowControlSpec::unicast(None, &config).expect("no parameter");
        assert_eq!(
            (unicast.kind, unicast.retransmit_windows),
            (StrategyKind::Unicast, 16)
        );
        let max = FlowControlSpec::group(None, &config).expect("no parameter");
        assert_eq!((max.kind, max.retransmit_windows), (StrategyKind::Max, 4));
        let tagged = group("tagged").expect("legal");
        assert_eq!((tagged.group_tag, tagged.group_min_size), (-1, 0));
        assert_eq!(tagged.receiver_timeout_ns, 5_000_000_000);
    }

    #[test]
    fn the_channel_overrides_the_configuration() {
        let spec = group("tagged,t:250ms,g:123/5,rrwm:7").expect("legal");
        assert_eq!(spec.kind, StrategyKind::Tagged);
        assert_eq!(spec.receiver_timeout_ns, 250_000_000);
        assert_eq!((spec.group_tag, spec.group_min_size), (123, 5));
        assert_eq!(spec.retransmit_windows, 7);
    }

    #[test]
    fn a_malformed_parameter_is_refused() {
        assert!(matches!(group("fast"), Err(FlowControlError::Parameter(_))));
        assert!(matches!(
            group("max,t:1s"),
            Err(FlowControlError::Parameter(_))
        ));
    }

    #[test]
    fn unicast_takes_no_flow_control() {
        let error = FlowControlSpec::unicast(Some("max"), &DriverConfig::default())
            .expect_err("a unicast channel");
        assert_eq!(
            error.to_string(),
            "flow control 'fc=max' is not allowed on a unicast channel"
        );
    }

    #[test]
    fn the_strategy_follows_the_kind() {
        assert!(matches!(
            group("max").expect("legal").build(None),
            FlowControl::Max(_)
        ));
        let min = group("min").expect("legal");
        assert!(min.has_receiver_counter() && !min.build(None).uses_group_tag());
        assert!(group("tagged").expect("legal").build(None).uses_group_tag());
    }
}
