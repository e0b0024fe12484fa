//! `chela undo`: takes back what an action changed, or shows what that would do.

use std::path::Path;
use std::process::ExitCode;

use schema::edge::local::{FromClient, ToClient};
use schema::undo::UndoPreview;
use serde_json::json;

use crate::client::Service;
use crate::effects::{self, Shown};
use crate::error::{CliError, finish};
use crate::screen::{self, Screen, Style};
use crate::tool;

/// Options of `chela undo`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  chela undo 17 --dry-run\n  chela undo 17")]
pub struct UndoArgs {
    /// On whose behalf; needs that principal's consent or root.
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// Show what it would do, or what is in its way, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Number of the action.
    action: u64,
}

/// Takes an action back: an action like any other, with the status of `chela tool`. With --dry-run: status 0 when it
/// could be done.
pub fn run(root: &Path, json: bool, args: &UndoArgs) -> ExitCode {
    if args.dry_run {
        return finish("undo", json, preview(root, json, args));
    }
    finish("undo", json, tool::undo(root, json, args.principal.clone(), args.action))
}

fn preview(root: &Path, json: bool, args: &UndoArgs) -> Result<ExitCode, CliError> {
    let service = Service::of(root)?;
    let request = FromClient::PreviewUndo { principal: args.principal.clone(), action: args.action };
    let preview = service.request(&request, |message| {
        if let ToClient::UndoPreviewed { preview, .. } = message { Some(preview) } else { None }
    })?;
    if json {
        screen::json(&as_json(args.action, &preview));
    } else {
        explain(args.action, &preview, &mut Screen::stdout());
    }
    Ok(match preview {
        UndoPreview::Would(_) => ExitCode::SUCCESS,
        UndoPreview::Conflicts { .. } | UndoPreview::Cannot(_) => ExitCode::FAILURE,
    })
}

fn as_json(action: u64, preview: &UndoPreview) -> serde_json::Value {
    let (effects, conflicts, more, reason) = match preview {
        UndoPreview::Would(effects) => (Some(effects), &[][..], 0, None),
        UndoPreview::Conflicts { list, more } => (None, &list[..], *more, None),
        UndoPreview::Cannot(reason) => (None, &[][..], 0, Some(reason)),
    };
    json!({
        "action": action,
        "possible": effects.is_some(),
        "effects": Shown::of(effects),
        "conflicts": conflicts,
        "more_conflicts": more,
        "reason": reason,
    })
}

fn explain(action: u64, preview: &UndoPreview, screen: &mut Screen) {
    match preview {
        UndoPreview::Would(found) => {
            effects::list(screen, found);
            let counted = effects::counted(found);
            screen.line(
                Style::Plain,
                &format!("{counted}; this is what chela undo {action} would do; nothing was changed"),
            );
        }
        UndoPreview::Conflicts { list, more } => {
            for conflict in list {
                screen.line(Style::Warn, &format!("! {conflict}"));
            }
            if *more > 0 {
                screen.line(Style::Warn, &format!("! and {more} more"));
            }
            let way_out = "put these as the action left them, or undo the later actions first";
            screen.line(
                Style::Plain,
                &format!("action {action} can't be taken back now: {way_out}; nothing was changed"),
            );
        }
        UndoPreview::Cannot(reason) => screen.line(Style::Warn, reason),
    }
}
