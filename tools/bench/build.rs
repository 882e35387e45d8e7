//! Tells the program how it was built, because figures without their compiler mean little.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let profile = env::var("PROFILE").unwrap_or_default();
    let level = env::var("OPT_LEVEL").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS")
        .unwrap_or_default()
        .replace('\u{1f}', " ");
    println!(
        "cargo:rustc-env=BENCH_RUSTC={}",
        first_line(&rustc, "--version")
    );
    println!("cargo:rustc-env=BENCH_CC={}", first_line("cc", "--version"));
    println!("cargo:rustc-env=BENCH_BUILD={profile}, opt-level {level}, RUSTFLAGS '{flags}'");
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
