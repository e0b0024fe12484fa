//! The configuration, `etc/supervisor/tree.toml`: read whole, checked key by key, each error naming file, key and way
//! out. What is left out has its default.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use roles::limits::{LINK_MAX, PRINCIPAL_MAX};
use toml::{Table, Value};

use crate::life::Times;
use crate::limits::{CONFIG_BYTES, DRAIN_MS, HEARTBEAT_MS, HUNG_MS, SPARES_MAX};

/// The file's name as the operator knows it.
const FILE: &str = "etc/supervisor/tree.toml";
/// Where the table puts it.
pub const PATH: &str = "/etc/supervisor/tree.toml";

const KEYS: [&str; 6] = ["spares", "heartbeat_ms", "hung_ms", "drain_ms", "links", "warm"];
const WARM_KEYS: [&str; 3] = ["executor", "memory", "model"];

/// What the configuration says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Idle brains, started and ready.
    pub spares: u32,
    /// Times of every instance.
    pub times: Times,
    /// How long turns in flight may take when everything stops, milliseconds.
    pub drain_ms: u32,
    /// Numbers of the links that have a connector.
    pub links: Vec<u32>,
    /// Principals whose executor runs always.
    pub warm_executors: Vec<u32>,
    /// Principals whose memory runs always.
    pub warm_memories: Vec<u32>,
    /// Principals whose model runs always.
    pub warm_models: Vec<u32>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            spares: 1,
            times: Times { heartbeat_ms: 2_000, hung_ms: 10_000 },
            drain_ms: 10_000,
            links: vec![1],
            warm_executors: vec![1],
            warm_memories: vec![1],
            warm_models: vec![1],
        }
    }
}

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It can't be read.
    #[error("{FILE}: {0}: make it readable by the group of the account `chela`, as `chela setup` does")]
    Unreadable(io::Error),
    /// It is too large.
    #[error("{FILE}: larger than {CONFIG_BYTES} bytes: it holds a few short lines, take out the rest")]
    TooLarge,
    /// It is not TOML.
    #[error("{FILE}: not TOML: {0}: correct that line")]
    Syntax(String),
    /// A key that means nothing.
    #[error("{FILE}: unknown key `{key}`: the keys here are {known}; correct it or take the line out")]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that there are.
        known: String,
    },
    /// A value that a key can't have.
    #[error("{FILE}: key `{key}`: {problem}: correct it, or take the line out for the default")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

impl Settings {
    /// Reads the file; one that is not there says nothing, so everything has its default.
    ///
    /// # Errors
    /// When the file can't be read or does not say what it should.
    pub fn read(path: &Path) -> Result<Settings, SettingsError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(CONFIG_BYTES as u64 + 1).read_to_string(&mut text));
        match read {
            Ok(length) if length > CONFIG_BYTES => Err(SettingsError::TooLarge),
            Ok(_) => Settings::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(error) => Err(SettingsError::Unreadable(error)),
        }
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn parse(text: &str) -> Result<Settings, SettingsError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            SettingsError::Syntax(format!("{line}{}", error.message()))
        })?;
        known(&table, "", &KEYS)?;
        let default = Settings::default();
        let number = |key, bounds, default| number(&table, key, bounds, default);
        let mut settings = Settings {
            spares: number("spares", (1, SPARES_MAX), default.spares)?,
            times: Times {
                heartbeat_ms: number("heartbeat_ms", HEARTBEAT_MS, default.times.heartbeat_ms)?,
                hung_ms: number("hung_ms", HUNG_MS, default.times.hung_ms)?,
            },
            drain_ms: number("drain_ms", DRAIN_MS, default.drain_ms)?,
            links: list(&table, "", "links", LINK_MAX, default.links)?,
            ..default
        };
        match table.get("warm") {
            None => {}
            Some(Value::Table(warm)) => {
                known(warm, "warm.", &WARM_KEYS)?;
                let list = |key, default| list(warm, "warm.", key, PRINCIPAL_MAX, default);
                settings.warm_executors = list("executor", settings.warm_executors)?;
                settings.warm_memories = list("memory", settings.warm_memories)?;
                settings.warm_models = list("model", settings.warm_models)?;
            }
            Some(_) => return Err(bad("warm", "a table is due, written `[warm]`".into())),
        }
        if settings.times.hung_ms <= settings.times.heartbeat_ms {
            let Times { heartbeat_ms, hung_ms } = settings.times;
            let problem =
                format!("{hung_ms} is no more than heartbeat_ms ({heartbeat_ms}), so every role would seem hung");
            return Err(bad("hung_ms", problem));
        }
        Ok(settings)
    }
}

