//! The decision on what a rehearsal has shown: it is made on what a call *did*, not on what it said it would do. The
//! effects are counted here; policies say what follows.

use policy::{Answer, Outcome};
use schema::effects::{Change, Effect, Effects, Kind};
use schema::tool::ToolOutcome;

use crate::policies::{Asked, Current};

/// What is to become of staged effects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settlement {
    /// They become real.
    pub commit: bool,
    /// The rule that decided.
    pub rule: String,
    /// Why, in words for a person.
    pub reason: String,
}

/// The decision on an action could not be written down.
pub fn unwritten() -> Settlement {
    let reason = "the decision on it could not be written down, in the journal or in the audit log; is the disk full?";
    Settlement { commit: false, rule: "effects.unwritten".to_owned(), reason: reason.to_owned() }
}

/// Decides. All effects are in the principal's own workspace, by construction. What a policy asks about does not become
/// real as long as nobody can approve it. What the call could read may be what it wrote.
pub fn decide(policies: &Current, asked: Asked, shown: &ToolOutcome) -> Settlement {
    let asked = Asked { label: asked.label.join(shown.reads), ..asked };
    let Answer { outcome, rule, reason, remedy } = policies.ask(&asked, Some(counted(&shown.effects)));
    match outcome {
        Outcome::Allowed => {
            Settlement { commit: true, rule: "effects.undoable".to_owned(), reason: "it can be undone".to_owned() }
        }
        Outcome::Asked => Settlement { commit: false, rule, reason: format!("{reason}. {remedy}") },
        Outcome::Refused => Settlement { commit: false, rule, reason: format!("refused: {reason}. {remedy}") },
    }
}

fn counted(effects: &Effects) -> policy::Effects {
    let count = |change| effects.list.iter().filter(|effect| effect.change == change).count() as u64;
    policy::Effects {
        created: count(Change::Created),
        changed: count(Change::Changed),
        deleted: count(Change::Deleted) + effects.more_deleted,
        undoable: effects.undoable,
        // What is not listed may be run by others: the worst is taken.
        startup: effects.list.iter().filter(|effect| is_run_unasked(effect)).count() as u64
            + u64::from(effects.more > 0),
        hosts: effects.hosts.list.len() as u64 + effects.hosts.more,
    }
}

/// Files that others run without being asked: hooks, start-up files, build files; and what is newly executable.
fn is_run_unasked(effect: &Effect) -> bool {
    const NAMES: [&str; 24] = [
        ".envrc",
        ".bashrc",
        ".bash_profile",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".gitconfig",
        ".gitmodules",
        ".vimrc",
        ".exrc",
        ".npmrc",
        "Makefile",
        "makefile",
        "GNUmakefile",
        "justfile",
        "package.json",
        "setup.py",
        "conftest.py",
        "build.rs",
        ".pre-commit-config.yaml",
        "sitecustomize.py",
        "Rakefile",
        "Justfile",
        "Vagrantfile",
    ];
    const DIRECTORIES: [&str; 5] = [".git/hooks/", ".git/config", ".husky/", ".github/workflows/", ".vscode/"];
    if effect.change == Change::Deleted || effect.kind == Kind::Directory {
        return false;
    }
    let path = effect.path.as_str();
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_in = |directory: &&str| path.starts_with(*directory) || path.contains(&format!("/{directory}"));
    let executable = |side: &Option<schema::effects::Side>| side.as_ref().is_some_and(|side| side.mode & 0o111 != 0);
    let became_executable = effect.kind == Kind::File && executable(&effect.after) && !executable(&effect.before);
    NAMES.contains(&name) || DIRECTORIES.iter().any(is_in) || became_executable
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::effects::Side;
    use schema::label::{Integrity, Label};
    use schema::tool::Ended;

    fn decided(effects: &Effects, integrity: Integrity) -> Settlement {
        let current = Current::default();
        let asked = current.asked(0);
        let label = Label { integrity, ..asked.label };
        let shown = ToolOutcome { effects: effects.clone(), ..ToolOutcome::of(Ended::Exited { code: 0 }) };
        let of_the_turn = decide(&current, Asked { label, ..asked.clone() }, &shown);
        // What the call could read weighs as much as what the turn had seen before.
        let owners = Label { integrity: Integrity::Owner, ..asked.label };
        let of_the_call = decide(&current, Asked { label: owners, ..asked }, &ToolOutcome { reads: label, ..shown });
        assert_eq!(of_the_turn, of_the_call);
        of_the_turn
    }

    fn created(path: &str, mode: u32) -> Effects {
        let after = Some(Side { bytes: 1, mode, digest: [0; 32] });
        let (change, kind, path) = (Change::Created, Kind::File, path.to_owned());
        let effect = Effect { path, change, kind, before: None, after, diff: None, binary: false, target: None };
        Effects { list: vec![effect], undoable: true, ..Effects::default() }
    }

    #[test]
    fn what_can_be_taken_back_becomes_real_and_nothing_else() {
        for undoable in [true, false] {
            let settlement = decided(&Effects { undoable, more: 1, ..Effects::default() }, Integrity::Owner);
            assert_eq!(settlement.commit, undoable);
            assert!(!settlement.reason.is_empty());
        }
        let many = Effects { undoable: true, more: 20_000, ..Effects::default() };
        assert!(decided(&many, Integrity::Owner).commit, "a large tree that is unpacked deletes nothing");
        let settlement = decided(&Effects { more_deleted: 5001, ..many }, Integrity::Owner);
        assert_eq!((settlement.commit, settlement.rule.as_str()), (false, "effects.deletions"));
    }

    #[test]
    fn after_untrusted_text_nothing_is_made_that_others_run() {
        for (path, mode) in
            [(".git/hooks/post-commit", 0o644), ("a/.envrc", 0o644), ("Makefile", 0o644), ("run.sh", 0o755)]
        {
            let effects = created(path, mode);
            assert!(decided(&effects, Integrity::Owner).commit, "{path}");
            let settlement = decided(&effects, Integrity::Untrusted);
            assert_eq!((settlement.commit, settlement.rule.as_str()), (false, "effects.startup"), "{path}");
        }
        assert!(decided(&created("notes.txt", 0o644), Integrity::Untrusted).commit);
    }
}
