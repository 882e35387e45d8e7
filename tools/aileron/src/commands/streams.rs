//! `aileron streams`: each stream with its positions, as the classic `StreamStat` shows them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aileron::cnc::counter_types::StreamKey;
use serde_json::json;

use super::{Refresh, print_json};
use crate::cli::{CommandResult, Common, Outcome};
use crate::snapshot::{ImageView, PublicationView, Snapshot, SubscriberView};

/// Types of the counters that are shown.
const TYPES: [i32; 10] = [1, 2, 3, 4, 5, 9, 12, 13, 19, 20];

/// Options of `streams`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    refresh: Refresh,
}

/// Shows all streams.
pub(crate) fn run(common: &Common, arguments: &Arguments) -> CommandResult {
    let directory = common.open()?;
    if common.json {
        print_json(&streams_json(&Snapshot::take(&directory)))?;
        return Ok(Outcome::Fine);
    }
    let cnc = directory.path().join("cnc.dat");
    arguments.refresh.show(|| {
        let page = page(&Snapshot::take(&directory));
        Ok(format!("CnC file {}\n{page}", cnc.display()))
    })?;
    Ok(Outcome::Fine)
}

/// A line per stream: session, stream, channel, and `name:registration:value` of each counter.
fn page(snapshot: &Snapshot) -> String {
    // Keys have channels cut off at the same length, so they group; labels have them whole.
    let mut streams: BTreeMap<(i32, i32, String), (String, Vec<String>)> = BTreeMap::new();
    for record in &snapshot.counters {
        let is_shown = TYPES.contains(&record.type_id);
        let Some(key) = StreamKey::decode(&record.key).filter(|_| is_shown) else {
            continue;
        };
        let start = record.label.find("aeron").unwrap_or(record.label.len());
        let whole = &record.label[start..];
        let whole = whole
            .rsplit_once(" @")
            .map_or(whole, |(channel, _)| channel);
        let name = record.label.split(':').next().unwrap_or_default();
        let id = (
            key.session_id.get(),
            key.stream_id.get(),
            key.channel.clone(),
        );
        let (channel, values) = streams.entry(id).or_insert((key.channel, Vec::new()));
        if whole.len() > channel.len() {
            whole.clone_into(channel);
        }
        values.push(format!("{name}:{}:{}", key.registration_id, record.value));
    }
    let mut text = String::new();
    for ((session, stream, _), (channel, values)) in streams {
        let values = values.join(" ");
        let _ = writeln!(
            text,
            "sessionId={session} streamId={stream} channel={channel} : {values}"
        );
    }
    text
}

/// Publications and images with all that is known of them.
pub(crate) fn streams_json(snapshot: &Snapshot) -> serde_json::Value {
    let publications: Vec<_> = snapshot.publications.iter().map(publication_json).collect();
    let images: Vec<_> = snapshot.images.iter().map(image_json).collect();
    json!({
        "time_ms": snapshot.time.get(),
        "pid": snapshot.driver.pid,
        "publications": publications,
        "images": images,
    })
}

fn publication_json(publication: &PublicationView) -> serde_json::Value {
    let subscribers: Vec<_> = publication
        .subscribers
        .iter()
        .map(subscriber_json)
        .collect();
    json!({
        "registration_id": publication.registration_id.get(),
        "session_id": publication.session_id.get(),
        "stream_id": publication.stream_id.get(),
        "channel": publication.channel,
        "client_id": publication.client_id.get(),
        "is_exclusive": publication.is_exclusive,
        "is_connected": publication.log.map(|log| log.is_connected),
        "term_length": publication.log.map(|log| log.term_length),
        "mtu_length": publication.log.map(|log| log.mtu_length),
        "pub_pos": publication.publisher_position,
        "pub_lmt": publication.publisher_limit,
        "snd_pos": publication.sender_position,
        "snd_lmt": publication.sender_limit,
        "snd_bpe": publication.back_pressure_events,
        "snd_naks_received": publication.naks_received,
        "fc_receivers": publication.flow_control_receivers,
        "subscribers": subscribers,
    })
}

fn image_json(image: &ImageView) -> serde_json::Value {
    let subscribers: Vec<_> = image.subscribers.iter().map(subscriber_json).collect();
    json!({
        "correlation_id": image.correlation_id.get(),
        "session_id": image.session_id.get(),
        "stream_id": image.stream_id.get(),
        "channel": image.channel,
        "client_id": image.client_id.get(),
        "term_length": image.log.map(|log| log.term_length),
        "mtu_length": image.log.map(|log| log.mtu_length),
        "rcv_hwm": image.high_water_mark,
        "rcv_pos": image.rebuild_position,
        "rcv_naks_sent": image.naks_sent,
        "subscribers": subscribers,
    })
}

fn subscriber_json(subscriber: &SubscriberView) -> serde_json::Value {
    json!({
        "subscription_id": subscriber.subscription_id.get(),
        "client_id": subscriber.client_id.get(),
        "channel": subscriber.channel,
        "sub_pos": subscriber.position,
        "join_position": subscriber.join_position,
    })
}
