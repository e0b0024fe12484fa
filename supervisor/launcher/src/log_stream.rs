//! A role's standard output and error: a file that the launcher opens, and the role can only append to.

use std::fs::{self, File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::OpenOptionsExt;

use roles::launch::Instance;

use crate::limits::LOG_KEPT_BYTES;

/// Opens `var/log/ROLE-SLOT.log`. A large one is set aside first, in place of the one set aside before.
pub fn open(who: Instance) -> Result<File> {
    let path = format!("var/log/{}-{}.log", who.role.name(), who.slot);
    if fs::metadata(&path).is_ok_and(|m| m.len() > LOG_KEPT_BYTES) {
        fs::rename(&path, format!("{path}.1"))?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW);
    options.open(path)
}
