//! What came of many rounds: for people, or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::round::Outcome;

/// Somebody was told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What, and who.
    pub(crate) what: &'static str,
    pub(crate) after: Duration,
    /// The timeouts that rule it, added up.
    pub(crate) bound: Duration,
    /// Between the looks that notice a timeout.
    pub(crate) granularity: Duration,
}

/// How fast one kind of news spread.
#[derive(Clone, Debug, Default)]
struct News {
    after: Vec<Duration>,
    bound: Duration,
    granularity: Duration,
}

/// Sums over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    rounds: u64,
    failed: Vec<String>,
    /// Rounds that were run again, since the machine had stood still.
    again: u64,
    messages: u64,
    faults: BTreeMap<&'static str, u64>,
    layouts: BTreeMap<String, u64>,
    news: BTreeMap<&'static str, News>,
}

impl Totals {
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        self.rounds += 1;
        self.messages += outcome.messages;
        for (_, fault) in &outcome.plan.faults {
            *self.faults.entry(fault.name()).or_default() += 1;
        }
        let layout = format!("{:?}", outcome.plan.layout);
        *self.layouts.entry(layout).or_default() += 1;
        for told in &outcome.told {
            let news = self.news.entry(told.what).or_default();
            news.after.push(told.after);
            news.bound = told.bound;
            news.granularity = told.granularity;
        }
        if let Some(failure) = &outcome.failure {
            self.failed.push(format!("{}: {failure}", outcome.plan));
        }
    }

    pub(crate) const fn add_again(&mut self) {
        self.again += 1;
    }

    pub(crate) const fn has_failures(&self) -> bool {
        !self.failed.is_empty()
    }

    pub(crate) const fn rounds(&self) -> u64 {
        self.rounds
    }

    /// For people.
    pub(crate) fn text(&mut self, elapsed: Duration) -> String {
        let mut text = format!(
            "{} rounds in {:.0} s: {} failed, {} run again because the machine stood still; {} \
             messages of survivors\n",
            self.rounds,
            elapsed.as_secs_f64(),
            self.failed.len(),
            self.again,
            self.messages
        );
        let counts = |map: &mut dyn Iterator<Item = (String, u64)>| {
            let parts: Vec<_> = map.map(|(name, count)| format!("{name} {count}")).collect();
            parts.join(", ")
        };
        let layouts = counts(&mut self.layouts.iter().map(|(name, n)| (name.clone(), *n)));
        let faults = counts(&mut self.faults.iter().map(|(name, n)| ((*name).to_owned(), *n)));
        let _ = write!(text, "layouts: {layouts}\nfaults: {faults}\n");
        let _ = writeln!(
            text,
            "{:<50} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "told of", "times", "p50 ms", "max ms", "timeout", "within", "+ look"
        );
        for (what, news) in &mut self.news {
            news.after.sort_unstable();
            let ms = |duration: Duration| duration.as_millis();
            let _ = writeln!(
                text,
                "{what:<50} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8}",
                news.after.len(),
                ms(news.median()),
                ms(news.worst()),
                ms(news.bound),
                news.within(news.bound),
                news.within(news.bound + news.granularity)
            );
        }
        for failed in &self.failed {
            let _ = writeln!(text, "FAILED {failed}");
        }
        text
    }

    /// One line of JSON.
    pub(crate) fn json(&mut self, elapsed: Duration) -> String {
        let mut news = Vec::new();
        for (what, one) in &mut self.news {
            one.after.sort_unstable();
            news.push(format!(
                "{{\"what\":{},\"count\":{},\"p50_ms\":{},\"max_ms\":{},\"timeout_ms\":{},\
                 \"within_timeout\":{},\"within_timeout_and_look\":{}}}",
                quoted(what),
                one.after.len(),
                one.median().as_millis(),
                one.worst().as_millis(),
                one.bound.as_millis(),
                one.within(one.bound),
                one.within(one.bound + one.granularity)
            ));
        }
        let faults: Vec<_> = self
            .faults
            .iter()
            .map(|(name, count)| format!("{}:{count}", quoted(name)))
            .collect();
        let failed: Vec<_> = self.failed.iter().map(|text| quoted(text)).collect();
        format!(
            "{{\"rounds\":{},\"seconds\":{:.1},\"again\":{},\"messages\":{},\"faults\":{{{}}},\
             \"told\":[{}],\"failed\":[{}]}}",
            self.rounds,
            elapsed.as_secs_f64(),
            self.again,
            self.messages,
            faults.join(","),
            news.join(","),
            failed.join(",")
        )
    }
}

impl News {
    /// Of sorted times.
    fn median(&self) -> Duration {
        let middle = self.after.len() / 2;
        self.after.get(middle).copied().unwrap_or_default()
    }

    fn worst(&self) -> Duration {
        self.after.last().copied().unwrap_or_default()
    }

    fn within(&self, limit: Duration) -> usize {
        self.after.iter().filter(|after| **after <= limit).count()
    }
}

/// One round as a line of JSON.
pub(crate) fn round_json(outcome: &Outcome) -> String {
    let told: Vec<_> = outcome
        .told
        .iter()
        .map(|told| {
            format!(
                "{{\"what\":{},\"after_ms\":{},\"timeout_ms\":{}}}",
                quoted(told.what),
                told.after.as_millis(),
                told.bound.as_millis()
            )
        })
        .collect();
    let failure = outcome.failure.as_ref();
    let failure = failure.map_or_else(|| "null".to_owned(), |f| quoted(&f.to_string()));
    format!(
        "{{\"seed\":{},\"plan\":{},\"ms\":{},\"messages\":{},\"told\":[{}],\"failure\":{failure}}}",
        outcome.plan.seed,
        quoted(&outcome.plan.to_string()),
        outcome.duration.as_millis(),
        outcome.messages,
        told.join(",")
    )
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted() {
        assert_eq!(quoted("a \"b\"\\\n"), "\"a \\\"b\\\"\\\\\\u000a\"");
    }
}
