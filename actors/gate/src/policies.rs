//! The policies at the gate: where they are read from, which set is in force, and what an action was decided on, so that
//! its effects are decided on in the same light.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use policy::{Answer, Effects, Integrity, Outcome, Policies, Question, Role, Secrecy};
use schema::label::{self, Label};
use schema::policy::PolicyState;

use crate::limits::{POLICY_BYTES_MAX, POLICY_FILES_MAX};
use crate::principals::{self, Principal};

/// Where the table puts them.
pub const PATH: &str = "/etc/gate/policy";

/// What an action was decided on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// For whom.
    pub principal: Principal,
    /// Which tool.
    pub tool: String,
    /// The turn's label.
    pub label: Label,
}

/// The set in force.
pub struct Current {
    set: RefCell<Option<Rc<Policies>>>,
    problem: RefCell<Option<String>>,
    asked: RefCell<BTreeMap<u64, Asked>>,
}

impl Default for Current {
    /// The built-in set.
    fn default() -> Current {
        let (set, problem) = match Policies::built_in() {
            Ok(set) => (Some(Rc::new(set)), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Current { set: RefCell::new(set), problem: RefCell::new(problem), asked: RefCell::default() }
    }
}

impl Current {
    /// Reads the directory; what is wrong with it keeps the set that is there. The digest of the new set.
    pub fn reload(&self, directory: &Path) -> Result<String, String> {
        let read = read(directory);
        *self.problem.borrow_mut() = read.as_ref().err().cloned();
        let set = read?;
        let digest = set.digest().to_owned();
        *self.set.borrow_mut() = Some(Rc::new(set));
        Ok(digest)
    }

    /// What is in force, for a person.
    pub fn state(&self) -> PolicyState {
        let set = self.set.borrow();
        PolicyState {
            digest: set.as_ref().map_or_else(String::new, |set| set.digest().to_owned()),
            problem: self.problem.borrow().clone(),
            files: set.as_ref().map_or_else(Vec::new, |set| set.files().to_vec()),
        }
    }

    /// Asks the policies. Without any, everything is refused.
    pub fn ask(&self, asked: &Asked, effects: Option<Effects>) -> Answer {
        let Some(set) = self.set.borrow().clone() else {
            return Answer {
                outcome: Outcome::Refused,
                rule: "policy.none".to_owned(),
                reason: "there are no policies".to_owned(),
                remedy: "Put etc/gate/policy right, then reload chelad.".to_owned(),
            };
        };
        set.ask(&Question {
            principal: asked.principal.number,
            name: &asked.principal.name,
            role: role(&asked.principal),
            tool: &asked.tool,
            owner: asked.principal.number,
            integrity: match asked.label.integrity {
                label::Integrity::Owner => Integrity::Owner,
                label::Integrity::Member => Integrity::Member,
                label::Integrity::Untrusted => Integrity::Untrusted,
            },
            secrecy: match asked.label.confidentiality {
                label::Confidentiality::Public => Secrecy::Public,
                label::Confidentiality::Private => Secrecy::Private,
                label::Confidentiality::Secret => Secrecy::Secret,
            },
            hour: hour(),
            effects,
        })
    }

    /// An action begins that was decided on this.
    pub fn began(&self, action: u64, asked: Asked) {
        self.asked.borrow_mut().insert(action, asked);
    }

    /// It is over.
    pub fn ended(&self, action: u64) {
        self.asked.borrow_mut().remove(&action);
    }

    /// What an action was decided on. One from before this gate's start is taken for the least trusted.
    pub fn asked(&self, action: u64) -> Asked {
        self.asked.borrow().get(&action).cloned().unwrap_or_else(|| Asked {
            principal: Principal { number: principals::OWNER, name: String::new() },
            tool: "run_command".to_owned(),
            label: Label { integrity: label::Integrity::Untrusted, confidentiality: label::Confidentiality::Private },
        })
    }
}

/// There is one principal so far.
fn role(principal: &Principal) -> Role {
    if principal.number == principals::OWNER { Role::Owner } else { Role::Guest }
}

fn hour() -> u8 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u8::try_from(seconds / 3600 % 24).unwrap_or(0)
}

/// Reads every `*.cedar` of the directory. Without the directory, the built-in set.
fn read(directory: &Path) -> Result<Policies, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", directory.display());
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Policies::built_in().map_err(|error| error.to_string());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        names.extend(name.to_str().filter(|name| name.ends_with(".cedar")).map(str::to_owned));
        if names.len() > POLICY_FILES_MAX {
            return Err(format!("{} has more than {POLICY_FILES_MAX} policies' files", directory.display()));
        }
    }
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let path = directory.join(&name);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut text = String::new();
        File::open(&path).map_err(failed)?.take(POLICY_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > POLICY_BYTES_MAX {
            return Err(format!("{}: a file of policies may be {POLICY_BYTES_MAX} bytes at most", path.display()));
        }
        files.push((name, text));
    }
    Policies::load(&files).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    #[test]
    fn a_broken_file_keeps_the_set_that_is_there_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let current = Current::default();
        let built_in = current.state();
        assert!(built_in.problem.is_none() && !built_in.files.is_empty());
        let file = directory.path().join("x.cedar");
        fs::write(&file, "@id(\"x\") permit (principal, action, resource) when { context.hour < 24 };").unwrap();
        let digest = current.reload(directory.path()).unwrap();
        assert_eq!(current.state().digest, digest);
        assert_ne!(digest, built_in.digest);
        fs::write(&file, "permit (").unwrap();
        let problem = current.reload(directory.path()).unwrap_err();
        let state = current.state();
        assert_eq!((state.digest, state.problem), (digest, Some(problem)));
        assert!(current.reload(Path::new("/nowhere")).is_ok());
        assert_eq!(current.state(), built_in);
    }

    #[test]
    fn every_tool_is_an_action_that_the_owner_may_take() {
        let current = Current::default();
        for tool in tools::names().split(", ") {
            let asked = Asked { tool: tool.to_owned(), ..current.asked(0) };
            let answer = current.ask(&asked, None);
            assert_eq!((answer.outcome, answer.rule.as_str()), (Outcome::Allowed, "roles.owner"), "{tool}: {answer:?}");
        }
    }
}
