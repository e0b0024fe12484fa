//! Tables that documents take from the code: between two marker lines of a document stands what this prints.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use roles::grant::{Account, Edge, FileGrant, Landlock, Network, Processes, Source, Until};
use roles::{Role, Row, TABLE};

/// One table of one document.
struct Table {
    document: &'static str,
    name: &'static str,
    text: fn() -> String,
}

const TABLES: [Table; 4] = [
    Table { document: "README.md", name: "roles", text: overview },
    Table { document: "SECURITY.md", name: "hard-rules", text: hard_rules },
    Table { document: "SECURITY.md", name: "privileges", text: privileges },
    Table { document: "SECURITY.md", name: "if-taken-over", text: if_taken_over },
];

/// Writes every table into its document. Lines of trouble.
pub fn write(root: &Path) -> Vec<String> {
    TABLES.iter().filter_map(|table| renew(root, table, true).err()).collect()
}

/// Documents whose tables are not what the code says.
pub fn stale(root: &Path) -> Vec<String> {
    TABLES.iter().filter_map(|table| renew(root, table, false).err()).collect()
}

fn renew(root: &Path, table: &Table, write: bool) -> Result<(), String> {
    let path = root.join(table.document);
    let old = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (begin, end) = (format!("<!-- {}: from the code -->\n", table.name), format!("<!-- /{} -->", table.name));
    let parts = old.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{}: no table {}", table.document, table.name))?;
    let new = format!("{before}{begin}{}{end}{after}", (table.text)());
    if new == old {
        return Ok(());
    }
    if write {
        return fs::write(&path, new).map_err(|e| format!("{}: {e}", path.display()));
    }
    Err(format!("{}: the table {} is stale: run cargo run -p chela-tidy -- docs", table.document, table.name))
}

fn overview() -> String {
    let mut out = String::from(
        "| process | does | account | network | files | may start |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in &TABLE {
        let files: Vec<&str> = row.files.iter().filter(|grant| grant.until == Until::Exit).map(|g| g.inside).collect();
        let files = if files.is_empty() { "none".to_string() } else { files.join(", ") };
        let files = if row.role == Role::Launcher { "the host's, by number only".to_string() } else { files };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {files} | {} |",
            row.binary,
            row.purpose,
            account(row),
            network(row),
            processes(row)
        );
    }
    out
}

fn account(row: &Row) -> String {
    match row.account {
        Account::Root { .. } => "root, capabilities cut".to_string(),
        Account::Named { name, .. } => name.to_string(),
        Account::PerSlot { .. } => "its own, one a slot".to_string(),
    }
}

fn network(row: &Row) -> &'static str {
    match row.network {
        Network::None => "none",
        Network::Unused { .. } => "none (no inet socket)",
        Network::Egress { .. } => "outbound only",
    }
}

fn processes(row: &Row) -> &'static str {
    match row.processes {
        Processes::None => "nothing",
        Processes::Sandboxes { .. } => "sandboxes",
        Processes::Roles { .. } => "the roles",
    }
}

fn if_taken_over() -> String {
    let mut out = String::from("| taken-over process | what its attacker has |\n| --- | --- |\n");
    for row in &TABLE {
        let _ = writeln!(out, "| `{}` | {} |", row.binary, row.if_taken_over);
    }
    out
}

fn hard_rules() -> String {
    let mut out = String::from("| rule | protects | instead |\n| --- | --- | --- |\n");
    for rule in commands::rules::ALL {
        let _ = writeln!(out, "| `{}` | {} | {} |", rule.id, rule.protects, rule.instead);
    }
    out
}

fn privileges() -> String {
    TABLE.iter().map(section).collect()
}

fn section(row: &Row) -> String {
    let mut out = format!("### `{}`\n\n{}\n\n| grant | what | why |\n| --- | --- | --- |\n", row.binary, row.purpose);
    let mut line = |grant: &str, what: &str, why: &str| {
        let _ = writeln!(out, "| {grant} | {what} | {why} |");
    };
    match row.account {
        Account::Root { why } => line("account", "root", why),
        Account::Named { name, why } => line("account", name, why),
        Account::PerSlot { why, .. } => line("account", "one a slot, of the root's own ids", why),
    }
    for capability in row.capabilities {
        line("capability", capability.name, capability.why);
    }
    if row.capabilities.is_empty() {
        line("capability", "none, in any set", "absence stated");
    }
    match row.network {
        Network::None => line("network", "none", "absence stated"),
        Network::Unused { why } => line("network", "the host's namespace, no inet socket", why),
        Network::Egress { why } => line("network", "outbound", why),
    }
    match row.processes {
        Processes::None => line("processes", "none", "absence stated"),
        Processes::Sandboxes { why } => line("processes", "sandboxes", why),
        Processes::Roles { why } => line("processes", "roles", why),
    }
    match row.edge {
        Edge::None { why } => line("edge", "none", why),
        Edge::Gate => line("edge", "the gate", "everything passes through the reference monitor"),
        Edge::Hub { why } => line("edge", "every role that has one", why),
    }
    for file in row.files {
        line("file", &words(file), file.why);
    }
    if row.files.is_empty() && row.role != Role::Launcher {
        line("file", "none: its root directory is empty", "absence stated");
    }
    match row.landlock {
        Landlock::None { why } => line("Landlock", "no ruleset", why),
        Landlock::Full => {
            line("Landlock", "files, network, signals and abstract sockets", "what is not granted above is denied")
        }
        Landlock::WithoutFiles { why } => line("Landlock", "network, signals and abstract sockets", why),
    }
    let mut calls: Vec<&str> = row.syscalls.iter().copied().flatten().map(|grant| grant.name).collect();
    calls.sort_unstable();
    calls.dedup();
    if !calls.is_empty() {
        line("system calls", &format!("{} of them; any other ends the process", calls.len()), &calls.join(" "));
    }
    for answer in row.answered {
        line("system call", &format!("{}: answered with error {}", answer.name, answer.errno), answer.why);
    }
    line(
        "limits",
        &format!("{} descriptors, {} MiB", row.limits.open_files, row.limits.cgroup_memory_bytes >> 20),
        row.limits.why,
    );
    out.push('\n');
    out
}

fn words(file: &FileGrant) -> String {
    let source = match file.source {
        Source::Host(path) => path.to_string(),
        Source::Root(path) => format!("DIR/{path}"),
        Source::Slot { parent, leaf: "" } => format!("DIR/{parent}/SLOT"),
        Source::Slot { parent, leaf } => format!("DIR/{parent}/SLOT/{leaf}"),
        Source::Directories { parent, leaf } => format!("what the links in DIR/{parent}/SLOT/{leaf} lead to"),
        Source::Libexec(path) => format!("the programs' {path}"),
        Source::Proc => "a /proc of its own".to_string(),
        Source::Tmpfs { size_bytes } => format!("an empty tmpfs of {} KiB", size_bytes >> 10),
    };
    let until = match file.until {
        Until::Sealed => "until its seal",
        Until::Exit => "for its life",
    };
    format!("`{}` ({source}), {:?}, {until}", file.inside, file.access)
}
