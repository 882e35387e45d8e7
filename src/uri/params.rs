//! Names of the channel parameters (`uri.md` §2).

/// Address sent to, bound or joined: `host:port`.
pub const ENDPOINT: &str = "endpoint";
/// Local interface.
pub const INTERFACE: &str = "interface";
/// Local control address of a publication, or remote one of a subscription.
pub const CONTROL: &str = "control";
/// `manual`, `dynamic` or `response`.
pub const CONTROL_MODE: &str = "control-mode";
/// Channel tag and entity tag.
pub const TAGS: &str = "tags";
/// Free text for humans.
pub const ALIAS: &str = "alias";
/// Session, or `tag:` and the entity tag of a publication to copy it from.
pub const SESSION_ID: &str = "session-id";
/// Stream that the channel is meant for.
pub const STREAM_ID: &str = "stream-id";
/// Length of a term.
pub const TERM_LENGTH: &str = "term-length";
/// Longest frame.
pub const MTU: &str = "mtu";
/// First term of the stream.
pub const INITIAL_TERM_ID: &str = "init-term-id";
/// Term at which a publication starts.
pub const TERM_ID: &str = "term-id";
/// Offset at which a publication starts.
pub const TERM_OFFSET: &str = "term-offset";
/// How long a drained publication answers receivers.
pub const LINGER: &str = "linger";
/// Whether the end of the stream is signalled.
pub const EOS: &str = "eos";
/// Whether log files are sparse.
pub const SPARSE: &str = "sparse";
/// Whether a spy alone makes a publication connected.
pub const SPIES_SIMULATE_CONNECTION: &str = "ssc";
/// Publication window.
pub const PUBLICATION_WINDOW: &str = "pub-wnd";
/// Retransmits at a time.
pub const MAX_RESEND: &str = "max-resend";
/// Multicast time to live.
pub const TTL: &str = "ttl";
/// Flow control.
pub const FLOW_CONTROL: &str = "fc";
/// Congestion control.
pub const CONGESTION_CONTROL: &str = "cc";
/// Tag of a receiver.
pub const GROUP_TAG: &str = "gtag";
/// Receiver window.
pub const RECEIVER_WINDOW: &str = "rcv-wnd";
/// Socket send buffer.
pub const SOCKET_SNDBUF: &str = "so-sndbuf";
/// Socket receive buffer.
pub const SOCKET_RCVBUF: &str = "so-rcvbuf";
/// Whether lost data is asked for again.
pub const RELIABLE: &str = "reliable";
/// Whether a slow subscriber holds back the stream.
pub const TETHER: &str = "tether";
/// Whether receivers behave as members of a group.
pub const GROUP: &str = "group";
/// Whether a subscription takes up a stream again that it lost.
pub const REJOIN: &str = "rejoin";
/// First NAK delay.
pub const NAK_DELAY: &str = "nak-delay";
/// How long an untethered subscriber may lag.
pub const UNTETHERED_WINDOW_LIMIT_TIMEOUT: &str = "untethered-window-limit-timeout";
/// Time until an unavailable untethered subscriber is removed.
pub const UNTETHERED_LINGER_TIMEOUT: &str = "untethered-linger-timeout";
/// Time until a removed untethered subscriber rejoins.
pub const UNTETHERED_RESTING_TIMEOUT: &str = "untethered-resting-timeout";
/// Where the kernel's receive time goes.
pub const MEDIA_RCV_TIMESTAMP_OFFSET: &str = "media-rcv-ts-offset";
/// Where the receiver's receive time goes.
pub const CHANNEL_RCV_TIMESTAMP_OFFSET: &str = "channel-rcv-ts-offset";
/// Where the send time goes.
pub const CHANNEL_SND_TIMESTAMP_OFFSET: &str = "channel-snd-ts-offset";
/// What a publication responds to, or `prototype`.
pub const RESPONSE_CORRELATION_ID: &str = "response-correlation-id";
/// For applications; no driver reads it.
pub const RESPONSE_ENDPOINT: &str = "response-endpoint";
/// Transport security of the commercial product.
pub const TRANSPORT_SECURITY: &str = "ats";

/// Text of a timestamp offset that means the reserved value of the header.
pub const RESERVED_OFFSET: &str = "reserved";
/// Text of a response correlation id that only holds the control socket.
pub const PROTOTYPE_CORRELATION_ID: &str = "prototype";
/// Prefix of a session id that is copied from a tagged publication.
pub const TAG_PREFIX: &str = "tag:";
