//! What the driver refused lately.

use aileron::concurrent::ErrorObservation;

use super::{Case, Cause, Since, Size};
use crate::text::bytes_text;

/// For how long an error is worth telling.
const RECENT_MS: i64 = 60_000;

pub(super) fn look(case: &mut Case<'_>) {
    let snapshot = case.snapshot();
    for error in &snapshot.errors {
        if snapshot.time.since(error.last) <= RECENT_MS {
            look_at(case, error);
        }
    }
}

fn look_at(case: &mut Case<'_>, error: &ErrorObservation) {
    let cause = classify(&error.text);
    let left = case.machine().storage_available;
    let finding = case.report(cause, "the driver");
    finding.is_stall = cause != Cause::Refused;
    finding.since = Since::At(error.first);
    finding.size = Some(Size::Count(i64::from(error.observation_count)));
    finding.what = format!("the driver refused something: {}", first_line(&error.text));
    let known = ADVICE.iter().find(|(other, _)| *other == cause);
    let advice = known.map_or("change what the text names", |(_, advice)| advice);
    advice.clone_into(&mut finding.advice);
    if let Some(left) = left.filter(|_| cause == Cause::StorageFull) {
        let left = i64::try_from(left).unwrap_or(i64::MAX);
        finding.size = Some(Size::Bytes(left));
        finding.what += "; left now: ";
        finding.what += &bytes_text(left);
    }
}

/// What to do about each kind.
const ADVICE: [(Cause, &str); 5] = [
    (
        Cause::NameUnresolved,
        "see whether the name is right and known on this machine (getent hosts NAME), or use an \
         address",
    ),
    (
        Cause::StorageFull,
        "make room on the file system of the directory: remove directories of dead drivers, \
         enlarge it (mount -o remount,size=...), or use shorter terms (term-length=)",
    ),
    (
        Cause::MtuMismatch,
        "give both ends the same mtu, or the receiving end a window (rcv-wnd=) and a socket buffer \
         (so-rcvbuf=) of at least the mtu of the sending end",
    ),
    (
        Cause::TermLengthMismatch,
        "give all publications of this channel and stream the same term-length, or leave it out; \
         a window is at most half a term",
    ),
    (
        Cause::SocketBufferTooSmall,
        "raise the limits of the kernel (sysctl -w net.core.rmem_max=... net.core.wmem_max=...) \
         and so-rcvbuf= or so-sndbuf=, or lower rcv-wnd=",
    ),
];

/// The kind of an error by the words that drivers use for it: aileron's, Aeron's in C and in Java.
fn classify(text: &str) -> Cause {
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&[
        "unresolved",
        "resolve",
        "unknown host",
        "unknown_host",
        "unknownhost",
    ]) {
        Cause::NameUnresolved
    } else if has(&["storage", "no space left", "enospc", "usable space"]) {
        Cause::StorageFull
    } else if has(&["so_rcvbuf", "so_sndbuf", "rcvbuf", "sndbuf"]) && !has(&["mtu"]) {
        Cause::SocketBufferTooSmall
    } else if has(&["mtu"]) {
        Cause::MtuMismatch
    } else if has(&[
        "term-length",
        "term length",
        "termlength",
        "term_length",
        "termbufferlength",
    ]) {
        Cause::TermLengthMismatch
    } else {
        Cause::Refused
    }
}

fn first_line(text: &str) -> &str {
    text.lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_drivers_are_understood() {
        let cases = [
            (
                "cannot resolve 'nohost' of endpoint=nohost:1",
                Cause::NameUnresolved,
            ),
            ("Unresolved host: nohost:1", Cause::NameUnresolved),
            (
                "log needs 4096 bytes of storage, 100 are usable",
                Cause::StorageFull,
            ),
            (
                "insufficient usable storage for new log of length=3 in /dev/shm",
                Cause::StorageFull,
            ),
            (
                "rcv-wnd=1m is above SO_RCVBUF=212992",
                Cause::SocketBufferTooSmall,
            ),
            (
                "mtu length 8192 is greater than the initial window length 4096",
                Cause::MtuMismatch,
            ),
            (
                "existing publication has different 'term-length': 1 2",
                Cause::TermLengthMismatch,
            ),
            ("session clash", Cause::Refused),
        ];
        for (text, cause) in cases {
            assert_eq!(classify(text), cause, "{text}");
        }
        assert_eq!(first_line("\n  a\nb"), "a");
    }
}
