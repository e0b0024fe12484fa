//! Labels of files: one a path, kept beside the workspace for every path whose label is not its principal's own.
//!
//! A commit works out which labels it changes before anything of it is real, and writes them, old and new, into its
//! journal; so they come with the contents or not at all, and are taken back with them. What an undo needs of them
//! stands in its record, beside what it needs of the contents.

mod names;
mod relabel;
mod table;
mod trail;

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use schema::label::Label;
use serde::{Deserialize, Serialize};

use crate::area::Area;
use crate::beneath;
use crate::error::{AreaError, Failed};
use crate::parents::Parents;
use crate::roots::{DIRECTORIES, Part};

pub(crate) use table::Table;

/// The label of a path, before an action and after it; `None`: its principal's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relabel {
    /// From the workspace, or from the directory it is in.
    pub path: Vec<u8>,
    /// Before.
    pub before: Option<Label>,
    /// After.
    pub after: Option<Label>,
}

/// What is kept of a label: nothing, when it is not above the principal's own.
pub(crate) fn kept(label: Label) -> Option<Label> {
    let label = label.join(Label::OWN);
    (label != Label::OWN).then_some(label)
}

/// A path as a person names it: the directory it is in (none: the workspace), and from there.
fn named(path: &[u8]) -> (&[u8], &[u8]) {
    let Some(rest) = path.strip_prefix(DIRECTORIES.as_bytes()) else { return (b"", path) };
    match rest.iter().position(|byte| *byte == b'/') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, b""),
    }
}

impl Area {
    /// The label of what has this path, itself.
    pub fn label(&self, path: &[u8]) -> Result<Label, AreaError> {
        let (root, path) = named(path);
        Ok(self.labels.get(root, path)?.unwrap_or(Label::OWN))
    }

    /// The join of the labels of a path and of all below it. The empty path: the whole workspace.
    pub fn label_below(&self, path: &[u8]) -> Result<Label, AreaError> {
        let (root, path) = named(path);
        Ok(self.labels.below(root, path, &|root, path| self.is_gone(root, path))?)
    }

    /// The label of what is read by this path: links on the way are followed, and theirs are part of it.
    pub fn label_read(&self, path: &[u8]) -> Result<Label, AreaError> {
        self.read(path, |root, path| Ok(self.labels.get(root, path)?.unwrap_or(Label::OWN)))
    }

    /// The same with all that is below.
    pub fn label_read_below(&self, path: &[u8]) -> Result<Label, AreaError> {
        self.read(path, |root, path| self.labels.below(root, path, &|root, path| self.is_gone(root, path)))
    }

    /// The same with what is in a directory, and not below that.
    pub fn label_read_in(&self, path: &[u8]) -> Result<Label, AreaError> {
        self.read(path, |root, path| self.labels.inside(root, path, &|root, path| self.is_gone(root, path)))
    }

    fn read(&self, path: &[u8], at_end: impl Fn(&[u8], &[u8]) -> Result<Label, Failed>) -> Result<Label, AreaError> {
        let (root, path) = named(path);
        // One that may only be read is not among them; a path in it is taken as it is.
        let Some(top) = self.top_of(root) else { return Ok(at_end(root, path)?) };
        let (links, end) = trail::trail(top, path);
        let mut label = at_end(root, &end)?;
        for link in links {
            label = label.join(self.labels.get(root, &link)?.unwrap_or(Label::OWN));
        }
        Ok(label)
    }

    fn top_of(&self, root: &[u8]) -> Option<&OwnedFd> {
        match root {
            b"" => Some(&self.workspace),
            name => self.roots.iter().find(|root| root.name == name).map(|root| &root.top),
        }
    }

    /// Whether nothing is at a path any more: somebody has removed it by hand. Where that can't be told, something is.
    fn is_gone(&self, root: &[u8], path: &[u8]) -> bool {
        let Some(top) = self.top_of(root) else { return false };
        let (above, name) = beneath::split(path);
        match Parents::new(top).get(above) {
            Ok(dir) => matches!(beneath::look(dir, name), Ok(None)),
            Err(errno) => matches!(errno, Errno::NOENT | Errno::NOTDIR),
        }
    }

    /// The join of the labels of all directories beside the workspace.
    pub fn label_of_directories(&self) -> Result<Label, AreaError> {
        Ok(self.labels.beside(&|root, path| self.is_gone(root, path))?)
    }

    /// The join of the labels of everything: the workspace and all directories beside it.
    pub fn label_of_all(&self) -> Result<Label, AreaError> {
        Ok(self.label_below(b"")?.join(self.label_of_directories()?))
    }

    /// Gives paths the labels that a commit leaves.
    pub(crate) fn give_labels(&mut self, parts: &[Part<'_>]) -> Result<(), Failed> {
        self.labels.set(changed(parts).map(|(root, one)| (root, &one.path[..], one.after)))
    }

    /// Gives paths back the labels that they had before a commit.
    pub(crate) fn give_labels_back(&mut self, parts: &[Part<'_>]) -> Result<(), Failed> {
        self.labels.set(changed(parts).map(|(root, one)| (root, &one.path[..], one.before)))
    }
}

fn changed<'p>(parts: &'p [Part<'_>]) -> impl Iterator<Item = (&'p [u8], &'p Relabel)> {
    parts.iter().flat_map(|part| part.plan.relabels.iter().filter(|one| one.changes()).map(|one| (part.name, one)))
}

impl Relabel {
    /// Whether the label is another one afterwards.
    pub(crate) fn changes(&self) -> bool {
        self.before != self.after
    }
}
