//! Rules between options (`config.md` §3), in the order of that list. Ranges of single options
//! stand in their rows.

use super::error::{ConfigError, ConfigErrors};
use super::schema::OptionRow;
use super::sources::Source;
use super::{DriverConfig, LossSpec, NameEntry, NameResolverSupplier};
use crate::driver::media::interface::InterfaceParam;
use crate::port::BufferLimits;
use crate::protocol::resolution::NAME_LENGTH_MAX;
use crate::uri::{format_duration, format_size};

/// Bytes of the header of the CnC file.
const CNC_HEADER_LENGTH: u64 = 128;
/// Counter metadata is so many times as long as counter values.
const METADATA_FACTOR: u64 = 4;
const CNC_LENGTH_MAX: u64 = i32::MAX as u64;
const SESSION_RANGE_MAX: i64 = i32::MAX as i64;

struct Check<'a> {
    config: &'a DriverConfig,
    errors: &'a mut Vec<ConfigError>,
}

impl Check<'_> {
    /// Records an error of `field`, unless `is_right`.
    fn require(&mut self, is_right: bool, field: &str, reason: impl FnOnce() -> String) {
        if is_right {
            return;
        }
        let (index, info) = OptionRow::of(field).expect("callers name fields of the table");
        let value = (super::table::ROWS[index].show)(self.config);
        let source = self
            .config
            .sources
            .get(index)
            .cloned()
            .unwrap_or(Source::Default);
        self.errors
            .push(ConfigError::new(info.property, value, source, reason()));
    }

    fn require_longer(&mut self, field: &str, ns: i64, than: &str, than_ns: i64) {
        self.require(ns > than_ns, field, || {
            format!("must be longer than {than}={}", format_duration(than_ns))
        });
    }
}

/// Checks `config`, which passed the range of every row or has an error about it already.
pub(super) fn check(
    config: &DriverConfig,
    limits: Option<&BufferLimits>,
    errors: &mut Vec<ConfigError>,
) {
    let mut check = Check { config, errors };
    check_naks_and_sessions(&mut check);
    check_window(&mut check);
    check_timeouts(&mut check);
    check_buffers(&mut check, limits.copied().unwrap_or_default());
    check_resolver(&mut check);
    check_cnc_length(&mut check);
    check_interceptors(&mut check);
}

fn check_naks_and_sessions(check: &mut Check<'_>) {
    let config = check.config;
    let retry_ns = config
        .nak_unicast_delay_ns
        .checked_mul(config.nak_unicast_retry_delay_ratio);
    check.require(retry_ns.is_some(), "nak_unicast_retry_delay_ratio", || {
        "aeron.nak.unicast.delay times this is above 2^63 - 1 ns".to_owned()
    });
    let (low, high) = (
        config.reserved_session_id_low,
        config.reserved_session_id_high,
    );
    check.require(low <= high, "reserved_session_id_low", || {
        format!("must not be above aeron.publication.reserved.session.id.high={high}")
    });
    let span = i64::from(high) - i64::from(low);
    check.require(
        span <= SESSION_RANGE_MAX,
        "reserved_session_id_high",
        || {
            format!(
                "must be at most {SESSION_RANGE_MAX} above \
             aeron.publication.reserved.session.id.low={low}"
            )
        },
    );
}

fn check_window(check: &mut Check<'_>) {
    let window = check.config.initial_window_length;
    check.require(check.config.mtu_length <= window, "mtu_length", || {
        let window = format_size(i64::from(window));
        format!("must not be above aeron.rcv.initial.window.length={window}")
    });
}

fn check_timeouts(check: &mut Check<'_>) {
    let config = check.config;
    let liveness_ns = config.client_liveness_timeout_ns;
    let (timer, timer_ns) = ("aeron.timer.interval", config.timer_interval_ns);
    check.require_longer(
        "publication_unblock_timeout_ns",
        config.publication_unblock_timeout_ns,
        "aeron.client.liveness.timeout",
        liveness_ns,
    );
    check.require_longer("client_liveness_timeout_ns", liveness_ns, timer, timer_ns);
    let untethered = [
        (
            "untethered_window_limit_timeout_ns",
            Some(config.untethered_window_limit_timeout_ns),
        ),
        (
            "untethered_linger_timeout_ns",
            config.untethered_linger_timeout_ns,
        ),
        (
            "untethered_resting_timeout_ns",
            Some(config.untethered_resting_timeout_ns),
        ),
    ];
    for (field, ns) in untethered {
        if let Some(ns) = ns {
            check.require_longer(field, ns, timer, timer_ns);
        }
    }
}

