//! Which test shows what of a parameter, and the check that nothing is left out.

use std::collections::BTreeSet;
use std::path::Path;

/// The test of a parameter's effect.
const EFFECT: &[(&str, &str)] = &[
    (
        "endpoint",
        "addresses::an_endpoint_is_sent_to_and_listened_at",
    ),
    (
        "interface",
        "addresses::an_interface_is_what_a_publication_sends_from",
    ),
    ("control", "addresses::control_is_where_status_messages_go"),
    (
        "control-mode",
        "addresses::the_control_mode_says_how_destinations_are_found",
    ),
    ("tags", "sessions::tags_name_an_endpoint_and_a_publication"),
    (
        "alias",
        "sessions::an_alias_shows_in_the_labels_of_counters",
    ),
    (
        "session-id",
        "sessions::a_session_id_is_taken_and_filtered_by",
    ),
    ("stream-id", "sessions::a_stream_id_that_agrees_is_accepted"),
    (
        "term-length",
        "geometry::the_term_length_is_that_of_the_log",
    ),
    ("mtu", "geometry::the_mtu_limits_what_a_frame_carries"),
    (
        "init-term-id",
        "geometry::a_publication_starts_at_the_position_of_its_channel",
    ),
    (
        "term-id",
        "geometry::a_publication_starts_at_the_position_of_its_channel",
    ),
    (
        "term-offset",
        "geometry::a_publication_starts_at_the_position_of_its_channel",
    ),
    (
        "linger",
        "lifetime::linger_is_how_long_a_drained_publication_stays",
    ),
    (
        "eos",
        "lifetime::without_eos_the_end_of_a_stream_is_not_told",
    ),
    (
        "sparse",
        "geometry::a_log_that_is_not_sparse_takes_its_space_at_once",
    ),
    (
        "ssc",
        "lifetime::with_ssc_a_spy_alone_connects_a_publication",
    ),
    (
        "pub-wnd",
        "windows::the_publication_window_limits_a_publisher",
    ),
    (
        "max-resend",
        "repair::max_resend_is_how_many_resends_run_at_a_time",
    ),
    (
        "ttl",
        "addresses::the_ttl_is_announced_and_a_smaller_one_of_a_receiver_is_counted",
    ),
    (
        "fc",
        "flow_control::min_follows_the_slowest_and_max_the_fastest",
    ),
    ("cc", "windows::congestion_control_is_chosen_per_channel"),
    (
        "gtag",
        "groups::a_group_tag_is_what_tagged_flow_control_goes_by",
    ),
    (
        "rcv-wnd",
        "windows::the_receiver_window_is_what_status_messages_offer",
    ),
    ("so-sndbuf", "windows::a_send_buffer_must_hold_a_datagram"),
    (
        "so-rcvbuf",
        "windows::a_receive_buffer_holds_what_the_driver_has_not_read",
    ),
    (
        "reliable",
        "repair::an_unreliable_stream_goes_on_without_what_is_lost",
    ),
    (
        "tether",
        "untethered::an_untethered_subscriber_does_not_hold_the_stream",
    ),
    ("group", "groups::receivers_of_a_group_back_off_as_one"),
    (
        "rejoin",
        "lifetime::without_rejoin_a_lost_stream_stays_lost",
    ),
    (
        "nak-delay",
        "repair::the_nak_delay_is_how_long_a_gap_may_last",
    ),
    (
        "untethered-window-limit-timeout",
        "untethered::the_window_limit_timeout_is_how_long_a_subscriber_may_lag",
    ),
    (
        "untethered-linger-timeout",
        "untethered::the_linger_timeout_is_how_long_a_lost_subscriber_counts",
    ),
    (
        "untethered-resting-timeout",
        "untethered::the_resting_timeout_is_how_long_a_subscriber_stays_away",
    ),
    (
        "media-rcv-ts-offset",
        "timestamps::the_kernels_receive_time_is_written",
    ),
    (
        "channel-rcv-ts-offset",
        "timestamps::the_receivers_receive_time_is_written",
    ),
    (
        "channel-snd-ts-offset",
        "timestamps::the_senders_send_time_is_written",
    ),
    (
        "response-correlation-id",
        "responses::a_response_goes_to_whoever_asked",
    ),
    (
        "response-endpoint",
        "responses::a_response_endpoint_is_kept_for_applications",
    ),
    ("ats", "responses::transport_security_may_be_declined"),
];

