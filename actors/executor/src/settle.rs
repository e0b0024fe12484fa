//! What the gate has decided about what was shown: made real, forgotten, or rehearsed again where it can't become real any
//! more as it was shown.

use std::rc::Rc;

use schema::effects::Standing;
use schema::label::Label;
use schema::tool::{Admitted, Repeat, ToolOutcome};
use tokio::time::Duration;

use crate::area;
use crate::limits::{REHEARSALS_MAX, SETTLE_MS, TIDIED_AT_ONCE};
use crate::serve::{Desk, end, start};
use crate::settled::note;

/// What was rehearsed and shown.
pub(crate) struct Shown {
    /// What came of it.
    pub outcome: ToolOutcome,
    /// What was asked.
    pub call: Admitted,
    /// How often it was shown before.
    pub tries: usize,
}

/// Does what the gate has decided. Said again, it changes nothing and has the same answer. `None`: the workspace was changed
/// between showing and deciding, so that it is rehearsed again, and shown again.
pub(crate) fn settle(desk: &Rc<Desk>, action: u64, label: Option<Label>) -> Option<Standing> {
    let shown = desk.staged.borrow_mut().remove(&action);
    let outcome = shown.as_ref().map(|shown| shown.outcome.clone()).or_else(|| desk.background.staged(action));
    let note = outcome.zip(label).map(|(outcome, label)| note(&outcome, label)).unwrap_or_default();
    let tried = area::try_settle(&mut desk.area.borrow_mut(), action, label, &note);
    let standing = match (tried, &shown) {
        (Ok(standing), _) => standing,
        (Err(why), Some(shown)) if may_repeat(shown) && unstaged(desk, action) => {
            tracing::warn!("action {action} is rehearsed again: {why}");
            start(desk, action, shown.call.clone(), shown.tries + 1);
            return None;
        }
        (Err(_), _) => area::settle(&mut desk.area.borrow_mut(), action, label, &note),
    };
    let wrote = label.filter(|_| standing == Standing::Committed);
    desk.background.settled(action, &standing, wrote);
    if let Some(shown) = shown {
        end(desk, action, ToolOutcome { standing: standing.clone(), wrote, ..shown.outcome });
    }
    Some(standing)
}

/// Removes what a commit replaced, once it is answered, and lets others work meanwhile.
pub(crate) async fn tidy(desk: Rc<Desk>) {
    loop {
        // First of all the answer goes out.
        tokio::task::yield_now().await;
        let done = desk.area.borrow_mut().tidy(TIDIED_AT_ONCE);
        match done {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => return tracing::error!("what a commit replaced goes at the next one: {error}"),
        }
    }
}

/// Forgets what is staged of it, if anything is.
pub(crate) fn forget(desk: &Rc<Desk>, action: u64) {
    settle(desk, action, None);
}

/// Nobody else can work in the workspace while something is staged: a gate that does not decide is not waited for.
pub(crate) async fn give_up(desk: Rc<Desk>, action: u64, tries: usize) {
    tokio::time::sleep(Duration::from_millis(SETTLE_MS)).await;
    let waits = desk.staged.borrow().get(&action).is_some_and(|shown| shown.tries == tries);
    if waits {
        tracing::error!("action {action}: nobody decided on what it changes; it is forgotten");
        forget(&desk, action);
    }
}

/// What may have had an effect outside is never carried out twice by itself.
fn may_repeat(shown: &Shown) -> bool {
    shown.tries + 1 < REHEARSALS_MAX && shown.call.repeat() == Repeat::Freely
}

fn unstaged(desk: &Desk, action: u64) -> bool {
    let unstaged = desk.area.borrow_mut().unstage(action);
    unstaged.inspect_err(|error| tracing::error!("action {action}: {error}")).is_ok()
}
