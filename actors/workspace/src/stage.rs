//! A sandbox's layer becomes a staged action.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::AtFlags;
use sha2::{Digest, Sha256};

use crate::area::Area;
use crate::beneath;
use crate::content::{self, Extent};
use crate::effects::{Effects, NodeKind};
use crate::error::{At, StageError};
use crate::layer::BLOCK_BYTES;
use crate::layer::entries::{self, Entry, Kind};
use crate::limits::{CHUNK_BYTES, Limits, SMALL_BYTES_MAX};
use crate::links::{self, Group};
use crate::node::{self, Image};
use crate::plan::{Plan, Slot};
use crate::planner::Planner;
use crate::remembered::Remembered;
use crate::roots::STAGING;
use crate::store::slot_name;
use crate::want::{FileWant, TreePath, Want, Wants};

impl Area {
    /// Stages what [`crate::export`] wrote. The stream may be hostile; what is wrong with it is an error, and then nothing
    /// is staged.
    pub fn stage(&mut self, action: u64, layer: &mut impl Read) -> Result<Effects, StageError> {
        let staged = self.begin(action)?;
        let plan = plan_layer(&self.workspace, &staged, &self.limits, layer, None);
        self.end(action, plan)
    }

    /// Stages what [`crate::export`] wrote of the workspace, and behind it [`crate::export_beside`] of each directory
    /// beside it, in the order of their names.
    pub fn stage_layers(&mut self, action: u64, layers: &mut impl Read) -> Result<Effects, StageError> {
        let staged = self.begin(action)?;
        let plan = self.plan_layers(action, &staged, layers);
        self.end(action, plan)
    }

    fn plan_layers(&self, action: u64, staged: &OwnedFd, layers: &mut impl Read) -> Result<Plan, StageError> {
        let mut plan = plan_layer(&self.workspace, staged, &self.limits, layers, None)?;
        for root in &self.roots {
            rest_of_end(layers)?;
            let staged = root.begin(action)?;
            let part = plan_layer(&root.top, &staged, &self.limits, layers, Some(STAGING.as_bytes()))?;
            plan.add(&root.name, part, &self.limits);
        }
        Ok(plan)
    }
}

/// Plans one layer. Nothing in it may have the name `kept` at the top.
fn plan_layer(
    top: &OwnedFd,
    staged: &OwnedFd,
    limits: &Limits,
    layer: &mut impl Read,
    kept: Option<&[u8]>,
) -> Result<Plan, StageError> {
    let mut intake = Intake::new(staged, limits);
    entries::read(layer, limits, |entry, data| {
        if entry.path.split(|byte| *byte == b'/').next() == kept {
            let why = "Chela keeps this name for itself".to_owned();
            return Err(StageError::Layer { path: entry.path, why });
        }
        intake.take(entry, data)
    })?;
    let Intake { mut wants, groups, mut next, remembered, .. } = intake;
    links::resolve(top, staged, &mut wants, groups, &mut next)?;
    let mut planner = Planner::new(top, staged, limits, next);
    planner.remembered = remembered;
    planner.plan(&wants)
}

/// An archive ends with two blocks of zeros, of which its reader takes one.
fn rest_of_end(layers: &mut impl Read) -> Result<(), StageError> {
    let mut block = [1; BLOCK_BYTES as usize];
    let why = match layers.read_exact(&mut block) {
        Ok(()) if block.iter().all(|byte| *byte == 0) => return Ok(()),
        Ok(()) => "there is more behind its end".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(StageError::Layer { path: Vec::new(), why })
}

/// Takes a layer's entries in.
struct Intake<'a> {
    staged: &'a OwnedFd,
    limits: &'a Limits,
    wants: Wants,
    /// Files of the layer, by the first path of each.
    groups: BTreeMap<Vec<u8>, Group>,
    next: Slot,
    lengths: u64,
    bytes: u64,
    remembered: Remembered,
}

