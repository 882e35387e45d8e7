//! A publication: is it read, and how far may it be written?

use super::endpoint::destination_text;
use super::{Basis, Case, Cause, Size, connect, name_of_publication};
use crate::snapshot::{ImageView, PublicationView, SubscriberView};
use crate::text::{bytes_text, duration_text};

pub(super) fn look(case: &mut Case<'_>, publication: &PublicationView) {
    if case.has(Cause::DriverGone) || case.has(Cause::DriverStopped) {
        return;
    }
    let has_ended = publication
        .log
        .is_some_and(|log| log.is_revoked || log.end_of_stream_position != i64::MAX);
    if has_ended {
        return;
    }
    let is_connected = publication.log.is_some_and(|log| log.is_connected);
    if !is_connected && publication.is_network() {
        connect::look(case, publication);
    } else if !is_connected && publication.subscribers.is_empty() {
        no_ipc_subscriber(case, publication);
    }
    resting(case, publication);
    if blocked(case, publication) {
        return;
    }
    if is_connected {
        behind(case, publication);
        limited(case, publication);
    }
}

fn no_ipc_subscriber(case: &mut Case<'_>, publication: &PublicationView) {
    let stream = publication.stream_id;
    let finding = case.report(Cause::NoSubscriber, "the subscribers of this machine");
    finding.stream = Some(name_of_publication(publication));
    finding.what = format!(
        "nobody subscribes to stream {stream} on {}",
        publication.channel
    );
    finding.advice = format!("start a subscriber of aeron:ipc, stream {stream}, on this driver");
}

/// Something was claimed, and neither committed nor aborted.
fn blocked(case: &mut Case<'_>, publication: &PublicationView) -> bool {
    let Some(earlier) = case.earlier(publication) else {
        return false;
    };
    let front = publication.front();
    let claimed = publication.log.map_or(0, |log| log.producer_position);
    let claimed_before = earlier.log.map_or(0, |log| log.producer_position);
    let is_uncommitted = |p: &PublicationView| p.frame_length_at_front.is_some_and(|l| l <= 0);
    let is_stuck = front >= 0
        && front == earlier.front()
        && claimed > front
        && claimed_before > front
        && is_uncommitted(publication)
        && is_uncommitted(earlier)
        && case.rates.elapsed_ns > 0;
    if !is_stuck {
        return false;
    }
    let client = case.client_title(publication.client_id, publication.registration_id.get());
    let finding = case.report(
        Cause::BlockedByClaim,
        format!("a publisher, such as {client}"),
    );
    finding.stream = Some(name_of_publication(publication));
    finding.size = Some(Size::Bytes(claimed.saturating_sub(front)));
    finding.what = format!(
        "{} behind position {front} wait for a claim that was neither committed nor aborted",
        bytes_text(claimed.saturating_sub(front))
    );
    "see whether a publisher died or hangs between claiming and committing; the driver unblocks \
     the stream after aeron.publication.unblock.timeout (15 s by default)"
        .clone_into(&mut finding.advice);
    true
}

/// Subscribers of the log that hold the publisher back: those of IPC, and spies.
fn behind(case: &mut Case<'_>, publication: &PublicationView) {
    let position = publication.log.map_or(0, |log| log.producer_position);
    let window = publication
        .log
        .map_or(0, |log| i64::from(log.publication_window_length));
    let working = publication
        .subscribers
        .iter()
        .filter(|s| !is_resting(publication, s));
    let Some(slowest) = working.min_by_key(|s| s.position) else {
        return;
    };
    let backlog = position.saturating_sub(slowest.position);
    let sender_is_slower = publication
        .sender_position
        .is_some_and(|p| p <= slowest.position);
    if backlog < (window / 2).max(1) || sender_is_slower {
        return;
    }
    let earlier = case.earlier(publication);
    let has_moved = earlier.is_some_and(|earlier| {
        let same = |s: &&SubscriberView| s.counter_id == slowest.counter_id;
        earlier
            .subscribers
            .iter()
            .find(same)
            .is_some_and(|s| s.position != slowest.position)
    });
    let is_full = publication
        .publisher_window()
        .is_some_and(|left| left < window / 8);
    report_behind(case, slowest, backlog, has_moved, is_full);
    if let Some(finding) = case.findings.last_mut() {
        finding.stream = Some(name_of_publication(publication));
    }
}

