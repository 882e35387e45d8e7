//! The crate's style, enforced: which module may use which, where `unsafe` and foreign crates may
//! appear, who may read a clock, how long lines and files get.
//!
//! Each rule turns sources into violations. Those known and not yet mended are in [`RATCHET`],
//! which only ever gets tighter.

use std::collections::BTreeMap;
use std::path::Path;

use paths::crate_paths;
use source::{Source, tokens};

#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/source.rs"]
mod source;

/// Which modules of the crate a module may use besides itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("memory", &["base"]),
    ("sys", &["base"]),
    ("port", &["base"]),
    ("protocol", &["base"]),
    ("command", &["base"]),
    ("uri", &["base"]),
    ("concurrent", &["memory", "base"]),
    ("logbuffer", &["memory", "protocol", "base"]),
    ("cnc", &["concurrent", "memory", "base"]),
    ("driver", ABOVE_THE_FILES),
    ("client", ABOVE_THE_FILES),
    ("net", &["port", "sys", "base"]),
    (
        "runtime",
        &[
            "base",
            "memory",
            "sys",
            "port",
            "protocol",
            "command",
            "uri",
            "concurrent",
            "logbuffer",
            "cnc",
            "driver",
            "client",
            "net",
        ],
    ),
    (
        "sim",
        &[
            "base",
            "memory",
            "port",
            "protocol",
            "command",
            "uri",
            "concurrent",
            "logbuffer",
            "cnc",
            "driver",
            "client",
        ],
    ),
];

/// What driver and client may use; each other is not among it.
const ABOVE_THE_FILES: &[&str] = &[
    "cnc",
    "logbuffer",
    "concurrent",
    "command",
    "protocol",
    "uri",
    "port",
    "base",
];

/// Parts of the driver that know neither agents nor each other.
const DRIVER_LEAVES: &[&str] = &[
    "loss",
    "retransmit",
    "flow_control",
    "congestion",
    "dispatcher",
];
const DRIVER_AGENTS: &[&str] = &["conductor", "sender", "receiver", "resources"];

/// Modules that may contain `unsafe`.
const UNSAFE_MODULES: &[&str] = &["memory", "concurrent", "logbuffer", "sys"];

/// Crates that appear in one module alone.
const CRATE_HOMES: &[(&str, &str)] = &[("libc", "sys"), ("socket2", "net"), ("memmap2", "memory")];

/// What reads or waits for the machine's time; for `runtime` alone.
const CLOCKS: &[&str] = &["Instant::now", "SystemTime::now", "thread::sleep"];

const LINE_LENGTH_MAX: usize = 100;
/// Lines of a file, tests not counted, past which it surely holds a second concept.
const FILE_LENGTH_MAX: usize = 600;

/// Violations that are tolerated for now: rule, file, and how many; for the rule `file-length`, how
/// many lines. An entry may be lowered and must go when it is no longer needed.
const RATCHET: &[(&str, &str, usize)] = &[
    ("line-length", "src/concurrent/counters/reader.rs", 1),
    ("line-length", "src/concurrent/loss_report.rs", 1),
    ("line-length", "src/concurrent/mod.rs", 2),
    ("line-length", "src/concurrent/queue.rs", 1),
    ("line-length", "src/concurrent/ring_buffer/consumer.rs", 1),
    ("line-length", "src/concurrent/ring_buffer/mod.rs", 1),
    ("line-length", "src/concurrent/ring_buffer/producer.rs", 1),
    ("line-length", "src/driver/messages.rs", 1),
    ("line-length", "src/driver/publication/ipc.rs", 1),
    ("line-length", "src/logbuffer/rebuilder.rs", 1),
    ("line-length", "src/logbuffer/unblocker.rs", 2),
    ("line-length", "src/memory/atomic_buffer.rs", 1),
    ("line-length", "tools/bench/src/soak.rs", 3),
    ("line-length", "tools/interop/src/pattern.rs", 1),
    ("line-length", "tools/interop/src/peer.rs", 1),
    ("line-length", "tools/interop/tests/interop/capture.rs", 3),
    ("line-length", "tools/interop/tests/interop/commands.rs", 2),
    ("line-length", "tools/interop/tests/interop/counters.rs", 2),
    (
        "line-length",
        "tools/interop/tests/interop/destinations.rs",
        1,
    ),
    ("line-length", "tools/interop/tests/interop/harness.rs", 1),
    ("line-length", "tools/interop/tests/interop/lifecycle.rs", 1),
    ("line-length", "tools/interop/tests/interop/main.rs", 1),
    (
        "line-length",
        "tools/interop/tests/interop/parameters.rs",
        1,
    ),
    ("publish", "src/concurrent/ring_buffer/producer.rs", 3),
    ("publish", "src/concurrent/stamped.rs", 2),
    ("publish", "src/logbuffer/cleaner.rs", 1),
];

