//! The model's file: found, checked, linked from `ROOT/etc/model.gguf`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::SetupError;
use super::made::{Made, part_name};

/// File name and SHA-256 of the default model.
#[derive(Clone, Copy, Debug)]
pub struct DefaultModel {
    /// SHA-256, in hexadecimal digits.
    pub sha256: &'static str,
    /// File name.
    pub name: &'static str,
}

/// The one that ./x setup gets. packaging/fetch-model reads the same line.
pub const DEFAULT_MODEL: DefaultModel = split(include_str!("../../../packaging/default-model.sha256"));

/// First bytes of every model file.
const MAGIC: &[u8; 4] = b"GGUF";

const fn split(line: &'static str) -> DefaultModel {
    const DIGITS: usize = 64;
    const GAP: usize = 2;
    let (sha256, rest) = line.split_at(DIGITS);
    let (_, name) = rest.split_at(GAP);
    let (name, _) = name.split_at(name.len() - 1);
    DefaultModel { sha256, name }
}

/// Sees to `ROOT/etc/model.gguf`. The file that it leads to, or `None` when there is none to be found.
pub fn install(root: &Path, asked_for: Option<&Path>, made: &mut Made) -> Result<Option<PathBuf>, SetupError> {
    let link = root.join("etc/model.gguf");
    let file = match asked_for {
        Some(file) => file.to_path_buf(),
        None if link.symlink_metadata().is_ok() => link.clone(),
        None => match find_default() {
            Some(file) => file,
            None => return Ok(None),
        },
    };
    let real = file.canonicalize().map_err(|e| SetupError::io("finding the model file", &file, e))?;
    check(&real)?;
    if link.canonicalize().ok().as_deref() != Some(&real) {
        put_link(&real, &link, made)?;
    }
    Ok(Some(real))
}

fn put_link(real: &Path, link: &Path, made: &mut Made) -> Result<(), SetupError> {
    let is_new = link.symlink_metadata().is_err();
    let part = part_name(link);
    symlink(real, &part).map_err(|e| SetupError::io("linking", link, e))?;
    if let Err(e) = fs::rename(&part, link) {
        drop(fs::remove_file(&part));
        return Err(SetupError::io("linking", link, e));
    }
    let line = format!("linked {} to {}", link.display(), real.display());
    if is_new {
        made.path(link, line);
    } else {
        made.other(line, || {});
    }
    Ok(())
}

/// Where ./x setup and the package put the default model.
fn find_default() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let sudoer = std::env::var("SUDO_USER")
        .ok()
        .and_then(|name| crate::accounts::by_name(&name))
        .map(|account| account.home.join(".cache"));
    [cache, home, sudoer, Some("/usr/share".into())]
        .into_iter()
        .flatten()
        .map(|dir| dir.join("chela/models").join(DEFAULT_MODEL.name))
        .find(|file| file.is_file())
}

/// Refuses a file that the model role could not use, and a default model that is not what it should be.
pub fn check(file: &Path) -> Result<(), SetupError> {
    let refuse = |problem: String| Err(SetupError::Model { file: file.to_path_buf(), problem });
    let io = |e| SetupError::io("reading the model file", file, e);
    let info = file.metadata().map_err(io)?;
    if !info.is_file() {
        return refuse("is not a file: name the .gguf file itself".into());
    }
    if info.mode() & 0o004 == 0 {
        return refuse(format!(
            "may not be read by other accounts, and the model runs as one of its own. Run: chmod o+r {}",
            file.display()
        ));
    }
    if file.file_name().is_some_and(|name| name == DEFAULT_MODEL.name) {
        let digest = digest_of(file).map_err(io)?;
        if digest != DEFAULT_MODEL.sha256 {
            return refuse(format!(
                "has the SHA-256 {digest}, not {}: it is damaged or not what it says. Delete it and get it again with ./x setup (packaging/fetch-model)",
                DEFAULT_MODEL.sha256
            ));
        }
        return Ok(());
    }
    let mut magic = [0; MAGIC.len()];
    let mut start = File::open(file).map_err(io)?;
    // An empty file stands for "a model that needs no weights", which is what the scripted model of the tests is.
    if info.len() > 0 && (start.read_exact(&mut magic).is_err() || magic != *MAGIC) {
        return refuse("is not in the GGUF format: name a .gguf file".into());
    }
    Ok(())
}

/// SHA-256 of a file, in hexadecimal digits.
fn digest_of(file: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut File::open(file)?, &mut HashWriter(&mut hasher))?;
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_is_named_by_the_file_that_the_download_reads() {
        assert!(DEFAULT_MODEL.name.ends_with(".gguf"), "{DEFAULT_MODEL:?}");
        assert!(DEFAULT_MODEL.sha256.bytes().all(|b| b.is_ascii_hexdigit()), "{DEFAULT_MODEL:?}");
    }
}
