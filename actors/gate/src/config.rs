//! `/etc/gate/gate.toml`: who the owner is, and how long idle instances stay.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use schema::limits::NAME_BYTES;
use serde::Deserialize;

use crate::limits::CONFIG_BYTES_MAX;

/// Where the table puts the file.
pub const PATH: &str = "/etc/gate/gate.toml";

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Seconds after which an idle executor, memory or model of a principal is stopped.
    #[serde(default = "idle_s_default")]
    pub idle_s: u32,
    /// The owner.
    pub owner: Owner,
}

/// The owner.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Their user id, as the kernel tells it.
    pub uid: u32,
    /// What they are called.
    pub name: String,
}

fn idle_s_default() -> u32 {
    300
}

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("{path}: {error}; `chela setup` writes it")]
    Read {
        /// The file.
        path: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
    /// It does not say what it should.
    #[error("{path}: {problem}; put it right, then `systemctl reload chelad` (or SIGHUP to chelad)")]
    Content {
        /// The file.
        path: PathBuf,
        /// Key and problem.
        problem: String,
    },
}

/// Reads and checks the file.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let read = |error| ConfigError::Read { path: path.to_owned(), error };
    let mut text = String::new();
    let file = File::open(path).map_err(read)?;
    file.take(CONFIG_BYTES_MAX).read_to_string(&mut text).map_err(read)?;
    parse(&text).map_err(|problem| ConfigError::Content { path: path.to_owned(), problem })
}

fn parse(text: &str) -> Result<Config, String> {
    let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
    let name = &config.owner.name;
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(format!("owner.name has to be 1 to {NAME_BYTES} bytes without control characters"));
    }
    if config.idle_s == 0 {
        return Err("idle_s has to be 1 or more".to_owned());
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_a_default() {
        let config = parse("[owner]\nuid = 7\nname = \"ada\"\n").unwrap();
        assert_eq!((config.idle_s, config.owner.uid), (300, 7));
        assert_eq!(config.owner.name, "ada");
    }

    #[test]
    fn unknown_keys_and_bad_values_are_named() {
        for (text, key) in [
            ("[owner]\nuid = 7\nname = \"a\"\nrole = \"x\"\n", "role"),
            ("idle_s = 0\n[owner]\nuid = 7\nname = \"a\"\n", "idle_s"),
            ("[owner]\nuid = -1\nname = \"a\"\n", "uid"),
            ("[owner]\nuid = 1\nname = \"\"\n", "name"),
            ("idle_s = 3\n", "owner"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(key), "{problem}");
        }
    }
}