/// Files that a subscriber is behind.
pub(super) fn report_behind(
    case: &mut Case<'_>,
    subscriber: &SubscriberView,
    backlog: i64,
    has_moved: bool,
    is_full: bool,
) {
    let client = case.client_title(subscriber.client_id, subscriber.image_id.get());
    let party = format!("subscriber {} of {client}", subscriber.subscription_id);
    let elapsed = duration_text(case.rates.elapsed_ns);
    let finding = case.report(Cause::SubscriberBehind, party.clone());
    finding.client_id = Some(subscriber.client_id);
    finding.is_stall = !has_moved || is_full;
    finding.size = Some(Size::Bytes(backlog));
    finding.what = if has_moved {
        format!(
            "{party} is {} behind, and reads slower than is published",
            bytes_text(backlog)
        )
    } else {
        let at = subscriber.position;
        format!(
            "{party} is {} behind, at position {at}, and has read nothing for at least {elapsed}",
            bytes_text(backlog)
        )
    };
    "see what that process does instead of polling: it is blocked, starved, or too slow; a \
     subscriber that may miss data can say tether=false"
        .clone_into(&mut finding.advice);
}

/// The limit moved beyond what this subscriber allows: it is not counted any more.
fn is_resting(publication: &PublicationView, subscriber: &SubscriberView) -> bool {
    let window = publication
        .log
        .map_or(0, |log| i64::from(log.publication_window_length));
    subscriber.is_untethered()
        && publication
            .publisher_limit
            .is_some_and(|limit| limit > subscriber.position.saturating_add(window))
}

fn resting(case: &mut Case<'_>, publication: &PublicationView) {
    for subscriber in &publication.subscribers {
        if is_resting(publication, subscriber) {
            let end = publication.log.map_or(0, |log| log.producer_position);
            let timeout = publication.log.map(|log| log.untethered_resting_timeout_ns);
            report_resting(
                case,
                subscriber,
                end.saturating_sub(subscriber.position),
                timeout,
            );
            if let Some(finding) = case.findings.last_mut() {
                finding.stream = Some(name_of_publication(publication));
            }
        }
    }
}

/// Files that an untethered subscriber was taken out.
pub(super) fn report_resting(
    case: &mut Case<'_>,
    subscriber: &SubscriberView,
    missed: i64,
    timeout_ns: Option<i64>,
) {
    let client = case.client_title(subscriber.client_id, subscriber.image_id.get());
    let party = format!(
        "untethered subscriber {} of {client}",
        subscriber.subscription_id
    );
    let finding = case.report(Cause::UntetheredResting, party.clone());
    finding.client_id = Some(subscriber.client_id);
    finding.size = Some(Size::Bytes(missed));
    let rest = timeout_ns.map_or_else(String::new, |ns| format!(" of {}", duration_text(ns)));
    finding.what = format!(
        "{party} fell {} behind, does not hold the stream back any more and misses data until it \
         may join again after its rest{rest}",
        bytes_text(missed)
    );
    "make it read faster, give the stream a larger window, or say tether=true if it must not miss \
     anything"
        .clone_into(&mut finding.advice);
}

/// The sender may not go on.
fn limited(case: &mut Case<'_>, publication: &PublicationView) {
    let Some(earlier) = case.earlier(publication) else {
        return;
    };
    let (Some(unsent), Some(window)) = (publication.unsent(), publication.sender_window()) else {
        return;
    };
    let (Some(now), Some(before)) = (publication.sender_position, earlier.sender_position) else {
        return;
    };
    let events = |p: &PublicationView| p.back_pressure_events.unwrap_or(0);
    let new_events = events(publication).saturating_sub(events(earlier));
    let frame = publication.frame_length_at_front.unwrap_or(0).max(1);
    let is_shut = unsent > 0 && window < i64::from(frame);
    if now == before && is_shut && earlier.unsent().is_some_and(|unsent| unsent > 0) {
        stopped_by_receiver(case, publication, unsent);
    } else if now > before && new_events > 0 {
        window_too_small(case, publication, now - before, new_events);
    } else if now > before && is_pressed(earlier) && is_pressed(publication) {
        sender_behind(case, publication, unsent);
    }
}

/// Publishers have to wait for the sender, which may send.
fn is_pressed(publication: &PublicationView) -> bool {
    let log = publication.log.unwrap_or_default();
    let mtu = i64::from(log.mtu_length);
    let room = publication.publisher_window();
    room.is_some_and(|room| room < mtu) && publication.sender_window().is_some_and(|w| w > mtu)
}

