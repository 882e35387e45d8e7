//! The log of a publication: `term-length`, `mtu`, `init-term-id`, `term-id`, `term-offset`,
//! `sparse`.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use aileron::base::{Position, TermId};
use aileron::command::ErrorCode;

use super::rig::{RawSender, Rig};
use super::support::wait_for;

const INVALID: ErrorCode = ErrorCode::InvalidChannel;
const MEDIA: [&str; 2] = ["aeron:ipc?", "aeron:udp?endpoint=localhost:4000|"];

#[test]
fn the_term_length_is_that_of_the_log() {
    let rig = Rig::new();
    for medium in MEDIA {
        for (value, length) in [("64k", 65_536), ("131072", 131_072), ("1M", 1_048_576)] {
            let publication = rig.publish_exclusive(&format!("{medium}term-length={value}"));
            assert_eq!(publication.term_length(), length, "{medium}{value}");
        }
    }
}

#[test]
fn a_bad_term_length_is_refused() {
    let rig = Rig::new();
    for medium in MEDIA {
        for (value, text, remedy) in [
            (
                "32k",
                "term-length=32768",
                "power of two from 65536 to 1073741824",
            ),
            ("65537", "term-length=65537", "power of two"),
            ("2g", "term-length=2g", "expected a size below 2g"),
            ("0", "term-length=0", "power of two"),
            ("-64k", "term-length=-64k", "expected a size"),
            ("long", "term-length=long", "expected a size"),
            ("", "term-length=", "expected a size"),
        ] {
            let channel = format!("{medium}term-length={value}");
            rig.refuses_publication(&channel, INVALID, &[text, remedy]);
        }
    }
}

#[test]
fn the_mtu_limits_what_a_frame_carries() {
    let rig = Rig::new();
    for medium in MEDIA {
        for (value, length) in [("64", 64), ("4k", 4096), ("8192", 8192)] {
            let channel = format!("{medium}term-length=64k|mtu={value}");
            let publication = rig.publish_exclusive(&channel);
            assert_eq!(publication.max_payload_length(), length - 32, "{channel}");
        }
    }
    // A receiver learns it from the SETUP.
    let mut subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0");
    let sender = RawSender::to(&subscription, 3).with_mtu(4096);
    sender.join(&mut subscription);
    let image = subscription.image_at(0).expect("joined");
    assert_eq!(image.mtu_length(), 4096);
}

#[test]
fn a_bad_mtu_is_refused() {
    let rig = Rig::new();
    for medium in MEDIA {
        for (value, text, remedy) in [
            ("32", "mtu=32", "multiple of 32 above 32 and up to 65504"),
            ("100", "mtu=100", "multiple of 32"),
            ("64k", "mtu=65536", "up to 65504"),
            (
                "16k",
                "mtu=16384",
                "longest message 8192 of term-length=65536",
            ),
            ("short", "mtu=short", "expected a size"),
        ] {
            let channel = format!("{medium}term-length=64k|mtu={value}");
            rig.refuses_publication(&channel, INVALID, &[text, remedy]);
        }
    }
}

#[test]
fn a_publication_starts_at_the_position_of_its_channel() {
    let rig = Rig::new();
    let mut kept = Vec::new();
    for medium in MEDIA {
        let start = "term-length=64k|init-term-id=-5|term-id=-3|term-offset=4096";
        let position = Position(2 * 65_536 + 4096);
        let exclusive = rig.publish_exclusive(&format!("{medium}{start}"));
        assert_eq!(exclusive.initial_term_id(), TermId(-5));
        assert_eq!(exclusive.term_id(), TermId(-3));
        assert_eq!(exclusive.term_offset().get(), 4096);
        assert_eq!(exclusive.position(), Some(position));
        let first = rig.publish(&format!("{medium}{start}"));
        assert_eq!(first.position(), Some(position), "{medium}");
        kept.push((exclusive, first));
    }
    // A subscriber joins there.
    let mut subscription = rig.subscribe("aeron:ipc");
    wait_for("images of both publications", || {
        subscription.poll(0, |_, _| {});
        (subscription.image_count() == 2).then_some(())
    });
    for image in subscription.images().iter() {
        assert_eq!(image.join_position(), Position(2 * 65_536 + 4096));
    }
}

