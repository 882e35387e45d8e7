//! Links lead somewhere, and every page is listed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::pages::{book, pages, root, take_apart};

/// The targets of `[text](target)`.
fn links(prose: &str) -> Vec<&str> {
    let parts = prose.split("](").skip(1);
    parts
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .collect()
}

/// The name that a heading has as an anchor.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        ' ' => Some('-'),
        _ => None,
    });
    kept.collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    let (_, prose) = take_apart(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// Links that lead nowhere.
fn dead_links(path: &Path, page: &str) -> Vec<String> {
    let (_, prose) = take_apart(page);
    let folder = path.parent().expect("a folder");
    let mut dead = Vec::new();
    for target in links(&prose) {
        if target.starts_with("http://") || target.starts_with("https://") {
            continue;
        }
        let (file, part) = target.split_once('#').unwrap_or((target, ""));
        let file = if file.is_empty() {
            path.to_owned()
        } else {
            folder.join(file)
        };
        let leads = file.exists()
            && (part.is_empty()
                || std::fs::read_to_string(&file).is_ok_and(|text| anchors(&text).contains(part)));
        if !leads {
            dead.push(format!("{}: {target}", path.display()));
        }
    }
    dead
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for (path, page) in pages() {
        dead.extend(dead_links(&path, &page));
    }
    for page in [
        "README.md",
        "docs/architecture.md",
        "docs/monitoring/README.md",
    ] {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path).expect("text");
        dead.extend(dead_links(&path, &text));
    }
    assert!(dead.is_empty(), "{dead:#?}");
    let broken = dead_links(
        &book().join("x.md"),
        "[a](nowhere.md) [b](#no) [c](concepts.md#no)\n",
    );
    assert_eq!(broken.len(), 3, "the check itself finds them: {broken:?}");
    let good = dead_links(&book().join("x.md"), "# A b\n[a](concepts.md#loss)\n");
    assert!(good.is_empty(), "{good:?}");
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = std::fs::read_to_string(book().join("SUMMARY.md")).expect("a summary");
    let listed: BTreeSet<&str> = links(&summary).into_iter().collect();
    for (path, _) in pages() {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert!(
            name == "SUMMARY.md" || listed.contains(name),
            "{name} is not in SUMMARY.md"
        );
    }
}
