//! `response-correlation-id`, `response-endpoint`, and what is not transport: `ats`.

use aileron::command::ErrorCode;

use super::rig::{Rig, message};
use super::support::{free_port, wait_for, wait_until};

const INVALID: ErrorCode = ErrorCode::InvalidChannel;

#[test]
fn a_response_goes_to_whoever_asked() {
    let rig = Rig::new();
    let control = format!("control=127.0.0.1:{}|control-mode=response", free_port());
    for (server, response) in [
        (
            "aeron:udp?endpoint=127.0.0.1:0",
            format!("aeron:udp?{control}"),
        ),
        ("aeron:ipc", "aeron:ipc?control-mode=response".to_owned()),
    ] {
        let mut requests = rig.subscribe(server);
        let requests_channel = requests.resolved_channel().expect("a port");
        let mut responses = rig
            .client
            .add_subscription(&*response, aileron::StreamId(2002))
            .expect("a response subscription");
        let id = responses.registration_id();
        let separator = if requests_channel.contains('?') {
            '|'
        } else {
            '?'
        };
        let request = rig.publish_exclusive(&format!(
            "{requests_channel}{separator}response-correlation-id={id}"
        ));
        let asker = wait_for("the request's image", || {
            requests.poll(1, |_, _| {});
            requests.image_by_session(request.session_id())
        });
        let answer = rig.client.add_exclusive_publication(
            format!(
                "{response}|response-correlation-id={}",
                asker.correlation_id()
            ),
            aileron::StreamId(2002),
        );
        let mut answer = answer.expect("a response publication");
        let mut got = Vec::new();
        wait_until("the response", || {
            let _ = answer.offer(&message());
            responses.poll(1, |bytes, header| {
                got.push((bytes.to_vec(), header.session_id()));
            });
            !got.is_empty()
        });
        assert_eq!(got[0], (message().to_vec(), answer.session_id()));
    }
}

#[test]
fn a_bad_response_correlation_id_is_refused() {
    let rig = Rig::new();
    for medium in ["aeron:ipc?", "aeron:udp?endpoint=localhost:4000|"] {
        for value in ["what", "-2", "-3", ""] {
            let channel = format!("{medium}response-correlation-id={value}");
            let name = format!("response-correlation-id={value}");
            let remedy = "expected an integer of at least -1, or prototype";
            rig.refuses_publication(&channel, INVALID, &[&name, remedy]);
        }
    }
    let channel = "aeron:udp?endpoint=localhost:4000|response-correlation-id=123456";
    let parts = ["response subscription", "response-correlation-id=123456"];
    rig.refuses_publication(channel, ErrorCode::GenericError, &parts);
}

#[test]
fn a_response_endpoint_is_kept_for_applications() {
    let rig = Rig::new();
    let channel = "aeron:ipc?response-endpoint=10.0.0.7:4000";
    let publication = rig.publish(channel);
    assert_eq!(publication.channel(), channel);
    let plain = rig.publish("aeron:ipc");
    assert_eq!(
        publication.session_id(),
        plain.session_id(),
        "the driver does not read it"
    );
}

/// No driver reads the value, but there must be one.
#[test]
fn a_response_endpoint_without_a_text_is_refused() {
    let rig = Rig::new();
    let channel = "aeron:ipc?response-endpoint";
    let parts = ["'response-endpoint' has no '='", channel];
    rig.refuses_publication(channel, INVALID, &parts);
}

#[test]
fn transport_security_may_be_declined() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|ats=false");
    let channel = subscription.resolved_channel().expect("a port");
    let publication = rig.publish(&channel);
    wait_until("a message", || {
        let _ = publication.offer(&message());
        subscription.poll(1, |_, _| {}) == 1
    });
}

#[test]
fn transport_security_is_refused() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|ats=";
    let parts = ["ats=true", "not supported", "leave ats out"];
    let secured = format!("{channel}true");
    rig.refuses_publication(&secured, ErrorCode::NotSupported, &parts);
    rig.refuses_subscription(&secured, ErrorCode::NotSupported, &parts);
    let parts = ["ats=maybe: expected true or false"];
    rig.refuses_publication(&format!("{channel}maybe"), INVALID, &parts);
}
