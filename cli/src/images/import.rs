//! `chela images import`: root opens the image's files and keeps the result; in between, a process that has given up
//! everything but those files and one empty directory reads and unpacks.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use images::{ANSWER_BYTES, Opened, Unpacked, Wanted, hand};
use roles::rows::unpack::ACCOUNT;
use schema::image::{NAME_RULE, is_name};
use serde_json::json;

use super::child::Answer;
use super::{ImportArgs, as_json, failed, in_words, need_root, open};
use crate::accounts;
use crate::error::CliError;
use crate::screen;

/// Runs it.
pub fn import(root: &Path, json: bool, args: &ImportArgs) -> Result<ExitCode, CliError> {
    need_root(&format!("import {}", args.path.display()))?;
    if let Some(name) = args.name.as_deref().filter(|name| !is_name(name)) {
        return Err(CliError::Usage(format!("{name:?} can't be an image's name: {NAME_RULE}")));
    }
    let account = accounts::by_name(ACCOUNT).ok_or_else(|| {
        failed(format!("there is no account {ACCOUNT}: run ./x setup, or systemd-sysusers with Chela's own file"))
    })?;
    let store = open(root)?.change().map_err(failed)?;
    let opened = images::open(&args.path).map_err(failed)?;
    let have = store.store().list().map_err(failed)?.into_values().map(|image| image.digest).collect();
    let wanted = Wanted { reference: args.reference.clone(), have };
    let into = store.begin(Some((account.uid, account.gid))).map_err(failed)?;
    let unpacked = unpack(&opened, into.as_fd(), &wanted)?;
    drop((opened, into));
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.path, unpacked.reference.as_deref())
            .ok_or_else(|| CliError::Usage(format!("give it a name with --name: {NAME_RULE}")))?,
    };
    let image = store.keep(&unpacked, &name).map_err(failed)?;
    if json {
        let mut report = as_json(&name, &image);
        report["had"] = json!(unpacked.had);
        report["notes"] = json!(unpacked.notes);
        screen::json(&report);
    } else {
        println!("imported {name}: {}", in_words(&image));
        for note in &unpacked.notes {
            println!("  {}", screen::printable(note));
        }
        println!("  try: chela tool run_command '{{\"image\":\"{name}\",\"command\":\"cat /etc/os-release\"}}'");
    }
    Ok(ExitCode::SUCCESS)
}

/// Has it unpacked.
fn unpack(opened: &Opened, into: BorrowedFd<'_>, wanted: &Wanted) -> Result<Unpacked, CliError> {
    let io = |step: &'static str| move |error| CliError::io(step, "the process that unpacks", error);
    let (ours, theirs) = hand::pair().map_err(io("making a socket for"))?;
    let child = start(theirs).map_err(io("starting"))?;
    // When it has ended already, its answer says why.
    let handed = hand::send(&ours, opened, into, wanted);
    drop(ours);
    let (answer, ended) = answer(child)?;
    match answer {
        Some(Answer::Unpacked(unpacked)) => {
            handed.map_err(io("handing the image to"))?;
            Ok(unpacked)
        }
        Some(Answer::Refused(why)) => Err(CliError::Failed(why)),
        None => {
            Err(failed(format!("the process that unpacks ended without an answer ({ended}): the image is refused")))
        }
    }
}

fn start(socket: OwnedFd) -> std::io::Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["images", "unpack"]).env_clear();
    command.stdin(Stdio::from(socket)).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// What it answers; `None` when that makes no sense.
fn answer(mut child: Child) -> Result<(Option<Answer>, ExitStatus), CliError> {
    let mut text = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let stdout = File::from(OwnedFd::from(stdout));
        let read = stdout.take(ANSWER_BYTES).read_to_end(&mut text);
        read.map_err(|error| CliError::io("reading from", "the process that unpacks", error))?;
    }
    // Should it have more to say, it is none of ours.
    drop(child.kill());
    let ended = child.wait().map_err(|error| CliError::io("waiting for", "the process that unpacks", error))?;
    Ok((serde_json::from_slice(&text).ok(), ended))
}

/// A name from the file's and the reference: `debian` and `13` make `debian:13`; a whole reference stands for itself.
fn name_of(path: &Path, reference: Option<&str>) -> Option<String> {
    let stem = path.file_stem()?.to_str()?.to_lowercase();
    let name = match reference {
        Some(reference) if reference.contains(['/', ':']) => reference.to_owned(),
        Some(reference) if reference != "latest" => format!("{stem}:{reference}"),
        Some(_) | None => stem,
    };
    is_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_file_and_reference() {
        let name = |path: &str, reference| name_of(Path::new(path), reference);
        assert_eq!(name("/x/Debian.tar", None).as_deref(), Some("debian"));
        assert_eq!(name("debian", Some("13")).as_deref(), Some("debian:13"));
        assert_eq!(name("a.tar", Some("latest")).as_deref(), Some("a"));
        let whole = "docker.io/library/debian:13";
        assert_eq!(name("a.tar", Some(whole)).as_deref(), Some(whole));
        assert_eq!(name("a b.tar", None), None);
        assert_eq!(name("a.tar", Some("x y")), None);
    }
}
