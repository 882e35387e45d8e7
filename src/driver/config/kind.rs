//! Kinds of option values: how each is read, printed and checked against its range.
//!
//! A row of the table names a kind by a constructor (`size(min, max)`, `flag()`, …). Reading
//! decides what the text means; [`Kind::check`] decides whether the value is allowed, so that
//! values from setters pass the same gate.

use std::path::PathBuf;

use crate::concurrent::{EventFamily, EventSet};

pub(super) use crate::uri::{format_duration, format_size, parse_duration, parse_size};

use super::idle::IdleStrategy;
use super::values::PortRange;

/// Reading, printing and range of one kind of value.
pub(super) trait Kind<T> {
    /// Reads `text`; the error says what was expected.
    fn parse(&self, text: &str) -> Result<T, String>;
    /// Prints so that [`Self::parse`] reads an equal value.
    fn show(&self, value: &T) -> String;
    /// Whether the value is in range.
    fn check(&self, value: &T) -> bool {
        let _ = value;
        true
    }
    /// Unit, for documentation.
    fn unit(&self) -> &'static str;
    /// Allowed values, for errors and documentation; empty if any.
    fn range(&self) -> String {
        String::new()
    }
}

/// How an integer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Size,
    Duration,
    Plain(&'static str),
}

impl Notation {
    fn parse(self, text: &str) -> Result<i128, String> {
        let parsed = match self {
            Self::Size => parse_size(text).map(i128::from),
            Self::Duration => parse_duration(text).map(i128::from),
            Self::Plain(_) => parse_decimal(text),
        };
        parsed.ok_or_else(|| match self {
            Self::Size => "not a size (digits with optional k, m or g)".to_owned(),
            Self::Duration => "not a duration (digits with optional ns, us, ms or s)".to_owned(),
            Self::Plain(_) => "not a decimal integer".to_owned(),
        })
    }

    fn show(self, value: i128) -> String {
        match (self, i64::try_from(value)) {
            (Self::Size, Ok(bytes)) if bytes >= 0 => format_size(bytes),
            (Self::Duration, Ok(ns)) if ns >= 0 => format_duration(ns),
            _ => value.to_string(),
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Duration => "duration",
            Self::Plain(unit) => unit,
        }
    }
}

fn parse_decimal(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if is_decimal { text.parse().ok() } else { None }
}

/// A condition on an integer besides its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Any,
    PowerOfTwo,
    /// `value - offset` is a power of two.
    PowerOfTwoPlus(i128),
    MultipleOf(i128),
}

/// An integer with a notation, bounds and a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integer {
    notation: Notation,
    min: i128,
    max: i128,
    rule: Rule,
}

const fn integer(notation: Notation, min: i128, max: i128) -> Integer {
    Integer {
        notation,
        min,
        max,
        rule: Rule::Any,
    }
}

/// Bytes with optional `k`, `m`, `g`.
pub(super) const fn size(min: i128, max: i128) -> Integer {
    integer(Notation::Size, min, max)
}

/// Nanoseconds with optional `ns`, `us`, `ms`, `s`.
pub(super) const fn duration(min: i128) -> Integer {
    integer(Notation::Duration, min, i64::MAX as i128)
}

/// A plain decimal number of `unit`.
pub(super) const fn count(unit: &'static str, min: i128, max: i128) -> Integer {
    integer(Notation::Plain(unit), min, max)
}

impl Integer {
    pub(super) const fn power_of_two(mut self) -> Self {
        self.rule = Rule::PowerOfTwo;
        self
    }

    pub(super) const fn power_of_two_plus(mut self, offset: i128) -> Self {
        self.rule = Rule::PowerOfTwoPlus(offset);
        self
    }

    pub(super) const fn multiple_of(mut self, factor: i128) -> Self {
        self.rule = Rule::MultipleOf(factor);
        self
    }

    /// An option that may be absent; `absent` is its text then, beside the empty one.
    pub(super) const fn or_absent(self, absent: &'static str) -> Optional {
        Optional {
            inner: self,
            absent,
        }
    }

    fn is_allowed(self, value: i128) -> bool {
        let fits_rule = match self.rule {
            Rule::Any => true,
            Rule::PowerOfTwo => is_power_of_two(value),
            Rule::PowerOfTwoPlus(offset) => is_power_of_two(value - offset),
            Rule::MultipleOf(factor) => value % factor == 0,
        };
        self.min <= value && value <= self.max && fits_rule
    }

