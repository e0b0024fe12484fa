//! The store's own files: lines, encoded, compressed and sealed. One that was not written to its end does not open.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use schema::codec;
use schema::label::Label;
use serde::{Deserialize, Serialize};

use crate::effects::Effect;
use crate::labels::Relabel;
use crate::limits::{LINE_BYTES_MAX, RECORD_BYTES_MAX};
use crate::node::Image;
use crate::plan::{Delta, Plan, Slot, Step, Touched};
use crate::seal::Sealer;

/// One line of a file.
#[derive(Debug, Serialize, Deserialize)]
pub enum Line {
    /// What stands for the whole.
    Head(Head),
    /// What the caller noted.
    Note(Vec<u8>),
    /// As shown.
    Effect(Effect),
    /// A node that is created, changed or deleted.
    Delta(Delta),
    /// What to do.
    Step(Step),
    /// A directory whose names or permissions change.
    Touched(Touched),
    /// A file that staging linked to.
    ReliedOn(Vec<u8>, Image),
    /// The same of a name that the undo store has.
    ReliedLink(u64, Image),
    /// What an undo needs of a node.
    Kept(Kept),
    /// What follows is of the directory of this name, beside the workspace; the first slot that is free there.
    Root(Vec<u8>, Slot),
    /// The label that a path brings along.
    Brings(Vec<u8>, Label),
    /// The label of a path, before and after.
    Relabel(Relabel),
    /// Deletions among the effects beyond those listed.
    MoreDeleted(u64),
}

/// What stands for a whole action.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Head {
    /// The action that this one takes back.
    pub undo_of: Option<u64>,
    /// How often the workspace had been committed to when the rehearsal began.
    pub since: u64,
    /// Effects beyond those listed.
    pub more: u64,
    /// Bytes of new content.
    pub bytes_written: u64,
    /// Whether it can be undone.
    pub undoable: bool,
    /// The first slot that is free.
    pub next_slot: Slot,
}

/// What an undo needs of a node that was created, changed or deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The change, with what was before as the commit found it.
    pub delta: Delta,
    /// The old content.
    pub content: Content,
    /// Other names of the old file were left in the workspace, and one is kept in the store under this number.
    pub link: Option<u64>,
}

/// A file's old content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// There was none, or no file.
    Nothing,
    /// It stands here.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It is a file of the store, found by its digest.
    Stored,
}

/// Writes lines into `file`, as `what`.
pub fn write<'l>(sealer: &Sealer, what: &str, file: File, lines: impl Iterator<Item = Line> + 'l) -> io::Result<File> {
    let mut writer = sealer.writer(what.as_bytes(), file)?;
    let mut frame = Vec::new();
    for line in lines {
        codec::frame_into(&line, &mut frame, LINE_BYTES_MAX).map_err(io::Error::other)?;
        writer.write_all(&frame)?;
    }
    // No line is empty, so no line begins so.
    writer.write_all(&0_u32.to_le_bytes())?;
    writer.finish()
}

/// Calls `with` on each line of `file`, which was written as `what`.
pub fn read(sealer: &Sealer, what: &str, file: File, mut with: impl FnMut(Line)) -> io::Result<()> {
    let reader = sealer.reader(what.as_bytes(), BufReader::new(file))?;
    let mut reader = reader.take(RECORD_BYTES_MAX);
    let mut body = Vec::new();
    loop {
        let mut prefix = [0; 4];
        reader.read_exact(&mut prefix)?;
        if prefix == [0; 4] {
            return Ok(());
        }
        let length = codec::body_length(prefix, LINE_BYTES_MAX).map_err(io::Error::other)?;
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        with(codec::decode(&body, LINE_BYTES_MAX).map_err(io::Error::other)?);
    }
}

