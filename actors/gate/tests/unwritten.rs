//! A rehearsal begins while its decision is written down; what it did becomes real when that is on the disk, and not at
//! all when it can't be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fakes;

use std::time::Duration;

use chela_gate::principals::{HOUSE, OWNER};
use fakes::{World, last, outcome, remember, tool};
use kit::{Link, Role};
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::edge::local::ToClient;
use schema::edge::memory::{Answer, Ask, FromMemory, MemoryWire, Step, ToMemory};
use schema::effects::{Effects, Standing};
use schema::tool::ToolOutcome;
use tokio::task::LocalSet;
use tokio::time::timeout;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Answers as a memory does, up to the decision on a tool: that is left to the caller.
async fn up_to_the_decision(world: &World, link: &mut Link<FromMemory, ToMemory>) -> ToMemory {
    loop {
        let asked = link.recv().await.unwrap();
        if matches!(&asked.ask, Ask::RecordStep { record: Step::ToolDecided { .. }, .. }) {
            return asked;
        }
        let answer = remember(&world.journal, asked.ask);
        link.send(&FromMemory { request: asked.request, answer }).await.unwrap();
    }
}

#[test]
fn what_a_rehearsal_did_waits_for_the_disk() {
    run(async {
        let world = World::new();
        world.memory(HOUSE);
        let mut memory = World::link::<MemoryWire>(world.edge(Role::Memory, OWNER)).await;
        let mut executor = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
        let (client, mut hears) = world.person();
        world.say(&client, tool(None, "{}")).unwrap();
        let decision = up_to_the_decision(&world, &mut memory).await;
        let ToExecutor::Run { action, .. } = executor.recv().await.unwrap() else { panic!("no run") };
        let effects = Effects { more: 1, undoable: true, ..Effects::default() };
        let shown = ToolOutcome { effects, standing: Standing::Staged, ..outcome(Vec::new()) };
        executor.send(&FromExecutor::Finished { action, outcome: shown }).await.unwrap();
        assert!(timeout(Duration::from_millis(200), executor.recv()).await.is_err(), "settled before it was written");
        let answer = remember(&world.journal, decision.ask);
        memory.send(&FromMemory { request: decision.request, answer }).await.unwrap();
        let settled = executor.recv().await.unwrap();
        assert!(matches!(settled, ToExecutor::Settle { action: of, commit: true, .. } if of == action), "{settled:?}");
        executor.send(&FromExecutor::Settled { action, standing: Standing::Committed }).await.unwrap();
        tokio::task::spawn_local(async move {
            while let Ok(asked) = memory.recv().await {
                let answer = remember(&world.journal, asked.ask);
                memory.send(&FromMemory { request: asked.request, answer }).await.unwrap();
            }
        });
        assert!(matches!(last(&mut hears).await, ToClient::ToolReport { outcome: Some(_), .. }));
    });
}

#[test]
fn what_could_not_be_written_down_is_not_done() {
    run(async {
        let world = World::new();
        world.memory(HOUSE);
        let mut memory = World::link::<MemoryWire>(world.edge(Role::Memory, OWNER)).await;
        let mut executor = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
        let (client, _hears) = world.person();
        world.say(&client, tool(None, "{}")).unwrap();
        let decision = up_to_the_decision(&world, &mut memory).await;
        let ToExecutor::Run { action, .. } = executor.recv().await.unwrap() else { panic!("no run") };
        let answer = Answer::Failed { reason: "the disk is full".to_owned() };
        memory.send(&FromMemory { request: decision.request, answer }).await.unwrap();
        assert_eq!(executor.recv().await.unwrap(), ToExecutor::Cancel { action });
        // It had ended before it heard of that.
        let effects = Effects { more: 1, undoable: true, ..Effects::default() };
        let shown = ToolOutcome { effects, standing: Standing::Staged, ..outcome(Vec::new()) };
        executor.send(&FromExecutor::Finished { action, outcome: shown }).await.unwrap();
        let settled = executor.recv().await.unwrap();
        assert!(matches!(settled, ToExecutor::Settle { action: of, commit: false, .. } if of == action), "{settled:?}");
    });
}
