//! The hub with fakes at its edges: turns end to end, peers that die, peers that break the rules.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fakes;

use std::fs::File;
use std::future::Future;
use std::io::Write as _;

use chela_gate::principals::{HOUSE, OWNER};
use fakes::{World, last, message, outcome, replied, text, tool};
use kit::Role;
use schema::edge::brain::{BrainWire, FromBrain};
use schema::edge::executor::{ExecutorWire, FromExecutor, ToExecutor};
use schema::edge::local::{FromClient, ToClient};
use schema::edge::memory::{Answer, FromMemory, MemoryWire, Step, TurnEnd};
use schema::edge::model::{FromModel, ModelWire, ToModel};
use schema::limits::OUTPUT_KEPT_BYTES;
use schema::tool::{Ended, Verdict};
use tokio::task::LocalSet;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn a_message_is_journaled_and_answered_once() {
    run(async {
        let world = World::whole();
        let (end, said, turn) = replied(world.ask(message("m1", "hi")).await);
        assert_eq!((end, said.as_str()), (TurnEnd::Answered, "hello"));
        assert_eq!(world.journal.borrow()[&turn].ended, Some((TurnEnd::Answered, "hello".to_owned())));
        // Asked again it is the same turn, and nobody works on it again.
        assert_eq!(replied(world.ask(message("m1", "hi")).await), (end, said, turn));
        assert_eq!(world.completions.get(), 1);
        assert!(matches!(world.ask(message("m1", "else")).await, ToClient::Failed { refused: true, .. }));
    });
}

#[test]
fn two_clients_with_one_message_share_its_turn() {
    run(async {
        let world = World::whole();
        let (one, mut one_hears) = world.person();
        let (two, mut two_hears) = world.person();
        world.say(&one, message("m", "hi")).unwrap();
        world.say(&two, message("m", "hi")).unwrap();
        assert_eq!(replied(last(&mut one_hears).await), replied(last(&mut two_hears).await));
        assert_eq!(world.completions.get(), 1);
    });
}

#[test]
fn a_tool_is_decided_journaled_audited_run_and_told() {
    run(async {
        let world = World::whole();
        let (end, _, turn) = replied(world.ask(message("m", "tool")).await);
        assert_eq!(end, TurnEnd::Answered);
        assert_eq!(world.runs.get(), 1);
        let steps = world.steps(turn);
        assert!(matches!(steps[1], Step::ToolDecided { action: 1, .. }), "{steps:?}");
        assert!(matches!(steps[2], Step::ToolFinished { action: 1, .. }), "{steps:?}");
        let report = chela_audit_log::verify(File::open(world.log.path()).unwrap(), None).unwrap();
        assert!(report.is_clean());
        assert_eq!(report.last.unwrap().action, 1);
    });
}

#[test]
fn a_key_runs_its_call_once() {
    run(async {
        let world = World::whole();
        let first = world.ask(tool(Some("k"), "{}")).await;
        assert_eq!(world.ask(tool(Some("k"), "{}")).await, first);
        assert_eq!(world.runs.get(), 1);
        assert!(matches!(world.ask(tool(Some("k"), "{\"path\": \"a\"}")).await, ToClient::Failed { .. }));
        world.ask(tool(None, "{}")).await;
        assert_eq!(world.runs.get(), 2);
        let refused = world.ask(tool(None, "{\"path\": \"..\"}")).await;
        let ToClient::ToolReport { action: 0, decision, outcome: None } = refused else { panic!("{refused:?}") };
        assert_eq!(decision.verdict, Verdict::Refused);
    });
}

#[test]
fn a_second_request_while_one_is_open_breaks_the_rules() {
    run(async {
        let world = World::new();
        let (client, _hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        assert!(world.say(&client, FromClient::Status).is_err());
        assert!(world.say(&client, FromClient::Cancel).is_ok());
    });
}

#[test]
fn what_a_dead_memory_left_open_is_asked_of_its_successor() {
    run(async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.model();
        world.brain();
        let end = world.edge(Role::Memory, OWNER);
        tokio::task::spawn_local(async move {
            let mut link = World::link::<MemoryWire>(end).await;
            // Dies on the first request.
            link.recv().await.unwrap();
        });
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        world.wanted(Role::Memory, OWNER).await;
        world.memory(OWNER);
        assert_eq!(replied(last(&mut hears).await).0, TurnEnd::Answered);
    });
}

