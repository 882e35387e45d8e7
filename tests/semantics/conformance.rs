//! `docs/conformance.md` against the sources: every row of the checklist is there once, has a test
//! that exists or says why not, and every test of a row is named.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The rows of the checklist: sections, and the numbers in them.
const ROWS: &[(u32, &[RangeInclusive<u32>])] = &[
    (1, &[1..=18]),
    (2, &[1..=12]),
    (3, &[1..=8]),
    (4, &[1..=26]),
    (5, &[1..=22]),
    (6, &[1..=35]),
    (7, &[1..=12]),
    (8, &[1..=15]),
    (9, &[1..=7]),
    (10, &[1..=22]),
    (11, &[1..=7]),
    (12, &[1..=12]),
    (13, &[1..=11]),
    (14, &[1..=10, 20..=30]),
    (15, &[1..=12]),
    (16, &[1..=14]),
    (17, &[1..=6]),
    (18, &[1..=12]),
    (19, &[1..=6]),
];
/// Begins the proof of a row that needs none.
const DOES_NOT_APPLY: &str = "does not apply: ";
/// How many rows the reference client runs too, at least.
const WITH_REFERENCE_MIN: usize = 200;
/// Where the tests of rows are; what they are called names the row.
const ROW_TESTS: &[&str] = &["tests/semantics/rows", "tests/semantics/own_rows"];
/// Where the first words of a test's path may lead.
const ROOTS: &[&str] = &["tests", "tools/interop/tests", "tools/sim", "src"];

/// A line of the tables.
#[derive(Debug)]
struct Row {
    proof: String,
    with_reference: String,
}

fn root() -> PathBuf {
    // Both packages that include this file lie in the same tree.
    let mut root = Path::new(env!("CARGO_MANIFEST_DIR"));
    while !root.join("docs/conformance.md").exists() {
        root = root.parent().expect("the workspace");
    }
    root.to_owned()
}

/// The tables' rows by their number.
fn rows() -> BTreeMap<(u32, u32), Row> {
    let text = fs::read_to_string(root().join("docs/conformance.md")).expect("the tables");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let Some(cells) = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix('|'))
        else {
            continue;
        };
        let cells: Vec<_> = cells.split(" | ").map(str::trim).collect();
        let Some(number) = number(cells[0]) else {
            continue;
        };
        let [_, what, proof, with_reference] = cells.as_slice() else {
            panic!("four columns: {line}");
        };
        assert!(!what.is_empty(), "{line}");
        let row = Row {
            proof: (*proof).to_owned(),
            with_reference: (*with_reference).to_owned(),
        };
        let twice = rows.insert(number, row);
        assert!(twice.is_none(), "row twice: {line}");
    }
    rows
}

fn number(cell: &str) -> Option<(u32, u32)> {
    let (section, row) = cell.split_once('.')?;
    Some((section.parse().ok()?, row.parse().ok()?))
}

/// The test paths that a proof names, in backticks.
fn test_paths(proof: &str) -> Vec<&str> {
    proof.split('`').skip(1).step_by(2).collect()
}

/// The file that a test path leads to, and the test's name.
fn file_of(path: &str) -> Option<(PathBuf, String)> {
    let (modules, name) = path.rsplit_once("::")?;
    let mut modules: Vec<_> = modules.split("::").collect();
    while !modules.is_empty() {
        for base in ROOTS {
            let stem = root().join(base).join(modules.join("/"));
            let candidates = [
                stem.with_extension("rs"),
                stem.join("mod.rs"),
                stem.join("main.rs"),
            ];
            if let Some(file) = candidates.into_iter().find(|file| file.is_file()) {
                return Some((file, name.to_owned()));
            }
        }
        // The last may be a module within the file.
        modules.pop();
    }
    None
}

/// Whether `text` has a test called `name`.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_it = |line: &str| {
        let rest = line
            .strip_prefix("fn ")
            .and_then(|line| line.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with("()"))
    };
    lines.iter().enumerate().any(|(at, line)| {
        let above = &lines[at.saturating_sub(4)..at];
        is_it(line) && above.contains(&"#[test]")
    })
}

/// Names of the tests of rows, with where they are.
fn row_tests() -> Vec<(String, String)> {
    let mut tests = Vec::new();
    for folder in ROW_TESTS {
        for entry in fs::read_dir(root().join(folder)).expect("a folder of rows") {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a file of rows");
            let name = |line: &str| Some(line.strip_prefix("fn ")?.split_once("()")?.0.to_owned());
            for test in text
                .lines()
                .filter_map(name)
                .filter(|name| has_test(&text, name))
            {
                tests.push((test, path.display().to_string()));
            }
        }
    }
    tests
}

#[test]
fn every_row_of_the_checklist_is_in_the_tables_once() {
    let rows = rows();
    let expected: Vec<_> = ROWS
        .iter()
        .flat_map(|(section, ranges)| {
            let numbers = ranges.iter().cloned().flatten();
            numbers.map(|number| (*section, number))
        })
        .collect();
    let listed: Vec<_> = rows.keys().copied().collect();
    assert_eq!(listed, expected);
}

#[test]
fn every_row_names_tests_that_exist_or_says_why_not() {
    for ((section, number), row) in rows() {
        let row_number = format!("{section}.{number}");
        let paths = test_paths(&row.proof);
        if paths.is_empty() {
            let reason = row.proof.strip_prefix(DOES_NOT_APPLY).unwrap_or("");
            assert!(reason.len() > 10, "{row_number}: {}", row.proof);
            assert_eq!(row.with_reference, "–", "{row_number}");
            continue;
        }
        for path in &paths {
            let (file, name) =
                file_of(path).unwrap_or_else(|| panic!("{row_number}: no file for {path}"));
            let text = fs::read_to_string(&file).expect("a source");
            assert!(
                has_test(&text, &name),
                "{row_number}: no test {name} in {}",
                file.display()
            );
        }
        // What the reference client runs too is in the shared rows, or in the tests between
        // implementations.
        let is_shared = paths
            .iter()
            .any(|path| path.starts_with("semantics::rows::") || path.starts_with("interop::"));
        let stated = if is_shared { "yes" } else { "no" };
        assert_eq!(row.with_reference, stated, "{row_number}");
    }
}

#[test]
fn the_reference_client_runs_most_rows() {
    let rows = rows();
    let count = rows
        .values()
        .filter(|row| row.with_reference == "yes")
        .count();
    assert!(count >= WITH_REFERENCE_MIN, "{count} rows");
}

#[test]
fn every_test_of_a_row_is_in_the_tables_under_its_row() {
    let rows = rows();
    for (test, file) in row_tests() {
        let mut words = test.split('_').skip(1);
        let mut next = || words.next().and_then(|word| word.parse().ok());
        let number = next().zip(next());
        let number = number.unwrap_or_else(|| panic!("{test} in {file} names no row"));
        let row = rows
            .get(&number)
            .unwrap_or_else(|| panic!("{test}: no such row"));
        let is_named = test_paths(&row.proof)
            .iter()
            .any(|path| path.ends_with(&format!("::{test}")));
        assert!(is_named, "{test} in {file} is not in the tables");
    }
}
