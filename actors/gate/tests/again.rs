//! An action that its executor rehearses again: what was shown of it before counts no more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fakes;

use chela_gate::principals::{HOUSE, OWNER};
use fakes::{World, last, outcome, tool};
use kit::Role;
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::edge::local::ToClient;
use schema::effects::{Effects, Standing};
use schema::tool::ToolOutcome;
use tokio::task::LocalSet;

fn shown(more: u64) -> ToolOutcome {
    let effects = Effects { more, undoable: true, ..Effects::default() };
    ToolOutcome { effects, standing: Standing::Staged, ..outcome(Vec::new()) }
}

#[test]
fn what_is_shown_again_is_decided_on_again_and_not_for_ever() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        let mut link = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
        let (client, mut hears) = world.person();
        world.say(&client, tool(None, "{}")).unwrap();
        let ToExecutor::Run { action, .. } = link.recv().await.unwrap() else { panic!("no run") };
        for more in [1, 2] {
            link.send(&FromExecutor::Finished { action, outcome: shown(more) }).await.unwrap();
            let settled = link.recv().await.unwrap();
            assert!(
                matches!(settled, ToExecutor::Settle { action: of, commit: true, .. } if of == action),
                "{settled:?}"
            );
            if more == 1 {
                link.send(&FromExecutor::Again { action }).await.unwrap();
            }
        }
        link.send(&FromExecutor::Settled { action, standing: Standing::Committed }).await.unwrap();
        let ToClient::ToolReport { outcome: Some(outcome), .. } = last(&mut hears).await else { panic!("no report") };
        assert_eq!((outcome.effects.more, outcome.standing), (2, Standing::Committed));
        let decided = std::fs::read_to_string(world.log.path()).unwrap();
        assert_eq!(decided.matches("effects.decided").count(), 2, "{decided}");
        // Of what is not open nobody says that; and of what is, not without end.
        world.say(&client, tool(None, "{}")).unwrap();
        let ToExecutor::Run { action, .. } = link.recv().await.unwrap() else { panic!("no run") };
        for _ in 0..100 {
            if link.send(&FromExecutor::Again { action }).await.is_err() {
                break;
            }
        }
        world.breach(Role::Executor).await;
    });
}
