//! The `aileron` tool, for tests that run it on the directory of a C driver.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    aileron_cli::cli::run()
}
