//! Stamped cells: latest value, never a mixture.

use aileron::concurrent::StampedCell;
use aileron::memory::model::Explorer;

use super::explore;

const fn values(number: i64) -> [i64; 3] {
    [number, -number, number * 100]
}

#[test]
fn a_reader_sees_one_publication_and_never_goes_back() {
    let read = |cell: &StampedCell<3>| {
        let mut last = 0;
        for _ in 0..3 {
            if let Some((number, seen)) = cell.read() {
                assert_eq!(seen, values(number), "a mixture");
                assert!(number >= last, "it went back");
                last = number;
            }
        }
    };
    let publish = |cell: &StampedCell<3>| {
        cell.publish(&values(1));
        cell.publish(&values(2));
    };
    let explorer = Explorer {
        preemptions: 2,
        old_values: 3,
        runs_max: 20_000,
        ..Explorer::default()
    };
    explore(
        "stamped cell",
        &explorer,
        StampedCell::<3>::new,
        &[&publish, &read],
        |cell| assert_eq!(cell.read(), Some((2, values(2)))),
    );
}