/// What is wrong with a start is found in the same place for all three of its parameters.
fn refuses_starts(name: &str, cases: &[(&str, &str)]) {
    let rig = Rig::new();
    for medium in MEDIA {
        for (start, remedy) in cases {
            let channel = format!("{medium}term-length=64k|{start}");
            rig.refuses_publication(&channel, INVALID, &[name, remedy]);
        }
    }
}

#[test]
fn a_bad_initial_term_id_is_refused() {
    refuses_starts(
        "init-term-id",
        &[
            (
                "init-term-id=x|term-id=1|term-offset=0",
                "init-term-id=x: expected a 32-bit integer",
            ),
            (
                "init-term-id=2147483648|term-id=1|term-offset=0",
                "expected a 32-bit integer",
            ),
            ("init-term-id=1", "must be given together or not at all"),
        ],
    );
}

#[test]
fn a_bad_term_id_is_refused() {
    refuses_starts(
        "term-id",
        &[
            (
                "init-term-id=1|term-id=x|term-offset=0",
                "term-id=x: expected a 32-bit integer",
            ),
            (
                "init-term-id=1|term-id=0|term-offset=0",
                "term-id=0 is before init-term-id=1",
            ),
            ("term-id=1", "must be given together or not at all"),
        ],
    );
}

#[test]
fn a_bad_term_offset_is_refused() {
    refuses_starts(
        "term-offset",
        &[
            (
                "init-term-id=1|term-id=1|term-offset=x",
                "term-offset=x: expected a 32-bit integer",
            ),
            (
                "init-term-id=1|term-id=1|term-offset=33",
                "term-offset=33 is not a multiple of 32",
            ),
            (
                "init-term-id=1|term-id=1|term-offset=-32",
                "from 0 to term-length=65536",
            ),
            (
                "init-term-id=1|term-id=1|term-offset=65568",
                "from 0 to term-length=65536",
            ),
            ("term-offset=0", "must be given together or not at all"),
        ],
    );
}

/// Bytes that the file system has given a log.
fn allocated(folder: &Path, id: i64) -> u64 {
    let path = folder.join(format!("{id}.logbuffer"));
    path.metadata().expect("a log file").blocks() * 512
}

#[test]
fn a_log_that_is_not_sparse_takes_its_space_at_once() {
    let rig = Rig::new();
    let publications = rig.driver.directory().join("publications");
    let space = |sparse: bool| {
        let publication = rig.publish_exclusive(&format!(
            "aeron:ipc?alias=space|term-length=1m|sparse={sparse}"
        ));
        allocated(&publications, publication.registration_id().get())
    };
    assert!(space(false) >= 3 * 1024 * 1024);
    assert!(space(true) < 1024 * 1024);

    let images = rig.driver.directory().join("images");
    let image_space = |sparse: bool| {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:0|sparse={sparse}");
        let mut subscription = rig.subscribe(&channel);
        let sender = RawSender::to(&subscription, 1);
        sender.join(&mut subscription);
        let image = subscription.image_at(0).expect("joined");
        allocated(&images, image.correlation_id().get())
    };
    assert!(image_space(false) >= 3 * 65_536);
    assert!(image_space(true) < 2 * 65_536);
}

#[test]
fn a_bad_sparse_is_refused() {
    let rig = Rig::new();
    for medium in MEDIA {
        for value in ["yes", "TRUE", ""] {
            let channel = format!("{medium}sparse={value}");
            let name = format!("sparse={value}: expected true or false");
            rig.refuses_publication(&channel, INVALID, &[&name]);
            rig.refuses_subscription(&channel, INVALID, &[&name]);
        }
    }
}
