//! Shells that somebody elsewhere gets.

use super::table::{Row, When};
use super::{Call, Found, Rule};
use crate::text::{REMOTE, SHELL};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.reverse-shell",
    protects: "from giving somebody elsewhere a shell here",
    instead: "Nothing: give people access yourself, in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "msfvenom msfconsole msfcli pwncat pwncat-cs gs-netcat sbd dnscat dnscat2 weevely chisel cryptcat rcat \
             villain sliver-client revsocks iodine ptunnel rpivot hoaxshell",
        when: When::Always,
    },
    Row { names: "nc ncat netcat nc.traditional nc.openbsd telnet", when: When::Begins("--exec --sh-exec --lua-exec") },
    Row { names: "zmodload", when: When::With("zsh/net/tcp") },
    Row { names: "xterm", when: When::With("-display") },
];

/// Programs that carry what they read and write over the network.
pub const CARRIERS: [&str; 10] =
    ["nc", "ncat", "netcat", "nc.traditional", "nc.openbsd", "telnet", "socat", "openssl", "websocat", "ssh-nc"];

pub(super) fn look(call: &Call<'_>) -> Found {
    if !CARRIERS.contains(&call.name) {
        return Found::Nothing;
    }
    let carries_shell = call.stdin.contains([SHELL, REMOTE]);
    let starts = match call.name {
        "socat" => call.args.iter().any(|arg| {
            let arg = arg.to_ascii_lowercase();
            arg.contains("exec:") || arg.contains("system:") || arg.contains("shell:")
        }),
        "openssl" | "telnet" | "websocat" => false,
        _ => call.has_letter('e') || call.has_letter('c'),
    };
    if starts || carries_shell { Found::Against(&RULE) } else { Found::Nothing }
}

pub(super) fn written(path: &str) -> Option<&'static Rule> {
    (path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/")).then_some(&RULE)
}
