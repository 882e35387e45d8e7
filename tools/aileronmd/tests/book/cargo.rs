//! `cargo`: what a line builds is built in the target directory of this test, by the profile of
//! this test; crates are those of this workspace instead of those of a registry.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::examples::Example;
use crate::lines::{Line, pages_with_readme};
use crate::pages::{root, take_apart};
use crate::process::{Process, command, succeed, text};
use crate::shell::Shell;

pub(crate) fn run(shell: &mut Shell, line: &Line) -> Result<(), String> {
    let arguments: Vec<&str> = line.arguments.iter().map(String::as_str).collect();
    match arguments.split_first() {
        Some((&"add", names)) => add(shell, line, names),
        Some((&"build", options)) => build(shell, options),
        Some((&"install", names)) => install(shell, names),
        Some((&"run", options)) => run_example(shell, options),
        // This test is part of it.
        Some((&"test", [])) => expect_in_ci("cargo test"),
        _ => Err("nobody runs it".to_owned()),
    }
}

/// The directory of this test's profile in its target directory.
fn profile() -> &'static Path {
    let own = Path::new(env!("CARGO_BIN_EXE_aileronmd"));
    own.parent().expect("it is in one")
}

fn is_release() -> bool {
    profile().ends_with("release")
}

/// Cargo, which builds where this test was built.
fn cargo(subcommand: &str) -> Command {
    let mut cargo = command(env!("CARGO"));
    let target = profile().parent().expect("the target directory");
    cargo.args([subcommand, "--target-dir"]).arg(target);
    cargo.current_dir(root());
    cargo
}

/// Without `--release`, unless this is such a build itself.
fn by_own_profile<'a>(options: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let options = options.iter().copied();
    options.filter(|option| *option != "--release" || is_release())
}

/// The directory of the crate of this workspace that has this name.
fn member(name: &str) -> Result<PathBuf, String> {
    let tools = std::fs::read_dir(root().join("tools")).expect("the tools");
    let tools = tools.map(|entry| entry.expect("an entry").path());
    let mark = format!("\nname = \"{name}\"\n");
    let mut all = tools.chain([root()]);
    let found = all.find(|path| {
        let manifest = std::fs::read_to_string(path.join("Cargo.toml"));
        manifest.is_ok_and(|text| {
            let package = text.split("[package]").nth(1).unwrap_or_default();
            package
                .split("\n[")
                .next()
                .is_some_and(|text| text.contains(&mark))
        })
    });
    found.ok_or_else(|| format!("there is no crate '{name}'"))
}

/// Adds crates to a project whose program is the first one of the page, which then runs.
fn add(shell: &Shell, line: &Line, names: &[&str]) -> Result<(), String> {
    let project = shell.work().join("project");
    std::fs::create_dir_all(project.join("src")).expect("made");
    let manifest = "[package]\nname = \"project-of-the-book\"\nedition = \"2024\"\n";
    std::fs::write(project.join("Cargo.toml"), manifest).expect("written");
    std::fs::write(project.join("src/main.rs"), first_program(&line.page)?).expect("written");
    // What this workspace was built with is there without a network.
    std::fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).expect("copied");
    for name in names {
        let mut cargo = command(env!("CARGO"));
        cargo.args(["add", "--quiet", "--offline", name, "--path"]);
        succeed(cargo.arg(member(name)?).current_dir(&project))?;
    }
    let mut cargo = cargo("run");
    succeed(cargo.args(["--quiet", "--offline"]).current_dir(&project))?;
    Ok(())
}

fn first_program(page: &str) -> Result<String, String> {
    let pages = pages_with_readme();
    let page = pages.iter().find(|(path, _)| path.ends_with(page));
    let blocks = page.map(|(_, text)| take_apart(text).0).unwrap_or_default();
    let mut programs = blocks
        .into_iter()
        .filter(|block| block.text.contains("fn main()"));
    let program = programs.next().map(|block| block.text);
    program.ok_or_else(|| "the page has no program".to_owned())
}

/// Builds, and notes what came of it.
fn build(shell: &mut Shell, options: &[&str]) -> Result<(), String> {
    let mut cargo = cargo("build");
    cargo
        .args(by_own_profile(options))
        .arg("--message-format=json");
    let messages = text(&succeed(&mut cargo)?.stdout);
    let paths = messages.lines().filter_map(|message| {
        let (_, rest) = message.split_once("\"executable\":\"")?;
        let (path, _) = rest.split_once('"')?;
        Some(PathBuf::from(path))
    });
    for path in paths {
        let name = path.strip_prefix(profile()).expect("it is of this profile");
        let name = name.to_string_lossy().into_owned();
        shell.built.insert(name, path);
    }
    Ok(())
}

/// Installs into the root of the shell; what is there then tells its version.
fn install(shell: &Shell, names: &[&str]) -> Result<(), String> {
    let directory = shell.root("/usr/bin");
    for name in names {
        let mut cargo = cargo("install");
        cargo.args(["--quiet", "--locked", "--offline", "--no-track", "--path"]);
        cargo
            .arg(member(name)?)
            .arg("--root")
            .arg(shell.root("/usr"));
        succeed(cargo.args((!is_release()).then_some("--debug")))?;
    }
    let installed = std::fs::read_dir(directory).expect("a directory");
    let installed: Vec<PathBuf> = installed.map(|entry| entry.expect("one").path()).collect();
    if installed.len() < names.len() {
        return Err(format!("all that was installed is {installed:?}"));
    }
    for program in installed {
        let version = text(&succeed(Command::new(&program).arg("--version"))?.stdout);
        if !version.contains(env!("CARGO_PKG_VERSION")) {
            return Err(format!("{} is of version {version}", program.display()));
        }
    }
    Ok(())
}

fn run_example(shell: &mut Shell, options: &[&str]) -> Result<(), String> {
    let mut name = options.iter().skip_while(|option| **option != "--example");
    let name = name.nth(1).ok_or("it runs no example")?;
    let example = Example::of(name)?;
    // However long that takes.
    succeed(cargo("build").args(by_own_profile(options)))?;
    let mut cargo = cargo("run");
    cargo.arg("--quiet").args(by_own_profile(options)).arg("--");
    let process = Process::start(cargo.args(example.options(shell)))?;
    example.expect_work(&process.end()?.well()?)
}

/// What is run by the step of CI that runs nothing else.
fn expect_in_ci(command: &str) -> Result<(), String> {
    let read = |script: &str| std::fs::read_to_string(root().join(".ci").join(script));
    let step = read("test").map_err(|error| error.to_string())?;
    let all = read("run").map_err(|error| error.to_string())?;
    let is_run = step.lines().any(|line| line == command)
        && all
            .lines()
            .any(|line| line.starts_with("for step in") && line.contains(" test "));
    is_run
        .then_some(())
        .ok_or_else(|| "CI does not run it".to_owned())
}
