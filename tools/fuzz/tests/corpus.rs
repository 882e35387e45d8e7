//! Every input that is kept, and a few random changes of each: what was found once stays fixed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use aileron::base::Rng;
use aileron_fuzz::{Corpus, TARGETS, corpus_dir};

/// Changed inputs per target.
const CHANGED: u64 = 100;

#[test]
fn every_input_that_is_kept_comes_back() {
    for target in &TARGETS {
        let corpus = Corpus::read(target, &corpus_dir()).expect("a corpus");
        assert!(corpus.len() > 3, "{} has hardly any inputs", target.name);
        let mut last = String::new();
        let run = catch_unwind(AssertUnwindSafe(|| {
            corpus.replay(|name| name.clone_into(&mut last));
        }));
        assert!(run.is_ok(), "{} on {last}", target.name);
    }
}

#[test]
fn random_changes_of_what_is_kept_come_back() {
    for target in &TARGETS {
        let corpus = Corpus::read(target, &corpus_dir()).expect("a corpus");
        let mut last = Vec::new();
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut rng = Rng::new(1);
            corpus.search(&mut rng, CHANGED, |input| input.clone_into(&mut last));
        }));
        assert!(run.is_ok(), "{} on {last:02x?}", target.name);
    }
}

#[test]
fn corpora_begin_with_their_seeds() {
    for target in &TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for seed in seeds {
            (target.run)(&seed);
        }
    }
}
