//! The cases, one a promise.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use nix::sys::signal::Signal;
use roles::{Role, TABLE};

use crate::facts::{caged, children, field, status_of};
use crate::scene::{Outcome, Scene, alive, check, pid_in, unwritable, wait_for, whose};

type Case = fn() -> Outcome<()>;

pub const ALL: &[(&str, Case)] = &[
    ("every_role_is_caged_as_its_row_says", every_role_is_caged),
    ("edges_are_labelled_and_connect_role_and_gate", edges_connect),
    ("a_role_that_lies_about_its_seal_is_killed", liars_are_killed),
    ("an_unsealed_role_is_given_nothing", unsealed_get_nothing),
    ("starts_that_may_not_be_are_refused", refusals),
    ("a_missing_file_is_named", missing_file),
    ("another_ones_slot_directory_is_refused", foreign_directory),
    ("a_bad_request_ends_the_supervisor_and_nobody_else", bad_requests),
    ("a_new_gate_is_rewired_and_brains_die_with_the_old", gate_dies),
    ("nothing_outlives_a_killed_launcher", launcher_killed),
    ("an_orderly_stop_leaves_nothing_behind", orderly_stop),
    ("a_supervisor_that_does_not_stop_is_not_waited_for_twice", stop_twice),
    ("a_second_chelad_on_the_root_is_refused", second_chelad),
    ("what_is_wrong_at_the_start_is_said", wrong_starts),
    ("reload_and_notices_are_passed_on", notices),
    ("an_exit_is_reported_with_status_and_signal", exits),
    ("who_closes_the_line_may_end_by_itself_and_is_ended_else", hang_up),
    ("restarts_are_fast", timing),
];

/// Roles that the test can start without a model's weights.
const STARTED: [(Role, u32); 5] =
    [(Role::Gate, 0), (Role::Brain, 3), (Role::Memory, 1), (Role::Connector, 2), (Role::Executor, 1)];

fn every_role_is_caged() -> Outcome<()> {
    let scene = Scene::open("caged")?;
    let supervisor = children(scene.pid()).into_iter().min().ok_or("no supervisor")?;
    caged(&scene, Role::Supervisor, 0, supervisor)?;
    for (role, slot) in STARTED {
        let pid = scene.started(role, slot)?;
        scene.heard(&format!("{}-{slot}", role.name()), &["born"])?;
        caged(&scene, role, slot, pid)?;
    }
    let memory = fs::metadata(scene.path("var/memory/1")).map_err(|e| e.to_string())?;
    check(memory.mode() & 0o7777 == 0o700 && memory.uid() == scene.base + 1024 + 3 + 1, "the memory's directory")?;
    let principal = fs::metadata(scene.path("var/principals/1")).map_err(|e| e.to_string())?;
    check(principal.mode() & 0o7777 == 0o700 && principal.uid() == scene.base + 1024 + 3, "the principal's directory")?;
    let launcher = status_of(scene.pid());
    let kept = u64::from_str_radix(field(&launcher, "CapPrm"), 16).map_err(|e| e.to_string())?;
    let listed = TABLE[0].capabilities.len();
    check(kept.count_ones() as usize == listed, format!("chelad keeps {} capabilities", kept.count_ones()))?;
    check(field(&launcher, "CapBnd") == field(&launcher, "CapPrm"), "chelad's bounding set")
}

fn edges_connect() -> Outcome<()> {
    let scene = Scene::open("edges")?;
    let early = scene.started(Role::Memory, 0)?;
    scene.order("tell memory 0 seal");
    scene.sealed(Role::Gate, 0)?;
    scene.heard("supervisor-0", &["Sealed", &whose(Role::Memory, 0)])?;
    scene.sealed(Role::Brain, 0)?;
    scene.sealed(Role::Connector, 1)?;
    for place in ["memory-0", "brain-0", "connector-1"] {
        let label = scene.heard(place, &["edge", place])?;
        scene.heard("gate-0", &[&label])?;
        scene.order(&format!("tell {} edge-send", place.replace('-', " ")));
        let name = label.trim_start_matches("edge ").to_owned();
        wait_for("a hello over the edge", || {
            scene.order("tell gate 0 edge-read");
            scene.heard("gate-0", &["heard"]).ok()?;
            scene.log("gate-0").contains(&format!("heard {name} hello")).then_some(())
        })?;
    }
    check(alive(early), "the memory lives")?;
    check(!scene.log("supervisor-0").contains("Exited"), "nobody ended")
}

