//! The book and the first page of all: links lead somewhere, every block of code is compiled or
//! run. Blocks of Rust are tests of the library's documentation, explanations are brought about by
//! the tests of the tool, and so are its commands; the other lines for a shell run here.

mod blocks;
mod cargo;
mod driver;
mod examples;
mod lines;
mod links;
mod pages;
mod process;
mod shell;
mod system;

use lines::{Line, Runner, lines};
use shell::Shell;

/// What each line shows is looked for, see the module of its program. Where a machine lacks what a
/// line needs, it says so on standard error.
#[test]
fn lines_for_a_shell_do_what_they_say() {
    let lines = lines().expect("lines that somebody can run");
    let mut count = 0;
    // Each page has a shell of its own.
    for page in lines.chunk_by(|one, other| one.page == other.page) {
        let mut shell = Shell::new();
        for line in page {
            let outcome = match line.runner() {
                Runner::Driver => shell.run(line),
                Runner::Tool => shell.expect_built(line),
            };
            outcome.unwrap_or_else(|error| panic!("{}: {}: {error}", line.place(), line.text()));
            count += usize::from(line.runner() == Runner::Driver);
        }
        shell.end();
    }
    assert!(count > 20, "{count} lines");
}

#[test]
fn lines_that_are_wrong_are_found() {
    let wrong = [
        "frobnicate",
        "if true",
        "aileronmd -Daeron.no.such.option=1",
        "aileronmd --no-such-argument",
        "aileronmd missing.properties",
        "aileronmd --preset fastest",
        "aileronmd --print-config --preset fastest",
        "cargo frobnicate",
        "cargo add no-member-of-ours",
        "cargo install no-member-of-ours",
        "cargo test --no-such-option",
        "sudo install no/such/file /usr/bin/",
        "sudo install -m 644 packaging/no-such-file /etc/",
        "sudo install -m 644 packaging/README.md",
        "target/release/aileronmd",
        "target/release/examples/basic_publisher",
        "sysctl -w net.core.no_such_setting=1",
        "systemctl enable no-such-unit",
        "systemctl frobnicate",
        "tshark -i lo -f \"no filter\" -d \"udp.port==40456,aeron\"",
    ];
    for text in wrong {
        let line = Line::parse("here", 1, text)
            .expect("a line")
            .expect("a command");
        let mut shell = Shell::new();
        // What cannot be tried here cannot be wrong either.
        if let Ok(()) = shell.run(&line) {
            assert!(!shell.skipped.is_empty(), "{text} is found to be right");
        }
        shell.end();
    }
}
