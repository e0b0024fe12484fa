//! Which labels an action changes: worked out before anything of it is real.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use schema::label::Label;

use super::{Relabel, kept, names};
use crate::area::Area;
use crate::effects::NodeKind;
use crate::error::CommitError;
use crate::plan::{Delta, Plan};

impl Area {
    /// Adds to a plan which labels it changes when its action has that label.
    pub(crate) fn relabel(&self, plan: &mut Plan, label: Label) -> Result<(), CommitError> {
        let undo = plan.undo_of.is_some();
        plan.relabels = self.relabels(b"", &self.workspace, plan, undo, label)?;
        for (name, part) in &mut plan.others {
            part.relabels = self.relabels(name, &self.root(name)?.top, part, undo, label)?;
        }
        Ok(())
    }

    fn relabels(
        &self,
        root: &[u8],
        top: &OwnedFd,
        plan: &Plan,
        undo: bool,
        label: Label,
    ) -> Result<Vec<Relabel>, CommitError> {
        if kept(label).is_none() && plan.brings.is_empty() && self.labels.is_empty(root)? {
            return Ok(Vec::new());
        }
        let brings = plan.brings.iter().map(|(path, label)| (&path[..], *label)).collect();
        let rule = Rule { undo, label, brings };
        let mut relabels = Vec::new();
        let mut add = |path: &[u8], after: &dyn Fn(Label) -> Option<Label>| {
            let before = self.labels.get(root, path)?;
            let after = after(before.unwrap_or(Label::OWN));
            if before.is_some() || after.is_some() {
                relabels.push(Relabel { path: path.to_vec(), before, after });
            }
            Ok::<(), CommitError>(())
        };
        for delta in &plan.deltas {
            let stays = stays(delta);
            add(&delta.path, &|before| delta.after.as_ref().and_then(|_| kept(rule.of(&delta.path, before, stays))))?;
        }
        for (path, stays) in other_names(top, plan)? {
            add(&path, &|before| kept(rule.of(&path, before, stays)))?;
        }
        Ok(relabels)
    }
}

/// What label a path gets.
struct Rule<'p> {
    undo: bool,
    /// The action's.
    label: Label,
    /// What a path brings along: from the name that it had, or from the time that an undo goes back to.
    brings: BTreeMap<&'p [u8], Label>,
}

impl Rule<'_> {
    /// `stays`: the content is what it was, so what it was labelled holds on.
    fn of(&self, path: &[u8], before: Label, stays: bool) -> Label {
        let brought = self.brings.get(path).copied();
        match (self.undo, brought) {
            (true, brought) => brought.unwrap_or(Label::OWN).join(self.label),
            (false, brought) => {
                let comes = brought.unwrap_or(Label::OWN).join(self.label);
                if stays { comes.join(before) } else { comes }
            }
        }
    }
}

fn stays(delta: &Delta) -> bool {
    match (&delta.before, &delta.after) {
        (Some(before), Some(after)) => before.kind == after.kind && before.same_content(after),
        (None, _) | (_, None) => false,
    }
}

/// Names that an action does not tell of, and whose file it changes all the same: files with several names that are written in
/// place. With each, whether the content stays.
fn other_names(top: &OwnedFd, plan: &Plan) -> Result<Vec<(Vec<u8>, bool)>, CommitError> {
    let mut told: BTreeMap<u64, u64> = BTreeMap::new();
    for before in plan.deltas.iter().filter_map(|delta| delta.before.as_ref()) {
        if before.kind == NodeKind::File && before.links > 1 {
            *told.entry(before.inode).or_default() += 1;
        }
    }
    let in_place = plan.deltas.iter().filter(|delta| delta.in_place);
    let in_place = in_place.filter_map(|delta| delta.before.as_ref().map(|before| (delta, before)));
    let sought: BTreeMap<u64, (u64, bool)> = in_place
        .filter(|(_, before)| before.kind == NodeKind::File)
        .map(|(delta, before)| {
            let left = before.links.saturating_sub(told.get(&before.inode).copied().unwrap_or(1));
            (before.inode, (left, stays(delta)))
        })
        .filter(|(_, (left, _))| *left > 0)
        .collect();
    if sought.is_empty() {
        return Ok(Vec::new());
    }
    let told = |path: &[u8]| plan.deltas.iter().any(|delta| delta.path == path);
    let left = sought.iter().map(|(inode, (left, _))| (*inode, *left)).collect();
    let found = names::find(top, left, told)?;
    let stays = |inode: &u64| sought.get(inode).is_some_and(|(_, stays)| *stays);
    Ok(found.into_iter().map(|(path, inode)| (path, stays(&inode))).collect())
}
