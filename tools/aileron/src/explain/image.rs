//! An image: does what is sent arrive, and is it read?

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::endpoint::destination_text;
use super::publication::{report_behind, report_resting};
use super::{Basis, Case, Cause, Since, Size, name_of_image};
use crate::snapshot::{ChannelView, ImageView, SubscriberView};
use crate::text::{bytes_text, thousands};

pub(super) fn look(case: &mut Case<'_>, image: &ImageView) {
    if case.has(Cause::DriverGone) || case.has(Cause::DriverStopped) {
        return;
    }
    lost(case, image);
    let (resting, working): (Vec<_>, Vec<_>) =
        image.subscribers.iter().partition(|s| is_resting(image, s));
    for subscriber in resting {
        let high = image.high_water_mark.unwrap_or(0);
        let timeout = image.log.map(|log| log.untethered_resting_timeout_ns);
        report_resting(
            case,
            subscriber,
            high.saturating_sub(subscriber.position),
            timeout,
        );
        name(case, image);
    }
    if let Some(slowest) = working.into_iter().min_by_key(|s| s.position) {
        behind(case, image, slowest);
    }
}

fn name(case: &mut Case<'_>, image: &ImageView) {
    if let Some(finding) = case.findings.last_mut() {
        finding.stream = Some(name_of_image(image));
    }
}

fn window(image: &ImageView) -> i64 {
    let log = image.log.map_or(0, |log| log.receiver_window());
    image.congestion_window.unwrap_or(log)
}

/// More was let in than this subscriber has room for: it is not counted any more.
fn is_resting(image: &ImageView, subscriber: &SubscriberView) -> bool {
    let end = subscriber.position.saturating_add(window(image));
    subscriber.is_untethered()
        && window(image) > 0
        && image.high_water_mark.is_some_and(|high| high > end)
}

fn behind(case: &mut Case<'_>, image: &ImageView, slowest: &SubscriberView) {
    let rebuilt = image.rebuild_position.unwrap_or(0);
    let backlog = rebuilt.saturating_sub(slowest.position);
    let window = window(image);
    if backlog < (window / 2).max(1) {
        return;
    }
    let earlier = case.earlier_image(image);
    let has_moved = earlier.is_some_and(|earlier| {
        let same = |s: &&SubscriberView| s.counter_id == slowest.counter_id;
        earlier
            .subscribers
            .iter()
            .find(same)
            .is_some_and(|s| s.position != slowest.position)
    });
    report_behind(
        case,
        slowest,
        backlog,
        has_moved,
        backlog >= window.saturating_sub(window / 8),
    );
    name(case, image);
}

fn lost(case: &mut Case<'_>, image: &ImageView) {
    let Some(earlier) = case.earlier_image(image) else {
        return;
    };
    let naks = |i: &ImageView| i.naks_sent.unwrap_or(0);
    let new_naks = naks(image).saturating_sub(naks(earlier));
    let gap = image.beyond_gap();
    let (rebuilt, rebuilt_before) = (image.rebuild_position, earlier.rebuild_position);
    let is_stuck = gap > 0 && earlier.beyond_gap() > 0 && rebuilt == rebuilt_before;
    let (session, stream) = (image.session_id, image.stream_id);
    let losses = |o: &super::Observation| {
        let all = o.snapshot.losses.iter();
        let own = all.filter(|l| l.session_id == session && l.stream_id == stream);
        own.map(|l| (l.total_bytes_lost, l.last, l.source_identity.clone()))
            .next_back()
    };
    let (lost_before, entry) = (losses(case.before), losses(case.now));
    let source = entry
        .as_ref()
        .map_or_else(|| "the sender".to_owned(), |entry| entry.2.clone());
    if is_stuck {
        let at = rebuilt.unwrap_or(0);
        let last = entry.map(|(_, last, _)| Since::At(last));
        let finding = case.report(
            Cause::NaksUnanswered,
            format!("the way to or from {source}"),
        );
        if let Some(since) = last {
            finding.since = since;
        }
        finding.size = Some(Size::Bytes(gap));
        finding.what = format!(
            "data is missing at position {at}, {} have arrived beyond it, and what was asked for \
             does not come ({} NAKs so far, {new_naks} of them while this was observed)",
            bytes_text(gap),
            thousands(naks(image)),
        );
        "see that NAKs reach the sender (UDP from this machine to its source address), that it \
         still has the data (it must be within its window), and whether the network drops the same \
         datagram each time (its length, its path)"
            .clone_into(&mut finding.advice);
        name(case, image);
        return;
    }
    let lost_now = entry.as_ref().map_or(0, |entry| entry.0);
    let new_loss = lost_now.saturating_sub(lost_before.map_or(0, |entry| entry.0));
    if new_naks == 0 && new_loss == 0 {
        return;
    }
    let received = image
        .high_water_mark
        .unwrap_or(0)
        .saturating_sub(earlier.high_water_mark.unwrap_or(0));
    let percent = if received > 0 {
        format!(
            ", {}.{} % of what came,",
            new_loss * 100 / received,
            new_loss * 1000 / received % 10
        )
    } else {
        String::new()
    };
    let drops = socket_drops(case, image);
    let finding = case.report(Cause::Loss, format!("the way from {source}"));
    finding.is_stall = false;
    finding.size = Some(Size::Bytes(new_loss));
    finding.what = format!(
        "{} were lost{percent} and asked for again with {new_naks} NAKs",
        bytes_text(new_loss)
    );
    finding.advice = if drops > 0 {
        format!(
            "the kernel dropped {drops} datagrams at the socket for want of room: raise so-rcvbuf= \
             (and net.core.rmem_max), or give the receiver more CPU"
        )
    } else {
        "the socket dropped nothing, so the network did: look at interface and switch counters \
         (ip -s link), and at bursts beyond the speed of a link"
            .to_owned()
    };
    name(case, image);
}

