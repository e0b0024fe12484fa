//! A root directory of a test's own, and a directory of role programs in which a twin can stand for one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Failure;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A fresh root directory, made by `chela setup`, with a libexec directory beside it.
pub struct Home {
    dir: PathBuf,
}

/// Where the programs of this build are: the directory above the running test's own, or `CHELA_PROGRAMS`.
pub fn programs_dir() -> Result<PathBuf, Failure> {
    if let Some(dir) = std::env::var_os("CHELA_PROGRAMS") {
        return Ok(PathBuf::from(dir));
    }
    let own = std::env::current_exe().map_err(|e| format!("the test's own path: {e}"))?;
    let dir = own.parent().ok_or("the test's own path has no directory")?;
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.to_path_buf())
}

impl Home {
    /// Makes it below the temporary directory; `name` tells whose it is. The owner is root.
    pub fn new(name: &str) -> Result<Home, Failure> {
        crate::require_root()?;
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("chela-{name}-{}-{number}", std::process::id()));
        let home = Home { dir };
        fs::create_dir_all(home.libexec()).map_err(|e| format!("{}: {e}", home.libexec().display()))?;
        home.link_programs()?;
        let root = home.root();
        let output = home.chela(&["setup", "--owner-uid", "0", "--yes"])?;
        if !output.status.success() {
            return Err(format!(
                "chela setup --root {}: {}{}",
                root.display(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        Ok(home)
    }

    fn link_programs(&self) -> Result<(), Failure> {
        let programs = programs_dir()?;
        for role in roles::Role::ALL {
            let binary = role.row().binary;
            let from = programs.join(binary);
            if from.exists() {
                self.place(binary, &from)?;
            }
        }
        Ok(())
    }

    /// The root directory that `--root` names.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// The directory that `--libexec` names.
    pub fn libexec(&self) -> PathBuf {
        self.dir.join("libexec")
    }

    /// A directory for a test's own files, outside the root.
    pub fn scratch(&self) -> &Path {
        &self.dir
    }

    /// Puts `program` in place of the role program `binary`.
    pub fn place(&self, binary: &str, program: &Path) -> Result<(), Failure> {
        let to = self.libexec().join(binary);
        drop(fs::remove_file(&to));
        fs::hard_link(program, &to)
            .or_else(|_| fs::copy(program, &to).map(|_| ()))
            .map_err(|e| format!("{} as {}: {e}", program.display(), to.display()))
    }

    /// Puts the scripted model in the model's place, with an empty file as its weights.
    pub fn script_model(&self) -> Result<(), Failure> {
        let weights = self.root().join("etc/model.gguf");
        drop(fs::remove_file(&weights));
        fs::write(&weights, b"").map_err(|e| format!("{}: {e}", weights.display()))?;
        self.place(roles::Role::Model.row().binary, &programs_dir()?.join("scripted-model"))
    }

    /// Puts the real model in its place, with its engine and the default model's file: what `./x` has built and fetched.
    pub fn real_model(&self) -> Result<(), Failure> {
        let built = programs_dir()?.join("../../chela/libexec-debug");
        let way_out = "run ./x test, which builds the engine and fetches the model first (this test was NOT run)";
        let binary = roles::Role::Model.row().binary;
        self.place(binary, &built.join(binary)).map_err(|e| format!("{e}: {way_out}"))?;
        let (from, to) = (built.join("backends"), self.libexec().join("backends"));
        fs::create_dir_all(&to).map_err(|e| format!("{}: {e}", to.display()))?;
        let kernels = fs::read_dir(&from).map_err(|e| format!("{}: {e}: {way_out}", from.display()))?;
        for kernel in kernels.flatten() {
            let to = to.join(kernel.file_name());
            fs::copy(kernel.path(), &to).map_err(|e| format!("{}: {e}", to.display()))?;
        }
        let weights = self.root().join("etc/model.gguf");
        fs::metadata(&weights).map_err(|e| format!("{}: {e}: {way_out}", weights.display()))?;
        Ok(())
    }

    /// Writes a configuration file below the root's `etc`, for example `supervisor/tree.toml`.
    pub fn configure(&self, file: &str, text: &str) -> Result<(), Failure> {
        let path = self.root().join("etc").join(file);
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Runs `chela --root ROOT args…` to its end.
    pub fn chela(&self, args: &[&str]) -> Result<Output, Failure> {
        self.chela_command(args).and_then(|mut command| command.output().map_err(|e| format!("chela: {e}")))
    }

    /// The command of [`Home::chela`], not yet run.
    pub fn chela_command(&self, args: &[&str]) -> Result<Command, Failure> {
        let mut command = Command::new(programs_dir()?.join("chela"));
        command.arg("--root").arg(self.root()).args(args);
        Ok(command)
    }

    /// Runs `chela --root ROOT args… --json` and reads what it prints, whatever its exit status.
    pub fn chela_json(&self, args: &[&str]) -> Result<serde_json::Value, Failure> {
        let mut all = args.to_vec();
        all.push("--json");
        let output = self.chela(&all)?;
        serde_json::from_slice(&output.stdout).map_err(|e| {
            format!(
                "chela {}: not JSON ({e}): {}{}",
                args.join(" "),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// The log stream of a role's slot, as far as it is written.
    pub fn log(&self, role: roles::Role, slot: u32) -> String {
        let path = self.root().join(format!("var/log/{}-{slot}.log", role.name()));
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let root = self.root();
        let forgotten = self.chela_command(&["setup"]).map(|mut command| command.arg("--forget").arg(&root).output());
        match forgotten {
            Ok(Ok(output)) if output.status.success() => {}
            Ok(Ok(output)) => {
                eprintln!("{}: its ids are left: {}", root.display(), String::from_utf8_lossy(&output.stderr))
            }
            Ok(Err(error)) => eprintln!("{}: its ids are left: {error}", root.display()),
            Err(error) => eprintln!("{}: its ids are left: {error}", root.display()),
        }
        if std::env::var_os("CHELA_KEEP").is_none() {
            drop(fs::remove_dir_all(&self.dir));
        }
    }
}
