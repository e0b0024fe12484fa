//! Writing to disks and other devices that hold data.

use super::table::{Row, When};
use super::{Call, Found, Rule};
use crate::paths::{self, Place};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.device-write",
    protects: "disks and other devices: what is on them below any file system",
    instead: "Write to a file in the workspace, for instance dd of=disk.img.",
};

pub(super) const ROWS: &[Row] = &[
    Row { names: "blkdiscard sg_format sg_sanitize flashcp nandwrite flash_erase", when: When::Always },
    Row { names: "hdparm", when: When::Begins("--security --write-sector --make-bad --trim --dco --fwdownload -N") },
    Row {
        names: "nvme",
        when: When::With(
            "format sanitize write write-zeroes write-uncor fw-download fw-activate fw-commit delete-ns create-ns \
             dsm",
        ),
    },
    Row { names: "badblocks", when: When::With("-w -n -wsv -wv -ws -nsv -svw -vws") },
];

/// Programs that write to what they name.
const WRITERS: [&str; 16] = [
    "shred",
    "wipe",
    "scrub",
    "srm",
    "ddrescue",
    "dc3dd",
    "dcfldd",
    "pv",
    "qemu-img",
    "bmaptool",
    "partclone.restore",
    "sponge",
    "truncate",
    "fallocate",
    "nwipe",
    "dd_rescue",
];

pub(super) fn look(call: &Call<'_>) -> Found {
    let is_device = |path: &str| paths::place(call.cwd, path) == Place::Device;
    let writes = match call.name {
        "dd" => call.args.iter().filter_map(|arg| arg.strip_prefix("of=")).any(is_device),
        "tee" => call.operands().any(is_device),
        "cp" | "mv" | "install" | "ln" => call.operands().last().is_some_and(is_device),
        // Giving a device to somebody, or making one.
        "chmod" | "chown" | "mknod" | "setfacl" => call.operands().any(is_device),
        "tar" | "bsdtar" | "cpio" | "dump" => {
            (call.has_letter('c') || call.has(&["--create"])) && call.operands().any(is_device)
        }
        name if WRITERS.contains(&name) => call.operands().any(is_device),
        _ => false,
    };
    if writes { Found::Against(&RULE) } else { Found::Nothing }
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    (paths::place(Some("/"), path) == Place::Device).then_some(&RULE)
}
