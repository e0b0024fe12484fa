//! What a command can't do. Each attempt has a twin that succeeds: outside, or inside with a harmless object.

use std::io::Read;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use schema::tool::Ended;

use super::world::{World, show};
use super::{Verdict, ensure};

/// The command fails, whatever its words; its output is empty.
async fn fails(world: &World, command: &str) -> Verdict {
    let outcome = world.sh(command).await;
    let failed = matches!(outcome.ended, Ended::Exited { code } if code != 0);
    ensure(failed && outcome.stdout.is_empty(), || format!("{command:?} {}", show(&outcome)))
}

pub async fn host_files_are_not_there(world: &World) -> Verdict {
    for path in ["/etc/shadow", "/root", "/home", "/var/log", "/boot", "/opt", "/etc/ssh", "/sandbox", "/mnt"] {
        fails(world, &format!("test -e {path}")).await?;
    }
    let outside = world.workspace().join("../outside");
    ensure(outside.exists(), || "the file outside the workspace is gone".to_owned())?;
    fails(world, &format!("cat {}", outside.display())).await?;
    fails(world, "cat ../outside").await?;
    let said = world.said("cat /etc/passwd; ls -A / | tr '\\n' ' '").await?;
    let ours = "user:x:1000:1000:user:/workspace:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
    ensure(said.starts_with(ours) && !said.contains("old"), || said.clone())
}

pub async fn nothing_but_workspace_and_tmp_can_be_written(world: &World) -> Verdict {
    for path in ["/usr/x", "/usr/bin/x", "/bin/x", "/etc/x", "/x", "/dev/x", "/proc/x", "/var/x", "/run/x", "/sys/x"] {
        fails(world, &format!("touch {path}")).await?;
        fails(world, &format!("mkdir {path}")).await?;
    }
    fails(world, "echo root::0:0::/:/bin/sh >>/etc/passwd").await?;
    fails(world, "rm -f /bin/sh").await?;
    fails(world, "echo 1 >/proc/sys/kernel/core_pattern").await?;
    fails(world, "echo b >/proc/sysrq-trigger && false").await?;
    fails(world, "echo 0 >/proc/self/oom_score_adj").await?;
    world.said("touch /tmp/x /workspace/x && rm /workspace/x && cp /bin/true /tmp/t && /tmp/t").await.map(drop)
}

pub async fn devices_are_the_six_harmless_ones(world: &World) -> Verdict {
    let said = world.said("ls -l /dev | grep '^[bc]' | awk '{print $NF}' | sort | tr '\\n' ' '").await?;
    ensure(said == "full null random tty urandom zero ", || said.clone())?;
    for (kind, major, minor) in [("b", 254, 0), ("c", 1, 1), ("c", 1, 3), ("c", 0, 0)] {
        fails(world, &format!("mknod node {kind} {major} {minor}")).await?;
        fails(world, &format!("mknod /tmp/node {kind} {major} {minor}")).await?;
    }
    world.said("mknod fifo p && rm fifo && echo x >/dev/null").await.map(drop)
}

pub async fn no_capability_in_any_set(world: &World) -> Verdict {
    let said = world.said("grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)' /proc/self/status").await?;
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        ensure(said.contains(&format!("{set}:\t0000000000000000\n")), || said.clone())?;
    }
    for line in ["NoNewPrivs:\t1\n", "Seccomp:\t2\n", "Seccomp_filters:\t3\n", "Uid:\t1000\t1000\t1000\t1000\n"] {
        ensure(said.contains(line), || said.clone())?;
    }
    fails(world, "chown 0 . 2>/dev/null").await?;
    fails(world, "su -c id 2>/dev/null </dev/null").await
}

pub async fn the_init_is_out_of_reach(world: &World) -> Verdict {
    fails(world, "ls /proc/1/fd").await?;
    fails(world, "cat /proc/1/environ").await?;
    let said = world.said("kill -9 1; kill -TERM 1; sleep 0.1; echo alive").await?;
    ensure(said == "alive\n", || said.clone())?;
    // Nothing but the sandbox's own processes can be named.
    fails(world, &format!("kill -0 {}", std::process::id())).await?;
    let outcome = world.sh("kill -9 0").await;
    ensure(outcome.ended == (Ended::Signalled { signal: 9 }), || show(&outcome))?;
    world.said("echo next").await.map(drop)
}

