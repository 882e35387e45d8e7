//! Programs of the system. They work on the root of the shell, where they would work on that of the
//! machine; where they are missing, or not permitted, the line is said to be skipped.

use std::path::Path;

use aileron::{Context, DriverConfig, MediaDriver, StreamId};

use crate::driver;
use crate::lines::Line;
use crate::pages::root;
use crate::process::{Process, command, is_installed, succeed, text, wait_until};
use crate::shell::Shell;

/// Installs into the root of the shell; what arrives is what was sent, with its mode.
pub(crate) fn install(shell: &mut Shell, line: &Line) -> Result<(), String> {
    let mut mode = None;
    let mut files = Vec::new();
    let mut words = line.arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-D" => {}
            "-m" => mode = words.next(),
            word if word.starts_with('-') => return Err(format!("nobody knows {word}")),
            word => files.push(word),
        }
    }
    let Some((target, sources)) = files.split_last().filter(|(_, s)| !s.is_empty()) else {
        return Err("what does it install, and where?".to_owned());
    };
    let is_directory = target.ends_with('/');
    let mut program = command("install");
    program.args(line.arguments.iter().filter(|word| *word == "-D"));
    program.args(mode.iter().flat_map(|mode| ["-m", mode.as_str()]));
    let mut pairs = Vec::new();
    for source in sources {
        let from = match source.starts_with("target/") {
            true => shell.of_build(source)?.to_owned(),
            false => root().join(source),
        };
        let name = Path::new(source).file_name().unwrap_or_default();
        let to = shell.root(target);
        let to = if is_directory { to.join(name) } else { to };
        program.arg(&from);
        pairs.push((from, to));
    }
    succeed(program.arg(shell.root(target)))?;
    for (from, to) in pairs {
        expect_installed(&from, &to, mode.map_or("755", String::as_str))?;
    }
    Ok(())
}

fn expect_installed(from: &Path, to: &Path, mode: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let read = |path: &Path| std::fs::read(path).map_err(|error| error.to_string());
    let metadata = to.metadata().map_err(|error| error.to_string())?;
    let is_mode = format!("{:o}", metadata.permissions().mode() & 0o777) == mode;
    (is_mode && read(from)? == read(to)?)
        .then_some(())
        .ok_or_else(|| format!("{} is not as it should be", to.display()))
}

