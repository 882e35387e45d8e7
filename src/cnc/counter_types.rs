//! Types of the counters that drivers and clients make, and the layouts of their keys
//! (`cnc.md` §12.1).
//!
//! | Layout | Key | Types |
//! |---|---|---|
//! | A | [`SystemKey`] | [`SYSTEM_TYPE_ID`] |
//! | S | [`StreamKey`] | publications, images, subscriptions |
//! | C | [`ChannelKey`] | channel endpoints |
//! | H | [`HeartbeatKey`] | [`CLIENT_HEARTBEAT_TYPE_ID`] |
//! | L | [`LocalAddressKey`] | [`LOCAL_SOCKADDR_TYPE_ID`] |
//! | N | [`BootstrapNeighborKey`] | [`NAME_RESOLVER_BOOTSTRAP_TYPE_ID`] |
//! | – | [`NameEntryKey`] | [`NAME_ENTRY_TYPE_ID`] |
//!
//! Encoding truncates texts that do not fit. Decoding trusts nothing: an embedded length that is
//! out of range gives `None`, and bytes behind the text are ignored.

use crate::base::{ClientId, CounterId, RegistrationId, SessionId, StreamId};
use crate::concurrent::KEY_LENGTH_MAX;

/// The bytes of a key, zeros behind its fields.
pub type CounterKey = [u8; KEY_LENGTH_MAX];

/// System counters; also the type of those that have none.
pub const SYSTEM_TYPE_ID: i32 = 0;
/// `pub-lmt`: up to where a publication may be written.
pub const PUBLISHER_LIMIT_TYPE_ID: i32 = 1;
/// `snd-pos`: up to where the sender has sent.
pub const SENDER_POSITION_TYPE_ID: i32 = 2;
/// `rcv-hwm`: highest position received.
pub const RECEIVER_HWM_TYPE_ID: i32 = 3;
/// `sub-pos`: up to where a subscriber has consumed.
pub const SUBSCRIBER_POSITION_TYPE_ID: i32 = 4;
/// `rcv-pos`: up to where an image is without gaps.
pub const RECEIVER_POSITION_TYPE_ID: i32 = 5;
/// `snd-channel`: status of a send endpoint.
pub const SEND_CHANNEL_STATUS_TYPE_ID: i32 = 6;
/// `rcv-channel`: status of a receive endpoint.
pub const RECEIVE_CHANNEL_STATUS_TYPE_ID: i32 = 7;
/// `snd-lmt`: up to where flow control lets the sender send.
pub const SENDER_LIMIT_TYPE_ID: i32 = 9;
/// Whatever else is kept per image.
pub const PER_IMAGE_TYPE_ID: i32 = 10;
/// `client-heartbeat`: when a client was last alive.
pub const CLIENT_HEARTBEAT_TYPE_ID: i32 = 11;
/// `pub-pos`: up to where a publication has been written.
pub const PUBLISHER_POSITION_TYPE_ID: i32 = 12;
/// `snd-bpe`: times that flow control stopped the sender.
pub const SENDER_BACK_PRESSURE_TYPE_ID: i32 = 13;
/// `snd-local-sockaddr` and `rcv-local-sockaddr`: what a socket is bound to.
pub const LOCAL_SOCKADDR_TYPE_ID: i32 = 14;
/// Neighbours of the name resolver.
pub const NAME_RESOLVER_NEIGHBORS_TYPE_ID: i32 = 15;
/// Cache entries of the name resolver.
pub const NAME_RESOLVER_CACHE_ENTRIES_TYPE_ID: i32 = 16;
/// `fc-receivers`: receivers that flow control heeds.
pub const FLOW_CONTROL_RECEIVERS_TYPE_ID: i32 = 17;
/// `mdc-num-dest`: destinations of a multi-destination publication.
pub const MDC_DESTINATIONS_TYPE_ID: i32 = 18;
/// `snd-naks-received`: NAKs that a publication received.
pub const SENDER_NAKS_RECEIVED_TYPE_ID: i32 = 19;
/// `rcv-naks-sent`: NAKs that an image sent.
pub const RECEIVER_NAKS_SENT_TYPE_ID: i32 = 20;
/// Bootstrap neighbour of the name resolver.
pub const NAME_RESOLVER_BOOTSTRAP_TYPE_ID: i32 = 21;
/// Row of the name resolver's table; its value chooses where the name leads.
pub const NAME_ENTRY_TYPE_ID: i32 = 2001;

