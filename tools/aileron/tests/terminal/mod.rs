//! The program in a pseudo-terminal.

use std::io::Read as _;
use std::sync::mpsc::{Receiver, channel};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// A program that runs in a terminal of its own.
pub(crate) struct Running {
    pub(crate) child: Box<dyn Child + Send + Sync>,
    pub(crate) master: Box<dyn MasterPty + Send>,
    /// What it prints, in pieces; ends when it does.
    pub(crate) output: Receiver<Vec<u8>>,
}

/// `aileron`, to be given arguments.
pub(crate) fn aileron() -> CommandBuilder {
    CommandBuilder::new(env!("CARGO_BIN_EXE_aileron"))
}

/// A terminal's size in characters.
pub(crate) const fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// Runs a command in a terminal.
pub(crate) fn run(mut command: CommandBuilder, size: PtySize) -> Running {
    let pair = native_pty_system().openpty(size).expect("a terminal");
    command.env("TERM", "xterm-256color");
    let child = pair.slave.spawn_command(command).expect("it starts");
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().expect("its output");
    let (sender, output) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    Running {
        child,
        master: pair.master,
        output,
    }
}
