//! Labels: where something came from and who may see it. A turn's label is the join of all it was given.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far the text can be trusted; later is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// The owner wrote it.
    #[default]
    Owner,
    /// A paired member of the household wrote it.
    Member,
    /// Anybody may have written it.
    Untrusted,
}

/// Who may see it; later is fewer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidentiality {
    /// Anybody.
    #[default]
    Public,
    /// The principal it belongs to.
    Private,
    /// Nobody outside: keys, tokens, passwords.
    Secret,
}

/// Both together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Label {
    /// How far it can be trusted.
    pub integrity: Integrity,
    /// Who may see it.
    pub confidentiality: Confidentiality,
}

impl Label {
    /// The label of nothing at all: trusted and public.
    pub const NOTHING: Label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Public };

    /// The label of a principal's own files, as far as no action has written them.
    pub const OWN: Label = Label { integrity: Integrity::Owner, confidentiality: Confidentiality::Private };

    /// The label of two things seen together: the less trusted, the more confidential.
    pub fn join(self, other: Label) -> Label {
        Label {
            integrity: self.integrity.max(other.integrity),
            confidentiality: self.confidentiality.max(other.confidentiality),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let integrity = match self.integrity {
            Integrity::Owner => "owner",
            Integrity::Member => "member",
            Integrity::Untrusted => "untrusted",
        };
        let confidentiality = match self.confidentiality {
            Confidentiality::Public => "public",
            Confidentiality::Private => "private",
            Confidentiality::Secret => "secret",
        };
        write!(to, "{integrity} {confidentiality}")
    }
}
