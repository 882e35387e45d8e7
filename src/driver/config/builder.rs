//! Collects setters and texts, then reads and checks everything at once.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::error::{ConfigError, ConfigErrors};
use super::refused::{OF_CLIENTS, REFUSED};
use super::schema::{OptionInfo, OptionRow};
use super::sources::{
    Entry, Preset, Source, is_environment_form, parse_properties, parse_property,
};
use super::table::ROWS;
use super::{DriverConfig, idle, validate};
use crate::port::BufferLimits;

/// Collects settings for a [`DriverConfig`]. From the weakest to the strongest: default, preset,
/// environment, `-D`, property files from left to right, setters.
///
/// ```
/// use aileron::driver::config::DriverConfig;
/// let environment = [("AERON_MTU_LENGTH".to_owned(), "4k".to_owned())];
/// let config = DriverConfig::builder()
///     .environment(environment)
///     .define("aeron.term.buffer.length=64k")
///     .properties("site.properties", "# ours\naeron.mtu.length = 8k\n")
///     .dir("/tmp/aeron-test")
///     .build()?;
/// assert_eq!(config.mtu_length(), 8192);
/// assert_eq!(config.term_buffer_length(), 65_536);
/// # Ok::<(), aileron::driver::config::ConfigErrors>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct DriverConfigBuilder {
    pub(super) config: Box<DriverConfig>,
    /// Fields that a setter set.
    pub(super) set: BTreeSet<&'static str>,
    preset: Option<Preset>,
    environment: Vec<Entry>,
    defines: Vec<Entry>,
    files: Vec<Entry>,
    default_dir: Option<PathBuf>,
    limits: Option<BufferLimits>,
    errors: Vec<ConfigError>,
}

impl DriverConfigBuilder {
    /// Starts from a preset instead of the plain defaults.
    #[must_use]
    pub const fn preset(mut self, preset: Preset) -> Self {
        self.preset = Some(preset);
        self
    }

