//! The command line: `chelad [--root DIR] [--libexec DIR]`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use roles::Role;

use crate::errors::{Context, Failure, failure};

const DEFAULT_ROOT: &str = "/var/lib/chela";
const USAGE: &str = "usage: chelad [--root DIR] [--libexec DIR]
  --root DIR     configuration (DIR/etc), state (DIR/var) and sockets (DIR/run); default /var/lib/chela
  --libexec DIR  where the role programs are; default: beside chelad, else ../libexec/chela";

/// Where this Chela lives.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Options {
    root: Option<PathBuf>,
    libexec: Option<PathBuf>,
}

/// The same, absolute.
pub struct Directories {
    pub root: PathBuf,
    /// Where the role programs are.
    pub libexec: PathBuf,
}

/// Reads the command line; `None` when only help was asked for.
pub fn read() -> Result<Option<Options>, Failure> {
    match parse(std::env::args_os().skip(1)) {
        Ok(None) => {
            println!("{USAGE}");
            Ok(None)
        }
        Ok(given) => Ok(given),
        Err(argument) => {
            let mut refused = failure("command line", argument.display(), "not understood");
            refused.exit_status = 2;
            Err(refused.or(USAGE))
        }
    }
}

impl Options {
    /// Finds the directories.
    pub fn resolve(self) -> Result<Directories, Failure> {
        Ok(Directories {
            root: absolute(&self.root.unwrap_or_else(|| PathBuf::from(DEFAULT_ROOT)))?,
            libexec: absolute(&self.libexec.map_or_else(beside_own_program, Ok)?)?,
        })
    }
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

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Options>, OsString> {
    let mut given = Options::default();
    while let Some(argument) = arguments.next() {
        let place = match argument.to_str() {
            Some("--root") => &mut given.root,
            Some("--libexec") => &mut given.libexec,
            Some("--help" | "-h") => return Ok(None),
            Some(_) | None => return Err(argument),
        };
        *place = Some(arguments.next().ok_or(argument)?.into());
    }
    Ok(Some(given))
}

#[cfg(test)]
#[path = "../tests/unit/options.rs"]
mod tests;
