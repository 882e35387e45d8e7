//! Log buffer files, read and compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Bytes of the metadata page.
const METADATA_LENGTH: usize = 4096;
/// Terms of a log.
const TERMS: usize = 3;

/// Fields of the metadata page that may differ: offset, length, and why.
pub(crate) const MAY_DIFFER: &[(usize, usize, &str)] = &[
    (
        256,
        8,
        "correlation id: counted by each driver from its own start",
    ),
    (
        140,
        4,
        "active transport count: counted when the driver's timer comes by",
    ),
    (
        288,
        4,
        "receiver window of an image: C writes the configured one, aileron the one in force, which \
         is at most half a term",
    ),
    (
        300,
        4,
        "greatest SO_SNDBUF of the system: C leaves it zero in images",
    ),
    (304, 4, "SO_RCVBUF: C leaves it zero in images"),
    (
        312,
        4,
        "greatest SO_RCVBUF of the system: C leaves it zero in images",
    ),
    (
        316,
        4,
        "retransmits at a time: C leaves it zero where the channel does not say",
    ),
];

/// The logs of a stream.
pub(crate) struct Logs {
    /// By role: `publication`, `image`.
    files: BTreeMap<&'static str, Vec<u8>>,
}

impl Logs {
    /// The one publication of a driver and the one image of another.
    pub(crate) fn read(publisher: &Path, subscriber: Option<&Path>) -> Self {
        let mut files = BTreeMap::new();
        files.insert("publication", only_file(&publisher.join("publications")));
        if let Some(subscriber) = subscriber {
            files.insert("image", only_file(&subscriber.join("images")));
        }
        Self { files }
    }
}

fn only_file(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [path] = paths.as_slice() else {
        panic!("{} holds {paths:?}", folder.display());
    };
    fs::read(path).expect("readable")
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    i64::from_le_bytes(word)
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    i32::from_le_bytes(word)
}

/// Where a publication's stream ends: partition, and offset in it. Images keep no tail.
fn end_of_stream(publication: &[u8]) -> (usize, usize) {
    let (terms, metadata) = publication.split_at(publication.len() - METADATA_LENGTH);
    // The tail with the highest term id is the active one.
    let tails = (0..TERMS).map(|index| (i64_at(metadata, 8 * index), index));
    let (tail, index) = tails.max().expect("three tails");
    let offset = usize::try_from(tail & 0xFFFF_FFFF).expect("positive");
    (index, offset.min(terms.len() / TERMS))
}

/// The term's length of bytes before the end of the stream, which nobody cleans.
fn last_of_stream(log: &[u8], (index, offset): (usize, usize)) -> Vec<u8> {
    let terms = &log[..log.len() - METADATA_LENGTH];
    let term_length = terms.len() / TERMS;
    let before = (index + TERMS - 1) % TERMS;
    let mut last = terms[before * term_length + offset..(before + 1) * term_length].to_vec();
    last.extend(&terms[index * term_length..][..offset]);
    last
}

/// Panics unless the logs are the same but for [`MAY_DIFFER`].
pub(crate) fn assert_same(ours: &Logs, theirs: &Logs, what: &str) {
    let end = end_of_stream(&ours.files["publication"]);
    assert_eq!(
        end,
        end_of_stream(&theirs.files["publication"]),
        "{what}: end"
    );
    for (role, theirs) in &theirs.files {
        let ours = &ours.files[role];
        assert_eq!(
            ours.len(),
            theirs.len(),
            "{what}: length of the {role}'s log"
        );
        let (our_end, their_end) = (last_of_stream(ours, end), last_of_stream(theirs, end));
        if let Some(at) = our_end.iter().zip(&their_end).position(|(a, b)| a != b) {
            let around = at.saturating_sub(64) & !31..(at + 64).min(our_end.len());
            panic!(
                "{what}: the {role}'s streams differ at {at}: {:02x?} ours, {:02x?} theirs",
                &our_end[around.clone()],
                &their_end[around]
            );
        }
        assert_eq!(our_end.len(), their_end.len());
        let page = |log: &[u8]| log[log.len() - METADATA_LENGTH..].to_vec();
        let (our_page, their_page) = (page(ours), page(theirs));
        let differing: Vec<_> = (0..METADATA_LENGTH)
            .filter(|at| our_page[*at] != their_page[*at])
            .filter(|at| {
                let mut allowed = MAY_DIFFER.iter();
                !allowed.any(|(from, length, _)| (*from..from + length).contains(at))
            })
            .collect();
        let words: Vec<_> = differing
            .iter()
            .map(|at| at & !3)
            .map(|at| (at, i32_at(&our_page, at), i32_at(&their_page, at)))
            .collect();
        assert!(
            differing.is_empty(),
            "{what}: metadata of the {role}'s log differs (offset, ours, theirs): {words:?}"
        );
    }
    // Within a run, an image's stream is the publication's.
    if let Some(image) = ours.files.get("image") {
        let publication = last_of_stream(&ours.files["publication"], end);
        assert!(
            last_of_stream(image, end) == publication,
            "{what}: image and publication"
        );
    }
}
