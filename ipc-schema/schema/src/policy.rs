//! The policies in force, as a person is told of them.

use serde::{Deserialize, Serialize};

/// Which set is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PolicyState {
    /// SHA-256 of all names and texts.
    pub digest: String,
    /// Why the files are not what is in force.
    pub problem: Option<String>,
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
}
