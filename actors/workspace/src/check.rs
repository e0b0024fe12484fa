//! Before a commit: whether the workspace is what it was at `stage`, and what an undo will need of it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::apply::Stamp;
use crate::beneath;
use crate::content;
use crate::effects::NodeKind;
use crate::error::{At, CommitError, Conflict, ConflictKind, Failed, StageError};
use crate::keep::Keeper;
use crate::node::{self, Found, Image, Look};
use crate::parents::Parents;
use crate::plan::{Delta, Plan};
use crate::record::{Content, Kept};
use crate::remembered::Remembered;

/// What was found.
#[derive(Default)]
pub struct Checked {
    /// What an undo needs, a delta each.
    pub kept: Vec<Kept>,
    /// What each path was found to be.
    pub stamps: BTreeMap<Vec<u8>, Stamp>,
    /// Without a keeper: contents that were read.
    pub remembered: Remembered,
}

/// Compares a plan with the workspace.
pub struct Checker<'a, 'k> {
    parents: Parents<'a>,
    keeper: Option<&'a mut Keeper<'k>>,
    conflicts: Vec<Conflict>,
    checked: Checked,
}

/// What has a path now.
enum Seen {
    Node(Found),
    /// A pipe, a device, or something that changed while it was looked at.
    Other,
    Nothing,
}

impl<'a, 'k> Checker<'a, 'k> {
    /// With a keeper, what is replaced is kept.
    pub fn new(workspace: &'a OwnedFd, keeper: Option<&'a mut Keeper<'k>>) -> Checker<'a, 'k> {
        Checker { parents: Parents::new(workspace), keeper, conflicts: Vec::new(), checked: Checked::default() }
    }

    /// Compares all of it. What differs is a conflict, every one of them.
    pub fn check(mut self, plan: &Plan) -> Result<Checked, CommitError> {
        self.all(plan)?;
        if self.conflicts.is_empty() { Ok(self.checked) } else { Err(CommitError::Conflict(self.conflicts)) }
    }

    fn all(&mut self, plan: &Plan) -> Result<(), CommitError> {
        let is_dir = |image: &Option<Image>| image.as_ref().is_some_and(|image| image.kind == NodeKind::Directory);
        let old: BTreeSet<&[u8]> =
            plan.deltas.iter().filter(|delta| delta.before.is_some()).map(|delta| &delta.path[..]).collect();
        let made: BTreeSet<&[u8]> = plan
            .deltas
            .iter()
            .filter(|delta| is_dir(&delta.after) && !is_dir(&delta.before))
            .map(|delta| &delta.path[..])
            .collect();
        for delta in &plan.deltas {
            match &delta.before {
                Some(before) => {
                    let goes = before.kind == NodeKind::Directory && !is_dir(&delta.after);
                    self.existing(delta, before, goes.then_some(&old))?;
                }
                None => self.absent(delta, &made)?,
            }
        }
        for (path, image) in &plan.relied_on {
            // A file that the action changes itself was compared already.
            let hash = !old.contains(&path[..]);
            match self.read(path, if hash { Look::Whole } else { Look::Node })? {
                Seen::Node(found) if found.image.inode == image.inode && (!hash || found.image.is_like(image)) => {}
                Seen::Node(_) | Seen::Other => self.conflict(path, ConflictKind::Changed),
                Seen::Nothing => self.conflict(path, ConflictKind::Vanished),
            }
        }
        Ok(())
    }

    /// What was there must be there still. A directory that goes must have nothing in it but what goes with it.
    fn existing(&mut self, delta: &Delta, before: &Image, goes: Option<&BTreeSet<&[u8]>>) -> Result<(), CommitError> {
        let mut found = match self.read(&delta.path, Look::Small)? {
            Seen::Node(found) => found,
            Seen::Other => {
                self.conflict(&delta.path, ConflictKind::Changed);
                return Ok(());
            }
            Seen::Nothing => {
                self.conflict(&delta.path, ConflictKind::Vanished);
                return Ok(());
            }
        };
        self.compare(delta, before, &mut found, goes)
    }

