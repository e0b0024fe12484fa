//! `chela setup`: makes a root directory ready for chelad, or gives its ids back. Run again, it changes nothing.
//!
//! What it makes: `DIR/etc` with commented configuration, a block of user ids of this root's own in `DIR/etc/uids`
//! (recorded in the registry, so that two roots never share one), and the link to the model's file. What fails leaves
//! nothing behind.

mod errors;
mod forget;
mod ids;
mod layout;
mod made;
mod model;
mod registry;

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

pub use errors::SetupError;
pub use ids::{RANGE_HOLDER, reserved_range};
pub use layout::{owner_name_of, owner_of};
pub use model::{DEFAULT_MODEL, check as check_model};
pub use registry::{REGISTRY, block_of, read_uids, roots};

/// Options of `chela setup`.
#[derive(clap::Args, Debug)]
pub struct SetupArgs {
    /// User id of the owner. Default: who started this, also through sudo.
    #[arg(long, value_name = "UID")]
    owner_uid: Option<u32>,
    /// Model file (GGUF) to use. Default: the one that is set up, else the default model where ./x setup put it.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Ask nothing.
    #[arg(long)]
    yes: bool,
    /// Give back the ids of this root directory instead, before it is deleted.
    #[arg(long, value_name = "DIR")]
    forget: Option<PathBuf>,
}

/// What was set up, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Report {
    root: PathBuf,
    owner_uid: u32,
    ids_base: u32,
    ids_count: u32,
    model: Option<PathBuf>,
    /// What this run made or changed; empty when all was there.
    changed: Vec<String>,
}

/// Runs it. Exit status 0, or 1 with a line on standard error that names the step, the object and the way out.
pub fn run(root: &Path, json: bool, args: &SetupArgs) -> ExitCode {
    let result = match &args.forget {
        Some(dir) => forget::forget(dir).map(|lines| print_forgotten(dir, &lines, json)),
        None => set_up(root, args).map(|report| print_report(report.as_ref(), json)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chela setup: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `Ok(None)`: the person said no.
fn set_up(root: &Path, args: &SetupArgs) -> Result<Option<Report>, SetupError> {
    require_root("chela setup")?;
    let accounts = ids::role_accounts()?;
    let range = reserved_range()?;
    let root = layout::absolute(root)?;
    layout::check_place(&root)?;
    let owner_uid = match args.owner_uid {
        Some(uid) => uid,
        None => ids::who_started()?,
    };
    if !agreed(&root, owner_uid, args.yes)? {
        return Ok(None);
    }
    let mut made = made::Made::default();
    layout::make_directories(&root, &accounts, &mut made)?;
    let owner_uid = layout::write_configuration(&root, owner_uid, args.owner_uid.is_some(), &accounts, &mut made)?;
    let model = model::install(&root, args.model.as_deref(), &mut made)?;
    let block = registry::assign(&root, range, &mut made)?;
    Ok(Some(Report { root, owner_uid, ids_base: block.base, ids_count: block.count, model, changed: made.keep() }))
}

fn agreed(root: &Path, owner_uid: u32, yes: bool) -> Result<bool, SetupError> {
    let input = std::io::stdin();
    if yes || !input.is_terminal() || root.join("etc/uids").exists() {
        return Ok(true);
    }
    print!("Set up {} with user id {owner_uid} as the owner? [Y/n] ", root.display());
    let mut line = String::new();
    std::io::stdout()
        .flush()
        .and_then(|()| input.lock().read_line(&mut line))
        .map_err(|e| SetupError::io("asking on the terminal", Path::new("standard input"), e))?;
    Ok(!line.trim().to_lowercase().starts_with('n'))
}

/// Refuses when the effective user isn't root.
fn require_root(what: &'static str) -> Result<(), SetupError> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(SetupError::NotRoot { what }) }
}

fn print_report(report: Option<&Report>, json: bool) -> ExitCode {
    let Some(report) = report else {
        println!("Nothing was changed.");
        return ExitCode::FAILURE;
    };
    if json {
        return print_json(report);
    }
    for line in &report.changed {
        println!("{line}");
    }
    println!(
        "{} is ready: owner uid {}, ids {} to {}.",
        report.root.display(),
        report.owner_uid,
        report.ids_base,
        report.ids_base + report.ids_count - 1
    );
    match &report.model {
        Some(model) => println!("model: {}", model.display()),
        None => println!(
            "model: none. Get the default one with ./x setup, or name a GGUF file: chela --root {} setup --model FILE",
            report.root.display()
        ),
    }
    ExitCode::SUCCESS
}

fn print_forgotten(dir: &Path, lines: &[String], json: bool) -> ExitCode {
    if json {
        return print_json(&serde_json::json!({ "root": dir, "changed": lines }));
    }
    if lines.is_empty() {
        println!("{} has no ids to give back.", dir.display());
    }
    for line in lines {
        println!("{line}");
    }
    ExitCode::SUCCESS
}

fn print_json(value: &impl Serialize) -> ExitCode {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("chela setup: writing JSON: {e}");
            ExitCode::FAILURE
        }
    }
}