fn liars_are_killed() -> Outcome<()> {
    let scene = Scene::open("liars")?;
    scene.sealed(Role::Gate, 0)?;
    for (slot, lie) in ["lie", "say sealed"].iter().enumerate() {
        let slot = slot as u32;
        let pid = scene.started(Role::Brain, slot)?;
        scene.order(&format!("tell brain {slot} {lie}"));
        scene.heard("supervisor-0", &["Exited", &whose(Role::Brain, slot), "signal: 9"])?;
        check(!alive(pid), "the liar is gone")?;
        check(!scene.log(&format!("brain-{slot}")).contains("edge"), "a liar has no edge")?;
    }
    scene.sealed(Role::Brain, 4)?;
    scene.order("tell brain 4 lie");
    scene.heard("supervisor-0", &["Exited", &whose(Role::Brain, 4), "signal: 9"])?;
    check(scene.stderr().contains("lacks `Seccomp:\t2`"), scene.stderr())
}

fn unsealed_get_nothing() -> Outcome<()> {
    let scene = Scene::open("unsealed")?;
    scene.started(Role::Brain, 1)?;
    scene.sealed(Role::Gate, 0)?;
    scene.sealed(Role::Brain, 2)?;
    scene.heard("gate-0", &["edge brain-2"])?;
    check(!scene.log("gate-0").contains("brain-1"), "no edge for the unsealed")?;
    check(!scene.log("brain-1").contains("edge"), "no edge to the unsealed")
}

fn refusals() -> Outcome<()> {
    let scene = Scene::open("refusals")?;
    scene.started(Role::Brain, 0)?;
    for (order, reason) in [
        ("brain 0", "Running"),
        ("brain 16", "NoSuchSlot"),
        ("gate 7", "NoSuchSlot"),
        ("supervisor 0", "NoSuchSlot"),
        ("launcher 0", "NoSuchSlot"),
        ("memory 4294967295", "NoSuchSlot"),
    ] {
        scene.order(&format!("start {order}"));
        let slot = order.rsplit(' ').next().unwrap_or("");
        scene.heard("supervisor-0", &["Refused", &format!("slot: {slot},"), reason])?;
    }
    let squatter = Command::new("sleep").arg("60").uid(scene.base + 2).spawn();
    let mut squatter = squatter.map_err(|e| e.to_string())?;
    scene.order("start connector 2");
    let refused = scene.heard("supervisor-0", &["Refused", &whose(Role::Connector, 2), "AccountBusy"]);
    let _ = squatter.kill();
    let _ = squatter.wait();
    refused?;
    scene.started(Role::Connector, 2).map(drop)?;
    for _ in 0..60 {
        scene.order("start brain 0");
    }
    scene.heard_nth("supervisor-0", &["Refused", &whose(Role::Brain, 0), "Running"], 60).map(drop)
}

fn missing_file() -> Outcome<()> {
    let scene = Scene::open("missing")?;
    scene.order("start model 1");
    scene.heard("supervisor-0", &["Refused", "Model", "FileMissing"])?;
    check(scene.stderr().contains("etc/model.gguf"), scene.stderr())?;
    fs::write(scene.dir.join("weights"), "GGUF").map_err(|e| e.to_string())?;
    symlink(scene.dir.join("weights"), scene.path("etc/model.gguf")).map_err(|e| e.to_string())?;
    let pid = scene.started(Role::Model, 1)?;
    let seen = fs::read_to_string(format!("/proc/{pid}/root/model.gguf")).map_err(|e| e.to_string())?;
    check(seen == "GGUF", seen)
}

fn foreign_directory() -> Outcome<()> {
    let scene = Scene::open("foreign")?;
    scene.started(Role::Memory, 3)?;
    scene.order("kill memory 3");
    scene.heard("supervisor-0", &["Exited", &whose(Role::Memory, 3)])?;
    let path = scene.path("var/memory/3");
    std::os::unix::fs::chown(&path, Some(12345), None).map_err(|e| e.to_string())?;
    scene.order("start memory 3");
    scene.heard("supervisor-0", &["Refused", &whose(Role::Memory, 3), "Failed", "errno: 1"])?;
    fs::remove_dir(&path).map_err(|e| e.to_string())?;
    symlink("/etc", &path).map_err(|e| e.to_string())?;
    scene.order("start memory 3");
    scene.heard("supervisor-0", &["Refused", &whose(Role::Memory, 3), "Failed", "errno: 20"]).map(drop)
}

