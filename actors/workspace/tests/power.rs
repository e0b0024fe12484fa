//! The power is cut while a process commits or takes back: the state is on an ext4 and an XFS image of the test's own, and
//! the filesystem is shut down without its log being written, which loses what a real cut loses. With CHELA_LONG=1 two hundred
//! times.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;
mod cut_cases;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use cut_cases::{Place, Working, cut_off, is_child, make, rounds};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if is_child(&args[1..]) {
        return ExitCode::SUCCESS;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("test power: NOT RUN: mounting a filesystem's image needs root. Run: sudo ./x test");
        return ExitCode::FAILURE;
    }
    // In a mount namespace of its own, so that nothing stays mounted, also when this is killed.
    if args.get(1).is_none_or(|flag| flag != "--mounts") {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new("unshare");
        let status = command.args(["--mount", "--propagation", "private"]).arg(program).arg("--mounts").status();
        return ExitCode::from(u8::from(!status.unwrap().success()));
    }
    for (kind, mkfs, bytes) in
        [("ext4", &["mkfs.ext4", "-q", "-F"][..], 128 << 20), ("xfs", &["mkfs.xfs", "-q"], 320 << 20)]
    {
        let mut image = Image::new(mkfs, bytes);
        make(&image.mount);
        // It is the test's own work that is to be there, whatever comes.
        sh(&["sync", "-f", image.mount.to_str().unwrap()]);
        let count = rounds(6, 100);
        let tally = cut_off(&mut image, count);
        image.unmount();
        image.nothing_is_left();
        println!("test a_power_cut_on_{kind}_leaves_the_old_state_or_the_new ... ok ({count} cuts: {tally:?})");
    }
    ExitCode::SUCCESS
}

/// A filesystem in a file.
struct Image {
    dir: tempfile::TempDir,
    mount: PathBuf,
}

fn sh(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: ./x test installs what it needs", words[0]));
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Image {
    fn new(mkfs: &[&str], bytes: u64) -> Image {
        let dir = tempfile::tempdir().unwrap();
        let mount = dir.path().join("mount");
        std::fs::create_dir(&mount).unwrap();
        let image = Image { dir, mount };
        std::fs::File::create(image.file()).unwrap().set_len(bytes).unwrap();
        let file = image.file();
        sh(&[mkfs, &[file.to_str().unwrap()]].concat());
        image.mount();
        image
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mount(&self) {
        sh(&["mount", "-o", "loop", self.file().to_str().unwrap(), self.mount.to_str().unwrap()]);
    }

    fn unmount(&self) {
        // Who was killed a moment ago may hold it a moment longer.
        for _ in 0..500 {
            if Command::new("umount").arg(&self.mount).output().unwrap().status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        sh(&["umount", self.mount.to_str().unwrap()]);
    }

    fn nothing_is_left(&self) {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.mount.to_str().unwrap()), "{mounts}");
        let attached = Command::new("losetup").arg("-j").arg(self.file()).output().unwrap();
        assert!(attached.stdout.is_empty(), "{}", String::from_utf8_lossy(&attached.stdout));
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // Also after a failure. It is not mounted any more when all went well.
        drop(Command::new("umount").arg(&self.mount).output());
    }
}

impl Place for Image {
    fn dir(&self) -> &Path {
        &self.mount
    }

    fn cut(&mut self, working: &mut Working) {
        sh(&["xfs_io", "-x", "-c", "shutdown", self.mount.to_str().unwrap()]);
        working.child.kill().unwrap();
        working.child.wait().unwrap();
        self.unmount();
        self.mount();
    }

    fn is_power(&self) -> bool {
        true
    }
}