/// One system call by number, its arguments as Perl, and what must come of it.
const CALLS: [(&str, i64, &str, i32); 34] = [
    ("getpid, the control", 39, "", 0),
    ("mount", 165, "q(x), q(/tmp), q(tmpfs), 0, 0", libc::EPERM),
    ("umount2", 166, "q(/tmp), 2", libc::EPERM),
    ("pivot_root", 155, "q(/tmp), q(/tmp)", libc::EPERM),
    ("chroot", 161, "q(/tmp)", libc::EPERM),
    ("unshare user", 272, "0x10000000", libc::EPERM),
    ("unshare net", 272, "0x40000000", libc::EPERM),
    ("setns", 308, "0, 0", libc::EPERM),
    ("clone user", 56, "0x10000011, 0, 0, 0, 0", libc::EPERM),
    ("clone mount", 56, "0x00020011, 0, 0, 0, 0", libc::EPERM),
    ("clone pid", 56, "0x20000011, 0, 0, 0, 0", libc::EPERM),
    ("clone net", 56, "0x40000011, 0, 0, 0, 0", libc::EPERM),
    ("clone3", 435, "0, 0", libc::ENOSYS),
    ("fsopen", 430, "q(tmpfs), 0", libc::EPERM),
    ("open_tree", 428, "-100, q(/), 1", libc::EPERM),
    ("move_mount", 429, "0, q(), 0, q(), 0", libc::EPERM),
    ("ptrace", 101, "0, 0, 0, 0", libc::EPERM),
    ("process_vm_readv", 310, "1, 0, 0, 0, 0, 0", libc::EPERM),
    ("process_vm_writev", 311, "1, 0, 0, 0, 0, 0", libc::EPERM),
    ("pidfd_getfd", 438, "0, 0, 0", libc::EPERM),
    ("io_uring_setup", 425, "1, q()", libc::EPERM),
    ("bpf", 321, "0, 0, 0", libc::EPERM),
    ("perf_event_open", 298, "0, 0, 0, 0, 0", libc::EPERM),
    ("userfaultfd", 323, "0", libc::EPERM),
    ("keyctl", 250, "0, 0", libc::EPERM),
    ("add_key", 248, "q(user), q(a), q(b), 1, -3", libc::EPERM),
    ("request_key", 249, "q(user), q(a), 0, 0", libc::EPERM),
    ("open_by_handle_at", 304, "0, 0, 0", libc::EPERM),
    ("sethostname", 170, "q(x), 1", libc::EPERM),
    ("syslog", 103, "3, 0, 0", libc::EPERM),
    ("reboot", 169, "0, 0, 0", libc::ENOSYS),
    ("init_module", 175, "0, 0, q()", libc::ENOSYS),
    ("kexec_load", 246, "0, 0, 0, 0", libc::ENOSYS),
    ("ioctl TIOCSTI", 16, "0, 0x5412, q(x)", libc::EPERM),
];

pub async fn forbidden_calls_are_refused(world: &World) -> Verdict {
    for (name, number, arguments, errno) in CALLS {
        // Perl hands over a pointer for a string, and wants to be able to write to it.
        let arguments = arguments.replace("q(", "my $s = q(");
        let comma = if arguments.is_empty() { "" } else { ", " };
        let script = format!("$! = 0; my $r = syscall({number}{comma}{arguments}); print $r < 0 ? $!+0 : 0");
        let said = world.said(&format!("perl -e '{script}'")).await?;
        ensure(said == errno.to_string(), || format!("{name}: wanted error {errno}, got {said}"))?;
    }
    Ok(())
}

pub async fn calls_of_another_architecture_kill(world: &World) -> Verdict {
    // The x32 variant of getpid: another number, on no list.
    let said = world.said("perl -e '$! = 0; my $r = syscall(0x40000000 + 39); print $r < 0 ? $!+0 : 0'").await?;
    ensure(said == libc::ENOSYS.to_string(), || said.clone())
}

