//! File systems, partitions and volumes: a table (`table.rs`).

use super::table::{HELP, Row, When};
use super::{Call, Rule};
use crate::paths::{self, Place};

/// The rule.
pub static RULE: Rule = Rule {
    id: "hard.volumes",
    protects: "file systems, partitions, volumes and mounts of the machine",
    instead: "Make an image file in the workspace, or do this yourself in a terminal.",
};

pub(super) const ROWS: &[Row] = &[
    Row {
        names: "mkfs mke2fs mkswap newfs mkdosfs mkntfs mkudffs mkisofs-dev resize2fs e2image xfs_growfs ntfsresize \
             zerofree swapoff swapon fstrim partprobe cfdisk growpart kpartx fsck e2fsck xfs_repair ntfsfix \
             btrfstune mkinitfs bcache-super-show make-bcache umount pivot_root switch_root fatresize cgdisk \
             testdisk nwipe dban",
        when: When::Unless(HELP),
    },
    Row { names: "wipefs", when: When::With("-a --all -af -fa -o --offset -f") },
    Row { names: "tune2fs xfs_admin", when: When::SomeUnless("-l -h --help") },
    Row { names: "debugfs", when: When::With("-w") },
    Row {
        names: "fdisk gdisk sgdisk sfdisk",
        when: When::SomeUnless("-l --list -d --dump -J --json -p --print -x --help -V --version -i -s -lu"),
    },
    Row { names: "parted", when: When::SomeUnless("-l --list print --help --version") },
    Row {
        names: "lvremove vgremove pvremove lvreduce lvcreate vgcreate pvcreate lvresize lvextend vgreduce vgextend \
             pvresize pvmove lvconvert vgchange lvchange pvchange lvrename vgrename vgcfgrestore vgsplit vgmerge",
        when: When::Unless(HELP),
    },
    Row {
        names: "cryptsetup veritysetup integritysetup",
        when: When::SomeUnless("status luksDump isLuks benchmark --help --version luksUUID"),
    },
    Row { names: "mdadm", when: When::SomeUnless("--detail -D --examine -E --query -Q --help --version") },
    Row {
        names: "zpool",
        when: When::With("destroy create labelclear remove detach offline export split attach replace clear add"),
    },
    Row { names: "zfs", when: When::With("destroy rollback unmount umount promote receive recv rename") },
    Row { names: "btrfs", when: When::With("delete add remove resize rescue --repair replace restore") },
    Row { names: "dmsetup", when: When::SomeUnless("ls info status table deps --help version") },
    Row { names: "losetup", when: When::SomeUnless("-a --all -l --list -j --help -f") },
    Row { names: "mount", when: When::SomeUnless("-l --help -V --version -h") },
    Row { names: "diskutil", when: When::With("eraseDisk eraseVolume partitionDisk zeroDisk secureErase reformat") },
];

/// Programs that work on an image as well as on a disk.
const OF_IMAGES: [&str; 15] = [
    "mkfs",
    "mke2fs",
    "mkswap",
    "fsck",
    "e2fsck",
    "resize2fs",
    "tune2fs",
    "fdisk",
    "sfdisk",
    "gdisk",
    "sgdisk",
    "parted",
    "wipefs",
    "debugfs",
    "mkdosfs",
];

/// Whether it is done to a file of the workspace.
pub(super) fn is_of_an_image(call: &Call<'_>) -> bool {
    let name = call.name.split('.').next().unwrap_or(call.name);
    let is_own = |path: &str| {
        let absolute = paths::absolute(call.cwd, path);
        absolute.is_some_and(|path| !path.starts_with("/dev") && paths::place(Some("/"), &path) == Place::Elsewhere)
    };
    let names_file = call.operands().any(|path| path.contains(['.', '/']));
    OF_IMAGES.contains(&name) && names_file && call.operands().all(is_own)
}
