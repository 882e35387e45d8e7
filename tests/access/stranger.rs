//! A process of another user, who tries what can be tried.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aileron::Context;

use super::support::child::{Child, Part, say};

/// A user and a group that own nothing.
const NOBODY: u32 = 65_534;

/// Starts a stranger to the driver on `dir`; says why if that is not possible here.
pub(crate) fn start(dir: &Path) -> Result<Child, String> {
    let check = Command::new("true").uid(NOBODY).gid(NOBODY).status();
    match check {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(status.to_string()),
        Err(error) => return Err(error.to_string()),
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    // The executable may lie where the stranger must not go.
    let open = dir.with_file_name("stranger");
    let copied = fs::copy(&own, &open).and_then(|_| {
        let all = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&open, all)
    });
    copied.map_err(|error| error.to_string())?;
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    let wrapper = ["setpriv", &user, &group, "--clear-groups", "--"];
    if Command::new("setpriv").arg("--version").output().is_err() {
        return Err("no setpriv".to_owned());
    }
    let log = first_log(dir).unwrap_or_default();
    let log = log.display().to_string();
    Ok(Child::start_through(
        &wrapper,
        &open,
        "role",
        "stranger",
        dir,
        &[&log],
    ))
}

fn first_log(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir.join("publications")).ok()?;
    entries.flatten().next().map(|entry| entry.path())
}

/// Tries everything, says what came of it, and then "done".
pub(crate) fn play(part: &Part) {
    let dir = &part.directory;
    let cnc = dir.join("cnc.dat");
    let log = PathBuf::from(&part.arguments[0]);
    let read = |path: &Path| fs::read(path).map(|_| ());
    let write = |path: &Path| OpenOptions::new().write(true).open(path).map(|_| ());
    tell("list directory", fs::read_dir(dir).map(|_| ()));
    tell("read cnc.dat", read(&cnc));
    tell("write cnc.dat", write(&cnc));
    tell("read log", read(&log));
    tell("write log", write(&log));
    tell(
        "create in directory",
        fs::write(dir.join("publications/x"), ""),
    );
    tell("delete cnc.dat", fs::remove_file(&cnc));
    let connected = Context::new()
        .dir(dir)
        .driver_timeout(Duration::from_millis(100))
        .on_error(|_| {})
        .connect();
    say(match connected {
        Ok(_) => "connect: permitted",
        Err(_) => "connect: refused",
    });
    say("done");
}

fn tell(what: &str, outcome: io::Result<()>) {
    let word = match outcome {
        Ok(()) => "permitted".to_owned(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => "denied".to_owned(),
        Err(error) => error.to_string(),
    };
    say(&format!("{what}: {word}"));
}