/// What the kernel dropped at the socket of an image while it was observed.
fn socket_drops(case: &Case<'_>, image: &ImageView) -> u64 {
    let channel = channel_of(case, image);
    let port = channel.and_then(bound).map_or(0, |address| address.port());
    case.machine()
        .drops_on(port)
        .saturating_sub(case.before.machine.drops_on(port))
}

fn channel_of<'a>(case: &Case<'a>, image: &ImageView) -> Option<&'a ChannelView> {
    let to = destination_text(&image.channel);
    let mut all = case
        .snapshot()
        .channels
        .iter()
        .filter(|channel| !channel.is_send);
    all.find(|channel| destination_text(&channel.channel) == to)
}

fn bound(channel: &ChannelView) -> Option<SocketAddr> {
    channel.addresses.first()?.address.parse().ok()
}

/// Windows promise senders room that a socket does not have.
pub(super) fn look_at_sockets(case: &mut Case<'_>) {
    let snapshot = case.snapshot();
    let mut by_endpoint: BTreeMap<&str, Vec<&ImageView>> = BTreeMap::new();
    for image in &snapshot.images {
        let to = destination_text(&image.channel);
        by_endpoint.entry(to).or_default().push(image);
    }
    for channel in snapshot.channels.iter().filter(|channel| !channel.is_send) {
        // The first channel of an endpoint has its images.
        let images = by_endpoint.remove(destination_text(&channel.channel));
        let images = images.unwrap_or_default();
        let promised: i64 = images.iter().map(|image| window(image)).sum();
        let Some(log) = images.first().and_then(|image| image.log) else {
            continue;
        };
        let asked = i64::from(log.socket_rcvbuf_length);
        let room = match asked {
            0 => i64::from(log.os_default_socket_rcvbuf_length),
            asked => asked.min(i64::from(log.os_max_socket_rcvbuf_length).max(asked.min(1))),
        };
        if room <= 0 || promised <= room {
            continue;
        }
        let port = bound(channel).map_or(0, |address| address.port());
        let drops = case.machine().drops_on(port);
        let new_drops = drops.saturating_sub(case.before.machine.drops_on(port));
        let count = images.len();
        let stream = images.first().map(|image| name_of_image(image));
        let text = channel.channel.clone();
        let finding = case.report(Cause::SocketBufferTooSmall, format!("the socket of {text}"));
        finding.stream = stream;
        finding.is_stall = new_drops > 0;
        finding.size = Some(Size::Bytes(promised - room));
        finding.basis = Basis::Exact;
        finding.what = format!(
            "{count} images may each be sent a window, {} in all, and the socket has room for {}; \
             the kernel has dropped {drops} datagrams there",
            bytes_text(promised),
            bytes_text(room)
        );
        finding.advice = format!(
            "so-rcvbuf={promised} on the channel (sysctl -w net.core.rmem_max={promised} first), \
             or smaller windows (rcv-wnd=)"
        );
    }
}
