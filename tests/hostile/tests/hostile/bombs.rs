//! Commands that burn what they have, leave something behind, or forge what the overlay writes: bounded, said, and
//! nothing of it outlives them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use harness::{Chelad, Home, wait_for};
use serde_json::{Value, json};

struct Scene {
    chelad: Chelad,
    home: Home,
}

impl Scene {
    fn start(name: &str) -> Scene {
        let home = Home::new(name).unwrap();
        home.script_model().unwrap();
        let chelad = Chelad::start(&home).unwrap();
        let scene = Scene { chelad, home };
        assert_eq!(scene.run("mkdir d && echo a >d/a && echo b >b", 10_000)["committed"], true);
        scene
    }

    fn workspace(&self) -> PathBuf {
        self.home.root().join("var/principals/1/workspace")
    }

    fn run(&self, command: &str, timeout_ms: u32) -> Value {
        let arguments = json!({ "command": command, "timeout_ms": timeout_ms }).to_string();
        self.home.chela_json(&["tool", "run_command", &arguments]).unwrap()
    }

    fn program(&self, program: &str) -> Value {
        self.run(&format!("/usr/bin/python3 - <<'END'\n{program}\nEND"), 60_000)
    }

    /// As a script, which the gate does not look into: what it would refuse gets to the sandbox.
    fn unseen(&self, interpreter: &str, script: &str) -> Value {
        let path = self.workspace().join("script");
        fs::write(&path, script).unwrap();
        let report = self.run(&format!("{interpreter} script"), 60_000);
        fs::remove_file(path).unwrap();
        report
    }

    /// Processes of the principal's account.
    fn processes(&self) -> Vec<String> {
        let account = fs::metadata(self.workspace()).unwrap().uid();
        let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let own =
            all.filter(|path| path.join("stat").exists() && fs::metadata(path).is_ok_and(|info| info.uid() == account));
        own.filter_map(|path| fs::read_to_string(path.join("comm")).ok())
            .filter(|name| !name.contains("chela-"))
            .collect()
    }

