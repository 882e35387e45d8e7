//! `aileron backlog`: who is how far behind whom, as the classic `BacklogStat` shows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::{Refresh, print_json};
use crate::cli::{CommandResult, Common, Outcome};
use crate::snapshot::{ImageView, PublicationView, Snapshot};
use crate::text::thousands;

/// Options of `backlog`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    refresh: Refresh,
}

/// Shows the backlog of all streams.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    if common.json {
        print_json(&backlog_json(&Snapshot::take(&directory)))?;
    } else {
        let refresh = arguments.refresh;
        refresh.show(|| Ok(page(&Snapshot::take(&directory))))?;
    }
    Ok(Outcome::Fine)
}

/// Publications and images by session and stream: where both ends are here, they stand together.
fn page(snapshot: &Snapshot) -> String {
    let mut streams: BTreeMap<(i32, i32), Vec<String>> = BTreeMap::new();
    for publication in &snapshot.publications {
        let key = (publication.session_id.get(), publication.stream_id.get());
        streams
            .entry(key)
            .or_default()
            .push(publication_text(publication));
    }
    for image in &snapshot.images {
        let key = (image.session_id.get(), image.stream_id.get());
        streams.entry(key).or_default().push(image_text(image));
    }
    let texts: Vec<String> = streams.into_values().flatten().collect();
    texts.join("\n")
}

fn heading(session: i32, stream: i32, channel: &str) -> String {
    format!("sessionId={session} streamId={stream} channel={channel} :\n")
}

fn publication_text(publication: &PublicationView) -> String {
    let (session, stream) = (publication.session_id.get(), publication.stream_id.get());
    let mut text = heading(session, stream, &publication.channel);
    let position = publication.publisher_position.unwrap_or_default();
    let _ = writeln!(
        text,
        "┌─for publisher {} the position is {} with {} bytes before back-pressure",
        publication.registration_id,
        thousands(position),
        thousands(publication.publisher_window().unwrap_or_default()),
    );
    match (publication.unsent(), publication.sender_window()) {
        (Some(unsent), Some(window)) => {
            let sender = if unsent >= 0 {
                format!("{} bytes to send", thousands(unsent))
            } else {
                format!("the position {}", thousands(publication.front()))
            };
            let window = thousands(window);
            let _ = writeln!(text, "├─sender has {sender} and {window} bytes of window");
        }
        _ => text.push_str("├─no sender\n"),
    }
    for subscriber in &publication.subscribers {
        let backlog = position.saturating_sub(subscriber.position);
        let _ = writeln!(
            text,
            "├─subscriber {} of client {} has {} backlog bytes",
            subscriber.subscription_id,
            subscriber.client_id,
            thousands(backlog)
        );
    }
    text
}

fn image_text(image: &ImageView) -> String {
    let (session, stream) = (image.session_id.get(), image.stream_id.get());
    let mut text = heading(session, stream, &image.channel);
    let high = image.high_water_mark.unwrap_or_default();
    let _ = writeln!(
        text,
        "├─receiver {} is at position {}",
        image.correlation_id,
        thousands(high)
    );
    for subscriber in &image.subscribers {
        let _ = writeln!(
            text,
            "├─subscriber {} of client {} has {} backlog bytes",
            subscriber.subscription_id,
            subscriber.client_id,
            thousands(high.saturating_sub(subscriber.position))
        );
    }
    text
}

fn backlog_json(snapshot: &Snapshot) -> serde_json::Value {
    let subscribers = |list: &[crate::SubscriberView], end: i64| -> Vec<serde_json::Value> {
        let row = |s: &crate::SubscriberView| {
            json!({
                "subscription_id": s.subscription_id.get(),
                "client_id": s.client_id.get(),
                "backlog": end.saturating_sub(s.position),
            })
        };
        list.iter().map(row).collect()
    };
    let publications: Vec<_> = snapshot
        .publications
        .iter()
        .map(|p| {
            let position = p.publisher_position.unwrap_or_default();
            json!({
                "registration_id": p.registration_id.get(),
                "session_id": p.session_id.get(),
                "stream_id": p.stream_id.get(),
                "channel": p.channel,
                "position": p.publisher_position,
                "before_back_pressure": p.publisher_window(),
                "to_send": p.unsent(),
                "sender_window": p.sender_window(),
                "subscribers": subscribers(&p.subscribers, position),
            })
        })
        .collect();
    let images: Vec<_> = snapshot
        .images
        .iter()
        .map(|image| {
            let high = image.high_water_mark.unwrap_or_default();
            json!({
                "correlation_id": image.correlation_id.get(),
                "session_id": image.session_id.get(),
                "stream_id": image.stream_id.get(),
                "channel": image.channel,
                "position": high,
                "beyond_gap": image.beyond_gap(),
                "subscribers": subscribers(&image.subscribers, high),
            })
        })
        .collect();
    json!({ "time_ms": snapshot.time.get(), "publications": publications, "images": images })
}
