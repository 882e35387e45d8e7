//! The pages of the book, and the blocks of code on them.

use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn book() -> PathBuf {
    root().join("docs/book/src")
}

/// All pages of the book, by name.
pub(crate) fn pages() -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(book()).expect("the book");
    let mut pages: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("text");
        (path, text)
    };
    pages.into_iter().map(read).collect()
}

/// A fenced block of code.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The blocks of a page, and the page without them.
pub(crate) fn take_apart(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose): (Vec<Block>, String) = Default::default();
    let mut is_inside = false;
    for (number, line) in (1..).zip(page.lines()) {
        if let Some(language) = line.strip_prefix("```") {
            if !is_inside {
                blocks.push(Block {
                    language: language.to_owned(),
                    line: number,
                    text: String::new(),
                });
            }
            is_inside = !is_inside;
        } else if is_inside {
            let block = blocks.last_mut().expect("begun");
            block.text.push_str(line);
            block.text.push('\n');
        } else {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    assert!(!is_inside, "a block does not end");
    (blocks, prose)
}
