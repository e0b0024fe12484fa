//! One workspace with its store: what there is, and in which state.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::effects::Effects;
use crate::error::{AreaError, At, StageError};
use crate::kept_links::KeptLinks;
use crate::labels::Table;
use crate::limits::{Limits, PLANNED_CHANGES_MAX};
use crate::plan::Plan;
use crate::point::Point;
use crate::record::{self, Line};
use crate::roots::Root;
use crate::seal::Key;
use crate::store::{Store, made_dir};
use crate::tidy::Remains;
use crate::torn::Torn;
use crate::{beneath, keep};

/// Called at each point of a commit.
pub type Hook = Box<dyn FnMut(Point)>;

/// One workspace with its store.
pub struct Area {
    pub(crate) workspace: OwnedFd,
    /// Directories beside it, in the order of their names.
    pub(crate) roots: Vec<Root>,
    pub(crate) store: Store,
    pub(crate) limits: Limits,
    /// Every action that the store knows.
    pub(crate) known: BTreeMap<u64, Known>,
    /// Staged by this process: what is staged is as it was written.
    pub(crate) fresh: BTreeSet<u64>,
    /// The plan of the action that was staged last, as its file has it, unless it is large.
    pub(crate) planned: Option<(u64, Plan)>,
    /// What commits replaced.
    pub(crate) remains: Remains,
    /// How often the workspace was committed to.
    pub(crate) counter: u64,
    /// What that was when an action's rehearsal began, until it is staged.
    pub(crate) rehearsing: BTreeMap<u64, u64>,
    /// A commit that could be neither finished nor taken back: nothing goes on before the next `open` has tried again.
    pub(crate) torn: Option<Torn>,
    pub(crate) hook: Option<Hook>,
    /// What the undo store takes on disk.
    pub(crate) undo_bytes: u64,
    /// Names that the undo store has of files which other names have in the workspace.
    pub(crate) kept_links: KeptLinks,
    /// Labels of paths.
    pub(crate) labels: Table,
}

/// What the store knows of an action without opening its record.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub standing: Standing,
    /// What an undo needs is there.
    pub kept: bool,
    /// When it was committed or discarded, seconds since 1970.
    pub at_s: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Staged,
    Committed { undo_of: Option<u64> },
    Discarded,
}

/// The state of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Never heard of, or so long ago that its record is gone.
    Unknown,
    /// Shown and not decided.
    Staged,
    /// Its changes are in the workspace.
    Committed {
        /// What an undo needs is there.
        undoable: bool,
    },
    /// Decided against.
    Discarded,
    /// Committed and taken back.
    Undone {
        /// By which action.
        by: u64,
    },
}

/// What `open` found to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Commits that a crash had interrupted and that are done now.
    pub finished: Vec<u64>,
    /// Commits that could not be finished, since the workspace was changed meanwhile, and were taken back.
    pub rolled_back: Vec<u64>,
    /// Actions that a crash had interrupted before they were staged wholly.
    pub dropped: Vec<u64>,
}

impl Area {
    /// Opens a workspace and its store, which are directories of the same filesystem; finishes or takes back what a crash
    /// left, before anything else.
    pub fn open(workspace: &Path, store: &Path, key: &Key, limits: Limits) -> Result<(Area, Recovered), AreaError> {
        Area::open_on_point(workspace, store, key, limits, None)
    }

    /// As [`Area::open`], with directories beside the workspace that actions may change with it. Each is known by its
    /// path's last part.
    pub fn open_beside(
        workspace: &Path,
        directories: &[PathBuf],
        store: &Path,
        key: &Key,
        limits: Limits,
        hook: Option<Hook>,
    ) -> Result<(Area, Recovered), AreaError> {
        let mut roots = directories.iter().map(|path| Root::open(path)).collect::<Result<Vec<_>, _>>()?;
        roots.sort_by(|one, other| one.name.cmp(&other.name));
        Area::open_all(workspace, roots, store, key, limits, hook)
    }

