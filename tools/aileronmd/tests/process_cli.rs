//! The program as a person or a supervisor meets it: arguments, exit status, what it prints where.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use aileron::base::StreamId;
use aileron::{Context, runtime};
use tempfile::TempDir;

const WATCHDOG: Duration = Duration::from_secs(30);
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// The program without the caller's own settings.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aileronmd"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AERON_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().expect("the program ran")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn place() -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("aeron");
    (place, dir)
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < WATCHDOG, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A running driver; killed when dropped.
struct Driver {
    process: Child,
    dir: PathBuf,
}

impl Driver {
    fn start(dir: &Path, defines: &[&str]) -> Self {
        Self::start_with(dir, defines, &[])
    }

    fn start_with(dir: &Path, defines: &[&str], arguments: &[&str]) -> Self {
        Self::start_in(dir, |command| {
            command.args(defines.iter().map(|define| format!("-D{define}")));
            command.args(arguments);
        })
    }

    fn start_in(dir: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let small = [
            "aeron.counters.buffer.length=1m",
            "aeron.threading.mode=SHARED",
        ];
        let mut command = program();
        for define in &small {
            command.arg(format!("-D{define}"));
        }
        change(&mut command);
        let process = command
            .arg(format!("-Daeron.dir={}", dir.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let driver = Self {
            process,
            dir: dir.to_owned(),
        };
        wait_until("the driver", || {
            runtime::is_driver_active(&driver.dir, WATCHDOG)
        });
        driver
    }

    /// Sends a signal to this process and to no other.
    fn signal(&self, number: i32) {
        let id = self.process.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -$0 $1", &number.to_string(), &id])
            .status()
            .expect("a shell");
        assert!(status.success());
    }

    /// Waits for its end: exit status, standard output, standard error.
    fn end(mut self) -> (Option<i32>, String, String) {
        wait_until("the driver's end", || {
            self.process.try_wait().expect("asked").is_some()
        });
        let (mut output, mut errors) = (String::new(), String::new());
        if let Some(mut pipe) = self.process.stdout.take() {
            pipe.read_to_string(&mut output).expect("text");
        }
        if let Some(mut pipe) = self.process.stderr.take() {
            pipe.read_to_string(&mut errors).expect("text");
        }
        (
            self.process.wait().expect("its status").code(),
            output,
            errors,
        )
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A message through the driver in `dir`.
fn use_driver(dir: &Path) {
    let client = Context::new().dir(dir).connect().expect("a client");
    let mut subscription = client
        .add_subscription("aeron:ipc", StreamId(1))
        .expect("added");
    let publication = client
        .add_publication("aeron:ipc", StreamId(1))
        .expect("added");
    wait_until("an offer", || publication.offer(b"hello").is_ok());
    wait_until("a message", || {
        subscription.poll(1, |bytes, _| assert_eq!(bytes, b"hello")) == 1
    });
}

#[test]
fn help_version_and_options_go_to_standard_output() {
    for (argument, expected) in [
        ("-h", "Usage: aileronmd"),
        ("--help", "Exit status: 0 after a termination request"),
        ("-v", concat!("aileronmd ", env!("CARGO_PKG_VERSION"))),
        ("--version", "major"),
        ("--print-options", "aeron.term.buffer.length"),
    ] {
        let output = run(&[argument]);
        assert_eq!(output.status.code(), Some(0), "{argument}");
        assert!(text(&output.stdout).contains(expected), "{argument}");
        assert_eq!(text(&output.stderr), "", "{argument}");
    }
    assert_eq!(text(&run(&["-v"]).stdout).lines().count(), 1);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["--print-completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for word in ["aileronmd", "print-config", "preset", "events"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let output = run(&["--print-completions", "cmd"]);
    assert_eq!(output.status.code(), Some(1));
    // Bash reads what is made for it, and completes by it.
    let completed = "eval \"$($0 --print-completions bash)\"; COMP_WORDS=(aileronmd --print-c); \
                     COMP_CWORD=1; _aileronmd aileronmd --print-c aileronmd; echo ${COMPREPLY[@]}";
    let program = env!("CARGO_BIN_EXE_aileronmd");
    let bash = Command::new("bash")
        .args(["-c", completed, program])
        .output();
    let said = text(&bash.expect("bash runs").stdout);
    assert_eq!(said, "--print-config --print-completions\n");
}

#[test]
fn the_effective_settings_are_printed_with_their_sources() {
    let (place, dir) = place();
    let [first, second] = ["first.properties", "second.properties"].map(|n| place.path().join(n));
    std::fs::write(
        &first,
        "aeron.mtu.length=2k\n# comment\naeron.driver.timeout=7000\n",
    )
    .expect("written");
    std::fs::write(&second, "aeron.mtu.length = 4k\n").expect("written");
    let output = program()
        .env("AERON_DIR", &dir)
        .env("AERON_TIMER_INTERVAL", "500ms")
        .env("AERON_DRIVER_TIMEOUT", "9000")
        .args([
            "--print-config",
            "-Daeron.timer.interval=250ms",
            "-Daeron.mtu.length=8k",
        ])
        .args([&first, &second])
        .output()
        .expect("the program ran");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
    let printed = text(&output.stdout);
    let line = |name: &str| {
        let start = format!("{name}=");
        let found = printed.lines().find(|line| line.starts_with(&start));
        found.unwrap_or_else(|| panic!("no {name} in {printed}"))[start.len()..].to_owned()
    };
    assert!(line("aeron.dir").starts_with(&*dir.to_string_lossy()));
    assert!(line("aeron.dir").contains("environment"));
    assert!(
        line("aeron.timer.interval").contains("250") && line("aeron.timer.interval").contains("-D")
    );
    assert!(line("aeron.mtu.length").contains("second.properties"));
    assert!(line("aeron.driver.timeout").starts_with("7000"));
    assert!(line("aeron.term.buffer.length").contains("default"));
    assert!(!dir.exists(), "printing settings starts nothing");
}

#[test]
fn all_bad_settings_are_told_at_once_a_line_each() {
    let (place, dir) = place();
    let file = place.path().join("bad.properties");
    std::fs::write(&file, "aeron.term.buffer.length=100000\nno equals sign\n").expect("written");
    let output = program()
        .env("AERON_DIR", &dir)
        .env("AERON_MTU_LENGTH", "many")
        .args([
            "-Daeron.timer.interval=soon",
            "-Daeron.client.liveness.timeout=20s",
            "-Dnothing",
        ])
        .arg(&file)
        .arg(place.path().join("missing.properties"))
        .output()
        .expect("the program ran");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 7, "{errors}");
    for line in errors.lines() {
        assert!(line.starts_with("aileronmd: "), "{line}");
    }
    for part in [
        "aeron.term.buffer.length=100000",
        "no equals sign",
        "aeron.mtu.length=many",
        "AERON_MTU_LENGTH",
        "aeron.timer.interval=soon",
        "aeron.publication.unblock.timeout",
        "nothing",
        "missing.properties",
    ] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
    assert!(
        !dir.exists(),
        "a driver that does not start touches nothing"
    );
}

#[test]
fn unknown_arguments_end_the_program_with_status_1() {
    let output = run(&["--frobnicate"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--frobnicate"));
    let output = run(&["--preset", "fastest"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("low-latency"));
}

#[test]
fn signals_shut_the_driver_down_in_order() {
    for (number, threading) in [(SIGTERM, "SHARED"), (SIGINT, "DEDICATED")] {
        let (_place, dir) = place();
        let threading = format!("aeron.threading.mode={threading}");
        let driver = Driver::start(&dir, &[&threading]);
        use_driver(&dir);
        driver.signal(number);
        let (status, output, errors) = driver.end();
        assert_eq!(status, Some(number));
        assert_eq!(errors, "");
        assert!(output.contains("Shutting down"), "{output}");
        let heartbeat = runtime::map_cnc(&dir, true).expect("it stays").to_driver();
        assert_eq!(
            heartbeat.consumer_heartbeat().get(),
            -1,
            "clients see the end at once"
        );
        let logs = std::fs::read_dir(dir.join("publications"))
            .expect("a folder")
            .count();
        assert_eq!(logs, 0, "logs are deleted");
    }
}

#[test]
fn the_directory_is_deleted_on_shutdown_if_so_configured() {
    let (_place, dir) = place();
    let driver = Driver::start(&dir, &["aeron.dir.delete.on.shutdown=true"]);
    driver.signal(SIGTERM);
    assert_eq!(driver.end().0, Some(SIGTERM));
    assert!(!dir.exists());
}

#[test]
fn a_reader_of_its_output_that_went_away_does_not_hurt_the_driver() {
    let (_place, dir) = place();
    let mut driver = Driver::start(&dir, &[]);
    drop(driver.process.stdout.take());
    driver.signal(SIGTERM);
    let (status, _, errors) = driver.end();
    assert_eq!((status, &*errors), (Some(SIGTERM), ""));
}

#[test]
fn a_termination_request_is_granted_only_if_so_configured() {
    let (_place, dir) = place();
    let driver = Driver::start(&dir, &["aeron.driver.termination.validator=allow"]);
    assert!(runtime::request_driver_termination(&dir, b"token").expect("written"));
    let (status, _, errors) = driver.end();
    assert_eq!((status, &*errors), (Some(0), ""));

    let (_place, dir) = place();
    let mut driver = Driver::start(&dir, &[]);
    assert!(runtime::request_driver_termination(&dir, b"token").expect("written"));
    // Answered after the request in the same ring.
    use_driver(&dir);
    assert!(
        driver.process.try_wait().expect("asked").is_none(),
        "it lives"
    );
    driver.signal(SIGTERM);
    assert_eq!(driver.end().0, Some(SIGTERM));
}

#[test]
fn a_second_driver_on_the_directory_is_refused() {
    let (_place, dir) = place();
    let driver = Driver::start(&dir, &[]);
    let output = run(&[&format!("-Daeron.dir={}", dir.display())]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("Active media driver detected"), "{errors}");
    assert!(errors.contains("cnc.dat"), "{errors}");
    use_driver(&dir);
    driver.signal(SIGTERM);
    assert_eq!(driver.end().2, "");
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_of_one_line() {
    let (place, _) = place();
    let file = place.path().join("file");
    std::fs::write(&file, "in the way").expect("written");
    let output = run(&[&format!("-Daeron.dir={}", file.join("aeron").display())]);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.contains("cannot create"), "{errors}");
}

#[test]
fn events_are_printed_and_outlive_a_driver_that_is_killed() {
    let (_place, dir) = place();
    let mut driver = Driver::start_with(&dir, &[], &["--events", "json:command,life"]);
    use_driver(&dir);
    // Printing is not the agents' work: the line may come after the client has its answer.
    let mut process = BufReader::new(driver.process.stderr.take().expect("a pipe"));
    let mut printed = String::new();
    let added = loop {
        let start = printed.len();
        let length = process.read_line(&mut printed).expect("text");
        assert!(length > 0, "ended without the command: {printed}");
        let line = printed[start..].trim_end();
        if line.contains("\"CMD_IN_ADD_PUBLICATION\"") {
            break line.to_owned();
        }
    };
    assert!(added.starts_with('{') && added.ends_with('}'), "{added}");
    driver.signal(9);
    driver.process.wait().expect("its end");
    process.read_to_string(&mut printed).expect("text");
    assert!(!printed.contains("CMD_OUT"), "{printed}");

    // The next driver keeps what the killed one wrote down.
    let next = Driver::start(&dir, &["aeron.driver.timeout=0"]);
    let pid = i64::from(next.process.id());
    wait_until("the next driver", || {
        runtime::map_cnc(&dir, true).is_ok_and(|cnc| cnc.pid() == pid)
    });
    let mut events = runtime::open_events(&runtime::last_events_path(&dir)).expect("kept");
    let mut names = std::iter::from_fn(|| events.next_event().map(|event| event.name()));
    assert!(names.any(|name| name == "PUBLICATION_CREATED"));
    next.signal(SIGTERM);
    let (status, _, errors) = next.end();
    assert_eq!(status, Some(SIGTERM));
    assert!(errors.contains("Existing events saved to: "), "{errors}");
}

#[test]
fn supervisor_hears_of_readiness_of_life_and_of_the_end() {
    let (place, dir) = place();
    let path = place.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(WATCHDOG)).expect("a timeout");
    let driver = Driver::start_in(&dir, |command| {
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "100000")
            .arg("-Daeron.timer.interval=20ms");
    });
    let await_words = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).expect("it says something");
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    await_words("READY=1");
    await_words("WATCHDOG=1");
    await_words("WATCHDOG=1");
    driver.signal(SIGTERM);
    await_words("STOPPING=1");
    assert_eq!(driver.end().0, Some(SIGTERM));
}

#[test]
fn a_check_starts_no_driver_and_finds_a_cpu_that_is_not_there() {
    let (_place, dir) = place();
    let define = format!("-Daeron.dir={}", dir.display());
    let output = run(&["--check", &define, "-Daeron.sender.cpu.affinity=255"]);
    let found = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{found}");
    assert!(
        found.contains("cpu-not-allowed") && found.contains("fix:"),
        "{found}"
    );
    assert!(!dir.exists(), "nothing was started");
}
