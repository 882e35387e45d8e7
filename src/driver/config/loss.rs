//! Loss on purpose, as values (`driver.md` §18). The generators themselves live in the driver.

use super::DriverConfig;
use super::kind::Kind;

/// Drops datagrams at random.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let rate = "aeron.debug.send.data.loss.rate=0.1";
/// let config = DriverConfig::builder().define(rate).build().unwrap();
/// assert_eq!(config.debug_send_data_loss().unwrap().rate, 0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomLoss {
    /// Share of datagrams dropped, 0 to 1.
    pub rate: f64,
    /// Seed of the sequence; none is random.
    pub seed: Option<i64>,
    /// Frame types that may be dropped: bit *n* is frame type *n*.
    pub frame_type_mask: u64,
}

/// Drops one range of a term, once.
///
/// ```
/// use aileron::driver::config::{DriverConfig, FixedLoss};
/// let loss = FixedLoss { term_id: 3, term_offset: 1024, length: 64 };
/// let config = DriverConfig::builder().fixed_loss_args(Some(loss)).build().unwrap();
/// assert_eq!(config.fixed_loss_args(), Some(loss));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedLoss {
    /// The term.
    pub term_id: i32,
    /// Begin of the range.
    pub term_offset: i32,
    /// Length of the range.
    pub length: i32,
}

/// Drops equal gaps at equal distances in a term, each once.
///
/// ```
/// use aileron::driver::config::{DriverConfig, MultiGapLoss};
/// let loss = MultiGapLoss { term_id: 3, gap_radix: 4096, gap_length: 64, total_gaps: 5 };
/// let config = DriverConfig::builder().multi_gap_loss_args(Some(loss)).build().unwrap();
/// assert_eq!(config.multi_gap_loss_args(), Some(loss));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultiGapLoss {
    /// The term.
    pub term_id: i32,
    /// Distance of the gaps, a power of two.
    pub gap_radix: i32,
    /// Length of each gap, below the distance.
    pub gap_length: i32,
    /// Number of gaps.
    pub total_gaps: i32,
}

/// A loss generator to set up.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// assert!(DriverConfig::default().incoming_loss().is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver must build every one of them"
)]
pub enum LossSpec {
    /// At random.
    Random(RandomLoss),
    /// One range of a term.
    Fixed(FixedLoss),
    /// Many ranges of a term.
    MultiGap(MultiGapLoss),
}

impl LossSpec {
    /// The option that holds the arguments of a generator; `None` if there is no such generator.
    pub(super) fn argument_option(name: &str) -> Option<&'static str> {
        Some(match name {
            "loss" => "aeron.udp.channel.transport.bindings.loss.args",
            "fixed-loss" => "aeron.udp.channel.transport.bindings.fixed.loss.args",
            "multi-gap-loss" => "aeron.udp.channel.transport.bindings.multi.gap.loss.args",
            _ => return None,
        })
    }
}

impl DriverConfig {
    /// Loss generators on what arrives, the outermost last.
    #[must_use]
    pub fn incoming_loss(&self) -> Vec<LossSpec> {
        self.incoming_interceptors
            .iter()
            .filter_map(|name| self.loss_spec(name))
            .collect()
    }

    /// Loss generators on what is sent, the outermost last.
    #[must_use]
    pub fn outgoing_loss(&self) -> Vec<LossSpec> {
        self.outgoing_interceptors
            .iter()
            .filter_map(|name| self.loss_spec(name))
            .collect()
    }

    /// The generator of a name with its arguments; `None` if either is missing.
    pub(super) fn loss_spec(&self, name: &str) -> Option<LossSpec> {
        match name {
            "loss" => self.loss_args.map(LossSpec::Random),
            "fixed-loss" => self.fixed_loss_args.map(LossSpec::Fixed),
            "multi-gap-loss" => self.multi_gap_loss_args.map(LossSpec::MultiGap),
            _ => None,
        }
    }

    /// Loss of outgoing data datagrams, if any.
    #[must_use]
    pub fn debug_send_data_loss(&self) -> Option<RandomLoss> {
        random(
            self.debug_send_data_loss_rate,
            self.debug_send_data_loss_seed,
        )
    }

    /// Loss of incoming control frames of publications, if any.
    #[must_use]
    pub fn debug_send_control_loss(&self) -> Option<RandomLoss> {
        random(
            self.debug_send_control_loss_rate,
            self.debug_send_control_loss_seed,
        )
    }

    /// Loss of incoming data frames, if any.
    #[must_use]
    pub fn debug_receive_data_loss(&self) -> Option<RandomLoss> {
        random(
            self.debug_receive_data_loss_rate,
            self.debug_receive_data_loss_seed,
        )
    }

    /// Loss of outgoing control frames of subscriptions, if any.
    #[must_use]
    pub fn debug_receive_control_loss(&self) -> Option<RandomLoss> {
        random(
            self.debug_receive_control_loss_rate,
            self.debug_receive_control_loss_seed,
        )
    }
}

/// Loss of every frame type at `rate`; none at 0.
fn random(rate: f64, seed: Option<i64>) -> Option<RandomLoss> {
    (rate > 0.0).then_some(RandomLoss {
        rate,
        seed,
        frame_type_mask: u64::MAX,
    })
}

