//! What guards the machine: access control, audit, virus scanners, intrusion detection.

use super::table::{HELP, Row, When};
use super::{Call, Found, Rule, below};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.security-tools",
    protects: "what guards the machine: access control, audit, scanners, intrusion detection",
    instead: "Look (aa-status, auditctl -l); change it yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row { names: "setenforce", when: When::With("0 Permissive permissive") },
    Row {
        names: "aa-disable aa-complain aa-teardown aa-remove-unknown setsebool ausearch-disable",
        when: When::Unless(HELP),
    },
    Row { names: "apparmor_parser", when: When::With("-R --remove -C") },
    Row { names: "auditctl", when: When::With("-D -d -W 0") },
    Row { names: "semanage", when: When::With("permissive -d -D boolean") },
    Row { names: "semodule", when: When::With("-d -r -R --disable --remove -DB") },
    Row { names: "fail2ban-client", when: When::With("stop unban reload set") },
    Row { names: "csrutil spctl", when: When::With("disable --master-disable") },
    Row { names: "esets_daemon-stop falconctl mdatp", when: When::With("-d disable config uninstall --aph exclusion") },
];

const GUARDS: [&str; 40] = [
    "apparmor",
    "auditd",
    "audit",
    "fail2ban",
    "firewalld",
    "ufw",
    "clamav",
    "clamd",
    "freshclam",
    "falcon-sensor",
    "crowdstrike",
    "ossec",
    "wazuh",
    "wazuh-agent",
    "rsyslog",
    "rsyslogd",
    "syslog-ng",
    "syslog",
    "sysmon",
    "selinux",
    "iptables",
    "nftables",
    "snort",
    "suricata",
    "osquery",
    "osqueryd",
    "aide",
    "tripwire",
    "rkhunter",
    "chkrootkit",
    "samhain",
    "sysdig",
    "falco",
    "mdatp",
    "sophos",
    "sav-protect",
    "esets",
    "carbonblack",
    "cbdaemon",
    "systemd-journald",
];

pub(super) fn look(call: &Call<'_>) -> Found {
    let names_guard = || {
        call.operands().any(|arg| {
            let name = arg.trim_end_matches(".service").trim_end_matches("-daemon");
            GUARDS.iter().any(|guard| name == *guard || name.starts_with(&format!("{guard}-")))
        })
    };
    let against = match call.name {
        "systemctl" | "service" | "rc-service" | "update-rc.d" | "chkconfig" | "sv" | "initctl" => {
            call.has(&["stop", "disable", "mask", "kill", "off", "remove", "unload", "down"]) && names_guard()
        }
        "pkill" | "killall" | "skill" => names_guard(),
        "apt" | "apt-get" | "aptitude" | "dpkg" | "yum" | "dnf" | "rpm" | "zypper" | "apk" | "pacman" => {
            call.has(&[
                "remove",
                "purge",
                "autoremove",
                "erase",
                "-e",
                "-r",
                "-P",
                "--purge",
                "--remove",
                "del",
                "-R",
                "-Rns",
                "-Rs",
            ]) && names_guard()
        }
        _ => false,
    };
    // Any service is somebody's.
    let disables = call.name == "systemctl" && call.has(&["disable", "mask"]);
    if against || disables { Found::Against(&RULE) } else { Found::Nothing }
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    const HELD: [&str; 13] = [
        "/sys/fs/selinux",
        "/selinux",
        "/etc/selinux",
        "/etc/apparmor",
        "/etc/apparmor.d",
        "/etc/audit",
        "/etc/audisp",
        "/etc/fail2ban",
        "/etc/clamav",
        "/etc/rsyslog.conf",
        "/etc/rsyslog.d",
        "/etc/ossec",
        "/var/ossec",
    ];
    below(path, &HELD).then_some(&RULE)
}