    fn describe(self) -> String {
        let show = |value| self.notation.show(value);
        let is_open_above = self.max >= i128::from(i64::MAX);
        let is_open_below = self.min <= i128::from(i64::MIN);
        let bounds = match (is_open_below, is_open_above) {
            (true, true) => String::new(),
            (false, true) => format!("at least {}", show(self.min)),
            (true, false) => format!("at most {}", show(self.max)),
            (false, false) => format!("{} to {}", show(self.min), show(self.max)),
        };
        match self.rule {
            Rule::Any => bounds,
            Rule::PowerOfTwo => format!("{bounds}, a power of two"),
            Rule::PowerOfTwoPlus(offset) => format!("{bounds}, a power of two plus {offset}"),
            Rule::MultipleOf(factor) => format!("{bounds}, a multiple of {factor}"),
        }
    }
}

const fn is_power_of_two(value: i128) -> bool {
    value > 0 && value & (value - 1) == 0
}

impl<T: Copy + TryInto<i128> + TryFrom<i128>> Kind<T> for Integer {
    fn parse(&self, text: &str) -> Result<T, String> {
        let value = self.notation.parse(text)?;
        // A value that is out of range must not turn into another one by narrowing, so the bounds
        // are checked here already; `check` repeats it for values from setters.
        if !self.is_allowed(value) {
            return Err("out of range".to_owned());
        }
        T::try_from(value).map_err(|_| "too large".to_owned())
    }

    fn show(&self, value: &T) -> String {
        (*value)
            .try_into()
            .map_or_else(|_| "?".to_owned(), |value| self.notation.show(value))
    }

    fn check(&self, value: &T) -> bool {
        (*value)
            .try_into()
            .is_ok_and(|value| self.is_allowed(value))
    }

    fn unit(&self) -> &'static str {
        self.notation.unit()
    }

    fn range(&self) -> String {
        self.describe()
    }
}

/// An [`Integer`] that may be absent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Optional {
    inner: Integer,
    absent: &'static str,
}

impl<T: Copy + TryInto<i128> + TryFrom<i128>> Kind<Option<T>> for Optional {
    fn parse(&self, text: &str) -> Result<Option<T>, String> {
        if text == self.absent {
            Ok(None)
        } else {
            self.inner.parse(text).map(Some)
        }
    }

    fn show(&self, value: &Option<T>) -> String {
        value
            .as_ref()
            .map_or_else(|| self.absent.to_owned(), |value| self.inner.show(value))
    }

    fn check(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.inner.check(value))
    }

    fn unit(&self) -> &'static str {
        self.inner.notation.unit()
    }

    fn range(&self) -> String {
        let range = self.inner.describe();
        match (self.absent, range.is_empty()) {
            ("", _) => range,
            (absent, true) => format!("{absent} = none"),
            (absent, false) => format!("{range}; {absent} = none"),
        }
    }
}

/// `true` or `false`.
pub(super) struct Flag;

pub(super) const fn flag() -> Flag {
    Flag
}

impl Kind<bool> for Flag {
    fn parse(&self, text: &str) -> Result<bool, String> {
        match text {
            "true" | "1" | "on" => Ok(true),
            "false" | "0" | "off" => Ok(false),
            _ => Err("not a boolean".to_owned()),
        }
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn unit(&self) -> &'static str {
        "bool"
    }

    fn range(&self) -> String {
        "true, false, 1, 0, on, off".to_owned()
    }
}

/// One of a list of names. The first name of a value is the one printed; names that contain a dot
/// are class names of the Java driver and not advertised.
pub(super) struct Names<T: 'static>(pub(super) &'static [(&'static str, T)]);

pub(super) const fn names<T>(names: &'static [(&'static str, T)]) -> Names<T> {
    Names(names)
}

impl<T: Copy + PartialEq> Kind<T> for Names<T> {
    fn parse(&self, text: &str) -> Result<T, String> {
        let found = self.0.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, value)| *value)
            .ok_or_else(|| "unknown name".to_owned())
    }

    fn show(&self, value: &T) -> String {
        let found = self.0.iter().find(|(_, candidate)| candidate == value);
        found.map_or_else(|| "?".to_owned(), |(name, _)| (*name).to_owned())
    }

    fn unit(&self) -> &'static str {
        "name"
    }

    fn range(&self) -> String {
        let short = self
            .0
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| !name.contains('.'));
        short.collect::<Vec<_>>().join(", ")
    }
}

/// An idle strategy's name.
pub(super) struct Idle;

pub(super) const fn idle() -> Idle {
    Idle
}

