//! `chela images`: OCI images that commands can have as their root.

mod child;
mod import;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use images::{Named, Store};
use serde_json::json;

use crate::error::{CliError, finish};
use crate::screen::{self, Screen};
use crate::{date, paths};

/// Options of `chela images`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: skopeo copy docker://docker.io/library/debian:13 oci-archive:debian.tar\n         \
                        sudo chela images import debian.tar --name debian:13\n         \
                        chela tool run_command '{\"image\":\"debian:13\",\"command\":\"cat /etc/os-release\"}'")]
pub struct ImagesArgs {
    #[command(subcommand)]
    command: ImagesCommand,
}

#[derive(clap::Subcommand, Debug)]
enum ImagesCommand {
    /// Check, unpack and keep the image of an OCI layout directory or archive. Needs root.
    Import(ImportArgs),
    /// Every image by its name.
    List,
    /// Remove a name, and the image with its last one. Needs root.
    Remove {
        /// Which.
        name: String,
    },
    /// What import has done in a process without any privilege.
    #[command(hide = true)]
    Unpack,
}

/// Options of `chela images import`.
#[derive(clap::Args, Debug)]
pub struct ImportArgs {
    /// The layout's directory, or an archive of it.
    path: PathBuf,
    /// The name that commands use. Default: the file's own, with the image's reference.
    #[arg(long)]
    name: Option<String>,
    /// Which image, where the layout holds several.
    #[arg(long)]
    reference: Option<String>,
}

/// Runs it.
pub fn run(root: &Path, json: bool, args: &ImagesArgs) -> ExitCode {
    let result = match &args.command {
        ImagesCommand::Import(args) => import::import(root, json, args),
        ImagesCommand::List => list(root, json),
        ImagesCommand::Remove { name } => remove(root, json, name),
        ImagesCommand::Unpack => return child::run(),
    };
    finish("images", json, result)
}

fn open(root: &Path) -> Result<Store, CliError> {
    Store::open(&paths::images(root)).map_err(|error| {
        CliError::Failed(format!("{error}\n  Make it with: sudo chela --root {} setup", root.display()))
    })
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

fn need_root(what: &str) -> Result<(), CliError> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(CliError::Failed(format!("images are everybody's, so that needs root: sudo chela images {what}")))
}

/// As `--json` prints it.
fn as_json(name: &str, image: &Named) -> serde_json::Value {
    json!({
        "name": name, "digest": format!("sha256:{}", image.digest), "imported": date::utc(image.imported_s * 1000),
        "layers": image.layers, "bytes": image.bytes, "entries": image.entries,
    })
}

/// In one line.
fn in_words(image: &Named) -> String {
    let mib = image.bytes.div_ceil(1 << 20);
    let layers = if image.layers == 1 { "layer" } else { "layers" };
    format!("{mib} MiB, {} {layers}, {} entries, sha256:{}", image.layers, image.entries, &image.digest[..12])
}

fn list(root: &Path, json: bool) -> Result<ExitCode, CliError> {
    let images = open(root)?.list().map_err(failed)?;
    if json {
        screen::json(&images.iter().map(|(name, image)| as_json(name, image)).collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    let mut screen = Screen::stdout();
    if images.is_empty() {
        screen.text("no image. Import one with: sudo chela images import PATH\n");
    }
    for (name, image) in &images {
        let imported = date::utc(image.imported_s * 1000);
        screen.text(&format!("{name}  {}, imported {}\n", in_words(image), &imported[..10]));
    }
    screen.end();
    Ok(ExitCode::SUCCESS)
}

fn remove(root: &Path, json: bool, name: &str) -> Result<ExitCode, CliError> {
    need_root(&format!("remove {name}"))?;
    let removed = open(root)?.change().and_then(|store| store.remove(name)).map_err(failed)?;
    if json {
        screen::json(&json!({
            "removed": name, "digest": format!("sha256:{}", removed.digest),
            "gone": removed.still.is_empty(), "names": removed.still,
        }));
    } else if removed.still.is_empty() {
        println!("removed {name}");
    } else {
        println!("removed the name {name}; the image stays as {}", removed.still.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}
