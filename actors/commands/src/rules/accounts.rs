//! Accounts, passwords and who may act as whom.

use super::table::{HELP, Row, When};
use super::{Call, Found, Rule, below};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.accounts",
    protects: "accounts, passwords and the right to act as another",
    instead: "Look (id, getent passwd); change accounts yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "useradd adduser userdel deluser usermod groupadd groupdel groupmod addgroup delgroup chpasswd \
             chgpasswd gpasswd vipw vigr chsh chfn newusers pwconv pwunconv grpconv grpunconv pam-auth-update \
             authselect authconfig smbpasswd pdbedit kadmin kadmin.local homectl userdbctl-add lusermod luseradd \
             groupmems dscl usermgmt setcap dpkg-statoverride",
        when: When::Unless(HELP),
    },
    Row { names: "passwd", when: When::Unless("-S --status --help -h") },
    Row { names: "chage", when: When::SomeUnless("-l --list --help") },
    Row { names: "visudo", when: When::Unless("-c --check -h --help -V") },
    Row { names: "faillock pam_tally2 faillog", when: When::With("--reset -r") },
    Row { names: "samba-tool net", when: When::With("user group localgroup") },
];

/// Programs that run with their owner's rights: set-user-id by mode, attribute or capability.
pub(super) fn look(call: &Call<'_>) -> Found {
    let is_mode = |arg: &String| {
        let digits = arg.len() >= 4 && arg.bytes().all(|b| b.is_ascii_digit());
        let special = arg.trim_start_matches('0').len() == 4 && !arg.trim_start_matches('0').starts_with('1');
        let symbolic = arg.split(',').any(|part| {
            part.split_once(['+', '=']).is_some_and(|(who, bits)| {
                who.bytes().all(|b| b"ugoa".contains(&b))
                    && bits.contains('s')
                    && bits.bytes().all(|b| b"rwxXst".contains(&b))
            })
        });
        digits && special || symbolic
    };
    let sets = call.name == "chmod" && call.args.iter().take(4).any(is_mode)
        || call.name == "install" && call.args.windows(2).any(|pair| pair[0] == "-m" && is_mode(&pair[1]));
    if sets { Found::Against(&RULE) } else { Found::Nothing }
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    const HELD: [&str; 14] = [
        "/etc/passwd",
        "/etc/passwd-",
        "/etc/shadow",
        "/etc/shadow-",
        "/etc/group",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/sudoers.d",
        "/etc/pam.d",
        "/etc/security",
        "/etc/doas.conf",
        "/etc/subuid",
        "/etc/subgid",
        "/etc/polkit-1",
    ];
    below(path, &HELD).then_some(&RULE)
}
