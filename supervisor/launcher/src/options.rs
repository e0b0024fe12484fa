//! The command line: `chelad [--root DIR] [--libexec DIR]`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use roles::Role;

use crate::errors::{Context, Failure, failure};

const USAGE: &str = "usage: chelad [--root DIR] [--libexec DIR]
  --root DIR     configuration (DIR/etc), state (DIR/var) and sockets (DIR/run); default /var/lib/chela
  --libexec DIR  where the role programs are; default: beside chelad, else ../libexec/chela";

/// Where this Chela lives.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The root directory, absolute.
    pub root: PathBuf,
    /// The directory of the role programs, absolute.
    pub libexec: PathBuf,
}

/// Reads the command line; `None` when only help was asked for.
pub fn read() -> Result<Option<Options>, Failure> {
    let (root, libexec) = match parse(std::env::args_os().skip(1)) {
        Ok(Some(found)) => found,
        Ok(None) => {
            println!("{USAGE}");
            return Ok(None);
        }
        Err(argument) => {
            let mut refused = failure("command line", argument.display(), "not understood");
            refused.way_out = USAGE;
            refused.exit_status = 2;
            return Err(refused);
        }
    };
    let root = root.unwrap_or_else(|| PathBuf::from("/var/lib/chela"));
    let libexec = libexec.map_or_else(beside_own_program, Ok)?;
    Ok(Some(Options { root: absolute(&root)?, libexec: absolute(&libexec)? }))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .step("find the directory", path.display())
        .map_err(|f| f.or("`chela setup --root DIR` makes a root; --libexec names the programs"))
}

fn beside_own_program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().step("find its own program", "/proc/self/exe")?;
    let here = own.parent().unwrap_or(Path::new("/")).to_path_buf();
    if here.join(Role::Supervisor.row().binary).exists() {
        return Ok(here);
    }
    Ok(here.join("../libexec/chela"))
}

type Given = (Option<PathBuf>, Option<PathBuf>);

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Given>, OsString> {
    let mut given: Given = (None, None);
    while let Some(argument) = arguments.next() {
        let place = match argument.to_str() {
            Some("--root") => &mut given.0,
            Some("--libexec") => &mut given.1,
            Some("--help" | "-h") => return Ok(None),
            Some(_) | None => return Err(argument),
        };
        *place = Some(arguments.next().ok_or(argument)?.into());
    }
    Ok(Some(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Option<Given>, OsString> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn both_directories_can_be_named() {
        let given = parsed(&["--root", "/a", "--libexec", "b"]);
        assert_eq!(given, Ok(Some((Some("/a".into()), Some("b".into())))));
        assert_eq!(parsed(&[]), Ok(Some((None, None))));
        assert_eq!(parsed(&["--root", "x", "--help"]), Ok(None));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parsed(&["--root"]), Err("--root".into()));
        assert_eq!(parsed(&["--rot", "x"]), Err("--rot".into()));
        assert_eq!(parsed(&["x"]), Err("x".into()));
    }
}
