//! The book and the other pages for people: links lead somewhere, every block of code is taken
//! apart by what it is written for. Blocks of Rust run as tests of the library's documentation.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use aileron::driver::config::DriverConfig;
use aileron::uri::ChannelUri;
use clap::Parser as _;

#[path = "book/pages.rs"]
mod pages;

use pages::{book, commands, pages, root, take_apart};

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

#[test]
fn every_block_is_taken_apart_by_what_it_is_for() {
    let library = std::fs::read_to_string(root().join("src/lib.rs")).expect("the library");
    let mut problems = Vec::new();
    let mut count = 0;
    for (path, page) in pages() {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        for block in take_apart(&page).0 {
            count += 1;
            let outcome = match block.language.as_str() {
                "rust" | "rust,no_run" => {
                    let include = format!("docs/book/src/{name}\")");
                    library
                        .contains(&include)
                        .then_some(())
                        .ok_or_else(|| "not among the doctests of src/lib.rs".to_owned())
                }
                "sh" => check_shell(&block.text),
                "uri" => check_channels(&block.text),
                "properties" => check_properties(&block.text),
                // Run by the tests of the tool, each in the state of the driver that it is about.
                "explain" => Ok(()),
                other => Err(format!("nobody checks '{other}'")),
            };
            if let Err(problem) = outcome {
                problems.push(format!("{name}:{}: {problem}", block.line));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(count > 30, "{count} blocks");
}

#[test]
fn blocks_that_are_wrong_are_found() {
    assert!(check_shell("aileron nonsense\n").is_err());
    assert!(check_shell("aileron stat --no-such-option\n").is_err());
    assert!(check_shell("aileronmd -Daeron.no.such.option=1\n").is_err());
    assert!(check_shell("if true\n").is_err());
    assert!(check_shell("frobnicate\n").is_err());
    assert!(check_shell("sudo install no/such/file /usr/bin/\n").is_err());
    assert!(check_channels("aeron:udp?endpoint\n").is_err());
    assert!(check_channels("aeron:udp?endpiont=localhost:1\n").is_err());
    assert!(check_properties("aeron.mtu.length=banana\n").is_err());
    assert!(
        check_shell("aileron stat --once\nAERON_DIR=/x aileronmd -Daeron.mtu.length=8k\n").is_ok()
    );
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

fn check_shell(text: &str) -> Result<(), String> {
    let syntax = run(Command::new("bash").args(["-n", "-c", text]));
    if !syntax.status.success() {
        return Err(String::from_utf8_lossy(&syntax.stderr).into_owned());
    }
    let mut all = commands(text).into_iter();
    all.try_for_each(|words| check_command(&words))
}

fn check_command(words: &[String]) -> Result<(), String> {
    let command = words.join(" ");
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut environment = Vec::new();
    while let Some(first) = words.first() {
        if let Some((name, value)) = first.split_once('=') {
            environment.push((name, value));
        } else if *first != "sudo" {
            break;
        }
        words.remove(0);
    }
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    match program.rsplit('/').next().unwrap_or(program) {
        "aileron" => {
            let parsed = aileron_cli::cli::Cli::try_parse_from(&words);
            parsed
                .map(|_| ())
                .map_err(|error| format!("{command}: {error}"))
        }
        "aileronmd" => check_driver(&command, arguments, &environment),
        "install" => {
            // Paths of the repository are there; what is built is not looked for.
            let sources = arguments
                .iter()
                .filter(|word| word.starts_with("packaging/"));
            let sources: Vec<_> = sources.collect();
            let is_built = arguments
                .iter()
                .any(|word| word.starts_with("target/release/"));
            let missing = sources.iter().find(|path| !root().join(path).exists());
            match missing {
                Some(path) => Err(format!("{command}: no {path}")),
                None if sources.is_empty() && !is_built => {
                    Err(format!("{command}: what does it install?"))
                }
                None => Ok(()),
            }
        }
        "cargo" | "sysctl" | "systemctl" | "systemd-sysusers" | "tshark" => Ok(()),
        other => Err(format!("{command}: nobody knows '{other}'")),
    }
}

/// Has the program itself read its arguments, and print what they come to.
fn check_driver(
    command: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<(), String> {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::write(place.path().join("my.properties"), "aeron.mtu.length=8k\n").expect("a file");
    let print = !arguments.iter().any(|word| word.starts_with("--print"));
    let mut program = Command::new(env!("CARGO_BIN_EXE_aileronmd"));
    program
        .args(arguments)
        .args(print.then_some("--print-config"))
        .envs(environment.iter().copied())
        .current_dir(place.path());
    let output = run(&mut program);
    // A warning is about an option that nobody knows.
    if output.status.success() && output.stderr.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it runs")
}
