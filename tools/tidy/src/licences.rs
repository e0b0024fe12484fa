//! Every crate's licence against the list in deny.toml, from cargo's own metadata, without network.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Every line of trouble.
pub fn check(root: &Path) -> Vec<String> {
    match (allowed(root), packages(root)) {
        (Ok(allowed), Ok(packages)) => packages
            .into_iter()
            .filter(|(_, licence)| !is_allowed(licence, &allowed))
            .map(|(name, licence)| format!("{name}: licence {licence:?} is not in deny.toml"))
            .collect(),
        (Err(why), _) | (_, Err(why)) => vec![why],
    }
}

fn allowed(root: &Path) -> Result<Vec<String>, String> {
    let path = root.join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let table: toml::Table = text.parse().map_err(|e| format!("{}: {e}", path.display()))?;
    let list = table.get("licenses").and_then(|t| t.get("allow")?.as_array());
    let list = list.ok_or_else(|| format!("{}: no licenses.allow", path.display()))?;
    Ok(list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

fn packages(root: &Path) -> Result<Vec<(String, String)>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--locked",
            "--filter-platform",
            "x86_64-unknown-linux-gnu",
        ])
        .current_dir(root);
    let output = cargo.output().map_err(|e| format!("cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata: no packages")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    Ok(packages.iter().map(|package| (text(&package["name"]), text(&package["license"]))).collect())
}

/// `A OR B` takes one of them, `A AND B` both. Pure.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let old_style = licence.replace('/', " OR ").replace(['(', ')'], "");
    let one = |name: &str| allowed.iter().any(|known| known == name.trim());
    old_style.split(" AND ").all(|part| part.split(" OR ").any(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_several_is_enough_and_all_of_several_are_needed() {
        let allowed = ["MIT".to_string(), "Unicode-3.0".to_string()];
        assert!(is_allowed("MIT OR GPL-3.0", &allowed));
        assert!(is_allowed("Apache-2.0/MIT", &allowed));
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
        assert!(!is_allowed("MIT AND GPL-3.0", &allowed));
        assert!(!is_allowed("", &allowed));
    }
}
