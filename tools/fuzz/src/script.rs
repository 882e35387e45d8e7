//! Inputs that are a list of steps: a control byte, a length, and so many bytes, over and over.
//!
//! A change of one step leaves the others what they were, which is what a search that works by
//! small changes needs. Any bytes are a script.

/// Steps of a script that are read; the rest is ignored, so that no input takes long.
pub(crate) const STEPS_MAX: usize = 48;

/// One step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) control: u8,
    pub(crate) bytes: &'a [u8],
}

/// The steps of an input.
pub(crate) fn steps(data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (&control, after) = rest.split_first()?;
        let (length, after) = match after.split_first_chunk::<2>() {
            Some((length, after)) => (usize::from(u16::from_le_bytes(*length)), after),
            None => (0, &[][..]),
        };
        let (bytes, after) = after.split_at(length.min(after.len()));
        rest = after;
        Some(Step { control, bytes })
    })
    .take(STEPS_MAX)
}

/// Appends a step to a script.
pub(crate) fn push(script: &mut Vec<u8>, control: u8, bytes: &[u8]) {
    script.push(control);
    script.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes());
    script.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_is_read_and_the_end_may_be_cut_anywhere() {
        let mut script = Vec::new();
        push(&mut script, 1, b"one");
        push(&mut script, 2, b"");
        push(&mut script, 3, b"three");
        let read: Vec<_> = steps(&script).map(|s| (s.control, s.bytes)).collect();
        assert_eq!(read, [(1, &b"one"[..]), (2, &b""[..]), (3, &b"three"[..])]);
        for end in 0..script.len() {
            assert!(steps(&script[..end]).count() <= 3);
        }
    }
}
