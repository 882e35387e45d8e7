//! Sizes and durations as text (`uri.md` §1.1), in channels and in configuration alike.

const KIBI: i64 = 1024;
const MEBI: i64 = 1024 * KIBI;
const GIBI: i64 = 1024 * MEBI;

const NS_PER_US: i64 = 1_000;
const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;

/// Reads decimal digits and nothing else; saturates beyond 64 bits.
fn parse_digits(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

/// Reads a number of bytes: digits with an optional `k`, `m` or `g` of either case. `None` if the
/// text is anything else or the value does not fit.
///
/// ```
/// use aileron::uri::parse_size;
/// assert_eq!(parse_size("64k"), Some(65_536));
/// assert_eq!(parse_size("-1"), None);
/// ```
#[must_use]
pub fn parse_size(text: &str) -> Option<i64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], KIBI),
        b'm' | b'M' => (&text[..text.len() - 1], MEBI),
        b'g' | b'G' => (&text[..text.len() - 1], GIBI),
        _ => (text, 1),
    };
    i64::try_from(parse_digits(digits)?)
        .ok()?
        .checked_mul(factor)
}

/// Writes a number of bytes with the largest suffix that divides it exactly.
///
/// ```
/// use aileron::uri::format_size;
/// assert_eq!(format_size(65_536), "64k");
/// assert_eq!(format_size(1_408), "1408");
/// ```
#[must_use]
pub fn format_size(bytes: i64) -> String {
    for (factor, suffix) in [(GIBI, "g"), (MEBI, "m"), (KIBI, "k")] {
        if bytes != 0 && bytes % factor == 0 {
            return format!("{}{suffix}", bytes / factor);
        }
    }
    bytes.to_string()
}

/// Reads a duration in nanoseconds: digits with an optional `ns`, `us`, `ms` or `s` of either case.
/// What is too long for 63 bits becomes `i64::MAX`. `None` if the text is anything else.
///
/// ```
/// use aileron::uri::parse_duration;
/// assert_eq!(parse_duration("5s"), Some(5_000_000_000));
/// assert_eq!(parse_duration("250"), Some(250));
/// assert_eq!(parse_duration("5m"), None);
/// ```
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    let digits_end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits_end);
    let factor = match suffix.to_ascii_lowercase().as_str() {
        "" | "ns" => 1,
        "us" => NS_PER_US,
        "ms" => NS_PER_MS,
        "s" => NS_PER_S,
        _ => return None,
    };
    let number = i64::try_from(parse_digits(digits)?).unwrap_or(i64::MAX);
    Some(number.saturating_mul(factor))
}

/// Writes a duration in nanoseconds with the largest suffix that divides it exactly.
///
/// ```
/// use aileron::uri::format_duration;
/// assert_eq!(format_duration(1_500_000_000), "1500ms");
/// assert_eq!(format_duration(0), "0ns");
/// ```
#[must_use]
pub fn format_duration(ns: i64) -> String {
    for (factor, suffix) in [(NS_PER_S, "s"), (NS_PER_MS, "ms"), (NS_PER_US, "us")] {
        if ns != 0 && ns % factor == 0 {
            return format!("{}{suffix}", ns / factor);
        }
    }
    format!("{ns}ns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_up_to_the_last_that_fits() {
        assert_eq!(
            parse_size("9007199254740991k"),
            Some(9_007_199_254_740_991 * 1024)
        );
        assert_eq!(parse_size("9007199254740992k"), None);
        assert_eq!(parse_size("8796093022207M"), Some(8_796_093_022_207 << 20));
        assert_eq!(parse_size("8796093022208m"), None);
        assert_eq!(parse_size("8589934591G"), Some(8_589_934_591 << 30));
        assert_eq!(parse_size("8589934592g"), None);
        assert_eq!(parse_size("9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_size("9223372036854775808"), None);
        assert_eq!(parse_size("99999999999999999999999"), None);
    }

    #[test]
    fn texts_that_are_no_sizes_are_refused() {
        for text in [
            "", "k", "-1", "+1", "1.5k", "1 k", "0x10", "1kb", "é", "1é", "١",
        ] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_print_with_the_largest_exact_suffix() {
        for (bytes, text) in [
            (0, "0"),
            (1, "1"),
            (1023, "1023"),
            (1024, "1k"),
            (65_536, "64k"),
            (1 << 20, "1m"),
            ((1 << 20) + 1024, "1025k"),
            (1 << 30, "1g"),
            (i64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(format_size(bytes), text);
            assert_eq!(parse_size(text), Some(bytes));
        }
    }

    #[test]
    fn durations_saturate_and_accept_any_case() {
        assert_eq!(parse_duration("9223372036854775807s"), Some(i64::MAX));
        assert_eq!(parse_duration("99999999999999999999999999"), Some(i64::MAX));
        assert_eq!(parse_duration("1MS"), Some(1_000_000));
        assert_eq!(parse_duration("1Us"), Some(1_000));
        assert_eq!(parse_duration("7nS"), Some(7));
    }

    #[test]
    fn texts_that_are_no_durations_are_refused() {
        for text in [
            "", "s", "-1s", "1m", "1h", "1 s", "1.5s", "1sx", "ns", "1µs",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn durations_print_with_the_largest_exact_suffix() {
        for (ns, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1us"),
            (1_500_000_000, "1500ms"),
            (5_000_000_000, "5s"),
            (i64::MAX, "9223372036854775807ns"),
        ] {
            assert_eq!(format_duration(ns), text);
            assert_eq!(parse_duration(text), Some(ns));
        }
    }
}
