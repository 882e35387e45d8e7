//! `aileron completions` and `aileron man`: what packages ship, made from the definition of the
//! command line.

use std::path::PathBuf;

use clap_complete::Shell;
use clap_mangen::Man as Page;

use super::print;
use crate::cli::{CommandResult, Outcome, command, failed};

/// Options of `completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Options of `man`.
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Write `aileron.1`, `aileron-stat.1` and so on into this directory
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

/// Prints a completion script.
pub(crate) fn completions(arguments: &Completions) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "aileron", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(arguments: &Man) -> CommandResult {
    if let Some(directory) = &arguments.out {
        std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
        clap_mangen::generate_to(command(), directory).map_err(|e| failed(directory, &e))?;
    } else {
        let mut page = Vec::new();
        Page::new(command()).render(&mut page)?;
        print(&String::from_utf8_lossy(&page))?;
    }
    Ok(Outcome::Fine)
}
