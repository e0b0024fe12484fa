//! Where things are under a root directory: the one place that says so for every command.

use std::path::{Path, PathBuf};

/// The root directory when none is named: the one of the installed service.
pub const DEFAULT_ROOT: &str = "/var/lib/chela";

/// The local socket, on which the gate accepts.
pub fn socket(root: &Path) -> PathBuf {
    root.join("run/chela.sock")
}

/// The store of images.
pub fn images(root: &Path) -> PathBuf {
    root.join("var/images")
}

/// The audit log.
pub fn audit_log(root: &Path) -> PathBuf {
    root.join("var/audit/audit.log")
}
