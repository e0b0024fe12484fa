//! The launcher's end, and the orders of a service manager.

use std::collections::BTreeMap;
use std::time::Duration;

use faults::{PATIENCE, Scene, signal};
use harness::{Chelad, procs, wait_for};
use nix::sys::signal::Signal;
use roles::Role;

#[test]
fn when_the_launcher_is_killed_nothing_is_left_and_the_next_start_answers() {
    for (script, file) in [
        ("sleep_ms: 500\nsay: done", None),
        ("call: run_command {\"command\":\"echo ran >> ran; sleep 5\"}\nsay: done", Some("ran")),
    ] {
        let Scene { home, mut chelad } = Scene::start("launcher", "").unwrap();
        let mut command = home.chela_command(&["ask", script, "--json"]).unwrap();
        let asked = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        match file {
            Some(file) => wait_for("the command to run", PATIENCE, || {
                procs::runs(chelad.pid(), &format!(">> {file}; sleep")).then_some(())
            }),
            None => wait_for("the turn", PATIENCE, || {
                let status = home.chela_json(&["status"]).ok()?;
                (status["turns_open"].as_u64() == Some(1)).then_some(())
            }),
        }
        .unwrap();
        let tree = procs::descendants(chelad.pid());
        assert!(tree.len() >= 8, "{tree:?}");
        signal(chelad.pid(), Signal::SIGKILL).unwrap();
        chelad.wait().unwrap();
        wait_for("the end of every process of the tree", PATIENCE, || {
            tree.iter().all(|pid| !procs::is_alive(*pid)).then_some(())
        })
        .unwrap();
        let scene = Scene { chelad: Chelad::start(&home).unwrap(), home };
        let output = asked.wait_with_output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["reply"], "done", "{answer:#}\n{}", scene.logs());
        if let Some(file) = file {
            assert_eq!(scene.written(file), "ran\n", "what was rehearsed when it died is done, once");
        }
        let ends = scene.audited("turn.ended");
        assert_eq!(ends.iter().filter(|body| body["turn"] == answer["turn"]).count(), 1, "{ends:?}");
        scene.stop().unwrap();
    }
}

#[test]
fn an_orderly_stop_lets_turns_end() {
    let Scene { home, mut chelad } = Scene::start("drain", "").unwrap();
    let mut command = home.chela_command(&["ask", "sleep_ms: 800\nsay: in time", "--json"]).unwrap();
    let asked = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    wait_for("the turn", PATIENCE, || {
        (home.chela_json(&["status"]).ok()?["turns_open"].as_u64() == Some(1)).then_some(())
    })
    .unwrap();
    let tree = procs::descendants(chelad.pid());
    chelad.signal(Signal::SIGTERM).unwrap();
    let output = asked.wait_with_output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["reply"], "in time");
    assert!(chelad.wait().unwrap().success());
    assert!(tree.iter().all(|pid| !procs::is_alive(*pid)));
}

#[test]
fn a_turn_that_does_not_end_in_time_is_taken_up_by_the_next_start() {
    let Scene { home, mut chelad } = Scene::start("overdue", "drain_ms = 300\n").unwrap();
    let mut command = home.chela_command(&["ask", "sleep_ms: 3000\nsay: later", "--json"]).unwrap();
    let asked = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    wait_for("the turn", PATIENCE, || {
        (home.chela_json(&["status"]).ok()?["turns_open"].as_u64() == Some(1)).then_some(())
    })
    .unwrap();
    chelad.signal(Signal::SIGTERM).unwrap();
    chelad.wait().unwrap();
    let scene = Scene { chelad: Chelad::start(&home).unwrap(), home };
    let output = asked.wait_with_output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["reply"], "later", "{answer:#}\n{}", scene.logs());
    scene.stop().unwrap();
}

#[test]
fn a_reload_drops_no_turn_and_a_broken_file_changes_nothing() {
    let mut scene = Scene::start("reload", "").unwrap();
    let before = scene.pids();
    let asked = scene.ask("sleep_ms: 800\nsay: still here").unwrap();
    scene.wait_turn().unwrap();
    scene.home.configure("supervisor/tree.toml", "spares = 3\n").unwrap();
    scene.chelad.signal(Signal::SIGHUP).unwrap();
    scene.chelad.wait_notice("READY=1").unwrap();
    let (answer, _) = asked.answer().unwrap();
    assert_eq!(answer["reply"], "still here");
    let brains = |count| {
        wait_for("that many brains", PATIENCE, || (scene.all(Role::Brain).len() == count).then_some(())).unwrap();
    };
    brains(3);
    scene.home.configure("supervisor/tree.toml", "spares = many\n").unwrap();
    scene.chelad.signal(Signal::SIGHUP).unwrap();
    wait_for("the complaint", PATIENCE, || {
        scene.home.log(Role::Supervisor, 0).contains("etc/supervisor/tree.toml: not TOML").then_some(())
    })
    .unwrap();
    brains(3);
    // An executor ends, idle, for its directories to be mounted anew; everybody else goes on.
    let others = |pids: BTreeMap<(Role, u32), u32>| {
        pids.into_iter().filter(|((role, _), _)| *role != Role::Executor).collect::<Vec<_>>()
    };
    assert_eq!(others(scene.pids()), others(before));
    std::thread::sleep(Duration::from_millis(50));
    scene.stop().unwrap();
}
