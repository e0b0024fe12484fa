//! Paths as they were asked for, and as they are admitted: relative to the workspace, each part a name.

use super::refusal::{Refusal, bad_path, too_large};
use crate::limits::PATH_BYTES_MAX;

const STAY_INSIDE: &str = "Only the workspace can be reached: give the path relative to it.";

/// A path that names a file in the workspace.
pub fn file(asked: &str) -> Result<String, Refusal> {
    let path = any(asked)?;
    if path == "." || asked.ends_with('/') {
        return Err(bad_path("is a directory", "Name a file in it."));
    }
    Ok(path)
}

/// A path that names something in the workspace, not the workspace itself.
pub fn inside(asked: &str) -> Result<String, Refusal> {
    match any(asked)? {
        path if path == "." => Err(bad_path("is the workspace itself", "Name something in it.")),
        path => Ok(path),
    }
}

/// A path in the workspace, or the workspace.
pub fn any(asked: &str) -> Result<String, Refusal> {
    if asked.is_empty() {
        return Err(bad_path("is empty", "\".\" is the workspace."));
    }
    if asked.len() > PATH_BYTES_MAX {
        return Err(too_large("the path", PATH_BYTES_MAX));
    }
    if asked.contains('\0') {
        return Err(bad_path("has a NUL byte in it", "Leave it out."));
    }
    if asked.starts_with('/') {
        return Err(bad_path("is absolute", STAY_INSIDE));
    }
    let mut parts = Vec::new();
    for part in asked.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(bad_path("has \"..\" in it", STAY_INSIDE)),
            name => parts.push(name),
        }
    }
    if parts.is_empty() { Ok(".".to_owned()) } else { Ok(parts.join("/")) }
}
