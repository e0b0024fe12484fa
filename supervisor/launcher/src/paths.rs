//! What the launcher opens at its start: the root directory, its lock, the role programs, the listener, the audit log.
//! The root becomes the current directory, so that nobody who renames a directory above it can swap it for another.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::{os::fd::OwnedFd, os::unix::net::UnixListener};

use nix::fcntl::{Flock, FlockArg, OFlag, open};
use nix::{errno::Errno, sys::stat::Mode};
use roles::{Role, grant::Source, launch::Instance, limits::LOG_KEPT_BYTES};

use crate::errors::{Context, Failure, failure};
use crate::{accounts::Accounts, cage::make_directory, options::Options};

const LOCK: &str = "run/chelad.lock";
const LISTENER: &str = "run/chela.sock";
const AUDIT_LOG: &str = "var/audit/audit.log";
const SETUP: &str = "run `./x setup` in a clone, or `chela setup --root DIR`";

/// All that is opened once and used for every start.
pub struct Host {
    /// Directory of the role programs, absolute.
    pub libexec: PathBuf,
    /// Role programs by role number; `None` for the launcher, and for the model where it is not installed.
    pub programs: [Option<OwnedFd>; Role::ALL.len()],
    pub accounts: Accounts,
    pub listener: UnixListener,
    pub audit_log: File,
    pub null: File,
    _lock: Flock<File>,
}

impl Host {
    /// Opens everything, or says what is missing. Nothing is created before the lock is held.
    pub fn open(options: Options) -> Result<Host, Failure> {
        let libexec = absolute(&options.libexec.map_or_else(beside_own_program, Ok)?)?;
        enter_root(&absolute(&options.root)?)?;
        let lock = take_lock()?;
        let programs = open_programs(&libexec)?;
        let accounts = Accounts::load()?;
        make_state_directories()?;
        Ok(Host {
            libexec,
            programs,
            audit_log: open_audit_log(&accounts)?,
            accounts,
            listener: listen()?,
            null: File::options().read(true).write(true).open("/dev/null").step("open", "/dev/null")?,
            _lock: lock,
        })
    }

    /// Takes back what only a running chelad has.
    pub fn clean_up(&self) {
        drop(fs::remove_file(LISTENER));
        drop(fs::remove_file(LOCK));
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .step("find the directory", path.display())
        .map_err(|f| f.or("`chela setup --root DIR` makes a root; --libexec names the programs"))
}

fn beside_own_program() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().step("find its own program", "/proc/self/exe")?;
    let here = own.parent().unwrap_or(Path::new("/")).to_path_buf();
    if here.join(Role::Supervisor.row().binary).exists() {
        return Ok(here);
    }
    Ok(here.join("../libexec/chela"))
}

fn enter_root(root: &Path) -> Result<(), Failure> {
    std::env::set_current_dir(root).step("enter the root", root.display())?;
    [".", "etc", "etc/uids"].into_iter().try_for_each(owned_by_root)?;
    directory("run", 0o755)
}

/// Refuses what others could change: the launcher acts on it as root.
pub fn owned_by_root(path: impl AsRef<Path>) -> Result<(), Failure> {
    let (path, shown) = (path.as_ref(), path.as_ref().display());
    let found = fs::metadata(path).step("look at", shown).map_err(|f| f.or(SETUP))?;
    if found.uid() == 0 && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    let wrong = failure("look at", path.display(), "others than root can change it");
    Err(wrong.or("give it to root (`chown root`, `chmod go-w`)"))
}

fn directory(path: &str, mode: u32) -> Result<(), Failure> {
    make_directory(path.as_ref(), mode).step("make the directory", path)?;
    owned_by_root(path)
}

fn take_lock() -> Result<Flock<File>, Failure> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).mode(0o644).open(LOCK).step("open the lock", LOCK)?;
    file.set_permissions(fs::Permissions::from_mode(0o644)).step("set the mode of", LOCK)?;
    let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((mut file, _)) => {
            let mut holder = String::new();
            drop(file.read_to_string(&mut holder));
            let cause = format!("chelad already runs here, as process {}", holder.trim());
            return Err(failure("take the lock", LOCK, cause).or("stop that one first"));
        }
    };
    // The one who held it before may have removed it after it was opened here.
    if lock.metadata().step("look at the lock", LOCK)?.nlink() == 0 {
        return Err(failure("take the lock", LOCK, "another chelad is just ending").or("start again"));
    }
    let pid = format!("{}\n", std::process::id());
    lock.set_len(0).and_then(|()| lock.write_all(pid.as_bytes())).step("write", LOCK)?;
    Ok(lock)
}

fn open_programs(libexec: &Path) -> Result<[Option<OwnedFd>; Role::ALL.len()], Failure> {
    let mut programs = [const { None }; Role::ALL.len()];
    for role in Role::ALL {
        let path = libexec.join(role.row().binary);
        let opened = open(&path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
        match (role, opened) {
            (Role::Launcher, _) => {}
            // Without it there is no local model; everything else works.
            (Role::Model, Err(Errno::ENOENT)) => {}
            (_, Ok(fd)) => programs[role as usize] = Some(fd),
            (_, Err(e)) => {
                let missing = failure("open the program", path.display(), e.desc());
                return Err(missing.or("build it (`./x build`), or name its directory with --libexec"));
            }
        }
    }
    Ok(programs)
}

fn make_state_directories() -> Result<(), Failure> {
    directory("var", 0o711)?;
    directory("var/log", 0o750)?;
    directory("var/audit", 0o750)?;
    for role in Role::ALL {
        for grant in role.row().files {
            if let Source::Slot { parent, .. } = grant.source {
                directory(parent, 0o711)?;
            }
        }
    }
    Ok(())
}

fn open_audit_log(accounts: &Accounts) -> Result<File, Failure> {
    let gate = accounts.of(Role::Gate, 0);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW);
    let log = options.open(AUDIT_LOG).step("open", AUDIT_LOG)?;
    fchown(&log, gate.map(|ids| ids.uid), gate.map(|ids| ids.gid)).step("give to the gate", AUDIT_LOG)?;
    Ok(log)
}

fn listen() -> Result<UnixListener, Failure> {
    // A stale one; where it cannot be removed, the next step says so.
    drop(fs::remove_file(LISTENER));
    let listener = UnixListener::bind(LISTENER).step("listen on", LISTENER)?;
    // Anybody may knock: the gate asks the kernel who it is, and refuses by name, which it could not if the mode did.
    let anybody = fs::Permissions::from_mode(0o666);
    fs::set_permissions(LISTENER, anybody).step("set the mode of", LISTENER)?;
    Ok(listener)
}

/// A role's standard output and error, which it can only append to.
/// A large one is set aside first, in place of the one set aside before.
pub fn open_log(who: Instance) -> std::io::Result<File> {
    let path = format!("var/log/{}-{}.log", who.role.name(), who.slot);
    if fs::metadata(&path).is_ok_and(|m| m.len() > LOG_KEPT_BYTES) {
        fs::rename(&path, format!("{path}.1"))?;
    }
    File::options().append(true).create(true).mode(0o640).custom_flags(libc::O_NOFOLLOW).open(path)
}
