//! The page as a Prometheus parser sees it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aileron::driver::config::DriverConfig;
use aileron::{Context, MediaDriver, StreamId};

use super::MetricsServer;

const WATCHDOG: Duration = Duration::from_secs(30);

fn get(server: &MetricsServer, request: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).expect("it listens");
    socket.set_read_timeout(Some(WATCHDOG)).expect("a timeout");
    let request = format!("{request} HTTP/1.0\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}

fn launch() -> MediaDriver {
    let config = DriverConfig::builder()
        .define("aeron.counters.buffer.length=1m")
        .define("aeron.threading.mode=SHARED")
        .define("aeron.term.buffer.length=64k");
    MediaDriver::launch_embedded(config.build().expect("fits")).expect("a driver")
}

/// The value of the one sample that begins with a name and has all of these in its labels.
fn value(page: &str, name: &str, labels: &[&str]) -> f64 {
    let fits = |line: &&str| {
        line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|one| line.contains(one))
    };
    let found: Vec<&str> = page.lines().filter(fits).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}\n{page}");
    let (_, value) = found[0].rsplit_once(' ').expect("a value");
    value.parse().expect("a number")
}

#[test]
fn page_has_streams_with_labels_and_what_promtool_likes() {
    let driver = launch();
    let server =
        MetricsServer::start(([127, 0, 0, 1], 0).into(), driver.directory()).expect("a free port");
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    // Characters that have a meaning in labels.
    let odd = "aeron:ipc?alias=a\"b\\c";
    let mut subscription = client
        .add_subscription(odd, StreamId(7))
        .expect("a subscription");
    let publication = client
        .add_publication(odd, StreamId(7))
        .expect("a publication");
    let start = Instant::now();
    let mut received = 0;
    while received == 0 {
        let _ = publication.offer(&[1; 100]);
        received = subscription.poll(10, |_, _| {});
        assert!(start.elapsed() < WATCHDOG);
    }
    let session = format!("session=\"{}\"", publication.session_id());
    let labels = [
        "stream=\"7\"",
        session.as_str(),
        "channel=\"aeron:ipc?alias=a\\\"b\\\\c\"",
    ];
    let mut page = String::new();
    while value_or_zero(&page, &labels) < 160.0 {
        page = get(&server, "GET /metrics");
        assert!(start.elapsed() < WATCHDOG, "{page}");
    }
    assert!(page.contains("Content-Type: application/openmetrics-text; version=1.0.0"));
    let (_, body) = page.split_once("\r\n\r\n").expect("a body");
    assert!(body.ends_with("# EOF\n"));
    assert!(value(body, "aileron_up", &[]) > 0.0);
    assert!(value(body, "aileron_clients", &[]) > 0.0);
    assert!(value(body, "aileron_publication_connected", &labels) > 0.0);
    let subscribed = value(
        body,
        "aileron_subscriber_position_bytes_total",
        &labels[..2],
    );
    assert!(subscribed >= 160.0, "{subscribed}");
    check_with_promtool(body);

    assert!(get(&server, "GET /nowhere").starts_with("HTTP/1.0 404"));
    assert!(get(&server, "POST /metrics").starts_with("HTTP/1.0 405"));
}

fn value_or_zero(page: &str, labels: &[&str]) -> f64 {
    if page.contains("aileron_publication_position_bytes_total{") {
        value(page, "aileron_publication_position_bytes_total", labels)
    } else {
        0.0
    }
}

#[test]
fn driver_that_is_not_there_is_waited_for() {
    let place = tempfile::tempdir().expect("a directory");
    let server = MetricsServer::start(([127, 0, 0, 1], 0).into(), place.path()).expect("a port");
    let page = get(&server, "GET /metrics");
    assert!(page.contains("\naileron_up 0\n"), "{page}");
    let driver = launch();
    let server =
        MetricsServer::start(([127, 0, 0, 1], 0).into(), driver.directory()).expect("a free port");
    let is_up = |server: &MetricsServer| get(server, "GET /metrics").contains("\naileron_up 1\n");
    assert!(is_up(&server));
    driver.close();
    assert!(!is_up(&server));
}

/// Has the parser of Prometheus itself read the page. The older format, which promtool reads, says
/// the same but for the last line.
fn check_with_promtool(page: &str) {
    let promtool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let child = Command::new(&promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: no {promtool}; the page was not read by Prometheus's own parser");
        return;
    };
    let page = page.replace("# EOF\n", "");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(page.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Exit status 3 means advice on names; what cannot be parsed is 1.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{said}");
    assert!(!said.contains("error while linting"), "{said}");
}

/// The page of an idle driver, with a stream so that every family has a sample.
fn sample_page() -> String {
    let driver = launch();
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let subscription = client
        .add_subscription("aeron:udp?endpoint=127.0.0.1:0", StreamId(1))
        .expect("a subscription");
    let start = Instant::now();
    let address = loop {
        if let Some(address) = subscription.local_socket_addresses().first() {
            break *address;
        }
        assert!(start.elapsed() < WATCHDOG, "not bound");
        std::thread::yield_now();
    };
    let _publication = client
        .add_publication(format!("aeron:udp?endpoint={address}"), StreamId(1))
        .expect("a publication");
    let directory = crate::Directory::open(driver.directory(), WATCHDOG).expect("a driver");
    let start = Instant::now();
    loop {
        let page = super::render(&crate::Snapshot::take(&directory)).expect("a page");
        // An image is there before its subscriber is.
        let families = [
            "subscriber_backlog_bytes{",
            "image_window_bytes{",
            "publication_connected{",
        ];
        if families.iter().all(|family| page.contains(family)) {
            return page;
        }
        assert!(start.elapsed() < WATCHDOG, "no image");
        std::thread::yield_now();
    }
}

#[test]
fn rules_and_dashboard_ask_for_what_there_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect("a file");
    let page = sample_page();
    let known: std::collections::BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let dashboard = read("dashboard.json");
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    assert!(
        parsed["panels"]
            .as_array()
            .is_some_and(|panels| panels.len() > 10)
    );
    let mut asked = 0;
    for text in [&dashboard, &read("alerts.yml")] {
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let Some(rest) = word.strip_prefix("aileron_") else {
                continue;
            };
            let family = word.strip_suffix("_total").unwrap_or(word);
            assert!(
                known.contains(family),
                "{rest}: no such metric among {known:#?}"
            );
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
    check_rules_with_promtool(&root);
}

fn check_rules_with_promtool(root: &std::path::Path) {
    let promtool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    for (what, file) in [("rules", "alerts.yml"), ("config", "prometheus.yml")] {
        let output = Command::new(&promtool)
            .arg("check")
            .arg(what)
            .arg(root.join(file))
            .output();
        let Ok(output) = output else {
            eprintln!("SKIPPED: no {promtool}; {file} was not checked by it");
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{file}: {said}");
    }
}