fn sender_behind(case: &mut Case<'_>, publication: &PublicationView, unsent: i64) {
    let pid = case.snapshot().driver.pid;
    let party = format!("the sender of the driver with pid {pid}");
    let finding = case.report(Cause::SenderBehind, party);
    finding.stream = Some(name_of_publication(publication));
    finding.is_stall = false;
    finding.size = Some(Size::Bytes(unsent));
    finding.basis = Basis::BestEffort;
    finding.what = format!(
        "{} wait for the sender, which receivers allow to send them: more is published than it \
         gets away",
        bytes_text(unsent)
    );
    "give the sender a CPU of its own (DEDICATED, aeron.sender.cpu.affinity), larger datagrams \
     (mtu=) and a larger send buffer (so-sndbuf=), or publish less"
        .clone_into(&mut finding.advice);
}

/// The image of a publication in this very driver.
fn own_image<'a>(case: &Case<'a>, publication: &PublicationView) -> Option<&'a ImageView> {
    let (session, stream) = (publication.session_id, publication.stream_id);
    let mut images = case.snapshot().images.iter();
    images.find(|image| image.session_id == session && image.stream_id == stream)
}

fn stopped_by_receiver(case: &mut Case<'_>, publication: &PublicationView, unsent: i64) {
    let name = name_of_publication(publication);
    let wanted = super::endpoint::group_size(&publication.channel);
    if let (Some(have), Some(wanted)) = (publication.flow_control_receivers, wanted)
        && have < wanted
    {
        return;
    }
    let limit = publication.sender_limit.unwrap_or_default();
    let to = destination_text(&publication.channel).to_owned();
    let own = own_image(case, publication);
    let receivers = publication.flow_control_receivers;
    let exact = publication.limiting_receiver;
    let party = match (exact, own) {
        (Some(address), _) => format!("the receiver at {address}"),
        (None, Some(image)) => format!("the image {} of this driver", image.correlation_id),
        (None, None) => match receivers {
            Some(count) if count > 1 => format!("the slowest of the {count} receivers on {to}"),
            _ => format!("the receiver on {to}"),
        },
    };
    let basis = if exact.is_some() || own.is_some() || receivers.is_none_or(|count| count <= 1) {
        Basis::Exact
    } else {
        Basis::BestEffort
    };
    let finding = case.report(Cause::FlowControl, party.clone());
    finding.stream = Some(name);
    finding.size = Some(Size::Bytes(unsent));
    finding.basis = basis;
    finding.what = format!(
        "{} wait for {party}, which allows nothing beyond position {limit}",
        bytes_text(unsent)
    );
    "see there (aileron explain on that machine) which subscriber does not read; with min flow \
     control one slow receiver stops all, with tagged only those that matter"
        .clone_into(&mut finding.advice);
}

fn window_too_small(case: &mut Case<'_>, publication: &PublicationView, sent: i64, events: i64) {
    let own = own_image(case, publication);
    let elapsed_ns = case.rates.elapsed_ns.max(1);
    // A subscriber that is behind is why the window is full.
    if let Some(image) = own {
        let behind = image.slowest_subscriber().map_or(0, |slowest| {
            image
                .rebuild_position
                .unwrap_or(0)
                .saturating_sub(slowest.position)
        });
        let window = image.log.map_or(0, |log| log.receiver_window());
        if behind >= window / 2 {
            return;
        }
    }
    let window = publication
        .receiver_window
        .or_else(|| own.and_then(|i| i.log).map(|log| log.receiver_window()));
    let rate = i128::from(sent) * 1_000_000_000 / i128::from(elapsed_ns);
    let round_trip_ns = window
        .filter(|_| rate > 0)
        .and_then(|window| i64::try_from(i128::from(window) * 1_000_000_000 / rate).ok());
    let to = destination_text(&publication.channel).to_owned();
    let finding = case.report(
        Cause::WindowTooSmall,
        format!("the window of the receiver on {to}"),
    );
    finding.stream = Some(name_of_publication(publication));
    finding.is_stall = false;
    finding.size = window.map(Size::Bytes).or(Some(Size::Count(events)));
    finding.basis = if publication.receiver_window.is_some() {
        Basis::Exact
    } else {
        Basis::BestEffort
    };
    let rate_text = bytes_text(i64::try_from(rate).unwrap_or(i64::MAX));
    finding.what = match (window, round_trip_ns) {
        (Some(window), Some(ns)) => format!(
            "the sender filled the window of {} and waited {events} times for answers: at \
             {rate_text} a second the round trip is about {}",
            bytes_text(window),
            duration_text(ns)
        ),
        _ => format!(
            "the sender filled the receiver's window and waited {events} times for answers, at \
             {rate_text} a second"
        ),
    };
    "raise the receiver's window to at least the rate you want times the round trip (rcv-wnd=, \
     with so-rcvbuf= at least as large and terms at least twice as long)"
        .clone_into(&mut finding.advice);
}
