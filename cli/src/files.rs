//! `chela files get` and `chela files put`: copies out of and into the workspace, through the same gate as every tool. A
//! `put` is an action, which can be undone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schema::edge::local::{FromClient, ToClient};
use schema::limits::{PUT_BYTES_MAX, UPLOAD_BYTES_MAX, UPLOAD_PART_BYTES};
use schema::tool::{Ended, ToolOutcome};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::client::Service;
use crate::error::{CliError, finish};
use crate::limits::GET_BYTES_MAX;
use crate::screen;
use crate::tool;

/// Options of `chela files`.
#[derive(clap::Args, Debug)]
pub struct FilesArgs {
    /// On whose behalf; needs that principal's consent or root.
    #[arg(long = "as", value_name = "PRINCIPAL", global = true)]
    principal: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Copy a file out of the workspace.
    Get {
        /// In the workspace.
        path: String,
        /// Where to: a file that is not there yet, a directory, or `-` for standard output; else the file's own name here.
        dest: Option<PathBuf>,
        /// Replace what is there.
        #[arg(long)]
        force: bool,
    },
    /// Copy a file into the workspace: an action, shown and committed as any other.
    Put {
        /// A file, or `-` for standard input.
        source: PathBuf,
        /// In the workspace.
        path: String,
    },
}

/// Runs it. Status 0 when the copy is whole, 1 when it was refused or failed.
pub fn run(root: &Path, json: bool, args: &FilesArgs) -> ExitCode {
    let result = match &args.command {
        Command::Get { path, dest, force } => get(root, json, args, (path, dest.as_deref(), *force)),
        Command::Put { source, path } => put(root, json, args, source, path),
    };
    finish("files", json, result)
}

fn put(root: &Path, json: bool, args: &FilesArgs, source: &Path, path: &str) -> Result<ExitCode, CliError> {
    let named = source.display().to_string();
    let opened: io::Result<Box<dyn Read>> = if named == "-" {
        Ok(Box::new(io::stdin().lock()))
    } else {
        if source.metadata().is_ok_and(|facts| facts.len() > UPLOAD_BYTES_MAX as u64) {
            return Err(too_large(&named));
        }
        File::open(source).map(|file| Box::new(file) as Box<dyn Read>)
    };
    let mut opened = opened.map_err(|error| CliError::io("open", &*named, error))?;
    let content = part(&mut *opened, PUT_BYTES_MAX, &named)?;
    let next = part(&mut *opened, 1, &named)?;
    if next.is_empty() {
        let arguments = json!({ "path": path, "content_base64": BASE64_STANDARD.encode(&content) });
        return tool::once(root, json, args.principal.clone(), "write_file", &arguments);
    }
    let arguments = upload(root, args, [content, next].concat(), &mut *opened, (&named, path))?;
    tool::once(root, json, args.principal.clone(), "put_file", &arguments)
}

/// Hands a larger file over in parts, which are no action; the arguments of the call that then writes it.
fn upload(
    root: &Path,
    args: &FilesArgs,
    begun: Vec<u8>,
    rest: &mut dyn Read,
    (named, path): (&str, &str),
) -> Result<serde_json::Value, CliError> {
    let service = Service::of(root)?;
    let number = getrandom::u64().map_err(|error| CliError::io("number the file", named, io::Error::other(error)))?;
    let (mut digest, mut offset, mut held) = (Sha256::new(), 0, begun);
    loop {
        let more = part(rest, UPLOAD_PART_BYTES.saturating_sub(held.len()), named)?;
        let bytes: Vec<u8> = [&held[..held.len().min(UPLOAD_PART_BYTES)], &more].concat();
        held.drain(..held.len().min(UPLOAD_PART_BYTES));
        if bytes.is_empty() {
            break;
        }
        if offset as usize + bytes.len() > UPLOAD_BYTES_MAX {
            return Err(too_large(named));
        }
        digest.update(&bytes);
        let (length, principal) = (bytes.len() as u64, args.principal.clone());
        let request = FromClient::Upload { principal, upload: number, offset, bytes };
        offset += length;
        let there = service
            .request(&request, |message| if let ToClient::Uploaded { bytes } = message { Some(bytes) } else { None })?;
        if there != offset {
            return Err(CliError::Failed(format!("{there} of {offset} bytes of {named} arrived; put it again")));
        }
    }
    let sha256: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(json!({ "path": path, "upload": number, "bytes": offset, "sha256": sha256 }))
}

