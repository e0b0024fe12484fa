//! Changes that file tools ask for, in the workspace and in directories beside it: each is made where it belongs, and what
//! moves from one place to another is copied there and deleted here, as one action.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;
use schema::label::Label;

use crate::area::Area;
use crate::beneath;
use crate::change::{Came, Change, View};
use crate::content;
use crate::effects::NodeKind;
use crate::error::{At, StageError};
use crate::node::{self, Found, Image, Look};
use crate::plan::Plan;
use crate::planner::join;
use crate::roots::{DIRECTORIES, Root, STAGING, beside};
use crate::store::slot_name;
use crate::want::{FileWant, Want};

/// A place that an action changes: 0 is the workspace, the others are directories beside it.
pub(crate) type Place = usize;

fn refuse<T>(path: &[u8], why: &'static str) -> Result<T, StageError> {
    Err(StageError::Change { path: path.to_vec(), why })
}

impl Area {
    /// Where a path leads, and the path from there.
    pub(crate) fn place<'p>(&self, path: &'p [u8]) -> Result<(Place, &'p [u8]), StageError> {
        let Some(inner) = path.strip_prefix(DIRECTORIES.as_bytes()) else { return Ok((0, path)) };
        let (name, inner) = inner.split_at(inner.iter().position(|byte| *byte == b'/').unwrap_or(inner.len()));
        let Some(at) = self.roots.iter().position(|root| root.name == name) else {
            return refuse(
                path,
                "no directory of this name was added that may be changed; `chela workspace list` shows those there are",
            );
        };
        let inner = inner.strip_prefix(b"/").unwrap_or_default();
        if inner.is_empty() {
            return refuse(path, "it is a directory that was added: name something in it");
        }
        if inner.split(|byte| *byte == b'/').next() == Some(STAGING.as_bytes()) {
            return refuse(path, "Chela keeps this name for itself");
        }
        Ok((at + 1, inner))
    }

    /// The top of a place.
    pub(crate) fn place_top(&self, place: Place) -> &OwnedFd {
        self.beside(place).map_or(&self.workspace, |root| &root.top)
    }

    fn beside(&self, place: Place) -> Option<&Root> {
        place.checked_sub(1).and_then(|at| self.roots.get(at))
    }

    /// The plan of these changes.
    pub(crate) fn plan_changes(&self, action: u64, staged: &OwnedFd, changes: &[Change]) -> Result<Plan, StageError> {
        let mut begun: BTreeMap<Place, OwnedFd> = BTreeMap::new();
        for path in changes.iter().flat_map(paths) {
            let (place, _) = self.place(path)?;
            if let (Some(root), false) = (self.beside(place), begun.contains_key(&place)) {
                begun.insert(place, root.begin(action)?);
            }
        }
        let staged = |place: &Place| begun.get(place).unwrap_or(staged);
        let mut views: BTreeMap<Place, View<'_>> = std::iter::once(&0)
            .chain(begun.keys())
            .map(|place| (*place, View::new(self.place_top(*place), staged(place), &self.limits)))
            .collect();
        let mut carried = Vec::new();
        changes.iter().try_for_each(|change| self.change(&mut views, change, &mut carried))?;
        let mut plans = BTreeMap::new();
        for (place, mut view) in views {
            let brings = self.brought(place, std::mem::take(&mut view.came))?;
            plans.insert(place, Plan { brings, ..self.named(place, view.plan())? });
        }
        self.still_as_carried(&plans, &carried)?;
        let mut plan = plans.remove(&0).unwrap_or_default();
        for (place, part) in plans {
            plan.add(self.name(place), part, &self.limits);
        }
        Ok(plan)
    }

    /// The labels of what moved, by its new name.
    fn brought(&self, place: Place, came: Came) -> Result<Vec<(Vec<u8>, Label)>, StageError> {
        let mut brings = Vec::new();
        for (to, (other, from)) in came {
            let label = self.labels.get(self.name(other.unwrap_or(place)), &from)?;
            brings.extend(label.map(|label| (to, label)));
        }
        Ok(brings)
    }

    fn name(&self, place: Place) -> &[u8] {
        self.beside(place).map_or(b"", |root| &root.name)
    }

    /// An error's path as a person sees it.
    fn named<T>(&self, place: Place, result: Result<T, StageError>) -> Result<T, StageError> {
        let shown = |path: Vec<u8>| beside(self.name(place), &path);
        result.map_err(|error| match error {
            StageError::Change { path, why } => StageError::Change { path: shown(path), why },
            StageError::Special { path, what } => StageError::Special { path: shown(path), what },
            StageError::Limit { what, path, limit } => StageError::Limit { what, path: shown(path), limit },
            StageError::Layer { path, why } => StageError::Layer { path: shown(path), why },
            other @ (StageError::Io(_) | StageError::Area(_) | StageError::Known(_) | StageError::Split { .. }) => {
                other
            }
        })
    }

    fn change(
        &self,
        views: &mut BTreeMap<Place, View<'_>>,
        change: &Change,
        carried: &mut Vec<Carried>,
    ) -> Result<(), StageError> {
        let (place, inner) = match change {
            Change::Write { path, .. } | Change::Delete { path } | Change::MakeDirectory { path } => {
                self.place(path)?
            }
            Change::Rename { from, .. } => self.place(from)?,
        };
        // Each place that a change names has a view.
        let Some(mut view) = views.remove(&place) else { return refuse(inner, "nothing was begun there") };
        let result = match change {
            Change::Write { bytes, mode, .. } => view.write(inner, bytes, *mode),
            Change::Delete { .. } => view.delete(inner),
            Change::MakeDirectory { .. } => view.make_directory(inner),
            Change::Rename { to, .. } => {
                let (other, to) = self.place(to)?;
                match views.get_mut(&other) {
                    Some(target) => self.carry((place, &mut view), (other, target), (inner, to), carried),
                    None => view.rename(inner, to),
                }
            }
        };
        views.insert(place, view);
        self.named(place, result)
    }

    /// Moves from one place to another.
    fn carry(
        &self,
        (place, source): (Place, &mut View<'_>),
        (other, target): (Place, &mut View<'_>),
        (from, to): (&[u8], &[u8]),
        carried: &mut Vec<Carried>,
    ) -> Result<(), StageError> {
        self.named(other, target.free(to))?;
        let mut carrier = Carrier { place, source, target, files: BTreeMap::new(), bytes: 0, nodes: 0, carried };
        carrier.node(from, to, 0)?;
        carrier.source.delete(from)
    }

    /// What was copied must be what is deleted: the plan has what that was when it was made, and the commit compares it.
    fn still_as_carried(&self, plans: &BTreeMap<Place, Plan>, carried: &[Carried]) -> Result<(), StageError> {
        let mut before: BTreeMap<(Place, &[u8]), &Image> = BTreeMap::new();
        for (place, plan) in plans {
            let deltas = plan.deltas.iter().filter_map(|delta| Some((delta.path.as_slice(), delta.before.as_ref()?)));
            before.extend(deltas.map(|(path, image)| ((*place, path), image)));
        }
        for (place, path, image) in carried {
            if before.get(&(*place, path.as_slice())).is_none_or(|before| !before.same_content(image)) {
                return self.named(*place, refuse(path, "it was changed while it was moved: ask again"));
            }
        }
        Ok(())
    }
}

/// The paths of a change.
fn paths(change: &Change) -> Vec<&[u8]> {
    match change {
        Change::Write { path, .. } | Change::Delete { path } | Change::MakeDirectory { path } => vec![path],
        Change::Rename { from, to } => vec![from, to],
    }
}

/// A file that was copied: where from, and what the copy is.
type Carried = (Place, Vec<u8>, Image);

/// What moves from one place to another.
struct Carrier<'a, 's, 't> {
    place: Place,
    source: &'a mut View<'s>,
    target: &'a mut View<'t>,
    /// Copies, by the number of what they are of: a file of several names stays one.
    files: BTreeMap<u64, FileWant>,
    bytes: u64,
    nodes: usize,
    carried: &'a mut Vec<Carried>,
}