#[test]
fn a_memory_that_answers_what_nobody_asked_is_ended() {
    run(async {
        let mut world = World::new();
        let end = world.edge(Role::Memory, OWNER);
        let mut link = World::link::<MemoryWire>(end).await;
        link.send(&FromMemory { request: 99, answer: Answer::Stored }).await.unwrap();
        world.breach(Role::Memory).await;
        assert!(link.recv().await.is_err());
    });
}

#[test]
fn a_model_that_dies_twice_on_a_turn_sets_it_aside() {
    run(async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.brain();
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        for _ in 0..2 {
            world.wanted(Role::Model, OWNER).await;
            let mut link = World::link::<ModelWire>(world.edge(Role::Model, OWNER)).await;
            link.recv().await.unwrap();
        }
        let (end, _, turn) = replied(last(&mut hears).await);
        assert_eq!(end, TurnEnd::Quarantined);
        assert_eq!(world.gate.house.quarantined(), 1);
        let crashes = world.steps(turn).into_iter().filter(|s| matches!(s, Step::Crashed { role } if role == "model"));
        assert_eq!(crashes.count(), 2);
    });
}

#[test]
fn a_model_that_speaks_out_of_turn_is_ended_and_another_is_asked() {
    run(async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.brain();
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        let mut link = World::link::<ModelWire>(world.edge(Role::Model, OWNER)).await;
        let ToModel::Complete { request, .. } = link.recv().await.unwrap() else { panic!("no completion") };
        link.send(&FromModel::Completed { request: request + 1, completion: text("x") }).await.unwrap();
        world.breach(Role::Model).await;
        world.model();
        assert_eq!(replied(last(&mut hears).await).0, TurnEnd::Answered);
    });
}

#[test]
fn an_executor_that_breaks_the_rules_is_ended_and_its_successor_gets_the_action_by_its_number() {
    run(async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.model();
        world.brain();
        let mut link = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "tool")).unwrap();
        let ToExecutor::Run { action, .. } = link.recv().await.unwrap() else { panic!("no run") };
        let beyond = outcome(vec![0; OUTPUT_KEPT_BYTES + 1]);
        link.send(&FromExecutor::Finished { action, outcome: beyond }).await.unwrap();
        let mut next = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
        world.breach(Role::Executor).await;
        let ToExecutor::Run { action: again, .. } = next.recv().await.unwrap() else { panic!("no run") };
        assert_eq!(again, action);
        next.send(&FromExecutor::Finished { action, outcome: outcome(b"again".to_vec()) }).await.unwrap();
        let (end, _, turn) = replied(last(&mut hears).await);
        assert_eq!(end, TurnEnd::Answered);
        let ends = |step: &&Step| matches!(step, Step::ToolFinished { outcome, .. } if outcome.stdout == b"again");
        assert_eq!(world.steps(turn).iter().filter(ends).count(), 1);
    });
}

#[test]
fn a_command_in_the_background_whose_executor_dies_as_it_begins_is_not_begun_again() {
    run(async {
        let world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        let (client, mut hears) = world.person();
        for (name, arguments) in [("start", r#"{"command":"make"}"#), ("input", r#"{"id":1,"text":"y"}"#)] {
            let FromClient::Tool { principal, key, untrusted, .. } = tool(None, "") else { panic!("no call") };
            let call = schema::tool::ToolCall { name: name.to_owned(), arguments: arguments.to_owned() };
            let mut link = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
            world.say(&client, FromClient::Tool { principal, call, key, untrusted }).unwrap();
            let ToExecutor::Run { .. } = link.recv().await.unwrap() else { panic!("no run") };
            drop(link);
            world.executor();
            let ToClient::ToolReport { outcome: Some(outcome), .. } = last(&mut hears).await else {
                panic!("no report")
            };
            assert_eq!((outcome.ended, world.runs.get()), (Ended::Unknown, 0), "{name}");
        }
    });
}

#[test]
fn a_brain_that_breaks_the_rules_is_ended_and_another_gets_its_turn() {
    run(async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.model();
        let mut link = World::link::<BrainWire>(world.edge(Role::Brain, 0)).await;
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        link.recv().await.unwrap();
        let out_of_order = FromBrain::RequestTool {
            request: 5,
            call: schema::tool::ToolCall { name: "x".into(), arguments: "{}".into() },
        };
        link.send(&out_of_order).await.unwrap();
        world.breach(Role::Brain).await;
        assert!(link.recv().await.is_err());
        world.brain();
        assert_eq!(replied(last(&mut hears).await).0, TurnEnd::Answered);
    });
}

