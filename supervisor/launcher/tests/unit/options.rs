//! Unit tests of `src/options.rs`.

use super::*;

fn parsed(words: &[&str]) -> Result<Option<Options>, OsString> {
    parse(words.iter().map(OsString::from))
}

#[test]
fn both_directories_can_be_named() {
    let given = parsed(&["--root", "/a", "--libexec", "b"]);
    assert_eq!(given, Ok(Some(Options { root: "/a".into(), libexec: Some("b".into()) })));
    assert_eq!(parsed(&[]), Ok(Some(Options { root: "/var/lib/chela".into(), libexec: None })));
    assert_eq!(parsed(&["--root", "x", "--help"]), Ok(None));
}

#[test]
fn anything_else_is_refused() {
    assert_eq!(parsed(&["--root"]), Err("--root".into()));
    assert_eq!(parsed(&["--rot", "x"]), Err("--rot".into()));
    assert_eq!(parsed(&["x"]), Err("x".into()));
}
