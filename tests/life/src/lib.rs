//! What the tests in `tests/` stand on: every real process, a scripted model, and the words that tests ask and check with.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod directories;
pub mod labels;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use harness::{Chelad, Home, sockets};
use serde_json::{Value, json};

/// How long something may take that takes a moment.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A root of its own with everything running on it.
pub struct Scene {
    /// What runs.
    pub chelad: Chelad,
    /// On what.
    pub home: Home,
}

impl Scene {
    /// A fresh one.
    pub fn start(name: &str) -> Scene {
        let home = Home::new(name).unwrap();
        home.script_model().unwrap();
        let chelad = Chelad::start(&home).unwrap();
        Scene { chelad, home }
    }

    /// Stops everything and starts it again on the same root.
    pub fn restart(self) -> Scene {
        let Scene { chelad, home } = self;
        assert!(chelad.stop().unwrap().success());
        Scene { chelad: Chelad::start(&home).unwrap(), home }
    }

    /// The first principal's workspace.
    pub fn workspace(&self) -> PathBuf {
        self.home.root().join("var/principals/1/workspace")
    }

    /// Something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.workspace().join(name)
    }

    /// A file of it.
    pub fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// What `chela … --json` says.
    pub fn json(&self, args: &[&str]) -> Value {
        self.home.chela_json(args).unwrap()
    }

    /// Output, errors and exit status of `chela …`.
    pub fn chela(&self, args: &[&str]) -> (String, String, i32) {
        let output = self.home.chela(args).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }

    /// One call of a tool.
    pub fn tool(&self, name: &str, arguments: Value) -> Value {
        self.json(&["tool", name, &arguments.to_string()])
    }

    /// A call that changes something; the number of its action.
    #[track_caller]
    pub fn changes(&self, name: &str, arguments: Value) -> u64 {
        let report = self.tool(name, arguments);
        assert_eq!((&report["committed"], &report["exit_code"]), (&json!(true), &json!(0)), "{report:#}");
        report["action"].as_u64().unwrap()
    }

    /// What a call says that was carried out in vain.
    #[track_caller]
    pub fn fails(&self, name: &str, arguments: Value, because: &str) {
        let report = self.tool(name, arguments);
        assert_eq!(report["committed"], false, "{report:#}");
        assert!(report["stderr"].as_str().unwrap().contains(because), "{because:?}: {report:#}");
    }

    /// One command.
    pub fn command(&self, command: &str) -> Value {
        self.tool("run_command", json!({ "command": command }))
    }

    /// One that changes something; the number of its action.
    #[track_caller]
    pub fn done(&self, command: &str) -> u64 {
        self.changes("run_command", json!({ "command": command }))
    }

    /// What one wrote that must succeed.
    #[track_caller]
    pub fn said(&self, command: &str) -> String {
        let report = self.command(command);
        assert_eq!(report["exit_code"], 0, "{command}: {report:#}");
        report["stdout"].as_str().unwrap().to_owned()
    }

    /// Takes an action back.
    #[track_caller]
    pub fn undo(&self, action: u64) {
        let report = self.json(&["undo", &action.to_string()]);
        assert_eq!(report["committed"], true, "{report:#}");
    }

    /// All that is known of an action.
    pub fn show(&self, action: u64) -> Value {
        self.json(&["actions", "show", &action.to_string()])
    }

    /// No process is more than it may be.
    #[track_caller]
    pub fn audited(&self) {
        let report = self.json(&["audit"]);
        assert_eq!(report["deviations"], json!([]), "{report:#}");
    }

    /// The end: nobody listens, the log is whole, and everything ends in order.
    #[track_caller]
    pub fn stop(self) {
        assert_eq!(sockets::listening(self.chelad.pid()), Vec::<String>::new());
        assert!(self.home.chela(&["log", "verify"]).unwrap().status.success());
        assert!(self.chelad.stop().unwrap().success());
    }
}
