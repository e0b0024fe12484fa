//! Power, and the process that all others descend from.

use super::table::{HELP, Row, When};
use super::{Call, Found, Rule};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.power",
    protects: "the machine's running: power, runlevels, services and process 1",
    instead: "Look (systemctl status); stop or restart the machine or a service yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row { names: "shutdown", when: When::SomeUnless("--help --show -c") },
    Row {
        names: "reboot poweroff halt telinit killall5 pm-suspend pm-hibernate pm-powersave rtcwake ctrlaltdel \
             openrc-shutdown runit-init kexec suspend-host hibernate soft-reboot systemd-soft-reboot fastboot-halt \
             fasthalt fastreboot xfce4-session-logout initctl",
        when: When::Unless(HELP),
    },
    Row { names: "init", when: When::With("0 1 6 s S 2 3 4 5 q u") },
    Row {
        names: "systemctl",
        when: When::With(
            "poweroff reboot halt suspend hibernate hybrid-sleep suspend-then-hibernate kexec rescue emergency \
             isolate default exit soft-reboot switch-root daemon-reexec set-default stop kill",
        ),
    },
    Row {
        names: "loginctl",
        when: When::With(
            "poweroff reboot terminate-session terminate-user kill-session kill-user suspend hibernate \
             terminate-seat",
        ),
    },
    Row { names: "service rc-service sv invoke-rc.d", when: When::With("stop down force-stop exit") },
    Row { names: "openrc", when: When::With("shutdown reboot single") },
    Row {
        names: "dbus-send busctl gdbus qdbus",
        when: When::Begins(
            "org.freedesktop.login1.Manager PowerOff Reboot Suspend Hibernate Halt \
             org.freedesktop.ConsoleKit.Manager",
        ),
    },
];

/// What a signal to everybody or to process 1 looks like.
pub(super) fn look(call: &Call<'_>) -> Found {
    if call.name == "kill" && !call.has(&["-l", "-L"]) {
        let given = |arg: &String| arg == "-s" || arg == "-n";
        let after = call.args.iter().position(given).map_or(0, |at| at + 2);
        let targets = call.args.iter().enumerate().filter(|(n, _)| *n >= after);
        let is_signal = |n: usize, arg: &str| n == 0 && after == 0 && arg.starts_with('-');
        if targets.into_iter().any(|(n, arg)| !is_signal(n, arg) && matches!(arg.as_str(), "1" | "-1")) {
            return Found::Against(&RULE);
        }
    }
    let all = matches!(call.name, "pkill" | "killall" | "skill" | "slay")
        && call.operands().any(|name| matches!(name, "init" | "systemd" | "." | ".*" | "root" | "-1" | "" | "launchd"));
    if all { Found::Against(&RULE) } else { Found::Nothing }
}
