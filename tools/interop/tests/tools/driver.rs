//! A C driver in a process of its own, and clients of ours on it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use aileron::client::{Publication, Subscription};
use aileron::{Client, Context, StreamId};
use aileron_cli::Directory;
use aileron_cli::explain::{Cause, Finding, Size};
use tempfile::TempDir;

use crate::patience::{self, PATIENCE};
pub(crate) use crate::patience::{fill, resolved, wait_until};

pub(crate) const STREAM: StreamId = StreamId(1001);
pub(crate) const LOOPBACK: &str = "aeron:udp?endpoint=127.0.0.1:0";

/// The driver; ends when its standard input does, or by its id when dropped.
pub(crate) struct CDriver {
    pub(crate) client: Client,
    pub(crate) directory: Directory,
    child: Child,
    path: PathBuf,
    _root: TempDir,
}

impl CDriver {
    pub(crate) fn launch(settings: &[&str]) -> Self {
        let parent = Path::new("/dev/shm");
        let parent = if parent.is_dir() {
            parent.to_owned()
        } else {
            std::env::temp_dir()
        };
        let root = tempfile::tempdir_in(parent).expect("a directory");
        let path = root.path().join("driver");
        let mut command = Command::new(env!("CARGO_BIN_EXE_aeron-peer"));
        command.arg("driver").arg("--dir").arg(&path);
        for setting in settings {
            command.arg(format!("-D{setting}"));
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("is piped");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("READY")), "it is ready");
        let directory = Directory::open(&path, PATIENCE).expect("its files");
        let client = Context::new()
            .dir(&path)
            .client_name("ours")
            .connect()
            .expect("a client");
        Self {
            client,
            directory,
            child,
            path,
            _root: root,
        }
    }

    pub(crate) fn subscribe(&self, channel: &str) -> Subscription {
        self.client
            .add_subscription(channel, STREAM)
            .expect("a subscription")
    }

    pub(crate) fn publish(&self, channel: &str) -> Publication {
        self.client
            .add_publication(channel, STREAM)
            .expect("a publication")
    }

    /// A stream over loopback that has passed a hundred messages of 500 bytes.
    pub(crate) fn flow(&self) -> (Publication, Subscription) {
        let mut subscription = self.subscribe(LOOPBACK);
        let publication = self.publish(&resolved(&subscription));
        wait_until("a connection", || {
            publication.is_connected() && subscription.is_connected()
        });
        for _ in 0..100 {
            wait_until("an offer", || publication.offer(&[1; 500]).is_ok());
            wait_until("the message", || subscription.poll(10, |_, _| {}) > 0);
        }
        (publication, subscription)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Stops it with a signal, as if it hung.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .arg(name)
            .arg(pid)
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("is a child of ours");
        self.child.wait().expect("is a child of ours");
    }

    /// The tool on its directory.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aileron-tool"));
        command
            .arg("--dir")
            .arg(&self.path)
            .args(arguments)
            .output()
            .expect("it runs")
    }

    /// What the tool prints, which has to work.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let output = self.tool(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// As the tool names it.
    pub(crate) fn party(&self) -> String {
        format!("the driver with pid {}", self.child.id())
    }

    /// Explains, each time within a second, until there is such a finding.
    pub(crate) fn expect(
        &self,
        cause: Cause,
        party: &str,
        size: impl Fn(Option<Size>) -> bool,
    ) -> Finding {
        assert!(!patience::explain(&self.directory).is_aileron);
        patience::expect(&self.directory, cause, party, size)
    }
}

impl Drop for CDriver {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
