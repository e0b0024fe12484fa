//! A real Debian 13, imported by the real command, as the root of commands: every process of Chela stands between.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use harness::{Chelad, Home, sockets};
use serde_json::{Value, json};

/// One at a time makes what is cached.
static MAKING: Mutex<()> = Mutex::new(());

fn run(program: &str, args: &[&str], at: &Path) {
    let output = Command::new(program).args(args).current_dir(at).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: ./x setup installs it (NOT run)"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    base.join("chela/images")
}

/// A layout of a Debian 13, made once by mmdebstrap and umoci: a base, and a layer over it that changes and removes files.
fn debian() -> PathBuf {
    let _one = MAKING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let cache = cache();
    let layout = cache.join("debian13-layout");
    if layout.join("index.json").exists() {
        return layout;
    }
    fs::create_dir_all(&cache).unwrap();
    let work = cache.join(format!("part-{}", std::process::id()));
    fs::create_dir(&work).unwrap();
    run("mmdebstrap", &["--quiet", "--variant=essential", "--format=tar", "trixie", "root.tar"], &work);
    run("umoci", &["init", "--layout", "layout"], &work);
    run("umoci", &["new", "--image", "layout:13"], &work);
    run("umoci", &["unpack", "--image", "layout:13", "bundle"], &work);
    run("tar", &["-C", "bundle/rootfs", "-xf", "root.tar", "--exclude=./dev/*"], &work);
    run("umoci", &["repack", "--refresh-bundle", "--image", "layout:13", "bundle"], &work);
    fs::write(work.join("bundle/rootfs/etc/motd"), "changed by the second layer\n").unwrap();
    fs::remove_file(work.join("bundle/rootfs/etc/debian_version")).unwrap();
    run("umoci", &["repack", "--image", "layout:13", "bundle"], &work);
    run("umoci", &["config", "--image", "layout:13", "--config.env", "GREETING=from the image"], &work);
    run("umoci", &["gc", "--layout", "layout"], &work);
    drop(fs::rename(work.join("layout"), &layout));
    fs::remove_dir_all(&work).unwrap();
    layout
}

struct Scene {
    chelad: Chelad,
    home: Home,
}

impl Scene {
    fn start(name: &str) -> Scene {
        let home = Home::new(name).unwrap();
        home.script_model().unwrap();
        let chelad = Chelad::start(&home).unwrap();
        Scene { chelad, home }
    }

    fn import(&self, source: &Path, name: &str) -> Value {
        self.home.chela_json(&["images", "import", source.to_str().unwrap(), "--name", name]).unwrap()
    }

    fn tool(&self, arguments: Value) -> Value {
        self.call("run_command", arguments)
    }

    fn call(&self, name: &str, arguments: Value) -> Value {
        self.home.chela_json(&["tool", name, &arguments.to_string()]).unwrap()
    }

    fn within(&self, image: &str, command: &str) -> Value {
        self.tool(json!({ "image": image, "command": command }))
    }

