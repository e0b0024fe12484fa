//! A running system with a twin in a role's place, and what must hold of it whatever the twin does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::procs::ALWAYS;
use harness::{Chelad, Home, procs, sockets, wait_for};
use malformed::Conduct;
use roles::Role;
use serde_json::Value;

/// How long anything that must happen may take: above every deadline that a peer has.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// No process may ever have held more: the largest frame there is, decoded, several times over, KiB.
const RESIDENT_KIB_MAX: u64 = 96 << 10;

/// The program of a conduct.
pub fn twin(conduct: Conduct) -> &'static Path {
    Path::new(match conduct {
        Conduct::Garbage => env!("CARGO_BIN_EXE_twin-garbage"),
        Conduct::NoHello => env!("CARGO_BIN_EXE_twin-no-hello"),
        Conduct::Half => env!("CARGO_BIN_EXE_twin-half"),
        Conduct::TooLong => env!("CARGO_BIN_EXE_twin-too-long"),
        Conduct::OutOfTurn => env!("CARGO_BIN_EXE_twin-out-of-turn"),
        Conduct::Flood => env!("CARGO_BIN_EXE_twin-flood"),
        Conduct::FloodInTurn => env!("CARGO_BIN_EXE_twin-flood-in-turn"),
        Conduct::Silent => env!("CARGO_BIN_EXE_twin-silent"),
        Conduct::ControlGarbage => env!("CARGO_BIN_EXE_twin-control-garbage"),
        Conduct::ControlFlood => env!("CARGO_BIN_EXE_twin-control-flood"),
        Conduct::WellBehaved => env!("CARGO_BIN_EXE_twin-well-behaved"),
    })
}

/// The system.
pub struct Scene {
    // Dropped before the root, whose ids can't be given back while it runs.
    pub chelad: Chelad,
    pub home: Home,
    role: Role,
    conduct: Conduct,
    at_first: BTreeMap<(Role, u32), u32>,
}

impl Scene {
    /// Starts it with a twin in the place of `role`, and waits until everybody whose business the
    /// twin is not has its process.
    pub fn start(role: Role, conduct: Conduct) -> Scene {
        let home = Home::new("malformed").unwrap();
        home.script_model().unwrap();
        home.place(role.row().binary, twin(conduct)).unwrap();
        let chelad = Chelad::spawn(&home).unwrap();
        let mut scene = Scene { home, chelad, role, conduct, at_first: BTreeMap::new() };
        if role == Role::Gate {
            // Everybody has to do with the gate.
            return scene;
        }
        scene.at_first = wait_for("every role's process", PATIENCE, || scene.bystanders()).unwrap();
        scene
    }

    /// Every process that the twin's conduct is none of the business of, if all are there: not the twin, and no brain,
    /// which ends with its turn.
    fn bystanders(&self) -> Option<BTreeMap<(Role, u32), u32>> {
        let all = procs::roles_of(self.chelad.pid()).into_iter();
        let found: BTreeMap<(Role, u32), u32> =
            all.filter(|p| p.role != self.role && p.role != Role::Brain).map(|p| ((p.role, p.slot), p.pid)).collect();
        ALWAYS.iter().all(|place| place.0 == self.role || found.contains_key(place)).then_some(found)
    }

    /// The bodies of the audit entries of that event.
    pub fn audited(&self, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.home.root().join("var/audit/audit.log")).unwrap_or_default();
        let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["event"] == event).map(|entry| entry["body"].clone()).collect()
    }

    /// Waits until the gate has ended the twin and written down why.
    #[track_caller]
    pub fn is_ended_by_the_gate(&self) {
        let name = self.role.name();
        let ended = wait_for("an audit entry on the end of the twin", PATIENCE, || {
            self.audited("peer.ended").iter().any(|body| body["role"] == name).then_some(())
        });
        ended.unwrap_or_else(|why| panic!("{name} {:?}: {why}: {}", self.conduct, self.logs()));
    }

    /// All that the parties logged, for a failed test's reader.
    pub fn logs(&self) -> String {
        let of = |role, slot| format!("--- {role:?} {slot}\n{}", self.home.log(role, slot));
        let all = [(Role::Gate, 0), (Role::Supervisor, 0), (self.role, 0), (self.role, 1)];
        all.iter().map(|(role, slot)| of(*role, *slot)).chain([self.chelad.stderr()]).collect()
    }

    /// What the rest of the system still does, and what nobody holds too much of.
    #[track_caller]
    pub fn the_rest_goes_on(&self) {
        let status = self.home.chela_json(&["status"]).unwrap();
        assert!(status["instances"].is_array(), "{status:#}: {}", self.logs());
        if !matches!(self.role, Role::Memory | Role::Executor) {
            self.runs_a_command();
        }
        if !matches!(self.role, Role::Memory | Role::Brain | Role::Model) {
            let reply = self.home.chela_json(&["ask", "say: still here"]).unwrap();
            assert_eq!(reply["reply"], "still here", "{:?} {:?}: {}", self.role, self.conduct, self.logs());
        }
        let now = self.bystanders();
        assert_eq!(now.as_ref(), Some(&self.at_first), "{:?} {:?}: {}", self.role, self.conduct, self.logs());
        self.nobody_holds_much();
    }

    /// A command still runs.
    #[track_caller]
    pub fn runs_a_command(&self) {
        let report = self.home.chela_json(&["tool", "run_command", r#"{"command":"echo works"}"#]).unwrap();
        let said = report["stdout"].as_str().map(str::trim);
        assert_eq!(said, Some("works"), "{:?} {:?}: {report:#}{}", self.role, self.conduct, self.logs());
    }

    /// The most that each process has ever held.
    #[track_caller]
    pub fn nobody_holds_much(&self) {
        let all = procs::roles_of(self.chelad.pid());
        for process in all.iter().chain([&procs::RoleProcess { pid: self.chelad.pid(), role: Role::Launcher, slot: 0 }])
        {
            let Some(most) = procs::status(process.pid, "VmHWM") else { continue };
            let kib: u64 = most.trim_end_matches("kB").trim().parse().unwrap();
            assert!(
                kib <= RESIDENT_KIB_MAX,
                "{process:?} held {kib} KiB while a {:?} did {:?}",
                self.role,
                self.conduct
            );
        }
    }

    /// Stops it: the orderly way works whatever went before, and nothing listens.
    #[track_caller]
    pub fn stop(self) {
        assert_eq!(sockets::listening(self.chelad.pid()), Vec::<String>::new());
        let status = self.chelad.stop().unwrap();
        assert!(status.success(), "{status}");
    }
}
