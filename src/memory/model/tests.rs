//! The checker itself: what must be found, what must not, and what must be possible.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::*;
use crate::memory::AtomicBuffer;

const X: usize = 0;
const Y: usize = 8;

fn check(threads: &[Body<'_, AtomicBuffer>]) -> Coverage {
    let coverage = Explorer::default().check(|| AtomicBuffer::heap(64), threads, |_| {});
    assert!(coverage.is_complete);
    coverage
}

fn fails(threads: &[Body<'_, AtomicBuffer>]) -> bool {
    catch_unwind(AssertUnwindSafe(|| check(threads))).is_err()
}

/// All pairs of numbers that two threads come to.
fn outcomes(
    first: impl Fn(&AtomicBuffer) -> i32 + Sync,
    second: impl Fn(&AtomicBuffer) -> i32 + Sync,
) -> Vec<(i32, i32)> {
    let all = Mutex::new(Vec::new());
    let setup = || (AtomicBuffer::heap(64), Mutex::new((-1, -1)));
    Explorer::default().check(
        setup,
        &[
            &|(buffer, results): &(AtomicBuffer, Mutex<(i32, i32)>)| {
                let result = first(buffer);
                results.lock().expect("no panic").0 = result;
            },
            &|(buffer, results)| {
                let result = second(buffer);
                results.lock().expect("no panic").1 = result;
            },
        ],
        |(_, results)| {
            all.lock()
                .expect("no panic")
                .push(*results.lock().expect("no panic"));
        },
    );
    let mut all = all.into_inner().expect("no panic");
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_message_is_complete_where_its_flag_is_released_and_acquired() {
    let pass = |b: &AtomicBuffer| {
        b.store_i32_relaxed(X, 1);
        b.store_i32_release(Y, 1);
    };
    check(&[&pass, &|b| {
        if b.load_i32_acquire(Y) == 1 {
            assert_eq!(b.load_i32_relaxed(X), 1);
        }
    }]);
}

#[test]
fn a_message_may_be_missing_where_its_flag_is_not() {
    let receive = |b: &AtomicBuffer, flag: i32| {
        if flag == 1 {
            assert_eq!(b.load_i32_relaxed(X), 1);
        }
    };
    let relaxed = |b: &AtomicBuffer| {
        b.store_i32_relaxed(X, 1);
        b.store_i32_relaxed(Y, 1);
    };
    assert!(fails(&[&relaxed, &|b| receive(b, b.load_i32_acquire(Y))]));
    let released = |b: &AtomicBuffer| {
        b.store_i32_relaxed(X, 1);
        b.store_i32_release(Y, 1);
    };
    assert!(fails(&[&released, &|b| receive(b, b.load_i32_relaxed(Y))]));
}

#[test]
fn fences_stand_in_for_orderings() {
    let pass = |b: &AtomicBuffer| {
        b.store_i32_relaxed(X, 1);
        fence(Ordering::Release);
        b.store_i32_relaxed(Y, 1);
    };
    let receive = |b: &AtomicBuffer| {
        if b.load_i32_relaxed(Y) == 1 {
            fence(Ordering::Acquire);
            assert_eq!(b.load_i32_relaxed(X), 1);
        }
    };
    check(&[&pass, &receive]);
    let without = |b: &AtomicBuffer| {
        if b.load_i32_relaxed(Y) == 1 {
            assert_eq!(b.load_i32_relaxed(X), 1);
        }
    };
    assert!(fails(&[&pass, &without]));
}

#[test]
fn bytes_that_nobody_handed_over_race() {
    let write = |b: &AtomicBuffer| {
        // SAFETY: MEM-2 is what is tested: here by keeping to it, below by breaking it.
        unsafe { b.bytes_mut(X..X + 4) }.fill(1);
        b.store_i32_release(Y, 1);
    };
    let acquired = |b: &AtomicBuffer| {
        if b.load_i32_acquire(Y) == 1 {
            // SAFETY: MEM-2: the writer released them.
            assert_eq!(unsafe { b.bytes(X..X + 4) }, [1; 4]);
        }
    };
    check(&[&write, &acquired]);
    let relaxed = |b: &AtomicBuffer| {
        if b.load_i32_relaxed(Y) == 1 {
            // SAFETY: MEM-2, broken on purpose; the run ends before anything is read.
            let _ = unsafe { b.bytes(X..X + 4) };
        }
    };
    assert!(fails(&[&write, &relaxed]));
    assert!(fails(&[&write, &|b| {
        let _ = b.load_i32_acquire(X);
    }]));
}

#[test]
fn two_threads_may_both_miss_what_the_other_stored() {
    let all = outcomes(
        |b| {
            b.store_i32_release(X, 1);
            b.load_i32_acquire(Y)
        },
        |b| {
            b.store_i32_release(Y, 1);
            b.load_i32_acquire(X)
        },
    );
    assert_eq!(all, [(0, 0), (0, 1), (1, 0), (1, 1)]);
}

#[test]
fn nobody_goes_back_to_an_older_value() {
    let all = outcomes(
        |b| {
            b.store_i32_relaxed(X, 1);
            b.store_i32_relaxed(X, 2);
            0
        },
        |b| b.load_i32_relaxed(X) * 10 + b.load_i32_relaxed(X),
    );
    let seen: Vec<i32> = all.iter().map(|(_, seen)| *seen).collect();
    assert_eq!(seen, [0, 1, 2, 11, 12, 22]);
}

#[test]
fn additions_are_not_lost_and_hand_on_what_was_released() {
    let add = |b: &AtomicBuffer| {
        b.fetch_add_i32_acq_rel(Y, 1);
    };
    let coverage = Explorer::default().check(
        || AtomicBuffer::heap(64),
        &[&add, &add, &|b| {
            b.store_i32_relaxed(X, 1);
            b.fetch_add_i32_acq_rel(Y, 10);
            if b.load_i32_acquire(Y) >= 10 {
                assert_eq!(b.load_i32_relaxed(X), 1);
            }
        }],
        |b| assert_eq!(b.load_i32_relaxed(Y), 12),
    );
    assert!(coverage.is_complete);
}

#[test]
fn one_of_two_exchanges_fails() {
    let all = outcomes(
        |b| i32::from(b.compare_exchange_i32_seq_cst(X, 0, 1).is_ok()),
        |b| i32::from(b.compare_exchange_i32_seq_cst(X, 0, 2).is_ok()),
    );
    assert_eq!(all, [(0, 1), (1, 0)]);
}

#[test]
fn a_word_has_one_width() {
    assert!(fails(&[&|b: &AtomicBuffer| {
        b.store_i32_relaxed(X, 1);
        let _ = b.load_i64_relaxed(X);
    }]));
}

#[test]
fn who_waits_for_what_never_comes_is_found() {
    assert!(fails(&[&|b: &AtomicBuffer| {
        while b.load_i32_relaxed(X) == 0 {}
    }]));
}