/// One breach of one rule.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    rule: &'static str,
    file: String,
    /// From 1.
    line: usize,
    message: String,
    /// 1, or for the rule `file-length` the lines of the file.
    weight: usize,
}

impl Violation {
    fn new(rule: &'static str, source: &Source, line: usize, message: impl Into<String>) -> Self {
        let (file, message) = (source.path.clone(), message.into());
        Self {
            rule,
            file,
            line: line + 1,
            message,
            weight: 1,
        }
    }
}

/// The top-level module a file belongs to; `None` for the crate's root.
fn layer(source: &Source) -> Option<String> {
    source.module_path().into_iter().next()
}

fn is_in(source: &Source, modules: &[&str]) -> bool {
    layer(source).is_some_and(|layer| modules.contains(&layer.as_str()))
}

/// Tests may reach anywhere: a driver's test runs it on heap memory or in the simulator.
fn check_layers(source: &Source, out: &mut Vec<Violation>) {
    let Some(layer) = layer(source) else { return };
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        out.push(Violation::new(
            "layers",
            source,
            0,
            format!("`{layer}` has no row in LAYERS"),
        ));
        return;
    };
    for path in crate_paths(source) {
        let Some(target) = path.segments.first() else {
            continue;
        };
        let is_module = LAYERS.iter().any(|(name, _)| name == target);
        let is_allowed = *target == layer || allowed.contains(&target.as_str());
        if is_module && !is_allowed && !source.is_test_line[path.line] {
            let message = format!("`{layer}` must not use `{target}`");
            out.push(Violation::new("layers", source, path.line, message));
        }
    }
}

fn check_driver_leaves(source: &Source, out: &mut Vec<Violation>) {
    let module = source.module_path();
    let [driver, part, ..] = module.as_slice() else {
        return;
    };
    if driver != "driver" || !DRIVER_LEAVES.contains(&part.as_str()) {
        return;
    }
    for path in crate_paths(source) {
        let [first, target] = path.segments.as_slice() else {
            continue;
        };
        let is_forbidden = DRIVER_LEAVES
            .iter()
            .chain(DRIVER_AGENTS)
            .any(|name| name == target);
        let is_other = first == "driver" && is_forbidden && target != part;
        if is_other && !source.is_test_line[path.line] {
            let message = format!("leaf `{part}` must not know `{target}`");
            out.push(Violation::new("driver-leaves", source, path.line, message));
        }
    }
}

fn check_unsafe(source: &Source, out: &mut Vec<Violation>) {
    if is_in(source, UNSAFE_MODULES) {
        return;
    }
    for token in tokens(&source.code)
        .iter()
        .filter(|token| token.text == "unsafe")
    {
        out.push(Violation::new(
            "unsafe",
            source,
            token.line,
            "`unsafe` outside its modules",
        ));
    }
    let is_module_root = source.module_path().len() == 1;
    if is_module_root && !source.code.contains("#![forbid(unsafe_code)]") {
        out.push(Violation::new(
            "unsafe",
            source,
            0,
            "lacks `#![forbid(unsafe_code)]`",
        ));
    }
}

