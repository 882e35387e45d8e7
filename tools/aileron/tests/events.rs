//! `aileron events` and `aileron metrics` on a real driver.

use std::path::Path;
use std::process::{Command, Output};

use aileron::driver::config::DriverConfig;
use aileron::{Context, MediaDriver, StreamId};

fn aileron(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aileron"))
        .arg("--dir")
        .arg(directory)
        .args(arguments)
        .output()
        .expect("it runs")
}

fn lines(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout.clone()).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn launch(events: &str) -> MediaDriver {
    let config = DriverConfig::builder()
        .define("aeron.counters.buffer.length=1m")
        .define("aeron.threading.mode=SHARED")
        .define("aeron.ipc.term.buffer.length=64k")
        .define(&format!("aeron.event.log={events}"));
    MediaDriver::launch_embedded(config.build().expect("fits")).expect("a driver")
}

#[test]
fn events_are_listed_filtered_and_written_as_json() {
    let driver = launch("all");
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let one = client
        .add_publication("aeron:ipc", StreamId(1))
        .expect("a publication");
    let _two = client
        .add_publication("aeron:ipc?alias=two", StreamId(2))
        .expect("a publication");
    let show = |arguments: &[&str]| lines(&aileron(driver.directory(), arguments));

    let all = show(&["events"]);
    assert!(
        all.iter()
            .any(|line| line.contains(" conductor CLIENT_ADDED client-id=")),
        "{all:#?}"
    );
    let commands = show(&["events", "--only", "command", "--stream", "2"]);
    assert_eq!(commands.len(), 1, "{commands:#?}");
    assert!(
        commands[0].ends_with("channel=aeron:ipc?alias=two"),
        "{commands:#?}"
    );
    let session = one.session_id().to_string();
    let of_session = show(&["events", "--session", &session, "--json"]);
    assert!(of_session.len() >= 2, "{of_session:#?}");
    for line in &of_session {
        let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(event["session_id"], i64::from(one.session_id().get()));
    }
    assert_eq!(show(&["events", "--last", "3"]).len(), 3);
    assert!(show(&["events", "--agent", "sender"]).is_empty());
    assert_eq!(
        show(&["events", "--only", "command", "--text", "alias"]).len(),
        1
    );

    let output = aileron(driver.directory(), &["events", "--only", "nonsense"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'nonsense' is no event"));
}

#[test]
fn driver_without_a_log_says_how_to_get_one() {
    let driver = launch("");
    let output = aileron(driver.directory(), &["events"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("aeron.event.log=all"), "{said}");
}

#[test]
fn metrics_and_top_are_printed_once() {
    let driver = launch("");
    let client = Context::new()
        .dir(driver.directory())
        .connect()
        .expect("a client");
    let _publication = client
        .add_publication("aeron:ipc", StreamId(1))
        .expect("a publication");
    let page = lines(&aileron(driver.directory(), &["metrics", "--once"]));
    assert!(page.iter().any(|line| line == "aileron_up 1"), "{page:#?}");
    assert_eq!(page.last().map(String::as_str), Some("# EOF"));
    let json = lines(&aileron(driver.directory(), &["metrics", "--json"]));
    let value: serde_json::Value = serde_json::from_str(&json[0]).expect("JSON");
    assert_eq!(value["up"], true);

    let once = ["top", "--once", "--interval", "50", "--size", "80x24"];
    let screen = lines(&aileron(driver.directory(), &once));
    assert_eq!(screen.len(), 24);
    assert!(
        screen.iter().any(|line| line.contains("no subscriber")),
        "{screen:#?}"
    );
    let json = lines(&aileron(
        driver.directory(),
        &["top", "--json", "--interval", "50"],
    ));
    let value: serde_json::Value = serde_json::from_str(&json[0]).expect("JSON");
    assert_eq!(value["streams"][0]["limited_by"], "no subscriber");
}
