//! A network publication that nobody has answered: why not?

use std::net::SocketAddr;

use aileron::cnc::counter_types::ChannelStatus;

use super::endpoint::{destination_text, endpoint_of, group_size, param};
use super::{Basis, Case, Cause, Size, name_of_publication};
use crate::snapshot::{ChannelView, PublicationView, Snapshot};

/// Looks at a network publication that is not connected.
pub(super) fn look(case: &mut Case<'_>, publication: &PublicationView) {
    let channel = publication.channel.as_str();
    let stream = publication.stream_id;
    let name = name_of_publication(publication);
    let to = destination_text(channel).to_owned();
    let endpoint = own_channel(case, publication);
    if endpoint.is_some_and(|e| e.status == Some(ChannelStatus::Errored)) {
        let finding = case.report(Cause::ChannelErrored, "the driver");
        finding.stream = Some(name);
        finding.what = format!("the channel {channel} could not be opened");
        "see `aileron errors` for what the system said".clone_into(&mut finding.advice);
        return;
    }
    let is_manual = param(channel, "control-mode") == Some("manual");
    let destinations = endpoint.and_then(|endpoint| endpoint.destinations);
    if destinations == Some(0) {
        let finding = case.report(Cause::NoDestination, "the publisher");
        finding.stream = Some(name);
        finding.size = Some(Size::Count(0));
        if is_manual {
            "no destination was added to it".clone_into(&mut finding.what);
            "add one (Publication::add_destination)".clone_into(&mut finding.advice);
        } else {
            finding.what = format!("no subscriber has registered at its control address {to}");
            finding.advice = format!(
                "start a subscriber with control={to}|control-mode=dynamic and an endpoint of its \
                 own, and see that its status messages get through"
            );
        }
        return;
    }
    let wanted = group_size(channel);
    if let (Some(have), Some(wanted)) = (publication.flow_control_receivers, wanted)
        && have < wanted
        && have > 0
    {
        report_group(case, publication, have, wanted);
        return;
    }
    if case.has(Cause::SenderStalled) || case.has(Cause::ConductorStalled) {
        return;
    }
    if mismatch(case, publication) {
        return;
    }
    if let (Some(have), Some(wanted)) = (publication.flow_control_receivers, wanted)
        && have < wanted
    {
        report_group(case, publication, have, wanted);
        return;
    }
    let address = endpoint_of(channel);
    let machine = case.machine();
    let is_here = address.is_some_and(|a| machine.own_addresses.contains(&a.ip()));
    let bound = address.and_then(|address| machine.is_bound(address));
    if is_here && bound == Some(false) {
        let finding = case.report(
            Cause::NoSubscriber,
            format!("whoever should listen on {to}"),
        );
        finding.stream = Some(name);
        finding.what = format!("nobody listens on {to}, an address of this machine");
        finding.advice = format!("start a subscriber of stream {stream} on endpoint={to}");
        return;
    }
    let finding = case.report(Cause::SetupUnanswered, format!("whoever listens on {to}"));
    finding.stream = Some(name);
    finding.what = if is_here {
        format!("a socket is bound to {to}, but what listens there answers no SETUP")
    } else {
        format!("no status message has come from {to} in answer to the SETUPs")
    };
    finding.advice = format!(
        "see that a subscriber of stream {stream} runs there with this endpoint, that its driver \
         listens on the right interface, and that no firewall stops UDP to it or its answers"
    );
}

fn report_group(case: &mut Case<'_>, publication: &PublicationView, have: i64, wanted: i64) {
    let finding = case.report(Cause::GroupIncomplete, "the receivers that are missing");
    finding.stream = Some(name_of_publication(publication));
    finding.size = Some(Size::Of(have, wanted));
    finding.what =
        format!("flow control waits for {wanted} receivers, of which {have} have answered");
    "start the others, with the group tag (gtag=) if the channel wants one, or lower the group \
     size (fc=…,g:…/n)"
        .clone_into(&mut finding.advice);
}

/// The send endpoint of a publication.
fn own_channel<'a>(case: &Case<'a>, publication: &PublicationView) -> Option<&'a ChannelView> {
    let all = || {
        case.snapshot()
            .channels
            .iter()
            .filter(|channel| channel.is_send)
    };
    all()
        .find(|channel| channel.registration_id == publication.registration_id)
        .or_else(|| {
            let to = destination_text(&publication.channel);
            all().find(|channel| destination_text(&channel.channel) == to)
        })
}

