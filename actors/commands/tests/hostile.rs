//! Input made to cost time or stack: each is judged within the steps there are, on a stack of 2 MiB (a test's thread).

use chela_commands::limits::{DEPTH_MAX, SEPARATORS_MAX, STEPS_MAX, TEXT_BYTES_MAX};
use chela_commands::{Kind, judge, judged};

/// As often as fits in the longest text.
fn filled(begin: &str, part: &str, end: &str) -> String {
    let times = (TEXT_BYTES_MAX - begin.len() - end.len()) / part.len();
    format!("{begin}{}{end}", part.repeat(times))
}

fn nested(times: usize, open: &str, close: &str) -> String {
    format!("{}x{}", open.repeat(times), close.repeat(times))
}

/// Repeated until the text is full, and what comes last.
#[rustfmt::skip]
const REPEATED: [(&str, &str); 57] = [
    ("a && ", "b"), ("a || ", "b"), ("a; ", ""), ("a | ", "b"), ("a & ", ""), ("a\n", ""), ("x=$x$x ", "$x"),
    ("x=$x$x; ", "$x"), ("x=aa${x//a/aaaaaaaa}; ", "$x"), ("{a,b}", ""), ("{1..9}", ""), ("((", ""),
    ("(", ""), ("$(", ""), ("`", ""), ("\"$(", ""), ("${", ""), ("${x:-", ""), ("$((", ""), ("<(", ""),
    ("<<E ", "\n"), ("cat <<E\nx\nE\n", ""), ("f() { f; }; f; ", ""), ("if a; then ", ""),
    ("if a; then b; fi; ", ""), ("case x in x) ", ""), ("case x in x) y;; esac; ", ""),
    ("for i in 1 2 3 4 5 6 7 8; do ", ""), ("while a; do ", ""), ("! ", "a"), ("time ", "a"), ("sudo ", "a"),
    ("env ", "a"), ("eval ", "a"), ("sh -c '", ""), ("xargs ", "a"), ("find -exec ", "a"), ("a=(", ""),
    ("[[ a && ", ""), ("[[ ! ", "x ]]"), ("*a", "b"), ("$((-", "1"), ("case x in x) y ;; ", ""),
    ("$( ')' ", ""), ("( ')' ", ""), ("\\", ""), ("'", ""), ("\"", ""), ("$'\\x41' ", ""), ("~", ""),
    ("echo a > f; sh f; ", ""), ("alias a='b a'; a; ", ""), ("printf '%s%s' ", ""),
    ("python3 -c 'os.system(\"x\")' ", ""), ("../", "x"), ("rm -rf */", ""), ("é", ""),
];

/// Within one another.
#[rustfmt::skip]
const NESTED: [(&str, &str); 19] = [
    ("(", ")"), ("( ", " )"), ("{ ", "; }"), ("$(echo ", ")"), ("\"$(echo ", ")\""), ("<(cat ", ")"),
    ("`", "`"), ("${x:-", "}"), ("$((", "))"), ("((", "))"), ("{a,", "}"), ("if a; then ", "; fi"),
    ("while a; do ", "; done"), ("for i in 1 2 3 4; do ", "; done"),
    ("for i in {1..9}; do x=$i$x; ", "; done"), ("case x in x) ", ";; esac"), ("f() { ", "; }"),
    ("[[ ( ", " ) ]]"), ("eval \"", "\""),
];

fn inputs() -> Vec<String> {
    let mut all: Vec<String> = REPEATED.iter().map(|(part, end)| filled("", part, end)).collect();
    for times in [5, 8, 9, 25, 100, 190, 1000, 5000] {
        for (open, close) in NESTED {
            all.push(format!("echo {}", nested(times, open, close)));
            all.push(nested(times, open, close));
        }
    }
    for part in ["a; ", "a && ", "a & ", "a | ", "a\n"] {
        let list = part.repeat(SEPARATORS_MAX);
        all.push(format!("f() {{ {list} b; }}; f"));
        all.push(format!("{list} b"));
    }
    for unary in ["-", "~", "!", "+", "1?", "1,", "1+", "a=", "a["] {
        all.push(format!("echo $(({}1))", unary.repeat(20_000)));
        all.push(format!("(({}1))", unary.repeat(20_000)));
        all.push(format!("[[ {}1 ]]", unary.repeat(20_000)));
    }
    all.push((0..200).map(|n| format!("f{n}() {{ f{}; f{}; }}; ", n + 1, n + 1)).collect::<String>() + "f0");
    all.push(filled("python3 -c '", "os.system(\"x\" ", "'"));
    all.push(filled("awk '", "\"|", "'"));
    all.push(filled("while :; do x=$y; y=$z; z=$x; ", "x=$y; ", "done"));
    all
}

#[test]
fn no_input_costs_more_than_there_is() {
    for input in inputs() {
        let (verdict, steps) = judged(&input);
        assert!(steps <= STEPS_MAX, "{steps} steps: {input:.40}");
        // Where the work ended early, that is said.
        assert!(steps < STEPS_MAX || verdict.kind() != Kind::Ordinary, "{input:.40}");
    }
}

#[test]
fn what_lies_deep_is_found_or_not_understood_but_never_ordinary() {
    for depth in 1..2 * DEPTH_MAX {
        let mut command = "rm -rf /".to_owned();
        for _ in 0..depth {
            command = format!("sh -c '{}'", command.replace('\'', r"'\''"));
            if command.len() > TEXT_BYTES_MAX {
                break;
            }
        }
        assert_ne!(judge(&command).kind(), Kind::Ordinary, "{depth}");
        let mut functions = "f0() { rm -rf /; }; ".to_owned();
        for n in 1..=depth {
            functions += &format!("f{n}() {{ f{}; }}; ", n - 1);
        }
        assert_ne!(judge(&format!("{functions} f{depth}")).kind(), Kind::Ordinary, "{depth}");
    }
    // More work than is done is not ordinary either, whatever comes first.
    for part in ["a; ", "x=1; ", "echo {a,b}{c,d}; ", "for i in 1 2 3; do a; done; "] {
        assert_ne!(judge(&filled("", part, "rm -rf /")).kind(), Kind::Ordinary, "{part}");
    }
}
