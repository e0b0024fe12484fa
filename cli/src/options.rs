//! The command line: options that every command has, and the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{
    actions, ask, audit, chat, doctor, files, images, log, paths, policy, setup, status, tool, undo, workspace,
};

/// Chela, a self-hosted assistant that can do no more than its job.
///
/// Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 waits for an approval, 4 the service can't be reached.
#[derive(Parser)]
#[command(name = "chela", version)]
pub struct Options {
    /// Directory of configuration (DIR/etc), state (DIR/var) and sockets (DIR/run).
    #[arg(long, global = true, value_name = "DIR", default_value = paths::DEFAULT_ROOT)]
    root: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Talk, in the terminal.
    Chat(chat::ChatArgs),
    /// One question, one answer.
    Ask(ask::AskArgs),
    /// One tool call without a model, through the same gate.
    Tool(tool::ToolArgs),
    /// Copy files out of and into the workspace.
    Files(files::FilesArgs),
    /// What was done, for whom, and what became of it.
    Actions(actions::ActionsArgs),
    /// Take back what an action changed.
    Undo(undo::UndoArgs),
    /// Processes, restarts, uptime, memory; exit status 0 when all is ready.
    Status,
    /// The audit log: its newest entries, and whether it is intact.
    Log(log::LogArgs),
    /// Hold each process against the table; exit status 1 on any deviation.
    Audit(audit::AuditArgs),
    /// Kernel features, accounts, permissions, model, clock: what is wrong and the fix.
    Doctor,
    /// Directories of a person's own, besides the workspace: add, list, remove.
    Workspace(workspace::WorkspaceArgs),
    /// OCI images that commands can have as their root.
    Images(images::ImagesArgs),
    /// Which policies are in force, and what they would say of a call.
    Policy(policy::PolicyArgs),
    /// Make a root directory ready for chelad.
    Setup(setup::SetupArgs),
}

impl Options {
    /// Runs the command.
    pub fn run(&self) -> ExitCode {
        let (root, json) = (self.root.as_path(), self.json);
        match &self.command {
            Command::Chat(args) => chat::run(root, json, args),
            Command::Ask(args) => ask::run(root, json, args),
            Command::Tool(args) => tool::run(root, json, args),
            Command::Files(args) => files::run(root, json, args),
            Command::Actions(args) => actions::run(root, json, args),
            Command::Undo(args) => undo::run(root, json, args),
            Command::Status => status::run(root, json),
            Command::Log(args) => log::run(root, json, args),
            Command::Audit(args) => audit::run(root, json, args),
            Command::Doctor => doctor::run(root, json),
            Command::Workspace(args) => workspace::run(root, json, args),
            Command::Images(args) => images::run(root, json, args),
            Command::Policy(args) => policy::run(root, json, args),
            Command::Setup(args) => setup::run(root, json, args),
        }
    }
}