fn too_large(named: &str) -> CliError {
    CliError::Usage(format!(
        "{named} has more than {UPLOAD_BYTES_MAX} bytes, which one action may put; put it in parts (split -b 64M) and join them \
         with: chela tool run_command command='cat PARTS >WHOLE'"
    ))
}

/// The next bytes, at most so many; fewer at the end only.
fn part(from: &mut dyn Read, bytes_max: usize, named: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    from.take(bytes_max as u64).read_to_end(&mut bytes).map_err(|error| CliError::io("read", named, error))?;
    Ok(bytes)
}

fn get(
    root: &Path,
    json: bool,
    args: &FilesArgs,
    (path, dest, force): (&str, Option<&Path>, bool),
) -> Result<ExitCode, CliError> {
    let service = Service::of(root)?;
    let content = whole(&service, args.principal.as_deref(), path)?;
    let dest = destination(path, dest);
    if dest.as_os_str() == "-" {
        if json {
            return Err(CliError::Usage(
                "with --json, name a file to copy to: standard output has the JSON".to_owned(),
            ));
        }
        io::stdout().write_all(&content).map_err(|error| CliError::io("write", "standard output", error))?;
        return Ok(ExitCode::SUCCESS);
    }
    save(&dest, &content, force)?;
    if json {
        screen::json(&json!({ "path": path, "saved": dest.display().to_string(), "bytes": content.len() }));
    }
    Ok(ExitCode::SUCCESS)
}

/// The file in parts, which must be of one and the same file.
fn whole(service: &Service, principal: Option<&str>, path: &str) -> Result<Vec<u8>, CliError> {
    let mut content = Vec::new();
    let mut first = None;
    loop {
        let arguments = json!({ "path": path, "offset": content.len() });
        let part = tool::ask(service, principal, "get_file", &arguments)?;
        let (bytes, version) = told(path, &part)?;
        if bytes > GET_BYTES_MAX {
            return Err(CliError::Failed(format!(
                "{path} has {bytes} bytes, more than the {GET_BYTES_MAX} that are copied out; make it smaller by a command"
            )));
        }
        if first.get_or_insert_with(|| version.clone()) != &version {
            return Err(CliError::Failed(format!("{path} was changed while it was copied; try again")));
        }
        content.extend_from_slice(&part.stdout);
        if content.len() as u64 >= bytes {
            return Ok(content);
        }
        if part.stdout.is_empty() {
            return Err(CliError::Failed(format!("{path} ended before its {bytes} bytes; try again")));
        }
    }
}

/// Length of the whole file, and what is another word when it is another file.
fn told(path: &str, part: &ToolOutcome) -> Result<(u64, String), CliError> {
    let said = String::from_utf8_lossy(&part.stderr).trim().to_owned();
    let failed = || CliError::Failed(if said.is_empty() { format!("{path} could not be read") } else { said.clone() });
    if part.ended != (Ended::Exited { code: 0 }) || part.stdout_dropped_bytes > 0 {
        return Err(failed());
    }
    let (bytes, version) = said.split_once(' ').ok_or_else(failed)?;
    Ok((bytes.parse().map_err(|_| failed())?, version.to_owned()))
}

fn destination(path: &str, dest: Option<&Path>) -> PathBuf {
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    match dest {
        None => PathBuf::from(name),
        Some(dest) if dest.is_dir() => dest.join(name),
        Some(dest) => dest.to_path_buf(),
    }
}

/// Written beside it and renamed: a copy is whole or not there.
fn save(dest: &Path, content: &[u8], force: bool) -> Result<(), CliError> {
    let named = dest.display().to_string();
    if !force && dest.symlink_metadata().is_ok() {
        return Err(CliError::Usage(format!("{named} is there already; name another file, or say --force")));
    }
    let mut part = dest.as_os_str().to_owned();
    part.push(format!(".part-{}", std::process::id()));
    let part = PathBuf::from(part);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&part)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&part, dest));
    written.map_err(|error| {
        // What is left of it is of no use.
        let _ = fs::remove_file(&part);
        CliError::io("write", named, error)
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::destination;

    #[test]
    fn a_copy_gets_the_files_own_name_where_none_is_given() {
        assert_eq!(destination("a/b.txt", None), PathBuf::from("b.txt"));
        assert_eq!(destination("b.txt", Some(Path::new("/"))), PathBuf::from("/b.txt"));
        assert_eq!(destination("b.txt", Some(Path::new("/nowhere/c"))), PathBuf::from("/nowhere/c"));
        assert_eq!(destination("b.txt", Some(Path::new("-"))), PathBuf::from("-"));
    }
}