    /// For tests: as [`Area::open`], and `hook` is called at each point of what `open` finishes.
    pub fn open_on_point(
        workspace: &Path,
        store: &Path,
        key: &Key,
        limits: Limits,
        hook: Option<Hook>,
    ) -> Result<(Area, Recovered), AreaError> {
        Area::open_all(workspace, Vec::new(), store, key, limits, hook)
    }

    fn open_all(
        workspace: &Path,
        roots: Vec<Root>,
        store: &Path,
        key: &Key,
        limits: Limits,
        hook: Option<Hook>,
    ) -> Result<(Area, Recovered), AreaError> {
        let name = workspace.as_os_str().as_encoded_bytes();
        let workspace =
            rustix::fs::open(workspace, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).at("open", name)?;
        let beside = store;
        let store = Store::open(store, key)?;
        let mut area = Area {
            workspace,
            roots,
            store,
            limits,
            known: BTreeMap::new(),
            fresh: BTreeSet::new(),
            planned: None,
            remains: Remains::default(),
            counter: 0,
            rehearsing: BTreeMap::new(),
            torn: None,
            hook,
            undo_bytes: 0,
            kept_links: KeptLinks::default(),
            labels: Table::open(beside)?,
        };
        let recovered = area.recover()?;
        area.tidy_all()?;
        area.undo_bytes = keep::total_bytes(&area.store)?;
        area.kept_links = KeptLinks::find(&area.store)?;
        area.expire(None)?;
        Ok((area, recovered))
    }

    /// For tests: calls `hook` at each point of a commit.
    pub fn on_point(&mut self, hook: Hook) {
        self.hook = Some(hook);
    }

    pub(crate) fn point(&mut self, point: Point) {
        if let Some(hook) = &mut self.hook {
            hook(point);
        }
    }

    /// Throws a staged action away.
    pub fn discard(&mut self, action: u64) -> Result<(), AreaError> {
        self.heal()?;
        self.not_torn()?;
        if self.known.get(&action).map(|known| known.standing) != Some(Standing::Staged) {
            return Ok(());
        }
        let name = format!("{action}.discarded");
        drop(beneath::create(&self.store.actions, name.as_bytes()).at("create", name.as_bytes())?);
        self.known.insert(action, Known { standing: Standing::Discarded, kept: false, at_s: crate::node::now().s });
        self.no_more_staged(action);
        self.remove_staged(action)?;
        Ok(())
    }

    /// The state of an action.
    pub fn state(&self, action: u64) -> State {
        let Some(known) = self.known.get(&action) else { return State::Unknown };
        match known.standing {
            Standing::Staged => State::Staged,
            Standing::Discarded => State::Discarded,
            Standing::Committed { .. } => match self.undone_by(action) {
                Some(by) => State::Undone { by },
                None => State::Committed { undoable: known.kept },
            },
        }
    }

    /// The action that took this one back and was not taken back itself.
    fn undone_by(&self, action: u64) -> Option<u64> {
        self.undone_within(action, self.known.len())
    }

    fn undone_within(&self, action: u64, depth: usize) -> Option<u64> {
        let depth = depth.checked_sub(1)?;
        let undoes = |known: &Known| known.standing == Standing::Committed { undo_of: Some(action) };
        let by = self.known.iter().filter(|(_, known)| undoes(known)).map(|(by, _)| *by);
        by.rev().find(|by| self.undone_within(*by, depth).is_none())
    }

    /// What a staged or committed action does.
    pub fn effects(&self, action: u64) -> Result<Option<Effects>, AreaError> {
        Ok(self.load(action)?.map(|(plan, _)| plan.effects))
    }

    /// What was noted at the commit.
    pub fn note(&self, action: u64) -> Result<Option<Vec<u8>>, AreaError> {
        let Some((_, other)) = self.load(action)? else { return Ok(None) };
        Ok(other.into_iter().find_map(|line| match line {
            Line::Note(note) => Some(note),
            _ => None,
        }))
    }

