//! On which processors the two ends of a comparison run. Left to the scheduler, one side of a comparison may share a
//! processor and the other not, which says more about luck than about either.

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Where two processes are.
#[derive(Clone, Copy)]
pub enum Placement {
    /// Both on one processor: the work itself.
    Together,
    /// Each on one of its own: the work, and waking the other processor.
    Apart,
}

/// The processors that this thread may use. Dropped: it may use all of them again.
pub struct Processors {
    all: CpuSet,
    numbers: Vec<usize>,
}

impl Processors {
    /// Finds out.
    pub fn of_this_thread() -> Result<Processors, String> {
        let all = sched_getaffinity(Pid::from_raw(0)).map_err(|e| format!("which processors there are: {e}"))?;
        let numbers = (0..CpuSet::count()).filter(|n| all.is_set(*n).unwrap_or(false)).collect();
        Ok(Processors { all, numbers })
    }

    /// Runs `start` where the other end belongs, which is where what it starts will stay; leaves this thread where this
    /// end belongs.
    pub fn place<T>(&self, placement: Placement, start: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let (ours, theirs) = match (placement, self.numbers.as_slice()) {
            (Placement::Together, [first, ..]) => (*first, *first),
            (Placement::Apart, [first, second, ..]) => (*first, *second),
            (Placement::Together | Placement::Apart, _) => return Err("it takes a second processor".to_string()),
        };
        pin(theirs)?;
        let started = start();
        pin(ours)?;
        started
    }
}

fn pin(processor: usize) -> Result<(), String> {
    let mut only = CpuSet::new();
    let pinned = only.set(processor).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
    pinned.map_err(|e| format!("staying on processor {processor}: {e}"))
}

impl Drop for Processors {
    fn drop(&mut self) {
        let _ = sched_setaffinity(Pid::from_raw(0), &self.all);
    }
}