/// A configured length, else the operating system's; `None` if that is not known either.
fn effective(configured: usize, default: usize) -> Option<usize> {
    [configured, default]
        .into_iter()
        .find(|length| *length != 0)
}

fn check_buffers(check: &mut Check<'_>, limits: BufferLimits) {
    let config = check.config;
    let pairs = [
        (
            "mtu_length",
            config.mtu_length,
            effective(config.socket_sndbuf_length, limits.default_sndbuf),
            "SO_SNDBUF",
        ),
        (
            "initial_window_length",
            config.initial_window_length,
            effective(config.socket_rcvbuf_length, limits.default_rcvbuf),
            "SO_RCVBUF",
        ),
    ];
    for (field, length, buffer, name) in pairs {
        let Some(buffer) = buffer else { continue };
        let fits = usize::try_from(length).is_ok_and(|length| length <= buffer);
        check.require(fits, field, || format!("must not be above {name}={buffer}"));
    }
}

fn check_resolver(check: &mut Check<'_>) {
    let config = check.config;
    if config.gossips() {
        let (name, interface) = (&config.resolver_name, &config.resolver_interface);
        check.require(!name.is_empty(), "resolver_name", || {
            "must be set if names are exchanged with other drivers".to_owned()
        });
        check.require(name.len() <= NAME_LENGTH_MAX, "resolver_name", || {
            format!("must not be longer than {NAME_LENGTH_MAX} bytes")
        });
        let is_well_formed = InterfaceParam::parse(interface).is_some();
        check.require(is_well_formed, "resolver_interface", || {
            "must be of the form host[:port][/prefix] or {interface}[:port]".to_owned()
        });
    }
    if config.name_resolver == NameResolverSupplier::CsvTable {
        let table = NameEntry::parse_table(&config.name_resolver_init_args);
        check.require(table.is_ok(), "name_resolver_init_args", || {
            table.err().unwrap_or_default()
        });
    }
}

fn check_cnc_length(check: &mut Check<'_>) {
    let config = check.config;
    let lengths = [
        config.conductor_buffer_length,
        config.clients_buffer_length,
        config.counters_buffer_length,
        config.error_buffer_length,
    ];
    let [conductor, clients, counters, errors] =
        lengths.map(|length| u64::try_from(length).unwrap_or(u64::MAX));
    let counters = counters.saturating_mul(METADATA_FACTOR + 1);
    let parts = [CNC_HEADER_LENGTH, conductor, clients, counters, errors];
    let sum = parts.into_iter().fold(0, u64::saturating_add);
    let page = u64::try_from(config.file_page_size)
        .unwrap_or(u64::MAX)
        .max(1);
    let length = sum.div_ceil(page).saturating_mul(page);
    check.require(length <= CNC_LENGTH_MAX, "counters_buffer_length", || {
        format!("the CnC file would have {length} bytes, more than {CNC_LENGTH_MAX}")
    });
}

fn check_interceptors(check: &mut Check<'_>) {
    let config = check.config;
    let lists = [
        ("incoming_interceptors", &config.incoming_interceptors),
        ("outgoing_interceptors", &config.outgoing_interceptors),
    ];
    for (field, names) in lists {
        for name in names {
            let args = LossSpec::argument_option(name);
            check.require(args.is_some(), field, || {
                format!("'{name}' is unknown; known: loss, fixed-loss, multi-gap-loss")
            });
            let is_complete = args.is_none() || config.loss_spec(name).is_some();
            check.require(is_complete, field, || {
                format!("'{name}' needs {}", args.unwrap_or_default())
            });
        }
    }
}

impl DriverConfig {
    /// Checks everything again, now against the socket buffers of the machine it is to run on.
    ///
    /// # Errors
    /// All that does not fit.
    pub fn check_against(&self, limits: &BufferLimits) -> Result<(), ConfigErrors> {
        let mut errors = Vec::new();
        check(self, Some(limits), &mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors(errors))
        }
    }

    /// Warnings about socket buffers that are longer than the operating system grants.
    #[must_use]
    pub fn buffer_warnings(&self, limits: &BufferLimits) -> Vec<String> {
        let pairs = [
            (
                "aeron.socket.so_rcvbuf",
                self.socket_rcvbuf_length,
                limits.max_rcvbuf,
                "rmem_max",
            ),
            (
                "aeron.socket.so_sndbuf",
                self.socket_sndbuf_length,
                limits.max_sndbuf,
                "wmem_max",
            ),
        ];
        let short = pairs
            .into_iter()
            .filter(|(_, asked, max, _)| *max != 0 && asked > max);
        short
            .map(|(option, asked, max, sysctl)| {
                format!("{option}={asked}: the system grants {max} (net.core.{sysctl})")
            })
            .collect()
    }
}
