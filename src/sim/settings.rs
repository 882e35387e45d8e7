//! Drivers that are configured as users do it: environment, `-D` and property files.
//!
//! What a plan wants of a driver is written down as text, in places that are drawn, with weaker
//! texts beside it that do not count, and read by production code. Whatever comes of it must be
//! what was written, from where it was written. A text with a mistake in it is refused first, with
//! the mistake named; and what the driver says its configuration is reads back as the same.

use std::collections::BTreeMap;

use super::network::DEFAULT_BUFFER_LENGTH;
use super::people::Outcome;
use super::plan::{SettingsPlan, index, pick};
use crate::base::Rng;
use crate::driver::config::{
    ConfigErrors, DriverConfig, DriverConfigBuilder, OptionDoc, Preset, Setting, Source,
};
use crate::port::BufferLimits;

mod mistakes;

use mistakes::{CONTRADICTIONS, Mistake};

/// Names of the property files, from the weaker to the stronger.
const FILES: [&str; 2] = ["site.properties", "host.properties"];
/// What no option of a driver is called.
const UNKNOWN: &str = "aeron.no.such.option";

/// Options that a user may turn as he pleases: texts and what they are shown as. Those of a row go
/// together.
const FREE: &[&[(&str, &str, &str)]] = &[
    &[("aeron.threading.mode", "SHARED", "SHARED")],
    &[("aeron.threading.mode", "INVOKER", "INVOKER")],
    &[("aeron.threading.mode", "SHARED_NETWORK", "SHARED_NETWORK")],
    &[("aeron.thread.naming", "new", "new")],
    &[("aeron.conductor.idle.strategy", "spin", "spin")],
    &[(
        "aeron.conductor.idle.strategy",
        "aeron_idle_strategy_noop",
        "noop",
    )],
    &[
        ("aeron.sender.idle.strategy", "backoff", "backoff"),
        (
            "aeron.sender.idle.strategy.init.args",
            "5-7-1000-2ms",
            "5-7-1us-2ms",
        ),
    ],
    &[
        (
            "aeron.receiver.idle.strategy",
            "org.agrona.concurrent.SleepingIdleStrategy",
            "sleep-ns",
        ),
        ("aeron.receiver.idle.strategy.init.args", "1500", "1500ns"),
    ],
    &[
        ("aeron.shared.idle.strategy", "sleep-ms", "sleep-ms"),
        ("aeron.shared.idle.strategy.init.args", "3000us", "3ms"),
    ],
    &[("aeron.shared.idle.strategy", "controllable", "controllable")],
    &[("aeron.sharednetwork.idle.strategy", "yielding", "yield")],
    &[("aeron.conductor.cpu.affinity", "3", "3")],
    &[("aeron.sender.cpu.affinity", "-1", "-1")],
    &[("aeron.dir", "/tmp/aeron of a user", "/tmp/aeron of a user")],
    &[("aeron.dir.delete.on.start", "on", "true")],
    &[("aeron.dir.warn.if.exists", "0", "false")],
    &[("aeron.print.configuration", "1", "true")],
    &[("aeron.driver.timeout", "2500", "2500")],
    &[("aeron.driver.termination.validator", "allow", "allow")],
    &[("aeron.file.page.size", "2m", "2m")],
    &[("aeron.driver.resource.free.limit", "3", "3")],
    &[("aeron.low.file.store.warning.threshold", "1048576", "1m")],
    &[("aeron.conductor.buffer.length", "2097920", "2097920")],
    &[("aeron.name.resolver.threshold", "1", "1ns")],
    &[("aeron.socket.multicast.ttl", "8", "8")],
    &[(
        "aeron.receiver.wildcard.port.range",
        "20000 20999",
        "20000 20999",
    )],
    &[(
        "aeron.sender.wildcard.port.range",
        "21000 21999",
        "21000 21999",
    )],
    &[("aeron.sender.wildcard.port.range", "0 0", "")],
    &[("aeron.driver.connect", "off", "false")],
    &[("aeron.sender.io.vector.capacity", "9", "9")],
    &[("aeron.send.to.status.poll.ratio", "2", "2")],
    &[("aeron.nak.multicast.group.size", "30", "30")],
    &[("aeron.nak.multicast.max.backoff", "3000us", "3ms")],
    &[("aeron.max.resend", "2", "2")],
    &[("aeron.max.resend", "200", "200")],
    &[("aileron.rcv.window.auto", "true", "true")],
    &[("aeron.CubicCongestionControl.measureRtt", "true", "true")],
    &[
        ("aeron.CubicCongestionControl.tcpMode", "true", "true"),
        ("aeron.CubicCongestionControl.initialRtt", "1ms", "1ms"),
    ],
    &[
        (
            "aeron.publication.reserved.session.id.low",
            "-1000000",
            "-1000000",
        ),
        (
            "aeron.publication.reserved.session.id.high",
            "1000000",
            "1000000",
        ),
    ],
    &[("aeron.driver.reresolution.check.interval", "250ms", "250ms")],
    &[("aeron.flow.control.receiver.timeout", "2S", "2s")],
    &[("aeron.unicast.flow.control.rrwm", "3", "3")],
    &[("aeron.multicast.flow.control.rrwm", "2", "2")],
    &[("aeron.ipc.term.buffer.length", "128K", "128k")],
    &[("aeron.term.buffer.length", "65536", "64k")],
    &[("aeron.term.buffer.sparse.file", "false", "false")],
    &[("aeron.socket.so_sndbuf", "256k", "256k")],
    &[("aeron.loss.report.buffer.length", "2k", "2k")],
];

