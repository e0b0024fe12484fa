//! Files: the host's, the service's, other roles', and what a role may read changed.

use super::{Attempt, Behind, Target, call, n};
use crate::given::{Given, place, place_bytes};

const CURRENT_DIRECTORY: u64 = libc::AT_FDCWD as i64 as u64;
const DIRECTORY: u64 = libc::O_DIRECTORY as u64;
const WRITE: u64 = libc::O_WRONLY as u64;
const CREATE: u64 = (libc::O_WRONLY | libc::O_CREAT) as u64;

/// Opens the target to read it.
const fn opens(name: &'static str, what: &'static str, target: Target) -> Attempt {
    call(name, what, "openat", |g| [CURRENT_DIRECTORY, g.path(), 0, 0, 0, 0]).reads(target)
}

/// Opens the target as a directory.
const fn lists(name: &'static str, what: &'static str, target: Target) -> Attempt {
    call(name, what, "openat", |g| [CURRENT_DIRECTORY, g.path(), DIRECTORY, 0, 0, 0]).reads(target)
}

/// Opens the target to write it.
const fn overwrites(name: &'static str, what: &'static str, target: Target) -> Attempt {
    call(name, what, "openat", |g| [CURRENT_DIRECTORY, g.path(), WRITE, 0, 0, 0]).writes(target)
}

/// One path, and nothing else that matters.
fn path_only(g: &Given) -> [u64; 6] {
    [g.path(), 0, 0, 0, 0, 0]
}

/// A path, a mode.
fn path_and_mode(g: &Given) -> [u64; 6] {
    [g.path(), 0o700, 0, 0, 0, 0]
}

/// A path, and the name beside it.
fn two_paths(g: &Given) -> [u64; 6] {
    [g.path(), g.beside(), 0, 0, 0, 0]
}

/// Its log stream is root's.
const NOT_ITS_OWN: Behind = Behind::Kernel(&[libc::EPERM, libc::EROFS]);
/// For the control it is there.
const FILE: Target = Target::Inside("/file");
/// For the control it can be made.
const FRESH: Target = Target::Inside("/fresh");