/// The test of what is said about a bad value.
const ERROR: &[(&str, &str)] = &[
    ("endpoint", "addresses::a_bad_endpoint_is_refused"),
    ("interface", "addresses::a_bad_interface_is_refused"),
    ("control", "addresses::a_bad_control_is_refused"),
    ("control-mode", "addresses::a_bad_control_mode_is_refused"),
    ("tags", "sessions::bad_tags_are_refused"),
    ("alias", "sessions::an_alias_without_a_text_is_refused"),
    ("session-id", "sessions::a_bad_session_id_is_refused"),
    ("stream-id", "sessions::a_bad_stream_id_is_refused"),
    ("term-length", "geometry::a_bad_term_length_is_refused"),
    ("mtu", "geometry::a_bad_mtu_is_refused"),
    ("init-term-id", "geometry::a_bad_initial_term_id_is_refused"),
    ("term-id", "geometry::a_bad_term_id_is_refused"),
    ("term-offset", "geometry::a_bad_term_offset_is_refused"),
    ("linger", "lifetime::a_bad_linger_is_refused"),
    ("eos", "lifetime::a_bad_eos_is_refused"),
    ("sparse", "geometry::a_bad_sparse_is_refused"),
    ("ssc", "lifetime::a_bad_ssc_is_refused"),
    ("pub-wnd", "windows::a_bad_publication_window_is_refused"),
    ("max-resend", "repair::a_bad_max_resend_is_refused"),
    ("ttl", "addresses::a_bad_ttl_is_refused"),
    ("fc", "flow_control::a_bad_flow_control_is_refused"),
    ("cc", "windows::unknown_congestion_control_makes_no_image"),
    ("gtag", "groups::a_bad_group_tag_is_refused"),
    ("rcv-wnd", "windows::a_bad_receiver_window_is_refused"),
    ("so-sndbuf", "windows::a_bad_send_buffer_is_refused"),
    ("so-rcvbuf", "windows::a_bad_receive_buffer_is_refused"),
    ("reliable", "repair::a_bad_reliable_is_refused"),
    ("tether", "untethered::a_bad_tether_is_refused"),
    ("group", "groups::a_group_without_a_text_is_refused"),
    ("rejoin", "lifetime::a_bad_rejoin_is_refused"),
    ("nak-delay", "repair::a_bad_nak_delay_is_refused"),
    (
        "untethered-window-limit-timeout",
        "untethered::a_bad_window_limit_timeout_is_refused",
    ),
    (
        "untethered-linger-timeout",
        "untethered::a_bad_linger_timeout_is_refused",
    ),
    (
        "untethered-resting-timeout",
        "untethered::a_bad_resting_timeout_is_refused",
    ),
    (
        "media-rcv-ts-offset",
        "timestamps::a_bad_media_receive_offset_is_refused",
    ),
    (
        "channel-rcv-ts-offset",
        "timestamps::a_bad_receive_offset_is_refused",
    ),
    (
        "channel-snd-ts-offset",
        "timestamps::a_bad_send_offset_is_refused",
    ),
    (
        "response-correlation-id",
        "responses::a_bad_response_correlation_id_is_refused",
    ),
    (
        "response-endpoint",
        "responses::a_response_endpoint_without_a_text_is_refused",
    ),
    ("ats", "responses::transport_security_is_refused"),
];

/// Constants of `src/uri/params.rs` that are no parameters but words of their values.
const WORDS: [&str; 3] = ["RESERVED_OFFSET", "PROTOTYPE_CORRELATION_ID", "TAG_PREFIX"];

fn source(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of all parameters, from where the driver and the client take them.
fn known_parameters() -> BTreeSet<String> {
    let source = source("src/uri/params.rs");
    let constants = source.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("pub const ")?.split_once(": &str = ")?;
        let value = value.strip_prefix('"')?.strip_suffix("\";")?;
        (!WORDS.contains(&name)).then(|| value.to_owned())
    });
    constants.collect()
}

/// The body of a test function.
fn body(test: &str) -> String {
    let (file, function) = test.split_once("::").expect("file::function");
    let source = source(&format!("tests/uri_parameters/{file}.rs"));
    let head = format!("#[test]\nfn {function}() {{\n");
    let (_, rest) = source
        .split_once(&head)
        .unwrap_or_else(|| panic!("{test} is no test"));
    let (body, _) = rest.split_once("\n}\n").expect("the function's end");
    body.to_owned()
}

#[test]
fn every_parameter_has_a_test_of_its_effect_and_one_of_its_error() {
    let known = known_parameters();
    assert!(known.len() >= 40, "the list was not understood: {known:?}");
    for (what, registry) in [("effect", EFFECT), ("error", ERROR)] {
        let listed: Vec<&str> = registry.iter().map(|(name, _)| *name).collect();
        let distinct: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(listed.len(), distinct.len(), "{what}: a parameter twice");
        assert_eq!(
            distinct, known,
            "{what}: not the parameters of src/uri/params.rs"
        );
        for (name, test) in registry {
            let body = body(test);
            assert!(body.contains(name), "{test} does not mention {name}");
        }
    }
}