/// A line of a user's: the option, its value, and how that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    name: String,
    text: String,
    shown: String,
}

/// Puts a driver's configuration together from texts that say what `plain` is, and from those of
/// the plan.
pub(super) fn configure(plain: &DriverConfig, plan: &SettingsPlan) -> Outcome<DriverConfig> {
    let mut rng = Rng::new(plan.seed);
    let preset = rng.chance(1, 4).then(|| *pick(&mut rng, &Preset::ALL));
    let lines = lines(&mut rng, plain, plan);
    let texts = Texts::draw(&mut rng, lines, preset);
    if rng.chance(1, 2) {
        texts.check_generic_refusal(&mut rng)?;
    }
    if rng.chance(1, 2) {
        texts.check_contradiction(&mut rng)?;
    }
    if rng.chance(1, 4) {
        texts.check_options_of_others(&mut rng)?;
    }
    let config = texts
        .builder()
        .build()
        .map_err(|errors| format!("settings are refused that are right: {errors}"))?;
    texts.check_reading(&config)?;
    check_listing(&config)?;
    check_limits(&config)?;
    Ok(config)
}

/// The lines of a user who wants `plain` and what the plan adds.
fn lines(rng: &mut Rng, plain: &DriverConfig, plan: &SettingsPlan) -> Vec<Line> {
    let line = |(name, text, shown): (&str, &str, &str)| Line {
        name: name.to_owned(),
        text: text.to_owned(),
        shown: shown.to_owned(),
    };
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let free = FREE.iter().filter(|_| plan.is_free && rng.chance(1, 5));
    for group in free {
        if group.iter().any(|one| lines.contains_key(one.0)) {
            continue;
        }
        for one in *group {
            lines.insert(one.0.to_owned(), line(*one));
        }
    }
    let defaults = DriverConfig::default();
    let wanted = plain.settings().zip(defaults.settings());
    for (setting, _) in wanted.filter(|(wanted, default)| wanted.value != default.value) {
        let (name, value) = (setting.name, setting.value.as_str());
        lines.insert(name.to_owned(), line((name, value, value)));
    }
    for (name, text, shown) in &plan.lines {
        lines.insert((*name).to_owned(), line((name, text, shown)));
    }
    lines.into_values().collect()
}

/// Texts, each in its place.
struct Texts {
    preset: Option<Preset>,
    environment: Vec<(String, String)>,
    defines: Vec<String>,
    files: [String; 2],
    /// What is to come of it, and from where.
    expected: Vec<(Line, Source)>,
    warns: bool,
}

