//! Labels in a scene.

use serde_json::{Value, json};

use crate::Scene;

/// The label of what is the principal's own.
pub const OWN: &str = "owner private";
/// The label of what a tainted turn has written.
pub const TAINTED: &str = "untrusted private";

/// The label that a call says it read and wrote.
#[track_caller]
pub fn label(report: &Value) -> String {
    let label = &report["labels"];
    assert!(label.is_object(), "{report:#}");
    format!("{} {}", label["integrity"].as_str().unwrap(), label["confidentiality"].as_str().unwrap())
}

impl Scene {
    /// One call of a tool, as from a tainted turn.
    pub fn tainted(&self, name: &str, arguments: Value) -> Value {
        self.json(&["tool", "--label", "untrusted", name, &arguments.to_string()])
    }

    /// A file that a tainted turn writes; the number of the action.
    #[track_caller]
    pub fn taint(&self, path: &str) -> u64 {
        let report = self.tainted("write_file", json!({ "path": path, "content": "theirs\n" }));
        assert_eq!(report["committed"], true, "{report:#}");
        report["action"].as_u64().unwrap()
    }

    /// The label of a file, as whoever reads it is told.
    #[track_caller]
    pub fn label(&self, path: &str) -> String {
        let report = self.tool("read_file", json!({ "path": path }));
        assert_eq!(report["exit_code"], 0, "{path}: {report:#}");
        label(&report)
    }

    /// Files have these labels.
    #[track_caller]
    pub fn labels(&self, all: &[(&str, &str)]) {
        for (path, label) in all {
            assert_eq!(self.label(path), *label, "{path}");
        }
    }
}
