//! Another spelling of the same command is judged the same: what is refused never becomes allowed, and ordinary work is
//! never refused.

use chela_commands::{Kind, judge};
use proptest::prelude::*;

const REFUSED: &str = include_str!("../corpus/refused.txt");
const ORDINARY: &str = include_str!("../corpus/ordinary.txt");

/// Simple commands of the refused ones: words and nothing else, so that each way of writing them is one of the same.
fn refused() -> Vec<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || " /-_.=:,+~".contains(c);
    let commands = REFUSED.lines().filter_map(|line| line.split_once('\t')).map(|(_, command)| command);
    commands
        .filter(|command| command.chars().all(plain) && !command.contains("~") && !command.starts_with('.'))
        .filter(|command| !command.split(' ').next().is_some_and(builtin))
        .collect()
}

/// What only a shell can do is not found by a path, and not after `env`.
fn builtin(name: &str) -> bool {
    let words =
        "exec eval command history unset export set time coproc env cd trap alias source . true false ! { ( HISTSIZE=0";
    words.split(' ').any(|word| word == name) || name.contains(['=', '/', '.'])
}

fn ordinary() -> Vec<String> {
    ORDINARY.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace('⏎', "\n")).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One of many ways to write a character.
fn character(c: char, way: u8) -> String {
    if c == ' ' {
        return match way % 4 {
            0 => "  ".to_owned(),
            1 => "\t".to_owned(),
            2 => " \\\n".to_owned(),
            _ => " ".to_owned(),
        };
    }
    match way % 9 {
        0 => format!("'{c}'"),
        1 => format!("\"{c}\""),
        2 if c != '\n' => format!("\\{c}"),
        3 => format!("''{c}"),
        4 => format!("{c}\"\""),
        5 => format!("$'{c}'"),
        6 => format!("$'\\x{:02x}'", u32::from(c)),
        7 => format!("$'\\{:03o}'", u32::from(c)),
        _ => c.to_string(),
    }
}

/// A way to run the same command.
fn wrapped(command: &str, way: u8) -> String {
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    match way % 38 {
        0 => format!("command {command}"),
        1 => format!("\\{command}"),
        2 => format!("/usr/bin/{command}"),
        3 => format!("env {command}"),
        4 => format!("env A=b -u C {command}"),
        5 => format!("sudo {command}"),
        6 => format!("sudo -u root -n {command}"),
        7 => format!("sh -c {}", quoted(command)),
        8 => format!("bash -lc {}", quoted(command)),
        9 => format!("bash <<< {}", quoted(command)),
        10 => format!("({command})"),
        11 => format!("{{ {command}; }}"),
        12 => format!("; {command}").replacen("; ", "true; ", 1),
        13 => format!("false || {command}"),
        14 => format!("x={name}; $x {rest}"),
        15 => format!("x={}; $x", quoted(command)),
        16 => format!("x={}; eval \"$x\"", quoted(command)),
        17 => format!("eval {}", quoted(command)),
        18 => format!("echo {} | sh", quoted(command)),
        19 => format!("sh <<E\n{command}\nE"),
        20 => format!("if true; then {command}; fi"),
        21 => format!("for i in 1; do {command}; done"),
        22 => format!("f() {{ {command}; }}; f"),
        23 => format!("f() {{ \"$@\"; }}; f {command}"),
        24 => format!("nohup {command} &"),
        25 => format!("timeout -k 1 10 {command}"),
        26 => format!("echo \"$({command})\""),
        27 => format!("cat <({command})"),
        28 => format!("! {command}"),
        29 => format!("time {command}"),
        30 => format!("setsid -f nice -n 5 {command}"),
        31 => format!("set -- {command}; \"$@\""),
        32 => format!("a=({command}); \"${{a[@]}}\""),
        33 => format!("true && {command} || true"),
        34 => format!("x={}{}; $x {rest}", &name[..1], &name[1..]),
        35 => format!("$(echo {name}) {rest}"),
        36 => format!("printf '%s\\n' {} | bash -s", quoted(command)),
        _ => format!("{command} # nothing"),
    }
}

/// As `wrapped`, for what need not be a simple command.
fn around(command: &str, way: u8) -> String {
    match way % 8 {
        0 => format!("(\n{command}\n)"),
        1 => format!("{{ {command}\n}}"),
        2 => format!("true\n{command}"),
        3 => format!("if true; then\n{command}\nfi"),
        4 => format!("sh -c {}", quoted(command)),
        5 => format!("f() {{\n{command}\n}}\nf"),
        6 => format!("eval {}", quoted(command)),
        _ => format!("sudo bash -c {}", quoted(command)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_spelling_of_a_refused_command_is_allowed(
        which in any::<prop::sample::Index>(),
        ways in prop::collection::vec(any::<u8>(), 0..3),
        spelling in prop::collection::vec(any::<u8>(), 64),
        sparse in any::<bool>(),
    ) {
        let commands = refused();
        prop_assert!(commands.len() > 100);
        let command = which.get(&commands);
        // Where every character is written otherwise, or only some.
        let spelt: String = command
            .chars()
            .zip(spelling.iter().cycle())
            .map(|(c, way)| if sparse && way % 5 != 0 { c.to_string() } else { character(c, *way) })
            .collect();
        let kind = judge(&spelt).kind();
        prop_assert_eq!(kind, Kind::Destructive, "{}", spelt);
        let wrapped = ways.iter().fold((*command).to_owned(), |command, way| {
            // A wrapper that is itself more than words can only be wrapped as a text.
            let is_plain = !command.contains(|c: char| !c.is_ascii_alphanumeric() && !" /-_.=:,+".contains(c));
            if is_plain { wrapped(&command, *way) } else { around(&command, *way) }
        });
        prop_assert_ne!(judge(&wrapped).kind(), Kind::Ordinary, "{}", wrapped);
        if ways.len() < 2 {
            prop_assert_eq!(judge(&wrapped).kind(), Kind::Destructive, "{}", wrapped);
        }
    }

    #[test]
    fn ordinary_work_is_never_refused(which in any::<prop::sample::Index>(), way in any::<u8>()) {
        let commands = ordinary();
        let wrapped = around(which.get(&commands).as_str(), way);
        prop_assert_ne!(judge(&wrapped).kind(), Kind::Destructive, "{}", wrapped);
    }

    /// Any text at all is judged, and twice the same.
    #[test]
    fn anything_is_judged(text in "[a-c \n'\"$(){}<>|&;`\\\\#*?=!~/-]{0,80}") {
        prop_assert_eq!(judge(&text), judge(&text));
    }
}
