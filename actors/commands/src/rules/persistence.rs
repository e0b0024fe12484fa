//! What is started again later, or at every start or login.

use super::table::{Row, When};
use super::{Call, Found, Rule, below, in_home};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.persistence",
    protects: "from programs that start by themselves later: schedules, services, start-up files, login keys",
    instead: "Ask for a reminder or a background command; set up a schedule or a key yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row { names: "crontab", when: When::Unless("-l -V --help") },
    Row { names: "at batch", when: When::Unless("-l -c -V --help") },
    Row {
        names: "systemctl",
        when: When::With(
            "enable reenable link preset preset-all edit set-property add-wants add-requires set-environment \
             import-environment",
        ),
    },
    Row {
        names: "update-rc.d rc-update insserv ssh-copy-id fcrontab anacron launchctl",
        when: When::SomeUnless("--list show -s list --help -T"),
    },
    Row { names: "chkconfig", when: When::With("on --add off --del") },
    Row { names: "loginctl", when: When::With("enable-linger") },
    Row { names: "systemd-run", when: When::Begins("--on- --timer-property") },
];

const SYSTEM: [&str; 32] = [
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/crontab",
    "/etc/anacrontab",
    "/var/spool/cron",
    "/var/spool/at",
    "/etc/systemd",
    "/lib/systemd",
    "/usr/lib/systemd",
    "/usr/local/lib/systemd",
    "/run/systemd",
    "/etc/init.d",
    "/etc/rc.local",
    "/etc/rc.d",
    "/etc/inittab",
    "/etc/init",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh",
    "/etc/ld.so.preload",
    "/etc/ld.so.conf.d",
    "/etc/environment",
    "/etc/udev",
    "/etc/xdg/autostart",
    "/etc/update-motd.d",
    "/etc/ssh",
    "/etc/NetworkManager/dispatcher.d",
];
const HOME: [&str; 26] = [
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".xinitrc",
    ".xprofile",
    ".xsession",
    ".xsessionrc",
    ".pam_environment",
    ".config/autostart",
    ".config/systemd",
    ".config/fish",
    ".config/environment.d",
    ".ssh/authorized_keys",
    ".ssh/authorized_keys2",
    ".ssh/rc",
];

pub(super) fn look(call: &Call<'_>) -> Found {
    let lists = call.name == "crontab" && call.has(&["-r", "-e", "-"]);
    if lists { Found::Against(&RULE) } else { Found::Nothing }
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    let in_home = in_home(path).is_some_and(|rest| below(rest, &HOME) || rest.starts_with("Library/LaunchAgents"));
    let elsewhere = path.ends_with(".ssh/authorized_keys") || path.ends_with("/authorized_keys2");
    (in_home || elsewhere || below(path, &SYSTEM)).then_some(&RULE)
}