/// The head of a plan.
pub fn head(plan: &Plan) -> Head {
    Head {
        undo_of: plan.undo_of,
        since: plan.since,
        more: plan.effects.more,
        bytes_written: plan.effects.bytes_written,
        undoable: plan.effects.undoable,
        next_slot: plan.next_slot,
    }
}

/// The lines of a staged plan.
pub fn plan_lines(plan: &Plan) -> impl Iterator<Item = Line> {
    std::iter::once(Line::Head(head(plan)))
        .chain(effect_lines(plan))
        .chain(part_lines(plan))
        .chain(plan.others.iter().flat_map(|(name, part)| begins(name, part).chain(part_lines(part))))
}

/// The lines that tell what is done.
pub fn effect_lines(plan: &Plan) -> impl Iterator<Item = Line> {
    let more_deleted = Some(plan.effects.more_deleted).filter(|more| *more > 0);
    more_deleted.map(Line::MoreDeleted).into_iter().chain(plan.effects.list.iter().cloned().map(Line::Effect))
}

fn begins(name: &[u8], part: &Plan) -> std::iter::Once<Line> {
    std::iter::once(Line::Root(name.to_vec(), part.next_slot))
}

fn part_lines(plan: &Plan) -> impl Iterator<Item = Line> {
    let deltas = plan.deltas.iter().cloned().map(Line::Delta);
    deltas
        .chain(steps(plan))
        .chain(plan.relied_on.iter().cloned().map(|(path, image)| Line::ReliedOn(path, image)))
        .chain(plan.relied_links.iter().cloned().map(|(number, image)| Line::ReliedLink(number, image)))
        .chain(plan.brings.iter().cloned().map(|(path, label)| Line::Brings(path, label)))
}

fn steps(plan: &Plan) -> impl Iterator<Item = Line> {
    let touched = plan.touched.iter().cloned().map(Line::Touched);
    plan.steps.iter().cloned().map(Line::Step).chain(touched)
}

fn redo_part(plan: &Plan) -> impl Iterator<Item = Line> {
    steps(plan).chain(plan.relabels.iter().filter(|one| one.changes()).cloned().map(Line::Relabel))
}

/// The lines that a commit needs to be finished or taken back.
pub fn redo_lines(plan: &Plan) -> impl Iterator<Item = Line> {
    redo_part(plan).chain(plan.others.iter().flat_map(|(name, part)| begins(name, part).chain(redo_part(part))))
}

/// Puts a line where it belongs. What the file holds beside a plan goes to `other`.
pub fn collect(plan: &mut Plan, line: Line, other: &mut Vec<Line>) {
    match line {
        Line::Head(head) => {
            plan.undo_of = head.undo_of;
            plan.since = head.since;
            plan.next_slot = head.next_slot;
            plan.effects.more = head.more;
            plan.effects.bytes_written = head.bytes_written;
            plan.effects.undoable = head.undoable;
        }
        Line::Effect(effect) => plan.effects.list.push(effect),
        Line::MoreDeleted(more) => plan.effects.more_deleted = more,
        Line::Root(name, next_slot) => plan.others.push((name, Plan { next_slot, ..Plan::default() })),
        Line::Delta(delta) => last(plan).deltas.push(delta),
        Line::Step(step) => last(plan).steps.push(step),
        Line::Touched(touched) => last(plan).touched.push(touched),
        Line::ReliedOn(path, image) => last(plan).relied_on.push((path, image)),
        Line::ReliedLink(number, image) => last(plan).relied_links.push((number, image)),
        Line::Brings(path, label) => last(plan).brings.push((path, label)),
        Line::Relabel(one) => last(plan).relabels.push(one),
        line @ (Line::Note(_) | Line::Kept(_)) => other.push(line),
    }
}

/// The part that lines are of: the directory's that was named last, the workspace's before any was.
fn last(plan: &mut Plan) -> &mut Plan {
    match plan.others.len().checked_sub(1) {
        Some(at) => &mut plan.others[at].1,
        None => plan,
    }
}