impl Texts {
    fn draw(rng: &mut Rng, lines: Vec<Line>, preset: Option<Preset>) -> Self {
        let docs: BTreeMap<&str, OptionDoc> = DriverConfig::options()
            .map(|doc| (doc.property, doc))
            .collect();
        let mut texts = Self {
            preset,
            environment: vec![("HOME".to_owned(), "/root".to_owned())],
            defines: Vec::new(),
            files: ["\u{feff}# what all hosts have\n".to_owned(), String::new()],
            expected: Vec::new(),
            warns: rng.chance(1, 4),
        };
        for line in lines {
            let environment = docs
                .get(line.name.as_str())
                .map_or("", |doc| doc.environment);
            // Somebody said something else in a weaker place, which nobody reads any more.
            let place = 1 + index(rng, 3);
            if rng.chance(1, 6) && !environment.is_empty() {
                let entry = (environment.to_owned(), "nonsense".to_owned());
                texts.environment.push(entry);
            } else if !environment.is_empty() && rng.chance(1, 4) {
                let entry = (environment.to_owned(), format!(" {} ", line.text));
                texts.environment.push(entry);
                let source = Source::Environment(environment.to_owned());
                texts.expected.push((line, source));
                continue;
            }
            let source = texts.write(rng, &line, place);
            texts.expected.push((line, source));
        }
        if texts.warns {
            texts.defines.push(format!("{UNKNOWN}=1"));
            texts.defines.push("aeron.client.name=somebody".to_owned());
        }
        texts
    }

    /// Writes a line in a place: a definition or one of the files.
    fn write(&mut self, rng: &mut Rng, line: &Line, place: usize) -> Source {
        let Line { name, text, .. } = line;
        if place == 1 {
            self.defines.push(format!("{name}=taken back"));
            self.defines.push(format!("{name} = {text}"));
            return Source::Define;
        }
        let file = &mut self.files[place - 2];
        if rng.chance(1, 8) {
            file.push_str("\n! a comment \\\n");
        }
        let number = file.lines().count() + 1;
        // Blanks at the begin of a line do not count.
        let parts = text.split_at_checked(1);
        let parts = parts.filter(|(_, tail)| !tail.is_empty() && !tail.starts_with(' '));
        if let Some((head, tail)) = parts.filter(|_| rng.chance(1, 8)) {
            file.push_str(&format!("{name}: {head}\\\n    {tail}\n"));
        } else {
            file.push_str(&format!("{name} = {text}\r\n"));
        }
        Source::File(FILES[place - 2].to_owned(), number)
    }

    fn builder(&self) -> DriverConfigBuilder {
        let mut builder = DriverConfig::builder()
            .default_dir("/tmp/aeron-of-nobody")
            .buffer_limits(LIMITS)
            .environment(self.environment.clone());
        if let Some(preset) = self.preset {
            builder = builder.preset(preset);
        }
        for define in &self.defines {
            builder = builder.define(define);
        }
        for (name, text) in FILES.iter().zip(&self.files) {
            builder = builder.properties(name, text);
        }
        builder
    }

    /// What was read is what was written, and all else is as it was.
    fn check_reading(&self, config: &DriverConfig) -> Outcome {
        let read: BTreeMap<&str, Setting> = config
            .settings()
            .map(|setting| (setting.name, setting))
            .collect();
        for (line, source) in &self.expected {
            let Some(setting) = read.get(line.name.as_str()) else {
                return Err(format!("there is no setting {}", line.name));
            };
            let expected = format!("{}={} ({source})", line.name, line.shown);
            if setting.to_string() != expected {
                return Err(format!("'{expected}' was read as '{setting}'"));
            }
        }
        let defaults = DriverConfig::default();
        for (setting, default) in config.settings().zip(defaults.settings()) {
            let is_default = setting.source == Source::Default;
            // Arguments follow their strategies, and the directory its own default.
            let follows = setting.name.ends_with("init.args") || setting.name == "aeron.dir";
            if is_default && !follows && setting.value != default.value {
                return Err(format!("nobody set {setting}, and it is not the default"));
            }
        }
        let is_warned = |warning: &String| warning.starts_with(UNKNOWN);
        let warned = config.warnings().iter().filter(|w| is_warned(w)).count();
        if warned != usize::from(self.warns) {
            return Err(format!("odd warnings: {:?}", config.warnings()));
        }
        Ok(())
    }

