//! `chela workspace`: directories of a person's own, besides the workspace, that root adds for the sandboxes.
//!
//! Each is a link in `DIR/etc/directories/PRINCIPAL/read-only` or `read-write`, by its name. The link belongs to the user
//! and group whose files the directory has: the launcher maps these, and no others, to the executor's account. The
//! directories above the link are root's alone, so nobody else can make, change or move one.

mod check;
mod errors;
mod registry;
mod sys;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roles::Role;
use schema::limits::RELOAD_WAIT_S;

use crate::screen;
use crate::{audit, setup};
use errors::WorkspaceError;
use registry::Added;
pub use registry::Registry;

/// Options of `chela workspace`.
#[derive(clap::Args, Debug)]
pub struct WorkspaceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Add a directory. Commands see it as /directories/NAME; its files keep their owner.
    Add {
        /// The directory.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// For whom. Default: the owner.
        #[arg(long = "as", value_name = "PRINCIPAL")]
        principal: Option<String>,
        /// What it is called inside. Default: its own name.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Nothing in it may be changed.
        #[arg(long)]
        read_only: bool,
    },
    /// The directories that were added, and whether each is in use.
    List {
        /// Whose. Default: the owner's.
        #[arg(long = "as", value_name = "PRINCIPAL")]
        principal: Option<String>,
    },
    /// Take a directory away again. Its files stay as they are.
    Remove {
        /// What it is called inside.
        name: String,
        /// Whose. Default: the owner's.
        #[arg(long = "as", value_name = "PRINCIPAL")]
        principal: Option<String>,
    },
}

/// Runs it. Exit status 0, or 1 with a line that says what is wrong and the way out.
pub fn run(root: &Path, json: bool, args: &WorkspaceArgs) -> ExitCode {
    match workspace(root, json, &args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                screen::json(&serde_json::json!({ "error": error.to_string() }));
            }
            eprintln!("chela workspace: {error}");
            ExitCode::FAILURE
        }
    }
}

fn workspace(root: &Path, json: bool, command: &Command) -> Result<(), WorkspaceError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(WorkspaceError::NotRoot);
    }
    let root = root.canonicalize().map_err(|e| WorkspaceError::io("find the root directory", root, e))?;
    match command {
        Command::Add { directory, principal, name, read_only } => {
            let registry = Registry::of(&root, principal.as_deref())?;
            let added = registry.add(directory, name.as_deref(), *read_only)?;
            say(
                json,
                &added,
                &format!("{} is /directories/{} inside", added.path.display(), added.name),
                reload(&root),
            );
        }
        Command::Remove { name, principal } => {
            let registry = Registry::of(&root, principal.as_deref())?;
            let removed = registry.remove(name)?;
            let told = reload(&root);
            // Its executor removes what it made there when it ends; where there is none, it is done here.
            if !mounted(&root, registry.principal).contains(&removed.inside()) {
                drop(std::fs::remove_dir(removed.path.join(STAGING)));
            }
            let text = format!("{} is taken away; its files stay as they are", removed.path.display());
            say(json, &removed, &text, told);
        }
        Command::List { principal } => list(json, &root, &Registry::of(&root, principal.as_deref())?)?,
    }
    Ok(())
}

/// Tells chelad, which tells the executors: each starts anew as soon as nothing runs in it. Whether there is a chelad.
fn reload(root: &Path) -> bool {
    let launcher = audit::find_launcher(root).ok().and_then(|pid| i32::try_from(pid).ok());
    launcher.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGHUP).is_ok())
}

fn say(json: bool, what: &Added, text: &str, told: bool) {
    if json {
        return screen::json(&serde_json::json!({ "directory": what, "told": told }));
    }
    let when = match told {
        true => format!(
            "the executor starts anew with it as soon as no command runs; one in the background is stopped after {} minutes, and \
             nothing that it changed is kept",
            RELOAD_WAIT_S / 60
        ),
        false => "chelad does not run here: it holds from its next start".to_owned(),
    };
    println!("{text}; {when}.");
}

fn list(json: bool, root: &Path, registry: &Registry) -> Result<(), WorkspaceError> {
    let mounted = mounted(root, registry.principal);
    let mut all = registry.read()?;
    for one in &mut all {
        one.in_use = mounted.contains(&one.inside());
    }
    if json {
        screen::json(&all);
        return Ok(());
    }
    for one in &all {
        let mode = if one.read_only { "read-only" } else { "read-write" };
        let state = match (&one.trouble, one.in_use) {
            (Some(trouble), _) => trouble.as_str(),
            (None, true) => "in use",
            (None, false) => "not in use: no executor runs, or var/log/executor-N.log says why",
        };
        println!("/directories/{}  {}  {mode}  {state}", one.name, one.path.display());
    }
    if all.is_empty() {
        println!("No directory was added. Add one with: chela workspace add DIR");
    }
    Ok(())
}

/// The directory that an executor makes in each that it may change; what is in it is never lost by removing it empty.
const STAGING: &str = ".chela-staging";

/// What the running executor of this principal has, as the kernel says.
fn mounted(root: &Path, principal: u32) -> Vec<String> {
    let Ok(launcher) = audit::find_launcher(root) else { return Vec::new() };
    audit::mounts_of(launcher, Role::Executor, principal)
}

/// The owner's number and name: so far there is no other principal.
fn owner(root: &Path) -> Result<(u32, String), WorkspaceError> {
    const OWNER: u32 = 1;
    Ok((OWNER, setup::owner_name_of(&root.join("etc/gate/gate.toml"))?))
}