/// Settings are there; each is set to what it is already.
pub(crate) fn sysctl(shell: &mut Shell, line: &Line) -> Result<(), String> {
    if !is_installed("sysctl") {
        shell.skip(line, "it is not installed");
        return Ok(());
    }
    let mut kept = Vec::new();
    for word in line.arguments.iter().filter(|word| *word != "-w") {
        let name = word.split('=').next().unwrap_or(word);
        let value = text(&succeed(command("sysctl").args(["-n", name]))?.stdout);
        kept.push(format!("{name}={}", value.trim()));
    }
    if kept.is_empty() {
        return Err("it sets nothing".to_owned());
    }
    let mut program = command("sysctl");
    program.args(line.arguments.iter().filter(|word| *word == "-w"));
    match succeed(program.args(&kept)) {
        Ok(output) => {
            let printed = text(&output.stdout).replace(" = ", "=");
            let is_told = kept.iter().all(|setting| printed.contains(setting));
            is_told.then_some(()).ok_or(printed)
        }
        Err(error)
            if ["denied", "Read-only", "permitted"]
                .iter()
                .any(|why| error.contains(why)) =>
        {
            shell.skip(line, "settings of the kernel may not be written, only read");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Whether programs that look after a whole system can be tried on the root of the shell.
fn may_administer(shell: &mut Shell, line: &Line) -> bool {
    if !is_installed(&line.program) {
        shell.skip(line, "it is not installed");
        return false;
    }
    let id = succeed(command("id").arg("-u"));
    let is_root = id.is_ok_and(|output| text(&output.stdout).trim() == "0");
    if !is_root {
        shell.skip(line, "only root may");
    }
    is_root
}

/// Makes the users of the packages that were installed into the root of the shell.
pub(crate) fn sysusers(shell: &mut Shell, line: &Line) -> Result<(), String> {
    if !may_administer(shell, line) {
        return Ok(());
    }
    let option = format!("--root={}", shell.root("/").display());
    succeed(command(&line.program).args(&line.arguments).arg(option))?;
    let users = std::fs::read_to_string(shell.root("/etc/passwd"));
    let users = users.map_err(|error| error.to_string())?;
    let has_user = users.lines().any(|user| user.starts_with("aileron:"));
    has_user.then_some(()).ok_or(users)
}

/// Enables a unit that was installed into the root of the shell, and runs what it says.
pub(crate) fn systemctl(shell: &mut Shell, line: &Line) -> Result<(), String> {
    let [verb, unit] = line.arguments.as_slice() else {
        return Err("nobody runs it".to_owned());
    };
    if verb != "enable" {
        return Err(format!("nobody runs systemctl {verb}"));
    }
    if !may_administer(shell, line) {
        return Ok(());
    }
    let option = format!("--root={}", shell.root("/").display());
    succeed(command("systemctl").args([option.as_str(), verb, unit]))?;
    let wanted = format!("/etc/systemd/system/multi-user.target.wants/{unit}.service");
    let link = shell.root(&wanted).symlink_metadata();
    link.map_err(|error| format!("{wanted}: {error}"))?;
    start_unit(shell, unit)
}

/// What the unit starts, from the root of the shell; it ends in a way that the unit takes for good.
fn start_unit(shell: &Shell, unit: &str) -> Result<(), String> {
    let path = shell.root(&format!("/etc/systemd/system/{unit}.service"));
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let setting = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name));
        found.ok_or_else(|| format!("the unit has no {name}"))
    };
    let mut words = setting("ExecStart=")?.split(' ');
    let mut program = command(shell.root(words.next().unwrap_or_default()));
    program.args(words.map(|word| shell.root(word)));
    program.env("AERON_DIR", shell.aeron_dir());
    let driver = driver::start(&mut program, &shell.aeron_dir())?;
    driver.signal("-TERM")?;
    let status = setting("SuccessExitStatus=")?.parse();
    let status = status.map_err(|_| "the unit has no status".to_owned())?;
    driver::expect_end(&driver.end()?, status, false)
}

/// Captures a stream, and says that it is Aeron's.
pub(crate) fn tshark(shell: &mut Shell, line: &Line) -> Result<(), String> {
    if !is_installed("tshark") {
        shell.skip(line, "it is not installed");
        return Ok(());
    }
    let trial = ["-q", "-i", "lo", "-a", "duration:0", "-w", "/dev/null"];
    if let Err(error) = succeed(command("dumpcap").args(trial)) {
        shell.skip(line, &error);
        return Ok(());
    }
    let driver = MediaDriver::launch_embedded(DriverConfig::default()).expect("a driver");
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let subscription = client.add_subscription("aeron:udp?endpoint=127.0.0.1:0", StreamId(1001));
    let mut subscription = subscription.expect("a subscription");
    wait_until("its port", || {
        Ok(subscription.resolved_endpoint().is_some())
    })?;
    let endpoint = subscription.resolved_endpoint().expect("it is bound");
    let channel = format!("aeron:udp?endpoint={endpoint}|term-length=64k");
    let publication = client
        .add_publication(&*channel, StreamId(1001))
        .expect("a publication");
    let port = endpoint.port().to_string();
    let mut program = command("tshark");
    // Lines as they come, instead of by the buffer.
    program.arg("-l").args(
        line.arguments
            .iter()
            .map(|word| word.replace("40456", &port)),
    );
    let mut process = Process::start(&mut program)?;
    let lines = process.lines();
    process.wait_until("a frame of Aeron", || {
        let _ = publication.offer(b"hello");
        subscription.poll(10, |_, _| {});
        let lines = lines.lock().expect("nobody panics with it");
        lines.iter().any(|line| line.contains("Aeron"))
    })?;
    process.interrupt()?.well().map(|_| ())
}
