//! A workspace, a maker, and a way to run calls.

use std::cell::{Cell, RefCell};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use executor::action::carry_out;
use executor::area;
use executor::hands::Hands;
use executor::maker;
use executor::stage::Plan;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use schema::effects::Standing;
use schema::label::Label;
use schema::tool::{Admitted, Ended, ToolOutcome};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use workspace::Area;

/// An account that nothing runs as.
const ORDINARY: u32 = 1_999_999_999;

pub struct World {
    runtime: Runtime,
    tasks: LocalSet,
    hands: Rc<Hands>,
    area: Rc<RefCell<Area>>,
    workspace: PathBuf,
    next: Cell<u64>,
    /// Pieces of output of the last call that streamed.
    pub streamed: RefCell<Vec<(bool, Vec<u8>)>>,
}

impl World {
    /// `change_account`: as root, become an ordinary account first.
    pub fn new(change_account: bool) -> Result<World, String> {
        let home = std::env::temp_dir().join(format!("chela-sandbox-test-{}", std::process::id()));
        let workspace = home.join("workspace");
        let text = |error: std::io::Error| format!("{}: {error}", workspace.display());
        fs::create_dir_all(&workspace).map_err(text)?;
        fs::write(home.join("outside"), "not yours\n").map_err(text)?;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).map_err(text)?;
        if change_account && Uid::effective().is_root() {
            become_ordinary(&workspace)?;
        }
        // The variable is set by the case that wants it missing.
        area::make(&home).map_err(|error| error.to_string())?;
        let plan = Plan {
            at: PathBuf::from("/mnt"),
            images: PathBuf::new(),
            workspace: std::env::var_os("CHELA_TEST_WORKSPACE").map_or(workspace.clone(), PathBuf::from),
            copies: home.join(area::COPIES),
            directories: Vec::new(),
        };
        let line = maker::start(&plan).map_err(|error| error.to_string())?;
        let area = area::open(&home, &[]).map_err(|error| error.to_string())?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(text)?;
        let hands = {
            let _inside = runtime.enter();
            Rc::new(Hands::new(line).map_err(|error| error.to_string())?)
        };
        let tasks = LocalSet::new();
        let attending = hands.clone();
        tasks.spawn_local(async move {
            let error = attending.attend().await;
            eprintln!("{error}");
        });
        Ok(World {
            runtime,
            tasks,
            hands,
            area: Rc::new(RefCell::new(area)),
            workspace,
            next: Cell::new(1),
            streamed: RefCell::default(),
        })
    }

    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.tasks.block_on(&self.runtime, future)
    }

    pub fn hands(&self) -> Rc<Hands> {
        self.hands.clone()
    }

    pub fn area(&self) -> Rc<RefCell<Area>> {
        self.area.clone()
    }

    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    pub async fn call(&self, call: Admitted) -> ToolOutcome {
        self.call_until(call, &Notify::new()).await
    }

    pub async fn call_until(&self, call: Admitted, cancel: &Notify) -> ToolOutcome {
        let action = self.next.replace(self.next.get() + 1);
        self.streamed.borrow_mut().clear();
        let stream = |from_stderr, bytes: &[u8]| {
            let mut streamed = self.streamed.borrow_mut();
            if streamed.len() < 20 {
                streamed.push((from_stderr, bytes.to_vec()));
            }
        };
        match carry_out(&self.hands, &self.area, action, call, cancel, stream).await {
            Ok(outcome) if outcome.standing == Standing::Staged => {
                let standing = area::settle(&mut self.area.borrow_mut(), action, Some(Label::OWN), b"");
                ToolOutcome { standing, ..outcome }
            }
            Ok(outcome) => outcome,
            Err(error) => {
                // Without it no further case can be tried.
                eprintln!("{error}");
                std::process::exit(1)
            }
        }
    }

    /// Whether such a text came while it ran.
    pub fn has_streamed(&self, text: &str) -> bool {
        let streamed = self.streamed.borrow();
        streamed.iter().any(|(_, bytes)| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    }

    pub async fn sh(&self, command: &str) -> ToolOutcome {
        self.sh_for(command, 20_000).await
    }

    pub async fn sh_owned(&self, command: String) -> ToolOutcome {
        self.sh(&command).await
    }

    pub async fn sh_for(&self, command: &str, timeout_ms: u32) -> ToolOutcome {
        self.call(Admitted::RunCommand { command: command.to_owned(), timeout_ms, paths: Vec::new(), image: None })
            .await
    }

    /// Standard output of a command that must succeed.
    pub async fn said(&self, command: &str) -> Result<String, String> {
        let outcome = self.sh(command).await;
        if outcome.ended != (Ended::Exited { code: 0 }) {
            return Err(format!("{command:?} {}", show(&outcome)));
        }
        Ok(String::from_utf8_lossy(&outcome.stdout).into_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The parent directory belongs to whoever started the tests; what is left is an empty skeleton.
        let _ = fs::remove_dir_all(&self.workspace);
        let _ = self.workspace.parent().map(fs::remove_dir_all);
    }
}

fn become_ordinary(workspace: &Path) -> Result<(), String> {
    let (uid, gid) = (Uid::from_raw(ORDINARY), Gid::from_raw(ORDINARY));
    let home = workspace.parent().unwrap_or(workspace);
    for path in [home, workspace] {
        nix::unistd::chown(path, Some(uid), Some(gid)).map_err(|errno| format!("chown: {errno}"))?;
    }
    setgroups(&[]).map_err(|errno| format!("setgroups: {errno}"))?;
    setresgid(gid, gid, gid).map_err(|errno| format!("setresgid: {errno}"))?;
    setresuid(uid, uid, uid).map_err(|errno| format!("setresuid: {errno}"))
}

pub fn show(outcome: &ToolOutcome) -> String {
    format!(
        "ended {:?}, stdout {:?}, stderr {:?}",
        outcome.ended,
        String::from_utf8_lossy(&outcome.stdout[..outcome.stdout.len().min(2000)]),
        String::from_utf8_lossy(&outcome.stderr[..outcome.stderr.len().min(2000)])
    )
}