/// Value of channel status counters (`cnc.md` §12.4).
///
/// ```
/// use aileron::cnc::counter_types::ChannelStatus;
/// assert_eq!(ChannelStatus::from_wire(1), Some(ChannelStatus::Active));
/// assert_eq!(ChannelStatus::Errored.to_wire(), -1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelStatus {
    /// Not bound yet.
    Initializing,
    /// Binding failed.
    Errored,
    /// In use.
    Active,
    /// About to be freed.
    Closing,
}

impl ChannelStatus {
    /// The status that a counter's value stands for.
    #[must_use]
    pub const fn from_wire(value: i64) -> Option<Self> {
        match value {
            0 => Some(Self::Initializing),
            -1 => Some(Self::Errored),
            1 => Some(Self::Active),
            2 => Some(Self::Closing),
            _ => None,
        }
    }

    /// The value that stands for the status.
    #[must_use]
    pub const fn to_wire(self) -> i64 {
        match self {
            Self::Initializing => 0,
            Self::Errored => -1,
            Self::Active => 1,
            Self::Closing => 2,
        }
    }
}

/// Key of system counters (layout A).
///
/// ```
/// use aileron::cnc::counter_types::SystemKey;
/// let key = SystemKey { system_counter_id: 15 };
/// assert_eq!(SystemKey::decode(&key.encode()), key);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the file format has this field")]
pub struct SystemKey {
    /// Number of the system counter.
    pub system_counter_id: i32,
}

impl SystemKey {
    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put(&mut key, 0, &self.system_counter_id.to_le_bytes());
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Self {
        Self {
            system_counter_id: i32_at(key, 0),
        }
    }
}

/// Key of counters that belong to a stream (layout S).
///
/// ```
/// use aileron::base::{RegistrationId, SessionId, StreamId};
/// use aileron::cnc::counter_types::StreamKey;
/// let key = StreamKey {
///     registration_id: RegistrationId(7),
///     session_id: SessionId(-3),
///     stream_id: StreamId(1001),
///     channel: "aeron:ipc".to_owned(),
/// };
/// assert_eq!(StreamKey::decode(&key.encode()), Some(key));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the file format has these fields"
)]
pub struct StreamKey {
    /// The publication, subscription or image.
    pub registration_id: RegistrationId,
    /// Its session.
    pub session_id: SessionId,
    /// Its stream.
    pub stream_id: StreamId,
    /// Its channel, cut off after 92 bytes.
    pub channel: String,
}

impl StreamKey {
    const REGISTRATION_ID: usize = 0;
    const SESSION_ID: usize = 8;
    const STREAM_ID: usize = 12;
    const CHANNEL: usize = 16;
    /// Longest channel, bytes.
    pub const CHANNEL_LENGTH_MAX: usize = 92;

    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put(
            &mut key,
            Self::REGISTRATION_ID,
            &self.registration_id.get().to_le_bytes(),
        );
        put(
            &mut key,
            Self::SESSION_ID,
            &self.session_id.get().to_le_bytes(),
        );
        put(
            &mut key,
            Self::STREAM_ID,
            &self.stream_id.get().to_le_bytes(),
        );
        put_text(
            &mut key,
            Self::CHANNEL,
            &self.channel,
            Self::CHANNEL_LENGTH_MAX,
        );
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Option<Self> {
        Some(Self {
            registration_id: RegistrationId(i64_at(key, Self::REGISTRATION_ID)),
            session_id: SessionId(i32_at(key, Self::SESSION_ID)),
            stream_id: StreamId(i32_at(key, Self::STREAM_ID)),
            channel: text_at(key, Self::CHANNEL)?,
        })
    }
}

/// Key of counters that belong to a channel endpoint (layout C).
///
/// ```
/// use aileron::cnc::counter_types::ChannelKey;
/// let key = ChannelKey { channel: "aeron:udp?endpoint=localhost:4040".to_owned() };
/// assert_eq!(ChannelKey::decode(&key.encode()), Some(key));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the file format has this field")]
pub struct ChannelKey {
    /// The channel, cut off after 108 bytes.
    pub channel: String,
}

impl ChannelKey {
    /// Longest channel, bytes.
    pub const CHANNEL_LENGTH_MAX: usize = 108;

    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put_text(&mut key, 0, &self.channel, Self::CHANNEL_LENGTH_MAX);
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Option<Self> {
        Some(Self {
            channel: text_at(key, 0)?,
        })
    }
}

