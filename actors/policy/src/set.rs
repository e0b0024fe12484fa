//! A set of policies: loaded whole or not at all.

use std::str::FromStr;

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use sha2::{Digest, Sha256};

/// The schema that every policy is checked against.
pub const SCHEMA: &str = include_str!("../schema.cedarschema");
/// The policies that a root begins with: name and text.
pub const FILES: [(&str, &str); 3] = [
    ("10-roles.cedar", include_str!("../policies/10-roles.cedar")),
    ("20-workspace.cedar", include_str!("../policies/20-workspace.cedar")),
    ("30-effects.cedar", include_str!("../policies/30-effects.cedar")),
];

/// Policies that were checked.
pub struct Policies {
    pub(crate) set: PolicySet,
    pub(crate) schema: Schema,
    digest: String,
    files: Vec<(String, String)>,
}

/// Why files are no policies.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The schema is no schema.
    #[error("the schema: {0}")]
    Schema(String),
    /// A file is no Cedar.
    #[error("{file}: {problem}; put it right, then reload chelad")]
    Syntax {
        /// Which.
        file: String,
        /// Where and what.
        problem: String,
    },
    /// A policy has no name, or one that another has.
    #[error("{file}: a policy needs @id(\"…\") with a name that no other has ({id})")]
    Name {
        /// In which file.
        file: String,
        /// What it has.
        id: String,
    },
    /// It speaks of what there isn't.
    #[error("{0}; chela policy schema shows what there is to speak of")]
    Invalid(String),
}

impl Policies {
    /// Those that are built in.
    pub fn built_in() -> Result<Policies, PolicyError> {
        Policies::load(&FILES.map(|(name, text)| (name.to_owned(), text.to_owned())))
    }

    /// Reads files, name and text each, and checks them against the schema.
    pub fn load(files: &[(String, String)]) -> Result<Policies, PolicyError> {
        let (schema, _) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| PolicyError::Schema(error.to_string()))?;
        let mut set = PolicySet::new();
        let mut digest = Sha256::new();
        for (file, text) in files {
            let syntax = |problem: String| PolicyError::Syntax { file: file.clone(), problem };
            let read = PolicySet::from_str(text).map_err(|error| syntax(error.to_string()))?;
            if read.templates().next().is_some() {
                return Err(syntax("templates are not used here".to_owned()));
            }
            for policy in read.policies() {
                let named = named(policy).ok_or_else(|| name_error(file, ""))?;
                let id = named.id().to_string();
                set.add(named).map_err(|_| name_error(file, &id))?;
            }
            for part in [file.as_bytes(), text.as_bytes()] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        if let Some(error) = result.validation_errors().next() {
            return Err(PolicyError::Invalid(error.to_string()));
        }
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Policies { set, schema, digest, files: files.to_vec() })
    }

    /// SHA-256 of all names and texts.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Name and text of each file.
    pub fn files(&self) -> &[(String, String)] {
        &self.files
    }

    /// Names of all policies.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.set.policies().map(|policy| policy.id().to_string()).collect();
        names.sort();
        names
    }

    /// The same without one policy: for whoever asks what it is good for.
    pub fn without(&self, name: &str) -> Option<Policies> {
        let mut set = self.set.clone();
        set.remove_static(PolicyId::new(name)).ok()?;
        Some(Policies { set, schema: self.schema.clone(), digest: String::new(), files: Vec::new() })
    }
}

/// The policy under the name that it gives itself.
fn named(policy: &Policy) -> Option<Policy> {
    let id = policy.annotation("id").filter(|id| !id.is_empty())?;
    Some(policy.new_id(PolicyId::new(id)))
}

fn name_error(file: &str, id: &str) -> PolicyError {
    PolicyError::Name { file: file.to_owned(), id: if id.is_empty() { "none".to_owned() } else { id.to_owned() } }
}
