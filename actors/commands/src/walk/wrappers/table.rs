//! Programs that start the command among their arguments: which options take a value, what stands before the command.
//! Words stand with blanks between them.

/// A row.
pub struct Row {
    /// Names of programs.
    pub names: &'static str,
    /// Options that take the next word as value.
    pub valued: &'static str,
    /// Words before the command.
    pub before: usize,
    /// `NAME=value` may stand before the command.
    pub assigns: bool,
    /// Options with which nothing is started.
    pub shows: &'static str,
    /// The words are joined and read by a shell.
    pub joins: bool,
}

/// One that has nothing of this.
pub const PLAIN: Row = Row { names: "", valued: "", before: 0, assigns: false, shows: "", joins: false };

/// All of them.
pub const ROWS: [Row; 29] = [
    Row {
        names: "sudo doas please sudo-rs pkexec run0",
        valued: "-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir --chroot --role --type",
        assigns: true,
        shows: "-l -v -V --list --version -K -k -e --edit",
        ..PLAIN
    },
    Row { names: "env", valued: "-u -C --unset --chdir -a --argv0", assigns: true, ..PLAIN },
    Row { names: "command", shows: "-v -V", ..PLAIN },
    Row {
        names: "nohup setsid builtin chronic unbuffer fakeroot eatmydata dbus-run-session dbus-launch caffeinate firejail \
                torify torsocks proxychains proxychains4 tsocks winpty busybox toybox rlwrap linux64 linux32 i386 x86_64 \
                aa-exec ts entr",
        ..PLAIN
    },
    Row { names: "time gtime", valued: "-f -o --format --output", ..PLAIN },
    Row { names: "exec", valued: "-a", ..PLAIN },
    Row { names: "timeout gtimeout", valued: "-s -k --signal --kill-after", before: 1, ..PLAIN },
    Row { names: "nice", valued: "-n --adjustment", ..PLAIN },
    Row { names: "chrt", valued: "-T -P -D", before: 1, shows: "-p -m", ..PLAIN },
    Row { names: "ionice", valued: "-c -n --class --classdata", shows: "-p", ..PLAIN },
    Row { names: "taskset", before: 1, shows: "-p", ..PLAIN },
    Row { names: "numactl cpulimit cgexec", valued: "-l -N -m -C -g", ..PLAIN },
    Row { names: "stdbuf", valued: "-i -o -e --input --output --error", ..PLAIN },
    Row { names: "strace ltrace valgrind perf heaptrack rr catchsegv", valued: "-o -e -p -s -u -E -P -l -n", ..PLAIN },
    Row {
        names: "unshare nsenter setpriv capsh prlimit choom systemd-inhibit systemd-cat bwrap proot",
        valued: "-t --target -S -G --map-user --what --who --why -n -w -r -b -p --reuid --regid",
        ..PLAIN
    },
    Row {
        names: "systemd-run",
        valued: "-u --unit -p --property -t --slice -E --uid --on-calendar --on-active",
        ..PLAIN
    },
    Row { names: "watch", valued: "-n --interval", joins: true, ..PLAIN },
    Row { names: "chroot", valued: "--userspec --groups", before: 1, ..PLAIN },
    Row { names: "flock", valued: "-w -E --timeout --conflict-exit-code", before: 1, ..PLAIN },
    Row {
        names: "ssh mosh rsh dbclient autossh",
        valued: "-i -p -l -o -F -J -L -R -D -b -c -E -e -m -O -Q -S -W -w -B -I",
        before: 1,
        joins: true,
        ..PLAIN
    },
    Row { names: "sshpass", valued: "-p -f -d -P", ..PLAIN },
    Row { names: "xvfb-run", valued: "-s -n -e -f --server-args", ..PLAIN },
    Row { names: "setarch", before: 1, ..PLAIN },
    Row {
        names: "ld.so ld-linux-x86-64.so.2 ld-linux.so.2 ld-linux-aarch64.so.1 ld-musl-x86_64.so.1",
        valued: "--library-path --preload --argv0",
        ..PLAIN
    },
    Row { names: "screen", valued: "-S -c -t -s -p -X", ..PLAIN },
    Row { names: "start-stop-daemon", valued: "-x --pidfile -p -n -u -c", ..PLAIN },
    Row {
        names: "hyperfine",
        valued: "-w -r -m -M --warmup --runs -n --export-json --export-markdown -p --prepare",
        joins: true,
        ..PLAIN
    },
    Row { names: "runcon", before: 1, ..PLAIN },
    Row { names: "newgrp sg", before: 1, joins: true, valued: "-c", ..PLAIN },
];