fn check_crate_homes(source: &Source, out: &mut Vec<Violation>) {
    for token in tokens(&source.code) {
        for (name, home) in CRATE_HOMES {
            if token.text == *name && !is_in(source, &[home]) {
                let message = format!("crate `{name}` belongs in `{home}`");
                out.push(Violation::new("crate-homes", source, token.line, message));
            }
        }
    }
}

fn check_clocks(source: &Source, out: &mut Vec<Violation>) {
    if is_in(source, &["runtime"]) {
        return;
    }
    for (line, code) in source.code.lines().enumerate() {
        for clock in CLOCKS.iter().filter(|clock| code.contains(**clock)) {
            let message = format!("`{clock}` outside `runtime`");
            out.push(Violation::new("clocks", source, line, message));
        }
    }
}

fn check_unwrap(source: &Source, out: &mut Vec<Violation>) {
    for (line, code) in source.product_lines() {
        if code.contains(".unwrap()") {
            out.push(Violation::new(
                "unwrap",
                source,
                line,
                "`unwrap()` outside tests",
            ));
        }
    }
}

fn check_module_docs(source: &Source, out: &mut Vec<Violation>) {
    if !source.text.starts_with("//! ") {
        out.push(Violation::new(
            "module-docs",
            source,
            0,
            "begins without `//!`",
        ));
    }
}

/// Rows of tables in documentation cannot be broken and may be longer.
fn check_line_length(source: &Source, out: &mut Vec<Violation>) {
    for (line, text) in source.text.lines().enumerate() {
        let is_table = ["//! |", "/// |"]
            .iter()
            .any(|row| text.trim_start().starts_with(row));
        let length = text.chars().count();
        if length > LINE_LENGTH_MAX && !is_table {
            let message = format!("{length} columns");
            out.push(Violation::new("line-length", source, line, message));
        }
    }
}

fn check_file_length(source: &Source, out: &mut Vec<Violation>) {
    let weight = source.product_lines().count();
    if weight > FILE_LENGTH_MAX {
        let message = format!("{weight} lines without tests");
        let violation = Violation::new("file-length", source, 0, message);
        out.push(Violation {
            weight,
            ..violation
        });
    }
}

