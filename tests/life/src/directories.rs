//! Directories of a person's own in a scene.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use harness::wait_for;
use roles::Role;
use serde_json::Value;

use crate::{PATIENCE, Scene};

/// A person. Nothing runs as her.
pub const ANN: u32 = 1_987_000_001;
/// Somebody else. Nothing runs as him.
pub const BOB: u32 = 1_987_000_002;

impl Scene {
    /// A directory of Ann's with a file in it, beside the root.
    pub fn directory(&self, name: &str) -> PathBuf {
        let directory = self.home.scratch().join(name);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("letter.txt"), "dear bob\n").unwrap();
        fs::set_permissions(directory.join("letter.txt"), fs::Permissions::from_mode(0o600)).unwrap();
        for path in [directory.join("letter.txt"), directory.clone()] {
            chown(path, Some(ANN), Some(ANN)).unwrap();
        }
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        directory
    }

    /// What `chela workspace … --json` says.
    pub fn directories(&self, args: &[&str]) -> Value {
        let words: Vec<&str> = ["workspace"].iter().chain(args).copied().collect();
        self.json(&words)
    }

    /// Adds one.
    #[track_caller]
    pub fn add(&self, directory: &Path, more: &[&str]) {
        let words: Vec<&str> = ["add", directory.to_str().unwrap()].iter().chain(more).copied().collect();
        let answer = self.directories(&words);
        assert_eq!(answer["told"], true, "{answer:#}");
    }

    /// Waits until each directory that was added is in use or has trouble.
    #[track_caller]
    pub fn settled(&self) -> Vec<Value> {
        // An executor is there once something has run.
        self.command("true");
        let settled = || {
            let all = self.directories(&["list"]).as_array().unwrap().clone();
            all.iter().all(|one| one["in_use"] == true || !one["trouble"].is_null()).then_some(all)
        };
        wait_for("the directories", PATIENCE, settled)
            .unwrap_or_else(|e| panic!("{e}\n{}", self.home.log(Role::Executor, 1)))
    }
}