    #[track_caller]
    fn nobody_is_left(&self) {
        wait_for("the sandbox's processes to be gone", Duration::from_secs(5), || {
            self.processes().is_empty().then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}: {:?}", self.processes()));
        assert_eq!(self.run("cat b", 10_000)["stdout"], "b\n");
    }

    fn stop(self) {
        assert!(self.chelad.stop().unwrap().success());
    }
}

#[test]
fn a_fork_bomb_ends_with_its_time_and_takes_nobody_along() {
    let scene = Scene::start("fork-bomb");
    let report = scene.run("f() { f | f & }; f; sleep 60", 1_500);
    assert_eq!(report["committed"], false, "{report:#}");
    scene.nobody_is_left();
    scene.stop();
}

#[test]
fn what_a_command_leaves_running_ends_with_it() {
    let scene = Scene::start("left-running");
    let report =
        scene.run("setsid sh -c 'sleep 0.5; echo late >late; sleep 60' >/dev/null 2>&1 & echo now >now", 10_000);
    assert_eq!(report["committed"], true, "{report:#}");
    scene.nobody_is_left();
    std::thread::sleep(Duration::from_millis(700));
    assert!(scene.workspace().join("now").exists());
    assert!(!scene.workspace().join("late").exists());
    scene.stop();
}

#[test]
fn a_flood_of_output_is_counted_and_its_tail_is_kept() {
    let scene = Scene::start("flood");
    let report = scene.run("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end", 60_000);
    assert_eq!(report["exit_code"], 0, "{}", report["stderr"]);
    let stdout = report["stdout"].as_str().unwrap();
    assert!(stdout.ends_with("end\n"));
    assert!(stdout.len() <= schema::limits::OUTPUT_KEPT_BYTES, "{} bytes", stdout.len());
    scene.nobody_is_left();
    scene.stop();
}

/// Deeper and longer than a path can say. Committed wholly or refused by name, and the workspace is usable either way.
#[test]
fn deep_directories_and_long_paths_are_kept_or_refused_with_a_reason() {
    let scene = Scene::start("deep");
    for program in [
        "import os\nfor _ in range(3000):\n  os.mkdir('d2')\n  os.chdir('d2')",
        "import os\nfor _ in range(40):\n  name = 'n' * 255\n  os.mkdir(name)\n  os.chdir(name)\nopen('f', 'w').write('x')",
    ] {
        let report = scene.program(program);
        assert_eq!(report["decision"], "allowed", "{report:#}");
        if report["committed"] == true {
            let undone = scene.home.chela_json(&["undo", &report["action"].to_string()]).unwrap();
            assert_eq!(undone["committed"], true, "{undone:#}");
        } else {
            let said = report["stderr"].as_str().unwrap();
            assert!(said.contains("more than the limit of"), "{said}");
        }
        let mut left: Vec<_> = fs::read_dir(scene.workspace()).unwrap().map(|one| one.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["b", "d"]);
        scene.nobody_is_left();
    }
    scene.stop();
}

/// An overlay keeps its own notes in attributes: written by a command they delete nothing, and lead nowhere.
#[test]
fn forged_notes_of_the_overlay_mean_nothing() {
    let scene = Scene::start("forged");
    for (attribute, value, path) in [
        ("user.overlay.opaque", "y", "d"),
        ("user.overlay.opaque", "x", "d"),
        ("user.overlay.redirect", "/etc", "d"),
        ("user.overlay.redirect", "../store", "new"),
        ("user.overlay.metacopy", "", "b"),
        ("user.overlay.whiteout", "", "d/a"),
        ("user.overlay.origin", "forged", "d"),
        ("user.overlay.impure", "y", "d"),
        ("user.overlay.nlink", "L+9", "b"),
        ("user.overlay.protattr", "i", "b"),
    ] {
        let script = format!(
            "import os\nos.makedirs('new', exist_ok=True)\nopen('new/f', 'w').write('{attribute}')\n\
             try:\n  os.setxattr('{path}', '{attribute}', b'{value}')\nexcept OSError as error:\n  print(error)"
        );
        let report = scene.unseen("/usr/bin/python3", &script);
        assert_eq!(report["exit_code"], 0, "{report:#}");
        assert_eq!(report["effects"]["deleted"], json!([]), "{attribute}: {report:#}");
        assert_eq!(fs::read_to_string(scene.workspace().join("d/a")).unwrap(), "a\n", "{attribute}");
        assert_eq!(fs::read_to_string(scene.workspace().join("b")).unwrap(), "b\n", "{attribute}");
        let listed = scene.run("ls d new; cat d/a b", 10_000);
        assert!(listed["stdout"].as_str().unwrap().ends_with("a\nb\n"), "{attribute}: {listed:#}");
        for name in ["d", "d/a", "b", "new"] {
            let path = scene.workspace().join(name);
            let dumped = std::process::Command::new("/usr/bin/python3")
                .args(["-c", "import os, sys; print(os.listxattr(sys.argv[1]))"])
                .arg(&path)
                .output()
                .unwrap();
            let names = String::from_utf8_lossy(&dumped.stdout);
            assert!(dumped.status.success() && !names.contains("overlay"), "{attribute} at {name}: {names}");
        }
    }
    scene.stop();
}

/// A set-user-id bit would hand the principal's account to whoever runs the file.
#[test]
fn no_set_id_bit_reaches_the_workspace() {
    let scene = Scene::start("set-id");
    let script = "cp /bin/true t && chmod 6755 t && mkdir s && chmod 2775 s && chmod 4600 b";
    let report = scene.unseen("sh", script);
    assert_eq!(report["exit_code"], 0, "{report:#}");
    for name in ["t", "s", "b"] {
        if let Ok(info) = fs::metadata(scene.workspace().join(name)) {
            assert_eq!(info.mode() & 0o6000, 0, "{name}: {:o}", info.mode());
        }
    }
    scene.stop();
}