/// Names of invariants, such as `LOG-2`, in a text.
fn invariants(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            word.split_once('-').is_some_and(|(family, number)| {
                family.len() > 1
                    && family.bytes().all(|byte| byte.is_ascii_uppercase())
                    && !number.is_empty()
                    && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
        .collect()
}

/// A SAFETY comment names an invariant that `docs/memory-invariants.md` states.
fn check_safety(source: &Source, documented: &[&str], out: &mut Vec<Violation>) {
    let lines: Vec<_> = source.text.lines().map(str::trim_start).collect();
    for (line, _) in lines
        .iter()
        .enumerate()
        .filter(|(_, text)| text.starts_with("// SAFETY:"))
    {
        let comment: Vec<_> = lines[line..]
            .iter()
            .take_while(|text| text.starts_with("//"))
            .copied()
            .collect();
        let comment = comment.join("\n");
        let named = invariants(&comment);
        if named.is_empty() {
            out.push(Violation::new("safety", source, line, "names no invariant"));
        }
        for name in named.iter().filter(|name| !documented.contains(name)) {
            let message = format!("invariant `{name}` is not documented");
            out.push(Violation::new("safety", source, line, message));
        }
    }
}

/// The label of a `PUBLISH(label)` stands at the release and at the acquire, so at least twice.
fn check_publish(sources: &[Source], out: &mut Vec<Violation>) {
    let mut found: BTreeMap<&str, Vec<(&Source, usize)>> = BTreeMap::new();
    for source in sources {
        for (line, text) in source.text.lines().enumerate() {
            let label = text
                .split_once("PUBLISH(")
                .and_then(|(_, rest)| rest.split_once(')'));
            if let Some((label, _)) = label {
                found.entry(label).or_default().push((source, line));
            }
        }
    }
    for (label, places) in found {
        if let [(source, line)] = places.as_slice() {
            let message = format!("PUBLISH({label}) has no other end");
            out.push(Violation::new("publish", source, *line, message));
        }
    }
}

fn check_all(source: &Source, out: &mut Vec<Violation>) {
    for check in [
        check_layers,
        check_driver_leaves,
        check_unsafe,
        check_crate_homes,
        check_clocks,
        check_unwrap,
        check_module_docs,
        check_line_length,
        check_file_length,
    ] {
        check(source, out);
    }
}

/// What is wrong beyond the ratchet, and which of its entries are loose, in lines of text.
fn compare(violations: &[Violation], ratchet: &[(&str, &str, usize)]) -> Vec<String> {
    let mut found: BTreeMap<(&str, &str), Vec<&Violation>> = BTreeMap::new();
    for violation in violations {
        found
            .entry((violation.rule, &violation.file))
            .or_default()
            .push(violation);
    }
    let mut problems = Vec::new();
    for (&(rule, file), list) in &found {
        let entry = ratchet
            .iter()
            .find(|entry| (entry.0, entry.1) == (rule, file));
        let limit = entry.map_or(0, |entry| entry.2);
        if list.iter().map(|violation| violation.weight).sum::<usize>() > limit {
            problems.extend(list.iter().map(|violation| {
                let Violation {
                    file,
                    line,
                    message,
                    ..
                } = violation;
                format!("{file}:{line}: {message} [{rule}, ratchet {limit}]")
            }));
        }
    }
    let unneeded = ratchet
        .iter()
        .filter(|entry| !found.contains_key(&(entry.0, entry.1)));
    problems.extend(
        unneeded.map(|entry| format!("{}: take it off the ratchet [{}]", entry.1, entry.0)),
    );
    problems
}

#[test]
fn the_crate_follows_its_style() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = Source::read_all(package, "src");
    assert!(sources.len() > 50, "the sources are not where they were");
    let mut violations = Vec::new();
    for source in &sources {
        check_all(source, &mut violations);
    }
    for directory in ["tests", "examples", "benches", "tools"] {
        for source in &Source::read_all(package, directory) {
            check_line_length(source, &mut violations);
            check_module_docs(source, &mut violations);
        }
    }
    let documented = std::fs::read_to_string(package.join("docs/memory-invariants.md"));
    let documented = documented.expect("the invariants are documented");
    let documented = invariants(&documented);
    for source in &sources {
        check_safety(source, &documented, &mut violations);
    }
    check_publish(&sources, &mut violations);
    let problems = compare(&violations, RATCHET);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[track_caller]
fn assert_rules(path: &str, text: &str, expected: &[&str]) {
    let mut violations = Vec::new();
    check_all(&Source::new(path, text), &mut violations);
    let rules: Vec<_> = violations.iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, expected, "{violations:?}");
}

#[test]
fn edges_outside_the_table_are_found_however_they_are_written() {
    let path = "src/driver/loss/detector.rs";
    for line in [
        "use crate::client::Aeron;",
        "use crate::{base::Nanos, memory::AtomicBuffer};",
        "use crate::{\n    base::{Nanos, Position},\n    net,\n};",
        "use super::super::super::runtime::Clock;",
        "mod field { fn f() { super::super::super::super::net::open() } }",
        "fn f() { let x = crate::sys::affinity::set(1); }",
        "pub(crate) fn f(b: &crate::memory::AtomicBuffer) {}",
    ] {
        assert_rules(path, &format!("//! Doc.\n{line}\n"), &["layers"]);
    }
    for line in [
        "use crate::{base::Nanos, cnc::{Cnc, CncError}, logbuffer::{self, reader}};",
        "use super::super::config::DriverConfig;",
        "mod net { pub(super) const A: i32 = super::super::B; }\nuse net::A;",
        "/// See [`crate::client`].\npub(crate) fn f() { g(\"crate::net\") }",
        "#[cfg(test)]\nmod tests {\n    use crate::memory::AtomicBuffer;\n}",
    ] {
        assert_rules(path, &format!("//! Doc.\n{line}\n"), &[]);
    }
    assert_rules("src/archive/catalogue.rs", "//! Doc.\n", &["layers"]);
}

#[test]
fn leaves_of_the_driver_know_no_agent_and_no_other_leaf() {
    let path = "src/driver/loss/detector.rs";
    assert_rules(
        path,
        "//! Doc.\nuse super::super::sender::Sender;\n",
        &["driver-leaves"],
    );
    assert_rules(
        path,
        "//! Doc.\nuse crate::driver::retransmit;\n",
        &["driver-leaves"],
    );
    assert_rules(path, "//! Doc.\nuse super::delay::StaticDelay;\n", &[]);
}

#[test]
fn words_count_only_where_they_are_code() {
    let path = "src/client/image.rs";
    assert_rules(
        path,
        "//! No unsafe, no libc.\nconst A: &str = \"unsafe libc\";\n",
        &[],
    );
    assert_rules(
        path,
        "//! Doc.\nconst A: &str = r#\"a \" unsafe\"#;\n/* unsafe */\n",
        &[],
    );
    assert_rules(
        path,
        "//! Doc.\nfn f<'a>(c: &'a char) { *c == '\"' || unsafe { g() }; }\n",
        &["unsafe"],
    );
    assert_rules(path, "//! Doc.\nuse socket2::Socket;\n", &["crate-homes"]);
    assert_rules(
        "src/net/mod.rs",
        "//! Doc.\nuse socket2::Socket;\n",
        &["unsafe"],
    );
    assert_rules(
        "src/sim/world.rs",
        "//! Doc.\nfn f() { Instant::now(); }\n",
        &["clocks"],
    );
    assert_rules(
        "src/runtime/clock.rs",
        "//! Doc.\nfn f() { Instant::now(); }\n",
        &[],
    );
}

#[test]
fn safety_comments_and_published_words_are_checked_against_their_other_end() {
    let source = Source::new(
        "src/sys/a.rs",
        "// SAFETY: LOG-2, it\n// holds.\n// SAFETY: because.\n\n// SAFETY: LOG-9 and UTF-8.\n\
         // PUBLISH(tail): pairs with b.\n// PUBLISH(head): pairs with c.\n// PUBLISH(tail).\n",
    );
    let mut violations = Vec::new();
    check_safety(&source, &["LOG-2"], &mut violations);
    let lines: Vec<_> = violations
        .drain(..)
        .map(|violation| violation.line)
        .collect();
    assert_eq!(lines, [3, 5, 5]);
    check_publish(&[source], &mut violations);
    let lines: Vec<_> = violations
        .drain(..)
        .map(|violation| violation.line)
        .collect();
    assert_eq!(lines, [7]);
}

#[test]
fn tests_may_unwrap_and_do_not_lengthen_a_file() {
    let path = "src/client/image.rs";
    let body = "fn f() { g().unwrap(); }\n";
    assert_rules(path, &format!("//! Doc.\n{body}"), &["unwrap"]);
    assert_rules(
        path,
        &format!("//! Doc.\n#[cfg(test)]\nmod tests {{\n{body}}}\n"),
        &[],
    );
    let long = "// Line.\n".repeat(FILE_LENGTH_MAX);
    assert_rules(path, &format!("//! Doc.\n{long}"), &["file-length"]);
    assert_rules(
        path,
        &format!("//! Doc.\n#[cfg(test)]\nmod tests {{\n{long}}}\n"),
        &[],
    );
    assert_rules(
        path,
        &format!("{}\n", "//".repeat(51)),
        &["module-docs", "line-length"],
    );
}

#[test]
fn the_ratchet_neither_slips_nor_stays_loose() {
    let source = Source::new("src/a.rs", "//! Doc.\n");
    let violations = [
        Violation::new("unwrap", &source, 3, "first"),
        Violation::new("unwrap", &source, 5, "second"),
    ];
    assert_eq!(compare(&violations, &[("unwrap", "src/a.rs", 2)]), [""; 0]);
    assert_eq!(compare(&violations, &[("unwrap", "src/a.rs", 1)]).len(), 2);
    assert_eq!(compare(&violations, &[]).len(), 2);
    assert_eq!(compare(&[], &[("unwrap", "src/a.rs", 1)]).len(), 1);
}
