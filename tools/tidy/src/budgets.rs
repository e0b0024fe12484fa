//! Budgets: lines of a crate (`[package.metadata.chela] lines-max`), of a file, of a function; unsafe code in `sys.rs`
//! only; no crate in the launcher but those it was granted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::lexer::{blank, code_lines, functions};

/// Lines of a file, all of them.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function, from its name to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a `main`.
const MAIN_LINES_MAX: usize = 20;
/// All that the launcher may link: DESIGN, section 3.
const LAUNCHER_CRATES: [&str; 4] = ["caps", "libc", "nix", "roles"];

/// Every line of trouble.
pub fn check(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut files = Vec::new();
    sources(root, &mut files);
    for file in &files {
        match fs::read_to_string(file) {
            Ok(source) => check_file(file.strip_prefix(root).unwrap_or(file), &source, &mut found),
            Err(e) => found.push(format!("{}: {e}", file.display())),
        }
    }
    for manifest in files_named(root, "Cargo.toml") {
        check_crate(root, &manifest, &mut found);
    }
    found
}

fn check_file(path: &Path, source: &str, found: &mut Vec<String>) {
    let lines = source.lines().count();
    if lines > FILE_LINES_MAX {
        found.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}: split it by what it does", path.display()));
    }
    let blanked = blank(source);
    for (name, first, lines) in functions(&blanked) {
        let is_program = path.components().any(|part| part.as_os_str() == "src");
        let most = if name == "main" && is_program { MAIN_LINES_MAX } else { FUNCTION_LINES_MAX };
        if lines > most {
            found.push(format!("{}:{first}: fn {name} has {lines} lines, at most {most}", path.display()));
        }
    }
    if path.file_name().is_some_and(|name| name == "sys.rs") || path.components().any(|part| part.as_os_str() == "sys")
    {
        return;
    }
    for (number, line) in blanked.lines().enumerate() {
        let is_unsafe = line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        if is_unsafe {
            found.push(format!("{}:{}: unsafe code outside a sys.rs", path.display(), number + 1));
        }
    }
}

fn check_crate(root: &Path, manifest: &Path, found: &mut Vec<String>) {
    let shown = manifest.strip_prefix(root).unwrap_or(manifest).display().to_string();
    let table: toml::Table = match fs::read_to_string(manifest).map(|text| text.parse()) {
        Ok(Ok(table)) => table,
        Ok(Err(e)) => return found.push(format!("{shown}: {e}")),
        Err(e) => return found.push(format!("{shown}: {e}")),
    };
    let package = table.get("package");
    let budget = package.and_then(|p| p.get("metadata")?.get("chela")?.get("lines-max")?.as_integer());
    if let (Some(most), Some(dir)) = (budget, manifest.parent()) {
        let mut files = Vec::new();
        sources(&dir.join("src"), &mut files);
        let lines: usize = files
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok())
            .map(|source| code_lines(&blank(without_tests(&source))))
            .sum();
        if usize::try_from(most).is_ok_and(|most| lines > most) {
            found.push(format!("{shown}: {lines} lines of code, lines-max says {most}"));
        }
    }
    let is_launcher = package.and_then(|p| p.get("name")?.as_str()) == Some("chela-launcher");
    if is_launcher {
        if budget.is_none() {
            found.push(format!("{shown}: no [package.metadata.chela] lines-max: the launcher has a budget of 1500"));
        }
        let linked = table.get("dependencies").and_then(toml::Value::as_table).into_iter().flat_map(|t| t.keys());
        for name in linked.filter(|name| !LAUNCHER_CRATES.contains(&name.as_str())) {
            found.push(format!("{shown}: links {name}; the launcher links {} only", LAUNCHER_CRATES.join(", ")));
        }
    }
}

/// What ships: the module of tests stands last in a file.
fn without_tests(source: &str) -> &str {
    source.split_once("#[cfg(test)]\nmod tests").map_or(source, |(before, _)| before)
}

/// Every Rust file below `dir`, build output aside.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// Manifests of the workspace's crates.
pub fn files_named(root: &Path, name: &str) -> Vec<PathBuf> {
    let two_up = |dir: &Path| -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !path.ends_with("target")).collect()
    };
    let first = two_up(root);
    let second: Vec<PathBuf> = first.iter().flat_map(|dir| two_up(dir)).collect();
    first.into_iter().chain(second).map(|dir| dir.join(name)).filter(|file| file.is_file()).collect()
}
