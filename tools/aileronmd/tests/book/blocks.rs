//! Each block of code is one that some test compiles or runs.

use std::collections::BTreeSet;

use aileron::driver::config::DriverConfig;
use aileron::uri::ChannelUri;

use crate::lines::{Runner, lines, pages_with_readme};
use crate::pages::{root, take_apart};

#[test]
fn every_block_is_compiled_or_run() {
    let library = std::fs::read_to_string(root().join("src/lib.rs")).expect("the library");
    let mut problems = Vec::new();
    let mut count = 0;
    for (path, page) in pages_with_readme() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (blocks, prose) = take_apart(&page);
        let hidden = hidden_block(&prose).map(|line| format!("{name}: a block? {line}"));
        problems.extend(hidden);
        for block in blocks {
            count += 1;
            let outcome = match block.language.as_str() {
                // Tests of the library's documentation.
                "rust" | "rust,no_run" => {
                    let is_included = library.contains(&format!("/{name}\")"));
                    is_included
                        .then_some(())
                        .ok_or_else(|| "not among the doctests of src/lib.rs".to_owned())
                }
                "uri" => check_channels(&block.text),
                "properties" => check_properties(&block.text),
                // Line by line, by the tests that the next test names.
                "sh" => Ok(()),
                // By `explanations_in_the_book_are_what_is_printed` of the tool, which fails for a
                // block that it cannot bring about.
                "explain" => Ok(()),
                other => Err(format!("nobody runs '{other}'")),
            };
            if let Err(problem) = outcome {
                problems.push(format!("{name}:{}: {problem}", block.line));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(count > 40, "{count} blocks");
}

/// A line of prose that Markdown takes for the beginning of a block of code, or for one.
fn hidden_block(prose: &str) -> Option<&str> {
    let fences = ["```", "~~~", "<pre", "<code"];
    prose.lines().find(|line| {
        let is_fence = fences
            .iter()
            .any(|fence| line.trim_start().starts_with(fence));
        is_fence || line.starts_with("    ") || line.starts_with('\t')
    })
}

/// Each line has a runner, and the tests that run them are there.
#[test]
fn every_line_for_a_shell_has_a_test_that_runs_it() {
    let lines = lines().expect("lines that somebody can run");
    for runner in [Runner::Tool, Runner::Driver] {
        let count = lines.iter().filter(|line| line.runner() == runner).count();
        assert!(count > 15, "{count} lines of {runner:?}");
        let (file, test) = match runner {
            Runner::Tool => ("tools/aileron/tests/book.rs", "commands_of_the_book_run"),
            Runner::Driver => (
                "tools/aileronmd/tests/book/main.rs",
                "lines_for_a_shell_do_what_they_say",
            ),
        };
        let text = std::fs::read_to_string(root().join(file)).expect("text");
        assert!(
            text.contains(&format!("#[test]\nfn {test}()")),
            "{file}: {test}"
        );
    }
    let test = "fn explanations_in_the_book_are_what_is_printed()";
    let path = root().join("tools/aileron/tests/explain/book.rs");
    assert!(std::fs::read_to_string(path).is_ok_and(|text| text.contains(test)));
}

#[test]
fn blocks_that_are_wrong_are_found() {
    assert!(check_channels("aeron:udp?endpoint\n").is_err());
    assert!(check_channels("aeron:udp?endpiont=localhost:1\n").is_err());
    assert!(check_properties("aeron.mtu.length=banana\n").is_err());
    for hidden in ["  ```sh", "~~~", "    code", "\tcode", "<pre>"] {
        assert!(
            hidden_block(&format!("a\n\n{hidden}\n")).is_some(),
            "{hidden}"
        );
    }
}

/// Parameters that a channel may have; see `aileron::uri::params`.
fn known_parameters() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("src/uri/params.rs")).expect("the names");
    let quoted = text.lines().filter(|line| line.contains("pub const"));
    quoted
        .filter_map(|line| Some(line.split('"').nth(1)?.to_owned()))
        .collect()
}

fn check_channels(text: &str) -> Result<(), String> {
    let known = known_parameters();
    for line in text.lines() {
        let uri = ChannelUri::parse(line).map_err(|error| format!("{line}: {error}"))?;
        let parameters = line
            .rsplit_once('?')
            .map_or("", |(_, parameters)| parameters);
        for parameter in parameters
            .split('|')
            .filter(|parameter| !parameter.is_empty())
        {
            let name = parameter.split('=').next().unwrap_or_default();
            if !known.contains(name) || uri.get(name).is_none() {
                return Err(format!("{line}: no parameter '{name}'"));
            }
        }
    }
    Ok(())
}

fn check_properties(text: &str) -> Result<(), String> {
    let config = DriverConfig::builder().properties("block", text).build();
    config.map(|_| ()).map_err(|errors| errors.to_string())
}
