//! Numbers for people.

/// `-1234567` as `-1,234,567`.
///
/// ```
/// assert_eq!(aileron_cli::thousands(-1_234_567), "-1,234,567");
/// ```
#[must_use]
pub fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length with a unit of 1,024, exact where it is a whole number of it.
///
/// ```
/// use aileron_cli::bytes_text;
/// assert_eq!(bytes_text(640), "640 B");
/// assert_eq!(bytes_text(131_072), "128 KiB");
/// assert_eq!(bytes_text(1_600_000), "1.5 MiB");
/// ```
#[must_use]
pub fn bytes_text(bytes: i64) -> String {
    let units = [
        (1_i64 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    for (unit, name) in units {
        if bytes.unsigned_abs() >= unit.unsigned_abs() {
            let whole = bytes / unit;
            let tenth = (bytes % unit).abs() * 10 / unit;
            return match tenth {
                0 => format!("{whole} {name}"),
                tenth => format!("{whole}.{tenth} {name}"),
            };
        }
    }
    format!("{bytes} B")
}

/// A duration in the unit that suits it.
///
/// ```
/// use aileron_cli::duration_text;
/// assert_eq!(duration_text(1_500_000), "1.5 ms");
/// assert_eq!(duration_text(90_000_000_000), "90 s");
/// ```
#[must_use]
pub fn duration_text(ns: i64) -> String {
    for (unit, name) in [(1_000_000_000_i64, "s"), (1_000_000, "ms"), (1_000, "us")] {
        if ns.unsigned_abs() >= unit.unsigned_abs() {
            let (whole, tenth) = (ns / unit, (ns % unit).abs() * 10 / unit);
            return match tenth {
                0 => format!("{whole} {name}"),
                tenth => format!("{whole}.{tenth} {name}"),
            };
        }
    }
    format!("{ns} ns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_grouped_by_thousands() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(-999), "-999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn extremes_have_a_text() {
        assert_eq!(bytes_text(0), "0 B");
        assert!(bytes_text(i64::MIN).ends_with("TiB"));
        assert!(duration_text(i64::MIN).ends_with(" s"));
    }
}