fn bad(key: &str, problem: String) -> SettingsError {
    SettingsError::Value { key: key.to_owned(), problem }
}

fn known(table: &Table, prefix: &str, keys: &[&str]) -> Result<(), SettingsError> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(SettingsError::UnknownKey { key: format!("{prefix}{key}"), known: keys.join(", ") }),
    }
}

fn number(table: &Table, key: &str, (low, high): (u32, u32), default: u32) -> Result<u32, SettingsError> {
    let Some(value) = table.get(key) else { return Ok(default) };
    let number = value.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| (low..=high).contains(n));
    number.ok_or_else(|| bad(key, format!("a whole number from {low} to {high} is due, not {value}")))
}

fn list(table: &Table, prefix: &str, key: &str, high: u32, default: Vec<u32>) -> Result<Vec<u32>, SettingsError> {
    let Some(value) = table.get(key) else { return Ok(default) };
    let key = format!("{prefix}{key}");
    let due = || bad(&key, format!("a list of whole numbers from 1 to {high} is due, for example [1, 2]"));
    let mut numbers = Vec::new();
    for item in value.as_array().ok_or_else(due)? {
        let number = item.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=high).contains(n));
        let number = number.ok_or_else(due)?;
        if numbers.contains(&number) {
            return Err(bad(&key, format!("{number} is there twice")));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        Settings::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn nothing_said_is_every_default() {
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
        assert_eq!(Settings::read(Path::new("/nonexistent/tree.toml")).unwrap(), Settings::default());
    }

    #[test]
    fn what_is_said_counts() {
        let text = "spares = 3\nheartbeat_ms = 100\nhung_ms = 500\ndrain_ms = 0\nlinks = []\n[warm]\nmodel = []\nmemory = [1, 7]";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.spares, 3);
        assert_eq!(settings.times, Times { heartbeat_ms: 100, hung_ms: 500 });
        assert_eq!(settings.drain_ms, 0);
        assert!(settings.links.is_empty() && settings.warm_models.is_empty());
        assert_eq!(settings.warm_memories, [1, 7]);
        assert_eq!(settings.warm_executors, [1], "not said, so the default");
    }

    #[test]
    fn errors_name_file_key_and_way_out() {
        for (text, key) in [
            ("spare = 1", "`spare`"),
            ("spares = 0", "`spares`"),
            ("spares = 9", "`spares`"),
            ("spares = \"1\"", "`spares`"),
            ("links = [0]", "`links`"),
            ("links = [1, 1]", "`links`"),
            ("links = 1", "`links`"),
            ("warm = 1", "`warm`"),
            ("[warm]\nbrain = [1]", "`warm.brain`"),
            ("[warm]\nmodel = [1001]", "`warm.model`"),
            ("hung_ms = 100", "`hung_ms`"),
            ("drain_ms = -1", "`drain_ms`"),
        ] {
            let error = error(text);
            assert!(error.starts_with("etc/supervisor/tree.toml: "), "{error}");
            assert!(error.contains(key), "{text}: {error}");
            assert!(error.contains("correct it"), "{error}");
        }
        let error = error("spares = 1\nlinks = [");
        assert!(error.contains("line 2") && error.contains("correct that line"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_accepted_is_in_bounds(text in "[a-z_\\[\\]=0-9 ,\n\"]{0,80}") {
            if let Ok(settings) = Settings::parse(&text) {
                prop_assert!((1..=SPARES_MAX).contains(&settings.spares));
                prop_assert!(settings.times.hung_ms > settings.times.heartbeat_ms);
            }
        }
    }
}
