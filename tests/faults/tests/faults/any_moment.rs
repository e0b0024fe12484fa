//! A kill at any moment: during a turn with a command in it, one role after the other, ever a little later.

use std::thread::sleep;
use std::time::Duration;

use faults::{Scene, signal};
use nix::sys::signal::Signal;
use roles::Role;

const ROLES: [Role; 7] =
    [Role::Gate, Role::Memory, Role::Brain, Role::Executor, Role::Model, Role::Supervisor, Role::Connector];
/// Kills, each this much later within its turn than the one before.
const KILLS: u32 = 63;
const LATER: Duration = Duration::from_micros(700);

#[test]
fn a_kill_at_any_moment_loses_no_message_and_does_nothing_twice() {
    let scene = Scene::start("any-moment", "").unwrap();
    for number in 0..KILLS {
        let role = ROLES[number as usize % ROLES.len()];
        let script = format!("call: run_command {{\"command\":\"echo {number} >> ran\"}}\nsay: turn {number}");
        let asked = scene.ask(&script).unwrap();
        sleep(LATER * number);
        // The newest first: a brain at work would be followed by the spare, and that be the turn's second death.
        let mut all = scene.all(role);
        all.sort_unstable();
        for pid in all.into_iter().rev() {
            // One that ended by itself in between, as a brain does, is dead all the same.
            drop(signal(pid, Signal::SIGKILL));
        }
        let (answer, well) = asked.answer().unwrap();
        let reply = answer["reply"].as_str().unwrap_or_default();
        assert!(well && reply == format!("turn {number}"), "{role:?} {number}: {answer:#}\n{}", scene.logs());
        let ran = scene.written("ran").lines().filter(|line| *line == number.to_string()).count();
        // A command whose executor died is rehearsed again, unless its commit had begun: then that is finished.
        assert_eq!(ran, 1, "{role:?} {number}: it became real {ran} times\n{}", scene.logs());
        scene.wait_whole().unwrap_or_else(|why| panic!("{role:?} {number}: {why}\n{}", scene.logs()));
    }
    scene.stop().unwrap();
}