    /// A text that is no value is refused, and told is what would be one.
    fn check_generic_refusal(&self, rng: &mut Rng) -> Outcome {
        let docs: Vec<OptionDoc> = DriverConfig::options()
            .filter(|doc| !matches!(doc.unit, "path" | "text" | "comma list"))
            .collect();
        let doc = pick(rng, &docs);
        let line = format!("{}=nonsense", doc.property);
        let error = refusal(self.builder().properties("last.properties", &line))?;
        let range = format!("allowed: {}", doc.range);
        let is_right = error.iter().any(|error| {
            error.option() == doc.property
                && error.value() == "nonsense"
                && error.origin() == &Source::File("last.properties".to_owned(), 1)
                && (doc.range.is_empty() || error.reason().ends_with(&range))
        });
        if is_right && error.to_string().contains(doc.property) {
            Ok(())
        } else {
            Err(format!("'{line}' was refused for another reason: {error}"))
        }
    }

    /// Settings that are wrong in themselves, or contradict each other, are refused.
    fn check_contradiction(&self, rng: &mut Rng) -> Outcome {
        let Mistake {
            lines,
            option,
            reason,
        } = pick(rng, CONTRADICTIONS);
        let builder = self.builder().properties("last.properties", lines);
        let error = refusal(builder)?;
        let mut errors = error.iter();
        if errors.any(|e| e.option() == *option && e.reason().contains(reason)) {
            Ok(())
        } else {
            Err(format!("'{lines}' was refused for another reason: {error}"))
        }
    }

    /// Options of Aeron that there are not here are refused, unless they say nothing new.
    fn check_options_of_others(&self, rng: &mut Rng) -> Outcome {
        let refused: Vec<_> = DriverConfig::refused_options().collect();
        let option = pick(rng, &refused);
        let line = format!("{}=something", option.property);
        let error = refusal(self.builder().define(&line))?;
        let reason = format!("not supported: {}", option.reason);
        let mut errors = error.iter();
        let is_told = errors.any(|e| e.option() == option.property && e.reason() == reason);
        if !is_told {
            return Err(format!("'{line}' was refused for another reason: {error}"));
        }
        if let Some(accepted) = option.accepted.first() {
            let line = format!("{}={accepted}", option.property);
            let config = self.builder().define(&line).build();
            config.map_err(|error| format!("'{line}' is refused: {error}"))?;
        }
        Ok(())
    }
}

/// Socket buffers of the hosts of a simulated network.
const LIMITS: BufferLimits = BufferLimits {
    default_sndbuf: DEFAULT_BUFFER_LENGTH,
    max_sndbuf: DEFAULT_BUFFER_LENGTH * 20,
    default_rcvbuf: DEFAULT_BUFFER_LENGTH,
    max_rcvbuf: DEFAULT_BUFFER_LENGTH * 20,
};

/// Why a configuration is refused, which it has to be.
fn refusal(builder: DriverConfigBuilder) -> Outcome<ConfigErrors> {
    match builder.build() {
        Ok(_) => Err("settings are accepted that are wrong".to_owned()),
        Err(errors) => Ok(errors),
    }
}

/// What a driver says its configuration is can be read as a property file, and is the same.
fn check_listing(config: &DriverConfig) -> Outcome {
    let listing: String = config
        .settings()
        .map(|setting| format!("{}={}\n", setting.name, setting.value))
        .collect();
    let again = DriverConfig::builder()
        .properties("listing", &listing)
        .build()
        .map_err(|errors| format!("a listing is refused: {errors}"))?;
    for (setting, again) in config.settings().zip(again.settings()) {
        if setting.value != again.value {
            return Err(format!("'{setting}' was listed and read as '{again}'"));
        }
    }
    Ok(())
}

/// It suits the machine, with a warning where it asks for more than there is.
fn check_limits(config: &DriverConfig) -> Outcome {
    config
        .check_against(&LIMITS)
        .map_err(|errors| format!("settings do not suit the machine: {errors}"))?;
    let asks_too_much = config.socket_rcvbuf_length() > LIMITS.max_rcvbuf
        || config.socket_sndbuf_length() > LIMITS.max_sndbuf;
    let warnings = config.buffer_warnings(&LIMITS);
    if warnings.is_empty() == asks_too_much {
        return Err(format!("odd warnings about buffers: {warnings:?}"));
    }
    Ok(())
}