impl Kind<IdleStrategy> for Idle {
    fn parse(&self, text: &str) -> Result<IdleStrategy, String> {
        IdleStrategy::parse(text).ok_or_else(|| "unknown name".to_owned())
    }

    fn show(&self, value: &IdleStrategy) -> String {
        value.name().to_owned()
    }

    fn unit(&self) -> &'static str {
        "name"
    }

    fn range(&self) -> String {
        "backoff, spin, yield, noop, sleep-ns, sleep-ms, controllable".to_owned()
    }
}

/// A path.
pub(super) struct FilePath;

pub(super) const fn path() -> FilePath {
    FilePath
}

impl Kind<PathBuf> for FilePath {
    fn parse(&self, text: &str) -> Result<PathBuf, String> {
        Ok(PathBuf::from(text))
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn check(&self, value: &PathBuf) -> bool {
        !value.as_os_str().is_empty()
    }

    fn unit(&self) -> &'static str {
        "path"
    }
}

/// Any text; empty means unset.
pub(super) struct Text;

pub(super) const fn text() -> Text {
    Text
}

impl Kind<String> for Text {
    fn parse(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }

    fn unit(&self) -> &'static str {
        "text"
    }
}

/// A comma-separated list of at most so many entries.
pub(super) struct List {
    max: usize,
}

pub(super) const fn list(max: usize) -> List {
    List { max }
}

impl Kind<Vec<String>> for List {
    fn parse(&self, text: &str) -> Result<Vec<String>, String> {
        let entries: Vec<_> = text
            .split(',')
            .map(|entry| entry.trim().to_owned())
            .collect();
        if entries.iter().any(String::is_empty) {
            return Err("has an empty entry".to_owned());
        }
        Ok(entries)
    }

    fn show(&self, value: &Vec<String>) -> String {
        value.join(",")
    }

    fn check(&self, value: &Vec<String>) -> bool {
        value.len() <= self.max && value.iter().all(|e| !e.is_empty() && !e.contains(','))
    }

    fn unit(&self) -> &'static str {
        "comma list"
    }

    fn range(&self) -> String {
        format!("at most {} entries", self.max)
    }
}

/// `low high`; `0 0` leaves the choice to the operating system.
pub(super) struct Ports;

pub(super) const fn ports() -> Ports {
    Ports
}

impl Kind<Option<PortRange>> for Ports {
    fn parse(&self, text: &str) -> Result<Option<PortRange>, String> {
        let mut parts = text.split_ascii_whitespace().map(str::parse::<u16>);
        let (Some(Ok(low)), Some(Ok(high)), None) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("not two port numbers separated by a space".to_owned());
        };
        if low > high {
            return Err("out of range".to_owned());
        }
        Ok((high != 0).then_some(PortRange { low, high }))
    }

    fn show(&self, value: &Option<PortRange>) -> String {
        value.map_or_else(String::new, |range| range.to_string())
    }

    fn check(&self, value: &Option<PortRange>) -> bool {
        value.is_none_or(|range| range.low <= range.high)
    }

    fn unit(&self) -> &'static str {
        "low high"
    }

    fn range(&self) -> String {
        "0 to 65535, low not above high; 0 0 = chosen by the operating system".to_owned()
    }
}

/// A set of kinds of events.
pub(super) struct Events;

pub(super) const fn events() -> Events {
    Events
}

impl Kind<EventSet> for Events {
    fn parse(&self, text: &str) -> Result<EventSet, String> {
        EventSet::parse(text)
    }

    fn show(&self, value: &EventSet) -> String {
        value.to_string()
    }

    fn unit(&self) -> &'static str {
        "comma list"
    }

    fn range(&self) -> String {
        let families = EventFamily::ALL.iter().map(|family| family.name());
        let families = families.collect::<Vec<_>>().join(", ");
        format!("all, {families}, or names of events")
    }
}

/// A number from 0 to 1.
pub(super) struct Probability;

pub(super) const fn probability() -> Probability {
    Probability
}

impl Kind<f64> for Probability {
    fn parse(&self, text: &str) -> Result<f64, String> {
        text.parse().map_err(|_| "not a number".to_owned())
    }

    fn show(&self, value: &f64) -> String {
        format!("{value:?}")
    }

    fn check(&self, value: &f64) -> bool {
        (0.0..=1.0).contains(value)
    }

    fn unit(&self) -> &'static str {
        "probability"
    }

    fn range(&self) -> String {
        "0 to 1".to_owned()
    }
}
