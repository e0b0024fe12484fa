//! Paths as they were asked for, and as they are admitted: relative to the workspace, or in a directory that root has added
//! (`/directories/NAME/…`); each part a name.

use super::refusal::{Refusal, bad_path, too_large};
use crate::limits::PATH_BYTES_MAX;

const STAY_INSIDE: &str = "Only the workspace can be reached, by a path relative to it, and a directory that was added, by \
                           /directories/NAME/PATH.";
const ADDED: &str = "/directories/";

/// A path that names a file in the workspace.
pub fn file(asked: &str) -> Result<String, Refusal> {
    let path = any(asked)?;
    let is_added = path.strip_prefix(ADDED).is_some_and(|inner| !inner.contains('/'));
    if path == "." || asked.ends_with('/') || is_added {
        return Err(bad_path("is a directory", "Name a file in it."));
    }
    Ok(path)
}

/// A path that names something in the workspace or in a directory that was added, not one of these itself.
pub fn inside(asked: &str) -> Result<String, Refusal> {
    match any(asked)? {
        path if path == "." => Err(bad_path("is the workspace itself", "Name something in it.")),
        path if path.strip_prefix(ADDED).is_some_and(|inner| !inner.contains('/')) => {
            Err(bad_path("is a directory that was added", "Name something in it."))
        }
        path => Ok(path),
    }
}

/// A path in the workspace, or the workspace; or the same of a directory that was added.
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
    let (added, inner) = match asked.strip_prefix(ADDED) {
        Some(inner) => (true, inner),
        None => (false, asked),
    };
    if inner.starts_with('/') {
        return Err(bad_path("is absolute", STAY_INSIDE));
    }
    let mut parts = Vec::new();
    for part in inner.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(bad_path("has \"..\" in it", STAY_INSIDE)),
            name => parts.push(name),
        }
    }
    match (added, parts.is_empty()) {
        (false, true) => Ok(".".to_owned()),
        (false, false) => Ok(parts.join("/")),
        (true, true) => Err(bad_path("names no directory", STAY_INSIDE)),
        (true, false) => Ok(format!("{ADDED}{}", parts.join("/"))),
    }
}
