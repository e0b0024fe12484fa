//! What a hostile command line tries: each exits with 0 when it got what it wanted.
//!
//! `{canary}` is a file of the host, `{root}` the service's root, `{secret}` another principal's file, `{socket}` the
//! service's socket, `{port}` a TCP port of the host's loopback, `{port6}` the same over IPv6, `{victim}` a process of the
//! host, `{name}` the host's name, `{fd}` runs what follows with one more descriptor outside only.

/// One attempt.
pub struct Attempt {
    /// Its name.
    pub name: &'static str,
    /// The line.
    pub line: &'static str,
}

const fn line(name: &'static str, line: &'static str) -> Attempt {
    Attempt { name, line }
}

const fn python(name: &'static str, program: &'static str) -> Attempt {
    Attempt { name, line: program }
}

/// Programs, written out as a line of the shell's.
pub fn line_of(attempt: &Attempt) -> String {
    if PROGRAMS.iter().any(|one| std::ptr::eq(one, attempt)) {
        format!("/usr/bin/python3 - <<'END'\n{}\nEND", attempt.line)
    } else {
        attempt.line.to_owned()
    }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Attempt> {
    FILES.iter().chain(PROC).chain(MOUNTS).chain(PRIVILEGES).chain(BOUNDS).chain(PROGRAMS)
}

const FILES: &[Attempt] = &[
    line("host_file", "cat {canary}"),
    line("host_file_by_link", "ln -s {canary} link && cat link"),
    line("host_file_by_hard_link", "ln {canary} hard"),
    line("host_file_by_dots", "cat ../../../../../../../../..{canary}"),
    line("host_file_by_proc_root", "cat /proc/1/root{canary}"),
    line("host_file_by_victims_root", "cat /proc/{victim}/root{canary}"),
    line("copy_to_host", "cp -f /bin/true {canary}.new && rm {canary}.new"),
    line("another_workspace", "cat {secret}"),
    line("undo_store", "ls {root}/var/principals/1/store"),
    line("undo_key", "cat {root}/var/principals/1/store.key"),
    line("staging_by_dots", "ls ../store"),
    line("journal", "ls {root}/var/memory/1"),
    line("audit_log", "head -c 1 {root}/var/audit/audit.log"),
    line("configuration", "ls {root}/etc/gate"),
    line("roots", "ls /root/. /etc/chela"),
    line("host_users", "grep chela-gate /etc/passwd"),
    line("host_release", "cat /etc/debian_version"),
    line("host_packages", "ls /var/lib/dpkg/status"),
    line("host_ids", "cat /etc/subuid"),
    line("host_configuration", "ls -d /etc/apt /etc/default"),
    line("host_logs", "ls /var/log/."),
    line("change_system_time", "touch -r /usr/bin/env /usr/bin/env"),
    line("change_passwords", "touch -r /etc/passwd /etc/passwd"),
    line("change_shell", "chmod --reference=/bin/sh /bin/sh"),
    line("change_root_directory", "mkdir /escape && rmdir /escape"),
    line("change_devices", "touch /dev/escape && rm /dev/escape"),
    line("immutable", "touch keep && chattr +i keep && chattr -i keep"),
];

const PROC: &[Attempt] = &[
    line("process_of_host", "ls -d /proc/{victim}/."),
    line("many_processes", "[ $(ls -d /proc/[0-9]* | wc -l) -gt 8 ]"),
    line("first_descriptors", "ls /proc/1/fd/"),
    line("first_directory", "ls /proc/1/cwd/"),
    line("first_environment", "tr '\\0' '\\n' </proc/1/environ"),
    line("first_maps", "head -c 1 /proc/1/maps"),
    line("first_program", "readlink /proc/1/exe"),
    line("keys", "cat /proc/keys | grep -q ."),
    line("key_users", "cat /proc/key-users | grep -q ."),
    line("symbols", "grep -q . /proc/kallsyms"),
    line("core_pattern", "v=$(cat /proc/sys/kernel/core_pattern) && echo \"$v\" >/proc/sys/kernel/core_pattern"),
    line("sysctl", "v=$(cat /proc/sys/vm/swappiness) && echo \"$v\" >/proc/sys/vm/swappiness"),
    line("network_sysctl", "echo 1 >/proc/sys/net/ipv4/ip_forward"),
    line("kernel_directory", "ls /sys/kernel/."),
    line("control_groups", "ls /sys/fs/cgroup/."),
    line("control_group_tree", "ls /sys/fs/. | grep cgroup"),
];

const MOUNTS: &[Attempt] = &[
    line("mount_tmpfs", "mkdir m; mount -t tmpfs none m"),
    line("mount_bind", "mkdir m; mount --bind / m"),
    line("mount_proc", "mkdir m; mount -t proc proc m"),
    line("mount_sysfs", "mkdir m; mount -t sysfs sysfs m"),
    line("mount_devpts", "mkdir m; mount -t devpts devpts m"),
    line("mount_overlay", "mkdir l u w m; mount -t overlay overlay m -olowerdir=l,upperdir=u,workdir=w"),
    line("mount_writable", "mount -o remount,bind,rw / || mount -o remount,bind,rw /usr"),
    line("mount_shared", "mount --make-rshared /"),
    line("umount_proc", "umount -l /proc"),
    line("change_root", "chroot / true"),
    line("unshare_user", "unshare --user true"),
    line("unshare_mount", "unshare --mount true"),
    line("unshare_network", "unshare --net true"),
    line("unshare_processes", "unshare --pid --fork true"),
    line("unshare_name", "unshare --uts true"),
    line("unshare_ipc", "unshare --ipc true"),
    line("unshare_groups", "unshare --cgroup true"),
    line("enter_mounts", "nsenter --target {victim} --mount true"),
    line("enter_network", "nsenter --target {victim} --net true"),
    line("enter_processes", "nsenter --target {victim} --pid true"),
    line("enter_first_name", "nsenter --target 1 --uts true"),
];

const PRIVILEGES: &[Attempt] = &[
    line("become_root", "su root -c true"),
    line("own_by_root", "touch mine && chown 0:0 mine && [ $(stat -c %u mine) = 0 ]"),
    line("own_by_another", "touch mine && chown 4242:4242 mine"),
    line("capability_of_file", "cp /bin/true t && setcap cap_net_raw+ep t || setfattr -n trusted.escape -v x t"),
    line("block_device", "mknod disk b 8 0"),
    line("memory_device", "mknod memory c 1 1"),
    line("whiteout_by_hand", "mknod gone c 0 0"),
    line("terminal_device", "mknod terminal c 5 1"),
    line("loop_device", "losetup --find"),
    line("other_devices", "ls /dev | grep -qvxE 'null|zero|full|random|urandom|tty|fd|std(in|out|err)|shm|ptmx|pts'"),
    line("kernel_log", "dmesg | grep -q ."),
    line("host_name_seen", "[ \"$(hostname)\" = {name} ]"),
    line("host_name_set", "hostname escape"),
    line("signal_host", "kill -0 {victim}"),
];

/// Outside, none of these bounds is there.
const BOUNDS: &[Attempt] = &[
    line("fill_workspace", "fallocate -l 600M big && rm big"),
    line("fill_temporary", "fallocate -l 300M /tmp/chela-big && rm /tmp/chela-big"),
    line("one_large_file", "truncate -s 3G big && rm big"),
];

const PROGRAMS: &[Attempt] = &[
    python("service_socket", "import socket; socket.socket(socket.AF_UNIX).connect('{socket}')"),
    python("host_port", "import socket; socket.create_connection(('127.0.0.1', {port}), 2)"),
    python("host_port_by_any", "import socket; socket.create_connection(('0.0.0.0', {port}), 2)"),
    python("host_port_6", "import socket; socket.create_connection(('::1', {port6}), 2)"),
    python("raw_socket", "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"),
    python("packet_socket", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)"),
    python("netlink_socket", "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"),
    python("leaked_descriptor", "import os\nassert any(int(n) > 3 for n in os.listdir('/proc/self/fd'))"),
    python("priority", "import os; os.nice(-5)"),
    python("trusted_attribute", "import os\nopen('f', 'w')\nos.setxattr('f', 'trusted.overlay.opaque', b'y')"),
    python(
        "many_files",
        "import os\nos.mkdir('/tmp/chela-many')\ntry:\n  for i in range(70000): open(f'/tmp/chela-many/{i}', 'x').close()\n\
         finally:\n  for n in os.listdir('/tmp/chela-many'): os.unlink(f'/tmp/chela-many/{n}')\n  os.rmdir('/tmp/chela-many')",
    ),
    python("much_memory", "import mmap; mmap.mmap(-1, 3 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)"),
    python(
        "many_descriptors",
        "import resource\nhard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n\
         resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\nheld = [open('/dev/null') for _ in range(1500)]",
    ),
    python(
        "many_processes_made",
        "import os, signal, time\nmade = []\ntry:\n  for _ in range(400):\n    pid = os.fork()\n    if pid == 0:\n      \
         time.sleep(30); os._exit(0)\n    made.append(pid)\nfinally:\n  for pid in made: os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)",
    ),
    python(
        "raise_limits",
        "import resource\nfor what in (resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):\n  \
         resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))",
    ),
    python(
        "core_file",
        "import os, resource, signal\nhard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n\
         assert hard in (-1,) or hard > 1, hard\nresource.setrlimit(resource.RLIMIT_CORE, (hard, hard))",
    ),
];
