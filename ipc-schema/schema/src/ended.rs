//! How a call ended, and at which limit.

use serde::{Deserialize, Serialize};

/// How an admitted call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The command exited, or the file operation was done.
    Exited {
        /// Its exit status; 0 for a file operation.
        code: i32,
    },
    /// A signal ended it.
    Signalled {
        /// Which one.
        signal: i32,
    },
    /// It ran into its wall-clock limit and was killed.
    TimedOut,
    /// It was cancelled and killed.
    Cancelled,
    /// It could not be started or carried out; stderr says which step failed.
    Failed,
    /// The executor died while it ran, more than once or where it may not be repeated: what it did is unknown.
    Unknown,
    /// It goes on in the background.
    Running,
}

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// How long it may take.
    WallTime,
    /// Processor time of a process.
    Cpu,
    /// Memory.
    Memory,
    /// Processes and threads at once.
    Processes,
    /// How many files it may make.
    Files,
    /// Bytes of one file.
    FileSize,
    /// Bytes that it may write in all.
    Disk,
}

impl Limit {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Limit::WallTime => "its time limit",
            Limit::Cpu => "its limit of processor time",
            Limit::Memory => "its limit of memory",
            Limit::Processes => "its limit of processes",
            Limit::Files => "its limit of files",
            Limit::FileSize => "the limit of a file's size",
            Limit::Disk => "its limit of disk space",
        }
    }
}