fn bad_requests() -> Outcome<()> {
    let scene = Scene::open("requests")?;
    scene.sealed(Role::Gate, 0)?;
    let brain = scene.sealed(Role::Brain, 0)?;
    for (nth, order) in ["raw 16", "raw 15", "raw 17", "raw 200", "kill-launcher", "exit 0"].iter().enumerate() {
        scene.order(order);
        let adopted = scene.heard_nth("supervisor-0", &["Adopted", &whose(Role::Brain, 0), "sealed: true"], nth)?;
        check(pid_in(&adopted) == Some(brain), adopted)?;
        scene.heard_nth("supervisor-0", &["Adopted", &whose(Role::Gate, 0), "sealed: true"], nth)?;
    }
    check(alive(brain), "the brain did not notice")?;
    scene.order("tell brain 0 end 7");
    scene.heard("supervisor-0", &["Exited", "status: 7"]).map(drop)
}

fn gate_dies() -> Outcome<()> {
    let scene = Scene::open("gate")?;
    let gate = scene.sealed(Role::Gate, 0)?;
    let brain = scene.sealed(Role::Brain, 0)?;
    let memory = scene.sealed(Role::Memory, 1)?;
    scene.order("kill gate 0");
    scene.heard("supervisor-0", &["Exited", &whose(Role::Gate, 0)])?;
    scene.heard("supervisor-0", &["Exited", &whose(Role::Brain, 0), "signal: 9"])?;
    check(!alive(gate) && !alive(brain) && alive(memory), "who lives")?;
    scene.order("start gate 0");
    scene.heard_nth("supervisor-0", &["Started", &whose(Role::Gate, 0)], 1)?;
    scene.order("tell gate 0 seal");
    scene.heard_nth("memory-1", &["edge memory-1"], 1)?;
    scene.heard_nth("gate-0", &["edge memory-1"], 1)?;
    check(alive(memory), "the memory lives on")
}

fn launcher_killed() -> Outcome<()> {
    let mut scene = Scene::open("killed")?;
    for (role, slot) in STARTED {
        scene.started(role, slot)?;
    }
    let tree = children(scene.pid());
    check(tree.len() == STARTED.len() + 1, format!("{tree:?}"))?;
    scene.signal(Signal::SIGKILL as i32);
    scene.wait()?;
    wait_for("the end of every role", || (!tree.iter().any(|p| alive(*p))).then_some(()))?;
    fs::write(scene.path("etc/supervisor/orders"), "").map_err(|e| e.to_string())?;
    scene.start()?;
    scene.heard_nth("supervisor-0", &["born"], 1).map(drop)
}

fn orderly_stop() -> Outcome<()> {
    let mut scene = Scene::open("stop")?;
    for (role, slot) in STARTED {
        scene.started(role, slot)?;
    }
    UnixStream::connect(scene.path("run/chela.sock")).map_err(|e| e.to_string())?;
    let tree = children(scene.pid());
    scene.signal(Signal::SIGTERM as i32);
    let status = scene.wait()?;
    check(status.success(), format!("{status}: {}", scene.stderr()))?;
    scene.heard("supervisor-0", &["Shutdown"])?;
    check(!tree.iter().any(|p| alive(*p)), "a role outlived chelad")?;
    let left = fs::read_dir(scene.path("run")).map_err(|e| e.to_string())?.count();
    check(left == 0, "run/ is not empty")
}

fn stop_twice() -> Outcome<()> {
    let mut scene = Scene::open("twice")?;
    scene.order("stubborn");
    scene.started(Role::Brain, 0)?;
    scene.signal(Signal::SIGTERM as i32);
    scene.heard("supervisor-0", &["Shutdown"])?;
    scene.signal(Signal::SIGINT as i32);
    check(scene.wait()?.code() == Some(1), "a forced stop is no success")
}

fn second_chelad() -> Outcome<()> {
    let scene = Scene::open("second")?;
    let second = scene.command().output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    check(second.status.code() == Some(1), "exit status")?;
    check(said.contains("run/chelad.lock") && said.contains(&scene.pid().to_string()), said)?;
    scene.started(Role::Brain, 0).map(drop)
}

fn refused_with(scene: &Scene, change: impl FnOnce(&mut Command), words: &[&str]) -> Outcome<()> {
    let mut command = scene.command();
    change(&mut command);
    let output = command.output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(if words.contains(&"usage") { 2 } else { 1 }), format!("{}", output.status))?;
    check(words.iter().all(|w| said.contains(w)), format!("{words:?} not in: {said}"))
}