/// Splits `key=value|key=value`; every key must be in `keys`.
fn fields<'a, const N: usize>(
    text: &'a str,
    keys: [&str; N],
) -> Result<[Option<&'a str>; N], String> {
    let mut values = [None; N];
    for part in text.split('|') {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("'{part}' has no '='"))?;
        let index = keys.iter().position(|candidate| *candidate == key);
        values[index.ok_or_else(|| format!("unknown argument '{key}'"))?] = Some(value);
    }
    Ok(values)
}

fn number<T: std::str::FromStr>(key: &str, value: Option<&str>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("'{key}' is missing"))?;
    value
        .parse()
        .map_err(|_| format!("'{key}={value}' is not a number"))
}

pub(super) struct RandomLossKind;
pub(super) struct FixedLossKind;
pub(super) struct MultiGapLossKind;

pub(super) const fn random_loss() -> RandomLossKind {
    RandomLossKind
}

pub(super) const fn fixed_loss() -> FixedLossKind {
    FixedLossKind
}

pub(super) const fn multi_gap_loss() -> MultiGapLossKind {
    MultiGapLossKind
}

impl Kind<Option<RandomLoss>> for RandomLossKind {
    fn parse(&self, text: &str) -> Result<Option<RandomLoss>, String> {
        let [rate, seed, mask] = fields(text, ["rate", "seed", "recv-msg-mask"])?;
        let seed = seed
            .map(|_| number("seed", seed))
            .transpose()?
            .filter(|seed| *seed != -1);
        let frame_type_mask = match mask {
            None => 0,
            Some(hex) => {
                let digits = hex
                    .strip_prefix("0x")
                    .or_else(|| hex.strip_prefix("0X"))
                    .unwrap_or(hex);
                u64::from_str_radix(digits, 16)
                    .map_err(|_| format!("'recv-msg-mask={hex}' is not hexadecimal"))?
            }
        };
        Ok(Some(RandomLoss {
            rate: number("rate", rate)?,
            seed,
            frame_type_mask,
        }))
    }

    fn show(&self, value: &Option<RandomLoss>) -> String {
        value.map_or_else(String::new, |loss| {
            format!(
                "rate={:?}|seed={}|recv-msg-mask=0x{:X}",
                loss.rate,
                loss.seed.unwrap_or(-1),
                loss.frame_type_mask
            )
        })
    }

    fn check(&self, value: &Option<RandomLoss>) -> bool {
        value.is_none_or(|loss| (0.0..=1.0).contains(&loss.rate))
    }

    fn unit(&self) -> &'static str {
        "arguments"
    }

    fn range(&self) -> String {
        "rate 0 to 1, mask in hexadecimal with bit n = frame type n".to_owned()
    }
}

impl Kind<Option<FixedLoss>> for FixedLossKind {
    fn parse(&self, text: &str) -> Result<Option<FixedLoss>, String> {
        let [term_id, term_offset, length] = fields(text, ["term-id", "term-offset", "length"])?;
        Ok(Some(FixedLoss {
            term_id: number("term-id", term_id)?,
            term_offset: number("term-offset", term_offset)?,
            length: number("length", length)?,
        }))
    }

    fn show(&self, value: &Option<FixedLoss>) -> String {
        value.map_or_else(String::new, |loss| {
            format!(
                "term-id={}|term-offset={}|length={}",
                loss.term_id, loss.term_offset, loss.length
            )
        })
    }

    fn check(&self, value: &Option<FixedLoss>) -> bool {
        value.is_none_or(|loss| loss.term_offset >= 0 && loss.length >= 0)
    }

    fn unit(&self) -> &'static str {
        "arguments"
    }

    fn range(&self) -> String {
        "term-offset and length at least 0".to_owned()
    }
}

impl Kind<Option<MultiGapLoss>> for MultiGapLossKind {
    fn parse(&self, text: &str) -> Result<Option<MultiGapLoss>, String> {
        let keys = ["term-id", "gap-radix", "gap-length", "total-gaps"];
        let [term_id, gap_radix, gap_length, total_gaps] = fields(text, keys)?;
        let gap_radix: i32 = number("gap-radix", gap_radix)?;
        let radix = u32::try_from(gap_radix).ok().filter(|radix| *radix > 0);
        let rounded = radix.and_then(u32::checked_next_power_of_two);
        Ok(Some(MultiGapLoss {
            term_id: number("term-id", term_id)?,
            gap_radix: rounded
                .and_then(|radix| i32::try_from(radix).ok())
                .unwrap_or(gap_radix),
            gap_length: number("gap-length", gap_length)?,
            total_gaps: number("total-gaps", total_gaps)?,
        }))
    }

    fn show(&self, value: &Option<MultiGapLoss>) -> String {
        value.map_or_else(String::new, |loss| {
            format!(
                "term-id={}|gap-radix={}|gap-length={}|total-gaps={}",
                loss.term_id, loss.gap_radix, loss.gap_length, loss.total_gaps
            )
        })
    }

    fn check(&self, value: &Option<MultiGapLoss>) -> bool {
        value.is_none_or(|loss| {
            loss.gap_radix > 0
                && loss.gap_radix & (loss.gap_radix - 1) == 0
                && (0..loss.gap_radix).contains(&loss.gap_length)
                && loss.total_gaps >= 0
        })
    }

    fn unit(&self) -> &'static str {
        "arguments"
    }

    fn range(&self) -> String {
        "gap-radix above 0, gap-length below gap-radix".to_owned()
    }
}
