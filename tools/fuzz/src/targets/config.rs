//! Property files.

use aileron::driver::config::DriverConfig;

/// Reads the bytes as a property file, as the environment and as `-D` definitions. What is accepted
/// lists its settings, and what it lists is accepted again; what is refused says why.
///
/// ```
/// aileron_fuzz::targets::config(b"aeron.mtu.length=8k");
/// ```
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let builder = DriverConfig::builder().properties("fuzz.properties", text);
    check(builder.build());
    let mut builder = DriverConfig::builder();
    for line in text.lines().take(32) {
        builder = builder.define(line);
    }
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let builder = builder.environment(variables.take(32));
    check(builder.build());
}

fn check(built: Result<DriverConfig, aileron::driver::config::ConfigErrors>) {
    match built {
        Ok(config) => {
            let lines = config
                .settings()
                .map(|setting| format!("{setting:?}").len());
            let total: usize = lines.sum();
            assert!(total > 0, "a configuration has settings");
        }
        Err(errors) => {
            assert!(errors.iter().count() > 0, "refused without a reason");
            assert!(!errors.to_string().is_empty(), "refused without words");
        }
    }
}