/// First what is read, then what is changed.
#[rustfmt::skip]
pub const ATTEMPTS: &[Attempt] = &[
    opens("open_shadow", "reads the host's passwords", Target::Host("/etc/shadow")),
    opens("open_host_name", "reads the host's name", Target::Host("/etc/hostname")),
    opens("open_upwards", "leaves its root by dots", Target::Host("/../../../etc/shadow")),
    opens("open_terminal", "makes a terminal", Target::Host("/dev/ptmx")),
    lists("list_root", "lists its root", Target::Host("/")),
    lists("list_processes", "lists processes", Target::Host("/proc")),
    lists("list_kernel", "looks into the kernel", Target::Host("/sys/kernel")),
    opens("open_first_environment", "reads another's environment", Target::Host("/proc/1/environ")),
    opens("open_first_memory", "reads another's memory", Target::Host("/proc/1/mem")),
    opens("open_victims_environment", "reads another's environment", Target::OfVictim("environ")),
    overwrites("open_victims_memory", "changes another's memory", Target::OfVictim("mem")),
    lists("list_victims_descriptors", "lists another's descriptors", Target::OfVictim("fd")),
    lists("list_victims_root", "enters another's root", Target::OfVictim("root")),
    opens("open_ids", "reads the service's ids", Target::Root("etc/uids")),
    opens("open_gates_policy", "reads the gate's policy", Target::Root("etc/gate/gate.toml")),
    opens("open_supervisors_settings", "reads the supervisor's settings", Target::Root("etc/supervisor/tree.toml")),
    opens("open_model", "reads the model's weights", Target::Root("etc/model.gguf")),
    opens("open_audit_log", "reads the audit log", Target::Root("var/audit/audit.log")),
    overwrites("overwrite_audit_log", "changes the audit log", Target::Root("var/audit/audit.log")),
    lists("list_house_memory", "lists the house's memory", Target::Root("var/memory/0")),
    lists("list_another_memory", "lists another's memory", Target::Root("var/memory/999")),
    lists("list_another_link", "lists another link's state", Target::Root("var/links/999")),
    lists("list_another_workspace", "lists another's workspace", Target::Root("var/principals/999/workspace")),
    lists("list_logs", "lists the log streams", Target::Root("var/log")),
    lists("list_inside_memory", "lists a memory", Target::Inside("/memory")),
    lists("list_inside_state", "lists a link's state", Target::Inside("/state")),
    lists("list_inside_workspace", "lists a workspace", Target::Inside("/workspace")),
    lists("list_inside_gate", "lists the gate's policies", Target::Inside("/etc/gate")),
    lists("list_inside_supervisor", "lists the supervisor's settings", Target::Inside("/etc/supervisor")),
    overwrites("overwrite_gates_policy", "changes the gate's policy", Target::Inside("/etc/gate/gate.toml")),
    overwrites("overwrite_supervisors_settings", "changes the settings", Target::Inside("/etc/supervisor/tree.toml")),
    overwrites("overwrite_hosts", "changes what names mean", Target::Inside("/etc/hosts")),
    call("create_file", "leaves a file", "openat", |g| [CURRENT_DIRECTORY, g.path(), CREATE, 0o600, 0, 0]).writes(FRESH),
    call("create_temporary", "leaves a file", "openat", |g| [CURRENT_DIRECTORY, g.path(), CREATE, 0o600, 0, 0])
        .writes(Target::Inside("/tmp/fresh")),
    call("openat2", "opens past rules on open", "openat2", |g| {
        [CURRENT_DIRECTORY, g.path(), place(&[0, 0, 0]), 24, 0, 0]
    }).reads(FILE),
    call("open", "opens past rules on openat", "open", path_only).reads(FILE),
    call("chdir", "goes elsewhere", "chdir", path_only).reads(Target::Host("/proc")),
    call("stat", "looks at a file", "stat", |g| [g.path(), place(&[0; 32]), 0, 0, 0, 0])
        .reads(Target::Host("/etc/shadow")),
    call("access", "asks for a file", "access", path_only).reads(Target::Host("/etc/shadow")),
    call("statfs", "looks at a file system", "statfs", |g| [g.path(), place(&[0; 32]), 0, 0, 0, 0]).reads(FILE),
    call("mkdir", "makes a directory", "mkdir", path_and_mode).writes(FRESH),
    call("mkdir_outside", "makes a directory", "mkdir", path_and_mode).writes(Target::Root("var/fresh")),
    call("mknod_pipe", "makes a pipe", "mknod", |g| [g.path(), 0o010_600, 0, 0, 0, 0]).writes(FRESH),
    call("mknod_device", "makes a device", "mknod", |g| [g.path(), 0o020_600, 0x103, 0, 0, 0]).writes(FRESH),
    call("symlink", "makes a link", "symlink", |g| [place_bytes(b"/etc/shadow\0"), g.path(), 0, 0, 0, 0]).writes(FRESH),
    call("link", "links a file", "link", two_paths).writes(FILE),
    call("rename", "moves a file", "rename", two_paths).writes(FILE),
    call("unlink", "removes a file", "unlink", path_only).writes(FILE),
    call("unlink_audit_log", "removes the audit log", "unlink", path_only).writes(Target::Root("var/audit/audit.log")),
    call("truncate", "empties a file", "truncate", path_only).writes(FILE),
    call("chmod", "opens a file to all", "chmod", path_and_mode).writes(FILE),
    call("chown", "gives a file away", "chown", |g| [g.path(), 12345, 12345, 0, 0, 0]).writes(FILE),
    call("utimensat", "backdates a file", "utimensat", |g| [CURRENT_DIRECTORY, g.path(), 0, 0, 0, 0]).writes(FILE),
    call("setxattr", "marks a file", "setxattr", |g| {
        [g.path(), place_bytes(b"trusted.x\0"), place_bytes(b"x"), 1, 0, 0]
    }).writes(FILE),
    // No filter tells descriptors apart: who may set a socket's flags may take its log's append flag off.
    call("rewrite_log", "rewrites what it has logged", "fcntl", |_| [n(2), libc::F_SETFL as u64, 0, 0, 0, 0]),
    call("fchmod_log", "opens its log to all", "fchmod", |g| [n(g.log), 0o666, 0, 0, 0, 0])
        .behind(NOT_ITS_OWN),
    call("fchown_log", "takes its log over", "fchown", |g| [n(g.log), 12345, 12345, 0, 0, 0])
        .behind(NOT_ITS_OWN),
];
