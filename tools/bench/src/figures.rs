//! Figures: histograms of latencies, and numbers for people.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde_json::{Map, Value, json};

use crate::Failure;

/// Longest latency recorded, in nanoseconds; longer ones count as this.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Quantiles that are shown.
const QUANTILES: [(&str, f64); 6] = [
    ("P50", 0.5),
    ("P90", 0.9),
    ("P99", 0.99),
    ("P99.9", 0.999),
    ("P99.99", 0.9999),
    ("max", 1.0),
];

/// Latencies in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(Histogram::new_with_max(LATENCY_MAX_NS, 3)?))
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds at a quantile.
    #[expect(clippy::cast_precision_loss, reason = "a figure for a person to read")]
    pub(crate) fn micros(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }

    pub(crate) fn print(&self) {
        println!("  {:>8} {:>12.3}", "min", self.micros(0.0));
        for (name, quantile) in QUANTILES {
            println!("  {name:>8} {:>12.3}", self.micros(quantile));
        }
    }

    /// Quantiles, and the whole histogram as pairs of value and count.
    pub(crate) fn json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("count".into(), self.count().into());
        fields.insert("min_us".into(), self.micros(0.0).into());
        let names = [
            "p50_us",
            "p90_us",
            "p99_us",
            "p99_9_us",
            "p99_99_us",
            "max_us",
        ];
        for (name, (_, quantile)) in names.into_iter().zip(QUANTILES) {
            fields.insert(name.into(), self.micros(quantile).into());
        }
        let recorded = self.0.iter_recorded();
        let buckets: Vec<_> = recorded
            .map(|v| json!([v.value_iterated_to(), v.count_since_last_iteration()]))
            .collect();
        fields.insert("histogram_ns".into(), buckets.into());
        Value::Object(fields)
    }

    /// The whole histogram in the compressed form that every HdrHistogram tool reads (V2).
    pub(crate) fn serialize(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&self.0, &mut bytes)?;
        Ok(bytes)
    }

    /// What [`Self::serialize`] wrote.
    pub(crate) fn deserialize(bytes: &[u8]) -> Result<Self, Failure> {
        let histogram = Deserializer::new()
            .deserialize(&mut &*bytes)
            .map_err(|error| format!("not a histogram: {error:?}"))?;
        Ok(Self(histogram))
    }

    /// Adds another run.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.0.add(&other.0)?;
        Ok(())
    }
}

/// A number for a person: three digits and a unit prefix.
pub(crate) fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 1e9 => format!("{:.2} G", value / 1e9),
        v if v >= 1e6 => format!("{:.2} M", value / 1e6),
        v if v >= 1e3 => format!("{:.1} k", value / 1e3),
        _ => format!("{value:.1} "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_show_their_quantiles() {
        let mut latencies = Latencies::new().expect("legal bounds");
        (1..=1000).for_each(|us| latencies.record(us * 1000));
        assert!((latencies.micros(0.5) - 500.0).abs() < 1.0);
        assert_eq!(latencies.json()["count"], 1000);
        let bytes = latencies.serialize().expect("serializes");
        let mut read = Latencies::deserialize(&bytes).expect("what was written");
        assert_eq!(read.json(), latencies.json());
        read.add(&latencies).expect("same bounds");
        assert_eq!(read.count(), 2000);
    }
}