    fn compare(
        &mut self,
        delta: &Delta,
        before: &Image,
        found: &mut Found,
        goes: Option<&BTreeSet<&[u8]>>,
    ) -> Result<(), CommitError> {
        let mut content = Content::Nothing;
        if let (NodeKind::File, NodeKind::File, Some(fd)) = (before.kind, found.image.kind, &found.fd) {
            let only_meta = delta.in_place && delta.after.as_ref().is_some_and(|after| before.same_content(after));
            found.image.digest = match self.keeper.as_deref_mut() {
                Some(keeper) if found.image.bytes == before.bytes && !only_meta => {
                    let (digest, kept) = keeper.keep(found, &before.digest)?;
                    content = kept;
                    digest
                }
                _ if found.content.is_some() => found.image.digest,
                _ => content::digest(fd).at("read", &delta.path)?.1,
            };
        }
        let other_file = delta.in_place && before.kind == NodeKind::File && before.inode != found.image.inode;
        if !found.image.is_like(before) || other_file {
            self.conflict(&delta.path, ConflictKind::Changed);
            return Ok(());
        }
        if let (Some(going), Some(dir)) = (goes, &found.fd) {
            for name in beneath::names(dir).at("list", &delta.path)? {
                let path = crate::planner::join(&delta.path, &name);
                if !going.contains(&path[..]) {
                    self.conflict(&path, ConflictKind::Appeared);
                }
            }
        }
        if self.keeper.is_none() {
            self.checked.remembered.file(&delta.path, found);
        }
        let stamp = Stamp { inode: found.image.inode, bytes: found.image.bytes as i64, mtime: found.image.meta.mtime };
        if found.image.kind == NodeKind::File {
            self.checked.stamps.insert(delta.path.clone(), stamp);
        }
        let delta = Delta { before: Some(found.image.clone()), ..delta.clone() };
        self.checked.kept.push(Kept { delta, content, link: None });
        Ok(())
    }

    /// Nothing may have the name of what is created. In a directory that is created too, nothing can.
    fn absent(&mut self, delta: &Delta, made: &BTreeSet<&[u8]>) -> Result<(), CommitError> {
        let (above, name) = beneath::split(&delta.path);
        if !made.contains(above) {
            match self.parents.get(above) {
                Ok(dir) => {
                    if beneath::look(dir, name).at("look at", &delta.path)?.is_some() {
                        self.conflict(&delta.path, ConflictKind::Appeared);
                    }
                }
                Err(Errno::NOENT) => self.conflict(above, ConflictKind::Vanished),
                Err(Errno::NOTDIR | Errno::LOOP) => self.conflict(above, ConflictKind::Changed),
                Err(errno) => return Err(Failed::new("open", above, errno).into()),
            }
        }
        self.checked.kept.push(Kept { delta: delta.clone(), content: Content::Nothing, link: None });
        Ok(())
    }

    fn conflict(&mut self, path: &[u8], kind: ConflictKind) {
        self.conflicts.push(Conflict { path: path.to_vec(), kind });
    }

    /// Looks at a path.
    fn read(&mut self, path: &[u8], look: Look) -> Result<Seen, CommitError> {
        let (above, name) = beneath::split(path);
        let dir = match self.parents.get(above) {
            Ok(dir) => dir,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Seen::Nothing),
            Err(errno) => return Err(Failed::new("open", above, errno).into()),
        };
        match node::read(dir, name, path, look) {
            Ok(Some(found)) => Ok(Seen::Node(found)),
            Ok(None) => Ok(Seen::Nothing),
            Err(StageError::Io(failed)) if !matches!(failed.errno, Errno::STALE | Errno::NOENT) => Err(failed.into()),
            Err(_) => Ok(Seen::Other),
        }
    }
}