impl Carrier<'_, '_, '_> {
    fn node(&mut self, from: &[u8], to: &[u8], depth: usize) -> Result<(), StageError> {
        self.nodes += 1;
        let limits = self.source.limits;
        if depth > limits.depth_max || self.nodes > limits.changes_max {
            return Err(StageError::Limit {
                what: "moved files",
                path: from.to_vec(),
                limit: limits.changes_max as u64,
            });
        }
        if !self.source.is_old(from)? {
            return refuse(from, "there is nothing of this name that was there before");
        }
        let (above, name) = beneath::split(from);
        let dir = self.source.parents.get(above).at("open", above)?;
        let found = node::read(dir, name, from, Look::Node)?.ok_or(rustix::io::Errno::NOENT).at("look at", from)?;
        let mut names = Vec::new();
        let want = match found.image.kind {
            NodeKind::Directory => {
                if let Some(dir) = &found.fd {
                    names = beneath::names(dir).at("list", from)?;
                }
                Want::Directory { meta: Some(found.image.meta), opaque: true }
            }
            NodeKind::Symlink => Want::Symlink { target: found.image.target, mtime: found.image.meta.mtime },
            NodeKind::File => Want::File(self.file(from, found)?),
        };
        self.target.came.insert(to.to_vec(), (Some(self.place), from.to_vec()));
        self.target.want(to, want);
        for name in names {
            self.node(&join(from, &name), &join(to, &name), depth + 1)?;
        }
        Ok(())
    }

    fn file(&mut self, from: &[u8], found: Found) -> Result<FileWant, StageError> {
        let slot = self.target.slot();
        let (staged, limits) = (self.target.staged, self.target.limits);
        if let Some(first) = self.files.get(&found.image.inode).cloned() {
            let names = (slot_name(first.slot), slot_name(slot));
            rustix::fs::linkat(staged, names.0, staged, names.1, AtFlags::empty()).at("link", from)?;
            self.carried.push((self.place, from.to_vec(), first.image.clone()));
            return Ok(FileWant { slot, ..first });
        }
        self.bytes = self.bytes.saturating_add(found.image.bytes);
        if self.bytes > limits.layer_bytes_max {
            let limit = limits.layer_bytes_max;
            return Err(StageError::Limit { what: "bytes of moved files", path: from.to_vec(), limit });
        }
        let Some(old) = found.fd.map(File::from) else { return refuse(from, "it is not a file") };
        let copy = beneath::create(staged, slot_name(slot).as_bytes()).at("stage", from)?;
        content::copy(&old, &copy).at("copy", from)?;
        let (bytes, digest) = content::digest(&copy).at("read the copy of", from)?;
        node::set_meta(&copy, &found.image.meta).at("stage", from)?;
        let image = Image { bytes, digest, inode: 0, links: 1, ..found.image.clone() };
        self.carried.push((self.place, from.to_vec(), image.clone()));
        let want = FileWant { slot, image, stays: false, relink: false, exact: false };
        self.files.insert(found.image.inode, want.clone());
        Ok(want)
    }
}
