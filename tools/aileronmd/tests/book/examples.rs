//! Programs of `examples/`: they are seen to do their work, together where they are a pair.

use crate::lines::Line;
use crate::process::{Ended, Process, command};
use crate::shell::Shell;

/// What there is to know of an example to run it.
pub(crate) struct Example {
    /// The options that say where it sends and listens, and what they are without them.
    channels: &'static [(&'static str, &'static str)],
    /// Options that have it do less, of the same.
    less: &'static [&'static str],
    /// A part of the line that says that it is ready.
    is_ready: &'static str,
    /// A part of a line of the work that it is there for.
    work: &'static str,
    /// Whether it ends by itself.
    ends: bool,
}

const BASIC: &[(&str, &str)] = &[("--channel", "aeron:udp?endpoint=localhost:20121")];
const MULTICAST: &[(&str, &str)] = &[(
    "--channel",
    "aeron:udp?endpoint=224.20.30.39:20125|interface=localhost",
)];
const RESPONSE: &[(&str, &str)] = &[
    ("--channel", "aeron:udp?endpoint=localhost:20127"),
    (
        "--response-channel",
        "aeron:udp?control-mode=response|control=localhost:20128",
    ),
];

impl Example {
    pub(crate) fn of(name: &str) -> Result<Self, String> {
        let (channels, is_ready, work, ends) = match name {
            "basic_publisher" => (BASIC, "publishing", "the stream is now at", true),
            "basic_subscriber" => (BASIC, "subscribed", "message to stream 1001", false),
            "mdc_fan_out" => {
                let control: &[_] = &[("--control", "localhost:20126")];
                (control, "all 3 subscribers", ", limits", false)
            }
            "multicast_publisher" => (MULTICAST, "publishing", ", 1 members", false),
            "multicast_subscriber" => (MULTICAST, "subscribed", "Hello, all of you!", false),
            "ping_pong" => {
                let channels: &[_] = &[
                    ("--ping-channel", "aeron:udp?endpoint=localhost:20123"),
                    ("--pong-channel", "aeron:udp?endpoint=localhost:20124"),
                ];
                (channels, "round trips", "P99.9", true)
            }
            "response_client" => (RESPONSE, "asking", "answer after", true),
            "response_server" => (RESPONSE, "subscribed", "left", false),
            _ => return Err(format!("nobody runs the example '{name}'")),
        };
        // On a busy machine a round trip takes as long as a time slice.
        let less: &[&str] = match name {
            "ping_pong" => &["--messages", "500", "--warm-up", "100"],
            _ => &[],
        };
        Ok(Self {
            channels,
            less,
            is_ready,
            work,
            ends,
        })
    }

    /// The options that make its channels those of a shell, and others that it needs.
    pub(crate) fn options(&self, shell: &mut Shell) -> Vec<String> {
        let all = self.channels.iter();
        let words =
            all.map(|(option, channel)| [(*option).to_owned(), shell.on_free_port(channel)]);
        let less = self.less.iter().map(|word| (*word).to_owned());
        words.flatten().chain(less).collect()
    }

    /// Whether it did its work.
    pub(crate) fn expect_work(&self, ended: &Ended) -> Result<(), String> {
        let has_worked = ended.errors.is_empty() && ended.count(self.work) > 0;
        has_worked
            .then_some(())
            .ok_or_else(|| format!("no '{}': {:?} {:?}", self.work, ended.output, ended.errors))
    }
}

pub(crate) fn run(shell: &mut Shell, line: &Line) -> Result<(), String> {
    let example = Example::of(line.name())?;
    let mut program = command(shell.of_build(&line.program)?);
    program.args(&line.arguments).args(example.options(shell));
    program.env("AERON_DIR", shell.aeron_dir());
    let mut process = Process::start(&mut program)?;
    if line.is_background {
        process.await_line(example.is_ready)?;
        let work = example.work;
        let check = move |process: &mut Process| process.await_line(work);
        let end_check = move |ended: Ended| example.expect_work(&ended.well()?);
        shell.leave(line, process, check, end_check);
        return Ok(());
    }
    let ended = if example.ends {
        process.end()?
    } else {
        process.await_line(example.work)?;
        process.interrupt()?
    };
    example.expect_work(&ended.well()?)
}