    #[track_caller]
    fn output(&self, image: &str, command: &str) -> String {
        let report = self.within(image, command);
        assert_eq!(report["exit_code"], json!(0), "{command}: {report:#}");
        report["stdout"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_command_has_a_real_debian_as_its_root() {
    let scene = Scene::start("images-debian");
    let imported = scene.import(&debian(), "debian:13");
    assert_eq!(imported["name"], json!("debian:13"), "{imported:#}");
    let said = scene.output("debian:13", "cat /etc/os-release && dpkg -l | wc -l");
    assert!(said.contains("PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\""), "{said}");
    assert!(said.lines().last().unwrap().trim().parse::<u32>().unwrap() > 50, "{said}");
    // The second layer's change and removal, and the environment of the configuration.
    let said =
        scene.output("debian:13", "cat /etc/motd; ls /etc/debian_version 2>&1; echo $GREETING; pwd; id -un; whoami");
    assert!(said.starts_with("changed by the second layer\n"), "{said}");
    assert!(said.contains("No such file") && said.contains("from the image\n/workspace\nuser\nuser"), "{said}");
    // What is the sandbox's own.
    let own = "echo x > /tmp/a && echo x > /var/tmp/b && echo x > /run/c; ls /tmp; echo hello > /dev/null && \
               head -c 4 /dev/urandom | wc -c; ls /proc | grep -c '^[0-9]'; cat /etc/hostname; getent hosts localhost";
    let said = scene.output("debian:13", own);
    assert!(said.contains("a\nb\n4\n") && said.contains("sandbox\n"), "{said}");
    // The same command without an image has the host's root.
    let host = scene.tool(json!({ "command": "cat /etc/motd; echo [$GREETING]" }));
    assert!(!host["stdout"].as_str().unwrap().contains("second layer"), "{host:#}");
    let listening = sockets::listening(scene.chelad.pid());
    assert!(listening.is_empty(), "{listening:?}");
}

/// The workspace's effects are those of a command without an image, and are taken back like any other's.
#[test]
fn the_workspace_is_the_same_in_an_image() {
    let scene = Scene::start("images-workspace");
    scene.import(&debian(), "debian");
    let command = "mkdir d && echo 1 > d/a && ln d/a d/b && ln -s a d/l && chmod 750 d && printf x > e && rm -f gone";
    let report = scene.within("debian", command);
    assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
    let undone = scene.home.chela_json(&["undo", &report["action"].to_string()]).unwrap();
    assert_eq!(undone["committed"], json!(true), "{undone:#}");
    let bare = scene.tool(json!({ "command": command }));
    let paths = |report: &Value| {
        let mut all: Vec<(String, String)> = Vec::new();
        for kind in ["created", "changed", "deleted"] {
            for effect in report["effects"][kind].as_array().unwrap() {
                all.push((kind.to_owned(), effect["path"].to_string()));
            }
        }
        all.sort();
        all
    };
    assert_eq!(paths(&report), paths(&bare));
    assert!(paths(&bare).len() >= 4, "{bare:#}");
}

#[test]
fn nobody_changes_an_image_from_within() {
    let scene = Scene::start("images-attacks");
    scene.import(&debian(), "debian");
    let before = scene.output("debian", "cat /etc/passwd; ls -la /etc /usr/bin | md5sum");
    for attempt in [
        "echo x >> /etc/passwd",
        "touch /usr/bin/new",
        "rm /bin/ls",
        "chmod 777 /etc",
        "chmod u+s /bin/sh",
        "mv /usr /usr2",
        "ln /etc/passwd /workspace/passwd",
        "mount -o remount,rw /",
        "mount -t tmpfs none /mnt",
        "ls /images",
        "ls /proc/1/root/images",
        "cd /proc/1/cwd/../images",
        "unshare -r true",
        "chroot / true",
        "mknod /tmp/sda b 8 0",
        "cat /proc/kcore",
        "echo x > /sys/x",
        "echo x > /proc/sys/kernel/hostname",
        "pivot_root . .",
    ] {
        let report = scene.within("debian", attempt);
        assert_ne!(report["exit_code"], json!(0), "{attempt}: {report:#}");
    }
    let setuid = scene
        .output("debian", "find / -xdev -perm /6000 | wc -l; find / -xdev -perm -o=w ! -type l ! -path /tmp | wc -l");
    assert_eq!(setuid, "0\n0\n");
    assert_eq!(scene.output("debian", "cat /etc/passwd; ls -la /etc /usr/bin | md5sum"), before);
}

#[test]
fn an_image_in_use_is_not_removed_and_one_that_is_not_goes_wholly() {
    let scene = Scene::start("images-in-use");
    scene.import(&debian(), "debian");
    let lasting = r#"{"image":"debian","command":"echo on; sleep 15; cat /etc/motd"}"#;
    let lasting = scene.home.chela_command(&["tool", "run_command", lasting]).unwrap().stdout(Stdio::piped()).spawn();
    let mut lasting = lasting.unwrap();
    let mut output = BufReader::new(lasting.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("on\n") {
        assert_ne!(output.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    let refused = scene.home.chela(&["images", "remove", "debian"]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && said.contains("wait for it to end"), "{said}");
    // Imported again it is the same: nothing changes under the command.
    assert_eq!(scene.import(&debian(), "again")["had"], json!(true));
    output.read_to_string(&mut seen).unwrap();
    assert!(lasting.wait().unwrap().success() && seen.contains("changed by the second layer"), "{seen}");
    for (name, gone) in [("debian", false), ("again", true)] {
        let removed = scene.home.chela_json(&["images", "remove", name]).unwrap();
        assert_eq!(removed["gone"], json!(gone), "{removed:#}");
    }
    let left: Vec<_> = fs::read_dir(scene.home.root().join("var/images/roots")).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_wrong_is_said() {
    let scene = Scene::start("images-wrong");
    scene.import(&debian(), "debian");
    let report = scene.within("nothing", "true");
    let text = report.to_string();
    assert!(
        text.contains("there is no image") && text.contains("debian") && text.contains("chela images import"),
        "{text}"
    );
    let report = scene.within("../../etc", "true");
    assert_eq!(report["decision"], json!("refused"), "{report:#}");
    // Every packing's tool: an archive by skopeo, of a root without a shell.
    let work = scene.home.scratch().join("layout");
    fs::create_dir(&work).unwrap();
    run("umoci", &["init", "--layout", "l"], &work);
    run("umoci", &["new", "--image", "l:empty"], &work);
    run("skopeo", &["copy", "-q", "oci:l:empty", "oci-archive:empty.tar:empty"], &work);
    scene.import(&work.join("empty.tar"), "empty");
    let text = scene.within("empty", "true").to_string();
    assert!(text.contains("the image") && text.contains("/bin/sh"), "{text}");
    // Not root.
    let listed = scene.home.chela_json(&["images", "list"]).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed:#}");
    let output = scene.home.chela(&["images", "import", "/nonexistent"]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let output = scene.home.chela(&["images", "import", "/nonexistent", "--name", "Not A Name"]).unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_command_in_the_background_has_an_image_too_and_holds_it() {
    let scene = Scene::start("images-background");
    scene.import(&debian(), "debian");
    for pty in [false, true] {
        let command = "cat /etc/motd; echo $TERM $GREETING; tty; echo made >made; read go; sleep 0.2";
        let begun = scene.call("start", json!({ "command": command, "image": "debian", "pty": pty }));
        let id = begun["action"].as_u64().unwrap();
        let refused = scene.home.chela(&["images", "remove", "debian"]).unwrap();
        assert_eq!(refused.status.code(), Some(1), "it is held");
        scene.call("input", json!({ "id": id, "text": "go\n", "end": true }));
        let mut text = String::new();
        let report = loop {
            let report = scene.call("poll", json!({ "id": id, "wait_ms": 20_000 }));
            text.push_str(report["stdout"].as_str().unwrap());
            if report["note"] != "runs in the background" {
                break report;
            }
        };
        assert_eq!((&report["exit_code"], &report["committed"]), (&json!(0), &json!(true)), "{text} {report:#}");
        let (terminal, name) = if pty { ("xterm", "/dev/pts/0") } else { ("dumb", "not a tty") };
        assert!(text.contains("changed by the second layer"), "{text}");
        assert!(text.contains(&format!("{terminal} from the image")) && text.contains(name), "{text}");
        scene.home.chela_json(&["undo", &id.to_string()]).unwrap();
    }
    let removed = scene.home.chela_json(&["images", "remove", "debian"]).unwrap();
    assert_eq!(removed["gone"], json!(true), "{removed:#}");
}
