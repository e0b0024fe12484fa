//! Checks of the sources themselves, and the tables that documents take from the code.
//!
//! usage: chela-tidy check | docs | licences
//!   check     budgets of crates, files and functions; unsafe code; whether the tables in the documents are fresh
//!   docs      writes those tables
//!   licences  every crate's licence against deny.toml, without network
#![forbid(unsafe_code)]

mod budgets;
mod lexer;
mod licences;
mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = root();
    let found = match std::env::args().nth(1).as_deref() {
        Some("check") => check(&root),
        Some("docs") => tables::write(&root),
        Some("licences") => licences::check(&root),
        Some(_) | None => {
            eprintln!("usage: chela-tidy check | docs | licences");
            return ExitCode::from(2);
        }
    };
    for line in &found {
        eprintln!("{line}");
    }
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The root of the repository: two directories above this crate.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

fn check(root: &Path) -> Vec<String> {
    let mut found = budgets::check(root);
    found.extend(tables::stale(root));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let found = check(&root());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn every_licence_is_allowed() {
        let found = licences::check(&root());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