    /// Takes the variables of an environment that are options.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let options = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with("AERON_") || name.starts_with("AILERON_"));
        self.environment.extend(options.map(|(name, value)| Entry {
            source: Source::Environment(name.clone()),
            value: value.trim().to_owned(),
            name,
        }));
        self
    }

    /// Takes the `name=value` of a `-Dname=value`. A later one beats an earlier one.
    #[must_use]
    pub fn define(mut self, text: &str) -> Self {
        match parse_property(text) {
            Some((name, value)) => self.defines.push(Entry {
                name: name.to_owned(),
                value: value.to_owned(),
                source: Source::Define,
            }),
            None => {
                let reason = "malformed define: not of the form name=value";
                self.errors
                    .push(ConfigError::new(text, "", Source::Define, reason));
            }
        }
        self
    }

    /// Takes the text of a property file; `name` is for messages. A later file beats an earlier
    /// one.
    #[must_use]
    pub fn properties(mut self, name: &str, text: &str) -> Self {
        for entry in parse_properties(name, text) {
            match entry {
                Ok(entry) => self.files.push(entry),
                Err((number, line)) => {
                    let source = Source::File(name.to_owned(), number);
                    let reason = "malformed line: not of the form name=value";
                    self.errors.push(ConfigError::new(line, "", source, reason));
                }
            }
        }
        self
    }

    /// The directory if nothing else names one; see [`super::default_directory`].
    #[must_use]
    pub fn default_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.default_dir = Some(dir.into());
        self
    }

    /// The operating system's socket buffer lengths, so that the lengths that are left to it can be
    /// checked too.
    #[must_use]
    pub const fn buffer_limits(mut self, limits: BufferLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Reads all texts and checks everything.
    ///
    /// # Errors
    /// All that is wrong: texts that are no values, values out of range, values that contradict
    /// each other, options that this driver does not have.
    pub fn build(mut self) -> Result<DriverConfig, ConfigErrors> {
        let entries = self.entries();
        if let Some(dir) = self
            .default_dir
            .take()
            .filter(|_| !self.set.contains("dir"))
        {
            self.config.dir = dir;
        }
        self.config.sources = ROWS
            .iter()
            .map(|row| self.read_row(row, &entries))
            .collect();
        self.refuse(&entries);
        self.config.warnings.extend(unknown_names(&entries));
        idle::combine_arguments(&mut self.config, &mut self.errors);
        validate::check(&self.config, self.limits.as_ref(), &mut self.errors);
        if let Some(limits) = &self.limits {
            let warnings = self.config.buffer_warnings(limits);
            self.config.warnings.extend(warnings);
        }
        if self.errors.is_empty() {
            Ok(*self.config)
        } else {
            Err(ConfigErrors(self.errors))
        }
    }

    /// All texts, the strongest last.
    fn entries(&mut self) -> Vec<Entry> {
        let preset = self.preset.into_iter().flat_map(|preset| {
            preset.properties().iter().map(move |(name, value)| Entry {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
                source: Source::Preset(preset.name()),
            })
        });
        let mut entries: Vec<_> = preset.collect();
        entries.append(&mut self.environment);
        entries.append(&mut self.defines);
        entries.append(&mut self.files);
        entries
    }

    /// Reads the strongest text of an option, unless a setter spoke, checks the range, and returns
    /// where the value came from.
    fn read_row(&mut self, row: &OptionRow, entries: &[Entry]) -> Source {
        let info = &row.info;
        let is_set = self.set.contains(info.field);
        let source = match strongest(info.property, info.env, entries) {
            _ if is_set => Source::Setter,
            None => Source::Default,
            Some(entry) => {
                if let Err(reason) = (row.apply)(&mut self.config, &entry.value) {
                    let reason = with_range(&reason, &(row.range)());
                    self.errors.push(ConfigError::new(
                        info.property,
                        &entry.value,
                        entry.source.clone(),
                        reason,
                    ));
                    return entry.source.clone();
                }
                entry.source.clone()
            }
        };
        if !(row.check)(&self.config) {
            let value = (row.show)(&self.config);
            let reason = with_range("out of range", &(row.range)());
            self.errors.push(ConfigError::new(
                info.property,
                value,
                source.clone(),
                reason,
            ));
        }
        source
    }

    /// Refuses options that this driver does not have.
    fn refuse(&mut self, entries: &[Entry]) {
        for refused in REFUSED {
            let Some(entry) = strongest(refused.property, refused.env, entries) else {
                continue;
            };
            if !refused.defaults.contains(&entry.value.as_str()) {
                let reason = format!("not supported: {}", refused.reason);
                let source = entry.source.clone();
                self.errors.push(ConfigError::new(
                    refused.property,
                    &entry.value,
                    source,
                    reason,
                ));
            }
        }
    }
}

fn with_range(reason: &str, range: &str) -> String {
    if range.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}; allowed: {range}")
    }
}

/// Whether a text names the option, by its property, its variable, or the property form of that.
fn is_named(name: &str, property: &str, env: &str) -> bool {
    name == property || (!env.is_empty() && is_environment_form(name, env))
}

/// The text that counts for an option. An empty value takes back what was said before.
fn strongest<'a>(property: &str, env: &str, entries: &'a [Entry]) -> Option<&'a Entry> {
    let last = entries
        .iter()
        .rfind(|entry| is_named(&entry.name, property, env))?;
    (!last.value.is_empty()).then_some(last)
}

/// Warnings about names that no option has.
fn unknown_names(entries: &[Entry]) -> Vec<String> {
    let is_known = |name: &str| {
        let of_rows = ROWS.iter().map(|row| (row.info.property, row.info.env));
        let of_refused = REFUSED
            .iter()
            .map(|refused| (refused.property, refused.env));
        let mut all = of_rows.chain(of_refused).chain(OF_CLIENTS.iter().copied());
        all.any(|(property, env)| is_named(name, property, env))
    };
    let unknown = entries.iter().filter(|entry| !is_known(&entry.name));
    unknown
        .map(|entry| format!("{} ({}): unknown option", entry.name, entry.source))
        .collect()
}

impl OptionRow {
    /// The row of a field. Every caller names a field of the table.
    pub(super) fn of(field: &str) -> Option<(usize, &'static OptionInfo)> {
        let index = ROWS.iter().position(|row| row.info.field == field)?;
        Some((index, &ROWS[index].info))
    }
}