impl<'a> Intake<'a> {
    fn new(staged: &'a OwnedFd, limits: &'a Limits) -> Intake<'a> {
        let (wants, groups, remembered) = (Wants::new(), BTreeMap::new(), Remembered::default());
        Intake { staged, limits, wants, groups, next: 0, lengths: 0, bytes: 0, remembered }
    }

    fn take(&mut self, entry: Entry, data: &mut dyn Read) -> Result<(), StageError> {
        let Entry { path, kind, meta } = entry;
        let refuse = |why: &str| StageError::Layer { path: path.clone(), why: why.to_owned() };
        let above = TreePath(beneath::split(&path).0.to_vec());
        if !above.0.is_empty() && !matches!(self.wants.get(&above), Some(Want::Directory { .. })) {
            return Err(refuse("its directory does not come before it"));
        }
        if self.wants.contains_key(&TreePath(path.clone())) {
            return Err(refuse("it comes twice"));
        }
        let want = match kind {
            Kind::Whiteout => Want::Absent,
            Kind::Directory { opaque } => {
                // Nothing below a directory that hides all it covered shows through, marked or not.
                let hidden = matches!(self.wants.get(&above), Some(Want::Directory { opaque: true, .. }));
                Want::Directory { meta: Some(meta), opaque: opaque || hidden }
            }
            Kind::Symlink { target } => Want::Symlink { target, mtime: meta.mtime },
            Kind::Link { to } => {
                let group = self.groups.get_mut(&to).ok_or_else(|| refuse("it is a link to nothing before it"))?;
                group.paths.push(path.clone());
                let Some(Want::File(first)) = self.wants.get(&TreePath(to)).cloned() else {
                    return Err(refuse("it is a link to what is no file"));
                };
                let slot = self.slot();
                let names = (slot_name(first.slot), slot_name(slot));
                rustix::fs::linkat(self.staged, names.0, self.staged, names.1, AtFlags::empty()).at("link", &path)?;
                Want::File(FileWant { slot, ..first })
            }
            Kind::File { length, runs, atime, origin } => {
                self.account(&path, length, &runs)?;
                let slot = self.slot();
                let name = slot_name(slot);
                let file = beneath::create(self.staged, name.as_bytes()).at("stage", &path)?;
                let digest = match &runs[..] {
                    [Extent { offset: 0, bytes }] if *bytes == length && length <= SMALL_BYTES_MAX => {
                        let content = fill_at_once(&file, length, data, &path)?;
                        let digest = Sha256::digest(&content).into();
                        self.remembered.slot(slot, content);
                        digest
                    }
                    _ => fill(&file, length, &runs, data, &path)?,
                };
                node::set_new_meta(&file, &meta).at("stage", &path)?;
                let image = Image { kind: NodeKind::File, bytes: length, digest, links: 1, ..Image::directory(&meta) };
                self.groups.insert(path.clone(), Group { paths: vec![path.clone()], atime, origin });
                Want::File(FileWant { slot, image, stays: false, relink: false, exact: false })
            }
        };
        self.wants.insert(TreePath(path), want);
        Ok(())
    }

    fn slot(&mut self) -> Slot {
        self.next += 1;
        self.next - 1
    }

    fn account(&mut self, path: &[u8], length: u64, runs: &[Extent]) -> Result<(), StageError> {
        let over = |what, limit| StageError::Limit { what, path: path.to_vec(), limit };
        self.lengths = self.lengths.saturating_add(length);
        self.bytes = self.bytes.saturating_add(runs.iter().map(|run| run.bytes).sum());
        if self.lengths > self.limits.length_bytes_max {
            return Err(over("bytes of all files, holes included,", self.limits.length_bytes_max));
        }
        if self.bytes > self.limits.layer_bytes_max {
            return Err(over("bytes of a layer", self.limits.layer_bytes_max));
        }
        Ok(())
    }
}

/// Writes a small entry's data. All of it.
fn fill_at_once(file: &File, length: u64, data: &mut dyn Read, path: &[u8]) -> Result<Vec<u8>, StageError> {
    let cut = |error: std::io::Error| StageError::Layer { path: path.to_vec(), why: error.to_string() };
    let mut content = vec![0; usize::try_from(length).unwrap_or(0)];
    data.read_exact(&mut content).map_err(cut)?;
    file.write_all_at(&content, 0).at("stage", path)?;
    Ok(content)
}

/// Writes an entry's data where it belongs. The digest of the whole file.
fn fill(file: &File, length: u64, runs: &[Extent], data: &mut dyn Read, path: &[u8]) -> Result<[u8; 32], StageError> {
    let cut = |error: std::io::Error| StageError::Layer { path: path.to_vec(), why: error.to_string() };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(length).unwrap_or(CHUNK_BYTES))];
    let mut at = 0;
    for run in runs {
        content::zeros(run.offset - at, |zeros| hash.update(zeros));
        at = run.offset;
        let end = run.offset + run.bytes;
        while at < end {
            let piece = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            data.read_exact(&mut buffer[..piece]).map_err(cut)?;
            hash.update(&buffer[..piece]);
            file.write_all_at(&buffer[..piece], at).at("stage", path)?;
            at += piece as u64;
        }
    }
    content::zeros(length - at, |zeros| hash.update(zeros));
    if runs.last().is_none_or(|run| run.offset + run.bytes < length) {
        file.set_len(length).at("stage", path)?;
    }
    Ok(hash.finalize().into())
}
