//! A workspace in uncomfortable places: on a disk that is full, under a quota, on one that is read-only, and of an ordinary account that
//! has denied itself its own files. Each case is this program again, started where it is to run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;
mod place_cases;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use place_cases::{CASES, Place};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [flag, name, dir] = &args[1..]
        && flag == "--child"
    {
        let case = CASES.iter().find(|case| case.name == name).unwrap();
        (case.run)(Path::new(dir));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = args[1..].iter().filter(|arg| !arg.starts_with('-')).collect();
    println!("running {} tests", CASES.len());
    let mut failed = 0;
    for case in CASES.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|part| case.name.contains(*part))) {
        let dir = tempfile::tempdir().unwrap();
        let status = command(case.place, dir.path()).args(["--child", case.name]).arg(dir.path()).status().unwrap();
        failed += u32::from(!status.success());
        println!("test {} ... {}", case.name, if status.success() { "ok" } else { "FAILED" });
    }
    ExitCode::from(u8::from(failed > 0))
}

const EXT4: &str = "truncate -s 16M image; mkfs.ext4 -q -F -m 0 image; mount -o loop image disk;";
const QUOTA: &str = "truncate -s 300M image; mkfs.btrfs -q image 2>&1; mount -o loop image disk; btrfs -q quota enable disk; \
                     btrfs -q subvolume create disk/sub; ";

/// This program, in a place.
fn command(place: Place, dir: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    match place {
        Place::SmallDisk | Place::Disk => {
            let size = match place {
                Place::Disk => "size=3g,nr_inodes=1100k,strictatime",
                Place::SmallDisk | Place::Ordinary | Place::Ext4 | Place::Quota => "size=3m,nr_inodes=1k",
            };
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount", "sh", "-euc"]);
            command.arg(format!("mount -t tmpfs -o {size} small \"$0\"; exec \"$@\"")).arg(dir).arg(program);
            command
        }
        Place::Ext4 | Place::Quota => {
            let make = match place {
                Place::Quota => QUOTA,
                Place::Ext4 | Place::SmallDisk | Place::Disk | Place::Ordinary => EXT4,
            };
            // In a mount namespace of its own, so that nothing stays mounted, also when this is killed.
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "sh", "-euc"]);
            command.arg(format!("cd \"$0\"; mkdir disk; {make} exec \"$@\"")).arg(dir).arg(program);
            command
        }
        Place::Ordinary if std::fs::metadata("/proc/self").unwrap().uid() == 0 => {
            const ACCOUNT: u32 = 65534;
            std::os::unix::fs::chown(dir, Some(ACCOUNT), Some(ACCOUNT)).unwrap();
            // The program may stand where that account can't reach it.
            let copy = dir.join("program");
            std::fs::copy(program, &copy).unwrap();
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]).arg(copy);
            command
        }
        Place::Ordinary => Command::new(program),
    }
}
