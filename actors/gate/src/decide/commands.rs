//! What is thought of a command line before anything of it runs: the crate `chela-commands` parses it and judges it,
//! within bounds; this says what follows.

use commands::{Verdict, judge};
use schema::tool::Admitted;

/// What speaks against an admitted call.
pub enum Objection {
    /// Nobody may do this.
    Refused {
        /// The hard rule.
        rule: &'static str,
        /// Why, in words for a person.
        reason: String,
        /// What to do instead.
        remedy: String,
    },
    /// It can't be told what it would do: a person has to say.
    Asked {
        /// Why, in words for a person.
        reason: String,
    },
}

/// The rule by which a command that is not understood is asked about.
pub const UNDERSTOOD: &str = "commands.understood";

/// Judges what a shell would read; `None` when nothing speaks against it.
pub fn objection(admitted: &Admitted) -> Option<Objection> {
    let (text, is_input) = match admitted {
        Admitted::RunCommand { command, .. } | Admitted::Start { command, .. } => (command, false),
        // A program that reads it may be a shell.
        Admitted::Input { text, .. } => (text, true),
        Admitted::ReadFile { .. }
        | Admitted::GetFile { .. }
        | Admitted::SearchFiles { .. }
        | Admitted::WriteFile { .. }
        | Admitted::PutFile { .. }
        | Admitted::EditFile { .. }
        | Admitted::Move { .. }
        | Admitted::Delete { .. }
        | Admitted::MakeDirectory { .. }
        | Admitted::Undo { .. }
        | Admitted::ListFiles { .. }
        | Admitted::Poll { .. }
        | Admitted::Stop { .. } => return None,
    };
    match judge(text) {
        Verdict::Ordinary => None,
        Verdict::NotUnderstood { .. } if is_input => None,
        Verdict::NotUnderstood { what } => {
            Some(Objection::Asked { reason: format!("it is not clear what it would do: {what}") })
        }
        Verdict::Destructive { rule, what } => Some(Objection::Refused {
            rule: rule.id,
            reason: format!("{what:?} is refused for everybody, to protect {}", rule.protects),
            remedy: rule.instead.to_owned(),
        }),
    }
}