pub async fn sockets_are_of_three_families_and_reach_nobody(world: &World) -> Verdict {
    let socket = |family: i32, kind: i32, protocol: i32| {
        world.said(Box::leak(
            format!("perl -e 'socket(my $s, {family}, {kind}, {protocol}) or print $!+0'").into_boxed_str(),
        ))
    };
    for (family, kind, protocol) in [(1, 1, 0), (1, 2, 0), (2, 1, 0), (2, 2, 17), (10, 1, 6), (10, 2, 0)] {
        let said = socket(family, kind, protocol).await?;
        ensure(said.is_empty(), || format!("family {family}: error {said}"))?;
    }
    // Netlink, packet, vsock, Bluetooth, key, kernel crypto; multipath TCP; raw.
    for (family, kind, protocol) in
        [(16, 3, 0), (17, 3, 0), (40, 1, 0), (31, 3, 1), (15, 3, 2), (38, 5, 0), (2, 1, 262), (2, 3, 1)]
    {
        let said = socket(family, kind, protocol).await?;
        ensure(!said.is_empty() && said != "0", || {
            format!("family {family} type {kind} protocol {protocol} was made")
        })?;
    }
    let said = world.said("cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /proc/net/route | wc -l").await?;
    ensure(said.split_whitespace().eq(["lo", "1"]), || said.clone())
}

const CONNECT: &str = "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0) or die; \
                       connect($s, sockaddr_in(PORT, inet_aton(q(HOST)))) or print $!+0'";

pub async fn the_hosts_network_is_out_of_reach(world: &World) -> Verdict {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port().to_string();
    std::net::TcpStream::connect(("127.0.0.1", listener.local_addr().map_err(|error| error.to_string())?.port()))
        .map_err(|error| format!("the control connection: {error}"))?;
    let said = world.said(&CONNECT.replace("PORT", &port).replace("HOST", "127.0.0.1")).await?;
    ensure(said == libc::ECONNREFUSED.to_string(), || said.clone())?;
    for host in ["192.0.2.1", "8.8.8.8", "169.254.169.254"] {
        let said = world.said(&CONNECT.replace("PORT", "80").replace("HOST", host)).await?;
        ensure(said == libc::ENETUNREACH.to_string(), || format!("{host}: {said}"))?;
    }
    // The sandbox's own resolver answers, with an address that nobody has.
    let said = world.said("getent hosts example.com").await?;
    ensure(said.starts_with("198.18."), || said.clone())
}

pub async fn the_hosts_abstract_sockets_are_out_of_reach(world: &World) -> Verdict {
    let name = format!("chela-sandbox-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).map_err(|error| error.to_string())?;
    let _listener = UnixListener::bind_addr(&address).map_err(|error| error.to_string())?;
    UnixStream::connect_addr(&address).map_err(|error| format!("the control connection: {error}"))?;
    let script = format!(
        "perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un(qq(\\0{name}))) or print $!+0'"
    );
    let said = world.said(&script).await?;
    ensure(said == libc::ECONNREFUSED.to_string(), || said.clone())
}

pub async fn a_server_on_its_own_loopback_works_inside(world: &World) -> Verdict {
    let script = "perl -MSocket -e 'socket(my $l, AF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(8080, INADDR_LOOPBACK)) or die $!; \
                  listen($l, 1); if (!fork) { socket(my $c, AF_INET, SOCK_STREAM, 0); \
                  connect($c, sockaddr_in(8080, INADDR_LOOPBACK)) or die $!; print $c qq(hello\\n); exit } \
                  accept(my $s, $l); print scalar <$s>'";
    let said = world.said(script).await?;
    ensure(said == "hello\n", || said.clone())?;
    let mut text = String::new();
    let opened = std::fs::File::open("/proc/self/net/tcp").and_then(|mut file| file.read_to_string(&mut text));
    ensure(opened.is_ok() && !text.contains(":1F90 00000000:0000 0A"), || text.clone())
}

pub async fn setuid_programs_gain_nothing(world: &World) -> Verdict {
    let said =
        world.said("for f in /usr/bin/su /usr/bin/passwd /usr/bin/mount; do test -u $f && echo $f; done; true").await?;
    ensure(!said.is_empty(), || "this host has no set-user-id program to try".to_owned())?;
    let inside = world.said("cp /usr/bin/id i; chmod u+s,g+s i; ./i -u; rm i").await?;
    ensure(inside == "1000\n", || inside.clone())
}
