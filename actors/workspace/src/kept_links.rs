//! Old files whose other names stay in the workspace. For an undo to bring back not only the content but the file itself,
//! the undo store keeps one more name of it: its content is in the workspace in any case. Once it is not, so that the
//! store's names are the last, they go, and the sealed content is what an undo has.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;

use crate::beneath;
use crate::effects::NodeKind;
use crate::error::{At, Failed, StageError};
use crate::keep::link_name;
use crate::node::{self, Look};
use crate::parents::Parents;
use crate::plan::{Op, Plan};
use crate::record::Kept;
use crate::store::{Store, remove_file};

/// Names that the undo store has of files of the workspace: action and number, by inode number.
#[derive(Default)]
pub struct KeptLinks(BTreeMap<u64, Vec<(u64, u64)>>);

impl KeptLinks {
    /// Those that there are.
    pub fn find(store: &Store) -> Result<KeptLinks, Failed> {
        let mut found = KeptLinks::default();
        for name in beneath::names(&store.undo).at("list", b"undo")? {
            let Some(action) = std::str::from_utf8(&name).ok().and_then(|name| name.parse().ok()) else { continue };
            let dir = beneath::open_dir(&store.undo, &name).at("open", &name)?;
            for link in beneath::names(&dir).at("list", &name)? {
                let number =
                    link.strip_prefix(b"link-").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
                if let (Some(number), Some(stat)) = (number, beneath::look(&dir, &link).at("look at", &link)?) {
                    found.0.entry(stat.st_ino).or_default().push((action, number));
                }
            }
        }
        found.drop_last(store)?;
        Ok(found)
    }

    /// Keeps a name of each file that the action takes names from and that keeps others.
    pub fn keep(
        &mut self,
        action: u64,
        plan: &Plan,
        kept: &mut [Kept],
        workspace: &OwnedFd,
        dir: &OwnedFd,
    ) -> Result<(), Failed> {
        let mut going: BTreeMap<u64, u64> = BTreeMap::new();
        for one in kept.iter() {
            if let Some(inode) = loses_name(one) {
                *going.entry(inode).or_default() += 1;
            }
        }
        let mut numbers: BTreeMap<u64, u64> = BTreeMap::new();
        let mut parents = Parents::new(workspace);
        for one in kept {
            let (Some(inode), Some(before)) = (loses_name(one), &one.delta.before) else { continue };
            let stored = self.0.get(&inode).map_or(0, |names| names.len() as u64);
            let ours = going.get(&inode).copied().unwrap_or(0) + stored + staged_names(plan, inode);
            if before.links <= ours && !numbers.contains_key(&inode) {
                continue;
            }
            let next = numbers.len() as u64;
            let number = match numbers.get(&inode) {
                Some(number) => *number,
                None => {
                    let (above, name) = beneath::split(&one.delta.path);
                    let above = parents.get(above).at("open", above)?;
                    rustix::fs::linkat(above, name, dir, link_name(next), AtFlags::empty())
                        .at("keep", &one.delta.path)?;
                    self.0.entry(inode).or_default().push((action, next));
                    numbers.insert(inode, next);
                    next
                }
            };
            one.link = Some(number);
        }
        Ok(())
    }

    /// Names that a staged undo relies on and that are not what they were.
    pub fn changed(store: &Store, plan: &Plan) -> Result<bool, StageError> {
        let Some(undone) = plan.undo_of else { return Ok(false) };
        for (number, image) in &plan.relied_links {
            let Ok(dir) = beneath::open_dir(&store.undo, undone.to_string().as_bytes()) else { return Ok(true) };
            let name = link_name(*number);
            let found = node::read(dir, name.as_bytes(), name.as_bytes(), Look::Whole)?;
            if found.is_none_or(|found| !found.image.is_like(image)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An action's names are gone.
    pub fn forget(&mut self, action: u64) {
        self.0.retain(|_, names| {
            names.retain(|(of, _)| *of != action);
            !names.is_empty()
        });
    }

    /// Removes names of files that have no name in the workspace any more.
    pub fn drop_last(&mut self, store: &Store) -> Result<(), Failed> {
        let mut gone = Vec::new();
        for (inode, names) in &self.0 {
            let Some((action, number)) = names.first() else { continue };
            let path = format!("{action}/{}", link_name(*number));
            let (above, name) = beneath::split(path.as_bytes());
            let dir = beneath::open_dir(&store.undo, above).at("open", above)?;
            let links = beneath::look(&dir, name).at("look at", name)?.map_or(0, |stat| stat.st_nlink);
            if links <= names.len() as u64 {
                gone.push(*inode);
            }
        }
        for inode in gone {
            for (action, number) in self.0.remove(&inode).unwrap_or_default() {
                let above = action.to_string();
                let dir = beneath::open_dir(&store.undo, above.as_bytes()).at("open", above.as_bytes())?;
                remove_file(dir, link_name(number).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// The file that a path does not name any more.
fn loses_name(kept: &Kept) -> Option<u64> {
    let before = kept.delta.before.as_ref()?;
    (before.kind == NodeKind::File && before.links > 1 && !kept.delta.in_place).then_some(before.inode)
}

/// Names that the action's own staging directory has of a file.
fn staged_names(plan: &Plan, inode: u64) -> u64 {
    let linked = plan.relied_on.iter().filter(|(_, image)| image.inode == inode).count();
    let overwritten = |path: &[u8]| {
        let of = |delta: &&crate::plan::Delta| delta.path == path;
        plan.deltas.iter().find(of).and_then(|delta| delta.before.as_ref()).is_some_and(|before| before.inode == inode)
    };
    let is_target = |step: &&crate::plan::Step| matches!(step.op, Op::Overwrite { .. }) && overwritten(&step.path);
    (linked + plan.steps.iter().filter(is_target).count()) as u64
}
