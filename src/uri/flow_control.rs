//! The `fc` parameter (`uri.md` §2.1).

use super::channel_uri::parse_decimal;
use super::error::UriError;
use super::params;
use super::units::parse_duration;

/// Named flow control strategies of the `fc` parameter.
///
/// ```
/// use aileron::uri::{FlowControlParam, FlowControlStrategy};
/// let fc = FlowControlParam::parse("min,t:2s").unwrap();
/// assert_eq!(fc.strategy, FlowControlStrategy::Min);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the strategies of the grammar")]
pub enum FlowControlStrategy {
    /// The fastest receiver leads.
    Max,
    /// The slowest receiver leads.
    Min,
    /// The slowest receiver of the group with the tag leads.
    Tagged,
}

/// The `fc` parameter taken apart. What is absent is the driver's default.
///
/// ```
/// use aileron::uri::{FlowControlParam, FlowControlStrategy};
/// let fc = FlowControlParam::parse("tagged,g:123/2,t:5s").unwrap();
/// assert_eq!(fc.strategy, FlowControlStrategy::Tagged);
/// assert_eq!((fc.group_tag, fc.group_min_size), (Some(123), Some(2)));
/// assert_eq!(fc.receiver_timeout_ns, Some(5_000_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parts of the grammar")]
pub struct FlowControlParam {
    /// The strategy.
    pub strategy: FlowControlStrategy,
    /// Tag of the receivers that count, for [`FlowControlStrategy::Tagged`].
    pub group_tag: Option<i64>,
    /// Receivers without which the publication is not connected; not negative.
    pub group_min_size: Option<i32>,
    /// Silence after which a receiver no longer counts.
    pub receiver_timeout_ns: Option<i64>,
    /// Longest retransmit in receiver windows; above 0.
    pub retransmit_receiver_window_multiple: Option<i32>,
}

impl FlowControlParam {
    /// Takes the value of an `fc` parameter apart.
    ///
    /// # Errors
    /// The strategy is unknown, or an option is malformed or does not fit the strategy.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let error = |reason: String| UriError::parameter_value(params::FLOW_CONTROL, text, reason);
        let mut parts = text.split(',');
        let strategy = match parts.next() {
            Some("max") => FlowControlStrategy::Max,
            Some("min") => FlowControlStrategy::Min,
            Some("tagged") => FlowControlStrategy::Tagged,
            _ => return Err(error("expected max, min or tagged".to_owned())),
        };
        let mut parsed = Self {
            strategy,
            group_tag: None,
            group_min_size: None,
            receiver_timeout_ns: None,
            retransmit_receiver_window_multiple: None,
        };
        for option in parts {
            if parsed.read_option(option).is_none() {
                let expected = match parsed.strategy {
                    FlowControlStrategy::Max => "rrwm:<number>",
                    FlowControlStrategy::Min | FlowControlStrategy::Tagged => {
                        "g:[<tag>][/<size>], t:<duration> or rrwm:<number>"
                    }
                };
                return Err(error(format!("option '{option}', expected {expected}")));
            }
        }
        Ok(parsed)
    }

    fn read_option(&mut self, option: &str) -> Option<()> {
        let (name, value) = option.split_once(':')?;
        let is_max = self.strategy == FlowControlStrategy::Max;
        match name {
            "rrwm" => {
                let multiple = i32::try_from(parse_decimal(value)?).ok()?;
                self.retransmit_receiver_window_multiple = (multiple > 0).then_some(multiple);
                self.retransmit_receiver_window_multiple.map(|_| ())
            }
            "t" if !is_max => {
                self.receiver_timeout_ns = Some(parse_duration(value)?);
                Some(())
            }
            "g" if !is_max => self.read_group(value),
            _ => None,
        }
    }

    fn read_group(&mut self, value: &str) -> Option<()> {
        let (tag, min_size) = match value.split_once('/') {
            Some((tag, min_size)) => (tag, Some(min_size)),
            None => (value, None),
        };
        if !tag.is_empty() {
            self.group_tag = Some(parse_decimal(tag)?);
        }
        if let Some(min_size) = min_size {
            let min_size = i32::try_from(parse_decimal(min_size)?).ok()?;
            self.group_min_size = Some(if min_size < 0 { return None } else { min_size });
        }
        (!tag.is_empty() || min_size.is_some()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> FlowControlParam {
        FlowControlParam::parse(text).expect(text)
    }

    #[test]
    fn the_examples_of_the_specification_are_understood() {
        assert_eq!(parse("min").strategy, FlowControlStrategy::Min);
        assert_eq!(parse("min,t:10s").receiver_timeout_ns, Some(10_000_000_000));
        let fc = parse("min,g:/3");
        assert_eq!((fc.group_tag, fc.group_min_size), (None, Some(3)));
        let fc = parse("tagged,g:123");
        assert_eq!((fc.group_tag, fc.group_min_size), (Some(123), None));
        let fc = parse("tagged,g:/2");
        assert_eq!((fc.group_tag, fc.group_min_size), (None, Some(2)));
        let fc = parse("max,rrwm:8");
        assert_eq!(fc.retransmit_receiver_window_multiple, Some(8));
        assert_eq!(parse("tagged,g:-5/0").group_tag, Some(-5));
    }

    #[test]
    fn unknown_strategies_and_options_are_refused() {
        for text in [
            "",
            "Max",
            "fast",
            "max,t:1s",
            "max,g:1",
            "min,",
            "min,x:1",
            "min,t",
            "min,t:",
            "min,t:1m",
            "tagged,g:",
            "tagged,g:/",
            "tagged,g:x",
            "tagged,g:1/x",
            "tagged,g:1/-1",
            "min,rrwm:0",
            "min,rrwm:-1",
            "min,rrwm:99999999999",
            "tagged,g:1/99999999999",
        ] {
            assert!(FlowControlParam::parse(text).is_err(), "{text}");
        }
    }
}
