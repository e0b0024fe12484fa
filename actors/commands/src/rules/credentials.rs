//! Keys, passwords and tokens in the places where programs keep them.

use super::table::{HELP, Row, When};
use super::{Call, Found, Rule, below, in_home};
use crate::paths;

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.credentials",
    protects: "keys, passwords and tokens in the places where programs keep them",
    instead: "Set the secret with chela secret, and name it where it is needed.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "lazagne mimipenguin secretsdump.py unshadow mimikatz linpeas.sh gitleaks-dump truffleshow pypykatz \
             swap_digger dpapick firefox_decrypt chrome-decrypt tickey sshspray hashcat john hydra medusa",
        when: When::Unless(HELP),
    },
    Row { names: "gpg gpg2", when: When::Begins("--export-secret") },
    Row {
        names: "secret-tool kwallet-query keyctl security dump-keychain",
        when: When::With("lookup search find-generic-password find-internet-password dump-keychain print read -r pipe"),
    },
];

const SYSTEM: [&str; 15] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/krb5.keytab",
    "/etc/security/opasswd",
    "/run/secrets",
    "/var/run/secrets",
    "/var/lib/sss/secrets",
    "/etc/sudoers",
    "/etc/ssl/private",
    "/var/backups/shadow.bak",
    "/etc/master.passwd",
    "/var/lib/docker/secrets",
    "/etc/wireguard",
];
const HOME: [&str; 26] = [
    ".aws/credentials",
    ".netrc",
    ".git-credentials",
    ".docker/config.json",
    ".kube/config",
    ".gnupg",
    ".pgpass",
    ".my.cnf",
    ".config/gcloud",
    ".azure",
    ".config/gh/hosts.yml",
    ".npmrc",
    ".pypirc",
    ".password-store",
    ".local/share/keyrings",
    ".vault-token",
    ".mozilla/firefox",
    ".config/google-chrome",
    ".config/chromium",
    ".config/BraveSoftware",
    ".thunderbird",
    ".bash_history",
    ".zsh_history",
    ".config/rclone/rclone.conf",
    ".cargo/credentials.toml",
    ".kde/share/apps/kwallet",
];
/// They say that a file is there, make or use a key without showing it, or have words that only look like paths.
const HARMLESS: [&str; 33] = [
    "ls",
    "stat",
    "test",
    "[",
    "[[",
    "chmod",
    "chown",
    "mkdir",
    "ssh",
    "sftp",
    "ssh-keygen",
    "ssh-add",
    "ssh-copy-id",
    "echo",
    "printf",
    "git",
    "touch",
    "file",
    "which",
    "cd",
    "export",
    "rmdir",
    "du",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "true",
    "source",
    ".",
    "alias",
    "rm",
    "shred",
];

pub(super) fn look(call: &Call<'_>) -> Found {
    let against = match call.name {
        name if HARMLESS.contains(&name) => false,
        "kubectl" | "oc" => call.has(&["get", "describe"]) && call.args.iter().any(|arg| arg.starts_with("secret")),
        "find" | "fd" | "locate" => finds(call),
        "gcloud" => call.has(&["print-access-token", "print-identity-token"]),
        "grep" | "rg" | "egrep" | "ag" | "ack" => sought(call) || named(call),
        _ => named(call),
    };
    let metadata = matches!(call.name, "curl" | "wget" | "http" | "nc")
        && call.args.iter().any(|arg| arg.contains("169.254.169.254") || arg.contains("metadata.google.internal"));
    if against || metadata { Found::Against(&RULE) } else { Found::Nothing }
}

/// Programs that take a directory with all that is in it.
const DEEP: [&str; 12] = ["tar", "bsdtar", "zip", "cp", "rsync", "scp", "7z", "7za", "mv", "grep", "pax", "cpio"];

fn named(call: &Call<'_>) -> bool {
    call.args.iter().any(|arg| {
        let path = arg.rsplit(['=', '@']).next().unwrap_or(arg);
        let is_held = |path: &str| read(path).is_some() || DEEP.contains(&call.name) && is_store(path);
        [arg.as_str(), path].iter().any(|path| paths::absolute(call.cwd, path).is_some_and(|path| is_held(&path)))
    })
}

/// A search for passwords through the system's or a home's files.
fn sought(call: &Call<'_>) -> bool {
    const WORDS: [&str; 7] = ["passw", "secret", "token", "api_key", "apikey", "private key", "credential"];
    let mut operands = call.operands();
    let pattern = operands.next().unwrap_or("").to_ascii_lowercase();
    let is_deep = call.has_letter('r') || call.has_letter('R') || call.name != "grep";
    is_deep
        && WORDS.iter().any(|word| pattern.contains(word))
        && operands.any(|path| {
            matches!(paths::place(call.cwd, path), paths::Place::System | paths::Place::InSystem | paths::Place::Home)
        })
}

/// A directory of a home that holds keys.
fn is_store(path: &str) -> bool {
    in_home(path).is_some_and(|rest| matches!(rest.trim_end_matches(['/', '*']), ".ssh" | ".aws" | ".kube" | ".docker"))
}

/// Looking for keys by the names that they have.
fn finds(call: &Call<'_>) -> bool {
    const NAMES: [&str; 12] = [
        "id_rsa",
        "id_dsa",
        "id_ed25519",
        "id_ecdsa",
        ".netrc",
        "shadow",
        "*.pem",
        "*.kdbx",
        "*.p12",
        "*.pfx",
        "wallet.dat",
        ".git-credentials",
    ];
    let outside = |path: &str| {
        matches!(paths::place(call.cwd, path), paths::Place::System | paths::Place::InSystem | paths::Place::Home)
    };
    let is_named = call.args.windows(2).any(|pair| {
        pair[0].ends_with("name") && NAMES.iter().any(|name| pair[1] == *name || pair[1].trim_end_matches('*') == *name)
    });
    is_named && call.args.iter().take_while(|arg| !arg.starts_with('-')).any(|path| outside(path))
}

pub(super) fn read(path: &str) -> Option<&'static Rule> {
    if path.contains(['*', '?', '[']) {
        let begins = path.find(['*', '?', '[']).unwrap_or(0);
        let fits = |held: &&str| paths::matches(path, held);
        let home = in_home(path).filter(|rest| rest.find(['*', '?', '[']).is_some_and(|at| at >= 3));
        let in_home = home.is_some_and(|rest| {
            HOME.iter().chain(&[".ssh/id_rsa", ".ssh/id_ed25519"]).any(|held| paths::matches(rest, held))
        });
        return (begins >= 2 && SYSTEM.iter().any(fits) || in_home).then_some(&RULE);
    }
    let in_home = in_home(path).is_some_and(|rest| below(rest, &HOME) || is_private_key(rest));
    let is_process = path.strip_prefix("/proc/").is_some_and(|rest| {
        rest.ends_with("/environ") && !rest.starts_with("self/") || rest.ends_with("/mem") || rest == "kcore"
    });
    let is_host_key =
        path.starts_with("/etc/ssh/ssh_host_") && !path.ends_with(".pub") || path.starts_with("/tmp/krb5cc");
    (in_home || is_process || is_host_key || below(path, &SYSTEM)).then_some(&RULE)
}

fn is_private_key(rest: &str) -> bool {
    rest.strip_prefix(".ssh/").is_some_and(|name| {
        name == "*"
            || (name.starts_with("id_") || name.contains("key"))
                && !name.ends_with(".pub")
                && !name.starts_with("authorized")
    })
}
