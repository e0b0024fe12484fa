//! The kernel: modules and settings.

use super::table::{Row, When};
use super::{Call, Found, Rule, below};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.kernel",
    protects: "the kernel: its modules and settings",
    instead: "Look (lsmod, sysctl -a); load or set it yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "insmod rmmod depmod modprobe",
        when: When::SomeUnless("-n --dry-run --show-depends -D -c --showconfig --help -V --version"),
    },
    Row { names: "kmod", when: When::With("insert remove load unload") },
    Row { names: "dkms", when: When::With("install remove add build uninstall autoinstall") },
    Row { names: "bpftool", when: When::With("load loadall attach pin detach") },
    Row { names: "bpftrace kpatch livepatch", when: When::SomeUnless("-l --help list -V --info") },
];

pub(super) fn look(call: &Call<'_>) -> Found {
    let sets = call.name == "sysctl"
        && (call.has(&["-w", "--write", "-p", "--load", "--system", "-f"])
            || call.args.iter().any(|arg| {
                arg.starts_with("-p") || arg.starts_with("--load=") || arg.contains('=') && !arg.starts_with("--")
            }));
    if sets { Found::Against(&RULE) } else { Found::Nothing }
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    let is_kernel = below(
        path,
        &[
            "/proc/sys",
            "/sys",
            "/etc/modules",
            "/etc/modprobe.d",
            "/etc/modules-load.d",
            "/etc/sysctl.d",
            "/etc/sysctl.conf",
            "/lib/modules",
        ],
    );
    if path == "/proc/sysrq-trigger" {
        return Some(&super::power::RULE);
    }
    is_kernel.then_some(&RULE)
}