#[test]
fn a_spare_that_speaks_and_peers_that_send_garbage_are_ended() {
    run(async {
        let mut world = World::new();
        let mut link = World::link::<BrainWire>(world.edge(Role::Brain, 0)).await;
        link.send(&FromBrain::Reply { text: "unasked".to_owned() }).await.unwrap();
        world.breach(Role::Brain).await;
        assert!(world.gate.brains.spares().is_empty());
        for role in [Role::Brain, Role::Executor, Role::Model, Role::Memory, Role::Connector] {
            let mut end = world.edge(role, 1);
            end.write_all(&[0xff; 64]).unwrap();
            world.breach(role).await;
        }
    });
}

#[test]
fn a_turn_that_is_taken_back_ends_so() {
    run(async {
        let world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.brain();
        let mut link = World::link::<ModelWire>(world.edge(Role::Model, OWNER)).await;
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        link.recv().await.unwrap();
        world.say(&client, FromClient::Cancel).unwrap();
        assert_eq!(replied(last(&mut hears).await).0, TurnEnd::Cancelled);
        assert!(matches!(link.recv().await.unwrap(), ToModel::Cancel { .. }));
    });
}

#[test]
fn turns_wait_for_a_brain_and_a_missing_role_is_told() {
    run(async {
        let mut world = World::new();
        world.memory(HOUSE);
        world.memory(OWNER);
        world.model();
        let (client, mut hears) = world.person();
        world.say(&client, message("m", "hi")).unwrap();
        while world.gate.brains.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        world.brain();
        assert_eq!(replied(last(&mut hears).await).0, TurnEnd::Answered);
        let (client, mut hears) = world.person();
        world.say(&client, tool(None, "{}")).unwrap();
        world.wanted(Role::Executor, OWNER).await;
        world.gate.executors.places.unavailable(OWNER, "no such thing");
        let ToClient::Failed { reason, .. } = last(&mut hears).await else { panic!("it ran") };
        assert!(reason.contains("no such thing"));
    });
}

#[test]
fn a_turn_of_a_dead_gate_goes_on_with_its_label_and_its_action_is_carried_out_once() {
    run(async {
        let world = World::new();
        let first = {
            // The gate before: it decided an action, which went to the executor's first instance, and died.
            let mut audit = world.gate.audit.borrow_mut();
            let action = audit.next_action();
            let body = serde_json::json!({ "action": action, "instance": 1 });
            audit.append(chela_gate::audit::TOOL_DECIDED, &body).unwrap();
            audit.started(action, 1);
            action
        };
        let mut executor = World::link::<ExecutorWire>(world.edge(Role::Executor, OWNER)).await;
        world.memory(HOUSE);
        world.memory(OWNER);
        world.model();
        world.brain();
        fakes::left_open(&world, first);
        // It speaks before it is asked again: from the time of that gate.
        executor.send(&FromExecutor::Finished { action: first, outcome: outcome(Vec::new()) }).await.unwrap();
        tokio::task::spawn_local(chela_gate::resume::all(world.gate.clone()));
        let ToExecutor::Run { action, .. } = executor.recv().await.unwrap() else { panic!("no run") };
        assert_eq!(action, first);
        executor.send(&FromExecutor::Finished { action, outcome: outcome(b"once".to_vec()) }).await.unwrap();
        while world.journal.borrow()[&1].ended.is_none() {
            tokio::time::sleep(tokio::time::Duration::from_millis(1)).await;
        }
        let record = world.journal.borrow()[&1].clone();
        assert_eq!(record.ended.unwrap().0, TurnEnd::Answered);
        assert_eq!(record.label.integrity, schema::label::Integrity::Untrusted);
        assert!(matches!(&record.steps[2], Step::Crashed { role } if role == "gate"), "{:?}", record.steps);
        assert!(matches!(&record.steps[3], Step::ToolFinished { outcome, .. } if outcome.stdout == b"once"));
    });
}
