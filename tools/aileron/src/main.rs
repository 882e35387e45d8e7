//! One command-line tool for Aeron-compatible media drivers, with a subcommand per question.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    aileron_cli::cli::run()
}