/// Key of client heartbeats (layout H).
///
/// ```
/// use aileron::base::ClientId;
/// use aileron::cnc::counter_types::HeartbeatKey;
/// let key = HeartbeatKey { client_id: ClientId(4) };
/// assert_eq!(HeartbeatKey::decode(&key.encode()), key);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the file format has this field")]
pub struct HeartbeatKey {
    /// The client.
    pub client_id: ClientId,
}

impl HeartbeatKey {
    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put(&mut key, 0, &self.client_id.get().to_le_bytes());
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Self {
        Self {
            client_id: ClientId(i64_at(key, 0)),
        }
    }
}

/// Key of the addresses that sockets are bound to (layout L).
///
/// ```
/// use aileron::base::CounterId;
/// use aileron::cnc::counter_types::LocalAddressKey;
/// let key = LocalAddressKey {
///     channel_status_id: CounterId(51),
///     address: "127.0.0.1:4040".to_owned(),
/// };
/// assert_eq!(LocalAddressKey::decode(&key.encode()), Some(key));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the file format has these fields"
)]
pub struct LocalAddressKey {
    /// Status counter of the channel endpoint that the socket belongs to.
    pub channel_status_id: CounterId,
    /// `ip:port`, cut off after 103 bytes; empty until the socket is bound.
    pub address: String,
}

impl LocalAddressKey {
    const ADDRESS: usize = 4;
    /// Longest address, bytes.
    pub const ADDRESS_LENGTH_MAX: usize = 103;

    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put(&mut key, 0, &self.channel_status_id.get().to_le_bytes());
        put_text(
            &mut key,
            Self::ADDRESS,
            &self.address,
            Self::ADDRESS_LENGTH_MAX,
        );
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Option<Self> {
        Some(Self {
            channel_status_id: CounterId(i32_at(key, 0)),
            address: text_at(key, Self::ADDRESS)?,
        })
    }
}

/// Key of bootstrap neighbours (layout N).
///
/// ```
/// use aileron::cnc::counter_types::BootstrapNeighborKey;
/// let key = BootstrapNeighborKey { index: 1 };
/// assert_eq!(BootstrapNeighborKey::decode(&key.encode()), key);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the file format has this field")]
pub struct BootstrapNeighborKey {
    /// Where it stands in the configured list, from 0.
    pub index: i32,
}

impl BootstrapNeighborKey {
    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put(&mut key, 0, &self.index.to_le_bytes());
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Self {
        Self {
            index: i32_at(key, 0),
        }
    }
}

/// Key of the rows of the name resolver's table.
///
/// ```
/// use aileron::cnc::counter_types::NameEntryKey;
/// let key = NameEntryKey { name: "feed".to_owned() };
/// assert_eq!(NameEntryKey::decode(&key.encode()), Some(key));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the file format has this field")]
pub struct NameEntryKey {
    /// The name, cut off after 108 bytes.
    pub name: String,
}

impl NameEntryKey {
    /// The key's bytes.
    #[must_use]
    pub fn encode(&self) -> CounterKey {
        let mut key = [0; KEY_LENGTH_MAX];
        put_text(&mut key, 0, &self.name, KEY_LENGTH_MAX - size_of::<i32>());
        key
    }

    /// The key that bytes stand for.
    #[must_use]
    pub fn decode(key: &CounterKey) -> Option<Self> {
        Some(Self {
            name: text_at(key, 0)?,
        })
    }
}

fn put(key: &mut CounterKey, at: usize, bytes: &[u8]) {
    key[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Writes a length and as much of `text` as fits, in whole characters.
fn put_text(key: &mut CounterKey, at: usize, text: &str, length_max: usize) {
    let bytes = &text.as_bytes()[..text.floor_char_boundary(length_max)];
    let length = i32::try_from(bytes.len()).expect("a key has 112 bytes");
    put(key, at, &length.to_le_bytes());
    put(key, at + size_of::<i32>(), bytes);
}

fn i32_at(key: &CounterKey, at: usize) -> i32 {
    key[at..]
        .first_chunk()
        .map_or(0, |bytes| i32::from_le_bytes(*bytes))
}

fn i64_at(key: &CounterKey, at: usize) -> i64 {
    key[at..]
        .first_chunk()
        .map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

/// The text whose length stands at `at`, if it lies within the key.
fn text_at(key: &CounterKey, at: usize) -> Option<String> {
    let length = usize::try_from(i32_at(key, at)).ok()?;
    let text = key[at + size_of::<i32>()..].get(..length)?;
    Some(String::from_utf8_lossy(text).into_owned())
}
