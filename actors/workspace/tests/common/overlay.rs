//! Commands in a real overlay, as the executor's sandbox has it: in a user and a mount namespace, without privilege.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use workspace::{Effects, ExportError, Exported, Limits, StageError, export};

use super::Home;

impl Home {
    /// Runs a shell script in an overlay above the workspace. The layer it leaves, as a stream.
    pub fn rehearse(&self, script: &str) -> Vec<u8> {
        self.try_rehearse(script).unwrap().0
    }

    pub fn try_rehearse(&self, script: &str) -> Result<(Vec<u8>, Exported), ExportError> {
        self.rehearse_over(&self.workspace(), script)
    }

    /// As above, over another tree.
    pub fn rehearse_over(&self, lower: &Path, script: &str) -> Result<(Vec<u8>, Exported), ExportError> {
        let layer = tempfile::tempdir_in(self.dir.path()).unwrap();
        for name in ["upper", "work", "merged"] {
            fs::create_dir(layer.path().join(name)).unwrap();
        }
        let mount = "mount -t overlay overlay -o noatime,userxattr,lowerdir=$LOWER,upperdir=$LAYER/upper,workdir=$LAYER/work \
                     $LAYER/merged && cd $LAYER/merged && exec sh -euc \"$SCRIPT\"";
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-euc", mount])
            .env("LOWER", lower)
            .env("LAYER", layer.path())
            .env("SCRIPT", script)
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let mut stream = Vec::new();
        let upper = File::open(layer.path().join("upper")).unwrap();
        let exported = export(upper.as_fd(), &mut stream, &Limits::default());
        // The overlay leaves a directory that its owner may not enter.
        super::set_mode(&layer.path().join("work/work"), 0o700);
        exported.map(|exported| (stream, exported))
    }

    /// Runs the same script in the workspace itself.
    pub fn run(&self, script: &str) {
        let output = Command::new("sh").args(["-euc", script]).current_dir(self.workspace()).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Rehearses and stages.
    pub fn stage(&self, area: &mut workspace::Area, action: u64, script: &str) -> Result<Effects, StageError> {
        area.stage(action, &mut &self.rehearse(script)[..])
    }
}