fn wrong_starts() -> Outcome<()> {
    let scene = Scene::set("wrong");
    let unchanged = |_: &mut Command| {};
    refused_with(
        &scene,
        |c| {
            c.arg("--rot");
        },
        &["--rot", "usage"],
    )?;
    let program = scene.dir.join("libexec/chela-gate");
    fs::rename(&program, scene.dir.join("away")).map_err(|e| e.to_string())?;
    refused_with(&scene, unchanged, &["chela-gate", "./x build"])?;
    fs::rename(scene.dir.join("away"), &program).map_err(|e| e.to_string())?;
    let uids = scene.path("etc/uids");
    fs::write(&uids, "12 what\n").map_err(|e| e.to_string())?;
    refused_with(&scene, unchanged, &["etc/uids", "chela setup"])?;
    fs::remove_file(&uids).map_err(|e| e.to_string())?;
    refused_with(&scene, unchanged, &["etc/uids", "chela setup"])?;
    fs::write(&uids, format!("{} 4096\n", scene.base)).map_err(|e| e.to_string())?;
    unwritable(&uids);
    refused_with(&scene, unchanged, &["etc/uids", "chmod go-w"])?;
    fs::remove_file(&uids).map_err(|e| e.to_string())?;
    fs::write(&uids, format!("{} 4096\n", scene.base)).map_err(|e| e.to_string())?;
    fs::remove_dir_all(scene.path("etc/supervisor")).map_err(|e| e.to_string())?;
    refused_with(&scene, unchanged, &["etc/supervisor", "No such file", "chela setup"])?;
    refused_with(
        &scene,
        |c| {
            c.arg("--root").arg("/nowhere");
        },
        &["/nowhere", "chela setup"],
    )?;
    let left = fs::read_dir(scene.path("run")).map_err(|e| e.to_string())?.count();
    check(left == 0, "run/ is not empty")?;
    let not_root = scene.dir.join("chelad");
    fs::copy(env!("CARGO_BIN_EXE_chelad"), &not_root).map_err(|e| e.to_string())?;
    let output = Command::new(&not_root).arg("--root").arg(scene.path("")).uid(65534).output();
    let output = output.map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    check(output.status.code() == Some(1) && said.contains("as root"), said)
}

fn notices() -> Outcome<()> {
    let scene = Scene::open("notices")?;
    scene.order("ready");
    let mut buffer = [0; 64];
    let told = wait_for("READY=1", || scene.notify.recv(&mut buffer).ok())?;
    check(&buffer[..told] == b"READY=1", "what was told")?;
    scene.signal(Signal::SIGHUP as i32);
    scene.heard("supervisor-0", &["Reload"]).map(drop)
}

fn exits() -> Outcome<()> {
    let scene = Scene::open("exits")?;
    scene.started(Role::Brain, 0)?;
    scene.order("tell brain 0 end 42");
    scene.heard("supervisor-0", &["Exited", "Brain", "status: 42", "signal: 0"])?;
    let pid = scene.started(Role::Memory, 0)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), Signal::SIGKILL).map_err(|e| e.to_string())?;
    scene.heard("supervisor-0", &["Exited", "Memory", "status: -1", "signal: 9"]).map(drop)
}

fn hang_up() -> Outcome<()> {
    let scene = Scene::open("hang-up")?;
    scene.sealed(Role::Gate, 0)?;
    scene.sealed(Role::Brain, 0)?;
    scene.order("tell brain 0 hang-up");
    scene.order("tell brain 0 end 5");
    scene.heard("supervisor-0", &["Exited", &whose(Role::Brain, 0), "status: 5"])?;
    scene.sealed(Role::Brain, 1)?;
    scene.order("tell brain 1 hang-up");
    scene.heard("supervisor-0", &["Exited", &whose(Role::Brain, 1), "signal: 9"])?;
    check(scene.stderr().contains("closed its line"), scene.stderr())
}

/// From a kill to the new instance's first word. The puppet looks at its orders every millisecond, twice on the way.
fn timing() -> Outcome<()> {
    let scene = Scene::open("timing")?;
    scene.sealed(Role::Gate, 0)?;
    scene.started(Role::Memory, 1)?;
    let mut samples = Vec::new();
    for nth in 0..40 {
        let from = Instant::now();
        scene.order("kill memory 1");
        scene.heard_nth("supervisor-0", &["Exited", &whose(Role::Memory, 1)], nth)?;
        scene.order("start memory 1");
        scene.heard_nth("memory-1", &["born"], nth + 1)?;
        samples.push(from.elapsed());
        // What was born is not yet known to who is told next to kill it.
        scene.heard_nth("supervisor-0", &["Started", &whose(Role::Memory, 1)], nth + 1)?;
    }
    samples.sort_unstable();
    println!("kill to born again: median {:?}, worst {:?}", samples[20], samples[39]);
    check(samples[20].as_millis() < 50, format!("{samples:?}"))
}
