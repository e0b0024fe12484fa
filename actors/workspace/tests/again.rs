//! What was staged and not settled can be staged again under the same number; what was settled can't.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::Home;
use workspace::{StageError, State};

#[test]
fn what_was_staged_is_forgotten_without_a_trace_and_staged_again() {
    let home = Home::new();
    home.run("echo a > a");
    let layer = home.rehearse("echo b > b");
    let mut area = home.open();
    area.stage(1, &mut &layer[..]).unwrap();
    area.stage(2, &mut &layer[..]).unwrap();
    area.unstage(1).unwrap();
    assert_eq!((area.state(1), area.state(2)), (State::Unknown, State::Staged));
    drop(area);
    // The next process.
    let mut area = home.open();
    assert_eq!(area.unstage_all().unwrap(), [2]);
    area.stage(2, &mut &layer[..]).unwrap();
    area.commit(2, b"noted").unwrap();
    area.unstage(2).unwrap();
    assert!(area.unstage_all().unwrap().is_empty());
    assert_eq!(area.state(2), State::Committed { undoable: true }, "what is real is not forgotten");
    assert!(matches!(area.stage(2, &mut &layer[..]), Err(StageError::Known(2))), "nor committed twice");
    assert_eq!(area.note(2).unwrap().as_deref(), Some(&b"noted"[..]));
}