    /// The newest actions that were committed, by number, newest first.
    pub fn actions(&self, newest: usize) -> Result<Vec<u64>, AreaError> {
        let committed = |known: &Known| matches!(known.standing, Standing::Committed { .. });
        Ok(self.known.iter().rev().filter(|(_, known)| committed(known)).map(|(id, _)| *id).take(newest).collect())
    }

    fn load(&self, action: u64) -> Result<Option<(Plan, Vec<Line>)>, AreaError> {
        match self.known.get(&action).map(|known| known.standing) {
            Some(Standing::Staged) => self.store.read_plan(self.store.staged(action)?, PLAN, &plan_name(action)),
            Some(Standing::Committed { undo_of }) => {
                self.store.read_plan(&self.store.actions, &record_name(action, undo_of), &action_name(action))
            }
            Some(Standing::Discarded) | None => Ok(None),
        }
    }

    /// Refuses to go on from a commit that could be neither finished nor taken back, and without a workspace.
    pub(crate) fn whole(&self) -> Result<(), AreaError> {
        self.not_torn()?;
        match rustix::fs::fstat(&self.workspace).at("look at", b"")?.st_nlink {
            0 => Err(AreaError::Removed),
            _ => Ok(()),
        }
    }

    fn not_torn(&self) -> Result<(), AreaError> {
        match &self.torn {
            Some(torn) => Err(torn.error()),
            None => Ok(()),
        }
    }

    /// Makes the directory of a new action.
    pub(crate) fn begin(&mut self, action: u64) -> Result<OwnedFd, StageError> {
        self.heal()?;
        self.whole()?;
        self.tidy_all()?;
        if self.known.contains_key(&action) {
            return Err(StageError::Known(action));
        }
        let name = action.to_string();
        self.remove_staged(action)?;
        Ok(made_dir(&self.store.staging, name.as_bytes())?)
    }

    /// What was staged of an action is not any more.
    pub(crate) fn no_more_staged(&mut self, action: u64) {
        self.fresh.remove(&action);
        self.planned.take_if(|(planned, _)| *planned == action);
    }

    /// Writes a new action's plan, or removes what there is of one that failed.
    pub(crate) fn end(&mut self, action: u64, plan: Result<Plan, StageError>) -> Result<Effects, StageError> {
        let since = self.rehearsing.remove(&action).unwrap_or(self.counter);
        let written = plan.map(|plan| Plan { since, ..plan }).and_then(|plan| {
            let dir = self.store.staged(action)?;
            self.store.write(&dir, PLAN, &plan_name(action), record::plan_lines(&plan))?;
            Ok(plan)
        });
        match written {
            Ok(plan) => {
                self.known.insert(action, Known { standing: Standing::Staged, kept: false, at_s: 0 });
                self.fresh.insert(action);
                let effects = plan.effects.clone();
                self.planned = (plan.deltas.len() <= PLANNED_CHANGES_MAX).then_some((action, plan));
                Ok(effects)
            }
            Err(error) => {
                // The first error is the one to tell; what could not be removed now is removed at the next `open`.
                let _ = self.remove_staged(action);
                Err(error)
            }
        }
    }
}

/// A plan's file in its action's staging directory. Slots have numbers for names.
pub(crate) const PLAN: &str = "plan";

/// What a plan is sealed as.
pub(crate) fn plan_name(action: u64) -> String {
    format!("plan {action}")
}

/// What a journal is sealed as.
pub(crate) fn journal_name(action: u64) -> String {
    format!("journal {action}")
}

/// What an action's record is sealed as.
pub(crate) fn action_name(action: u64) -> String {
    format!("action {action}")
}

/// What an undo's record is sealed as.
pub(crate) fn undo_name(action: u64) -> String {
    format!("undo {action}")
}

/// An action's record, in `actions`.
pub(crate) fn record_name(action: u64, undo_of: Option<u64>) -> String {
    match undo_of {
        Some(undone) => format!("{action}-{undone}"),
        None => action.to_string(),
    }
}