/// Something is subscribed in this driver that would match, were it not for one thing.
fn mismatch(case: &mut Case<'_>, publication: &PublicationView) -> bool {
    let Some(sent_to) = endpoint_of(&publication.channel) else {
        return false;
    };
    let same = case
        .receivers
        .iter()
        .find(|(_, address)| *address == sent_to);
    if let Some(&(channel, _)) = same {
        return match (
            param(&publication.channel, "interface"),
            param(&channel.channel, "interface"),
        ) {
            (sends, receives) if sent_to.ip().is_multicast() && sends != receives => {
                interface_mismatch(case, publication, sends, receives);
                true
            }
            _ => wrong_stream(case, publication, channel),
        };
    }
    let (stream, snapshot) = (publication.stream_id, case.snapshot());
    let is_known = !snapshot.subscriptions.is_empty();
    let subscribed = snapshot.subscriptions.iter();
    let subscribed: Vec<_> = subscribed.filter(|s| s.stream_id == stream).collect();
    // Without counters of subscriptions, an endpoint that receives nothing may be the one.
    let candidate = case.receivers.iter().find(|(channel, _)| {
        let is_its = |other: &str| same_endpoint(other, &channel.channel);
        if is_known {
            subscribed.iter().any(|s| is_its(&s.channel))
        } else {
            !snapshot.images.iter().any(|image| is_its(&image.channel))
        }
    });
    let Some(&(channel, address)) = candidate else {
        return false;
    };
    let text = channel.channel.clone();
    let finding = case.report(Cause::EndpointMismatch, "the channels of the two ends");
    finding.stream = Some(name_of_publication(publication));
    finding.basis = if is_known {
        Basis::Exact
    } else {
        Basis::BestEffort
    };
    finding.what = if is_known {
        format!(
            "it is sent to {sent_to}, while stream {stream} is subscribed on {address} ({text})"
        )
    } else {
        format!("it is sent to {sent_to}, while a subscriber that receives nothing is on {address}")
    };
    finding.advice = format!("give both ends the same endpoint, {sent_to} or {address}");
    true
}

fn same_endpoint(one: &str, other: &str) -> bool {
    destination_text(one) == destination_text(other)
}

/// The receive endpoints of a driver, with what they receive on.
pub(super) fn receivers(snapshot: &Snapshot) -> Vec<(&ChannelView, SocketAddr)> {
    let channels = snapshot.channels.iter().filter(|channel| !channel.is_send);
    channels
        .filter_map(|channel| Some((channel, received_on(channel)?)))
        .collect()
}

/// The address that a receive endpoint is bound to, of multicast the group.
fn received_on(channel: &ChannelView) -> Option<SocketAddr> {
    let named = endpoint_of(&channel.channel);
    if named.is_some_and(|address| address.ip().is_multicast()) {
        return named;
    }
    let bound = channel
        .addresses
        .first()
        .and_then(|address| address.address.parse().ok());
    bound.or(named)
}

fn interface_mismatch(
    case: &mut Case<'_>,
    publication: &PublicationView,
    sends: Option<&str>,
    receives: Option<&str>,
) {
    let text = |interface: Option<&str>| interface.unwrap_or("the default interface").to_owned();
    let (sends, receives) = (text(sends), text(receives));
    let finding = case.report(Cause::InterfaceMismatch, "the interfaces of the two ends");
    finding.stream = Some(name_of_publication(publication));
    finding.what = format!(
        "the group is sent to on {sends}, while the subscriber here joined it on {receives}"
    );
    finding.advice =
        format!("give both ends the same interface= ({sends} or {receives}), or leave it out");
}

/// The endpoint is open in this very driver, and nobody answers: nobody wants the stream.
fn wrong_stream(case: &mut Case<'_>, publication: &PublicationView, channel: &ChannelView) -> bool {
    let snapshot = case.snapshot();
    let stream = publication.stream_id;
    let has_image = snapshot
        .images
        .iter()
        .any(|i| i.session_id == publication.session_id && i.stream_id == stream);
    let on_it =
        |s: &&crate::snapshot::SubscriptionView| same_endpoint(&s.channel, &channel.channel);
    let subscribed: Vec<i32> = snapshot
        .subscriptions
        .iter()
        .filter(on_it)
        .map(|s| s.stream_id.get())
        .collect();
    if has_image || subscribed.contains(&stream.get()) {
        // Its status messages are on the way.
        return has_image;
    }
    let is_known = !snapshot.subscriptions.is_empty();
    let to = destination_text(&publication.channel).to_owned();
    let finding = case.report(Cause::NoSubscriber, format!("the subscribers on {to}"));
    finding.stream = Some(name_of_publication(publication));
    finding.basis = if is_known {
        Basis::Exact
    } else {
        Basis::BestEffort
    };
    finding.what = if is_known {
        let list: Vec<String> = subscribed.iter().map(ToString::to_string).collect();
        format!(
            "{to} is open in this driver, but nobody there subscribes to stream {stream}, only to \
             {}",
            list.join(", ")
        )
    } else {
        format!("{to} is open in this driver, but nobody there takes stream {stream}")
    };
    finding.advice = format!("subscribe to stream {stream}, or publish on a stream that is wanted");
    true
}
