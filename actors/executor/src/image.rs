//! An image as the root of a command: the executor knows its name and holds it, the sandbox's init makes it the root when
//! the request comes. What a sandbox has of its own (processes, devices, /tmp, workspace) is the same in it.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use images::{ENVIRONMENT, ENVIRONMENT_BYTES, ROOTFS, Store};
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use crate::command::Surroundings;
use crate::limits::{RUN_BYTES, RUN_INODES};
use crate::step::{At, Failure, Step};
use crate::{command, confine, directories};

/// Where the table puts the store, and where the sandboxes' root has it.
pub const STORE: &str = "/images";
/// Where a sandbox puts an image before it becomes the root: a directory with nothing in it.
const AT: &str = "/run";
/// What a sandbox takes along. The import made places for it.
const CARRIED: [&str; 5] = ["/dev", "/proc", "/tmp", "/workspace", directories::INSIDE];

/// An image's digest, SHA-256.
pub type Digest = [u8; 32];

/// An image that is in use, so that nobody removes it meanwhile.
#[derive(Debug)]
pub struct Held {
    /// Its digest.
    pub digest: Digest,
    _held: images::Held,
}

/// Holds the image of that name.
///
/// # Errors
/// In words for a person, when there is none.
pub fn hold(name: &str) -> Result<Held, String> {
    let store = Store::open(Path::new(STORE)).map_err(|error| format!("{error}: `chela setup` makes it"))?;
    let held = store.hold(name).map_err(|error| error.to_string())?;
    let digest = digest(&held.digest).ok_or_else(|| format!("{} is no digest", held.digest))?;
    Ok(Held { digest, _held: held })
}

fn digest(hex: &str) -> Option<Digest> {
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The root of a command.
#[derive(Debug)]
pub enum Root {
    /// The host's system directories.
    Host,
    /// An image's tree, with the environment of its configuration.
    Image(Vec<CString>),
}

impl Root {
    /// Makes the image the root of the calling process and of what it starts.
    ///
    /// # Errors
    /// The failed step.
    pub fn enter(image: Option<&Digest>) -> Result<Root, Failure> {
        let Some(image) = image else { return Ok(Root::Host) };
        let from = Path::new(STORE).join("roots").join(hex(image));
        let environment = environment(&from.join(ENVIRONMENT))?;
        let bind = MsFlags::MS_BIND;
        // Read-only, as the store's own mount is.
        mount(Some(&from.join(ROOTFS)), AT, None::<&str>, bind, None::<&str>).at(Step::Image)?;
        for place in CARRIED {
            match mount(
                Some(place),
                format!("{AT}{place}").as_str(),
                None::<&str>,
                bind | MsFlags::MS_REC,
                None::<&str>,
            ) {
                // Nobody has any further directory.
                Err(Errno::ENOENT) if place == directories::INSIDE => {}
                other => other.at(Step::Image)?,
            }
        }
        let options = format!("size={RUN_BYTES},nr_inodes={RUN_INODES},mode=0755");
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("run"), format!("{AT}/run").as_str(), Some("tmpfs"), flags, Some(options.as_str()))
            .at(Step::Image)?;
        chdir(AT).at(Step::Image)?;
        pivot_root(".", ".").at(Step::Image)?;
        umount2(".", MntFlags::MNT_DETACH).at(Step::Image)?;
        chdir("/").at(Step::Image)?;
        Ok(Root::Image(environment))
    }

    /// File access by Landlock, as this root is laid out. `writable`: names of directories that may be changed.
    /// `on_terminal`: as [`confine::landlock`] has it.
    ///
    /// # Errors
    /// The failed step.
    pub fn landlock(&self, writable: &[OsString], on_terminal: bool) -> Result<(), Failure> {
        match self {
            Root::Host => confine::landlock(writable, on_terminal),
            Root::Image(_) => confine::landlock_image(writable, on_terminal),
        }
    }

    /// Becomes its shell; returns only when that fails.
    pub fn exec(&self, line: &[u8], on: Surroundings) -> Failure {
        match self {
            Root::Host => command::exec(line, on),
            Root::Image(environment) => {
                let others = environment.iter().map(CString::as_c_str).filter(|one| !command::is_of_terminal(one));
                let environment: Vec<&CStr> = others.chain([command::terminal(on)]).collect();
                let failure = command::exec_in(line, &environment);
                if failure.step == Step::Exec { Failure::new(Step::ImageShell, failure.errno) } else { failure }
            }
        }
    }
}

/// An image's variables, and what every command is told.
fn environment(file: &Path) -> Result<Vec<CString>, Failure> {
    let mut text = Vec::new();
    let limit = ENVIRONMENT_BYTES as u64;
    File::open(file).and_then(|file| file.take(limit).read_to_end(&mut text)).at(Step::Image)?;
    Ok(joined(&text))
}

/// Where the image is silent the host's own values stand; what speaks of the sandbox is not the image's to say.
fn joined(text: &[u8]) -> Vec<CString> {
    const THE_IMAGES: [&[u8]; 2] = [b"PATH", b"LANG"];
    let name = |variable: &[u8]| variable.split(|byte| *byte == b'=').next().unwrap_or_default().to_vec();
    let ours: Vec<&CStr> = command::environment(Surroundings::Pipes);
    let is_ours = |variable: &[u8]| {
        let name = name(variable);
        !THE_IMAGES.contains(&&name[..])
            && ours.iter().any(|our| our.to_bytes().starts_with(&[&name[..], b"="].concat()))
    };
    let image: Vec<CString> = text
        .split(|byte| *byte == 0)
        .filter(|variable| !variable.is_empty() && !is_ours(variable))
        .filter_map(|variable| CString::new(variable).ok())
        .collect();
    let has = |wanted: &[u8]| image.iter().any(|variable| name(variable.to_bytes()) == wanted);
    let missing = ours.iter().filter(|our| !has(&name(our.to_bytes()))).map(|our| (*our).to_owned());
    let missing: Vec<CString> = missing.collect();
    image.into_iter().chain(missing).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        let text = "0f".repeat(32);
        assert_eq!(digest(&text).map(|digest| hex(&digest)), Some(text.clone()));
        for bad in ["", "0f", &text[1..], &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(digest(bad), None);
        }
    }

    #[test]
    fn the_images_variables_stand_but_for_what_speaks_of_the_sandbox() {
        let all = joined(b"PATH=/opt/bin\0HOME=/root\0PYTHON_VERSION=3.13\0TMPDIR=/var\0");
        let all: Vec<&str> = all.iter().map(|variable| variable.to_str().unwrap()).collect();
        assert_eq!(all[..2], ["PATH=/opt/bin", "PYTHON_VERSION=3.13"]);
        for ours in ["HOME=/workspace", "USER=user", "LANG=C.UTF-8", "TMPDIR=/tmp"] {
            assert!(all.contains(&ours), "{all:?}");
        }
        assert_eq!(all.iter().filter(|variable| variable.starts_with("PATH=")).count(), 1);
        assert_eq!(joined(b"").len(), command::environment(Surroundings::Pipes).len());
    }
}
