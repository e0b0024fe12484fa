//! Other names of files: looked for where an action writes to a file in place and tells of some of its names only. The
//! filesystem does not know them, so the whole tree is walked, until all are found.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::beneath;
use crate::error::{At, Failed};
use crate::limits::DEPTH_MAX;
use crate::node;
use crate::planner::join;
use crate::roots::STAGING;

/// The names of files, given by inode number, of which so many are to be found. Those that are `told` are known.
pub fn find(
    top: &OwnedFd,
    left: BTreeMap<u64, u64>,
    told: impl Fn(&[u8]) -> bool,
) -> Result<Vec<(Vec<u8>, u64)>, Failed> {
    let mut search = Search { left, told, found: Vec::new() };
    let dir = beneath::open_dir(top, b"").at("open", b"")?;
    search.below(&dir, b"", 0)?;
    Ok(search.found)
}

struct Search<T> {
    left: BTreeMap<u64, u64>,
    told: T,
    found: Vec<(Vec<u8>, u64)>,
}

impl<T: Fn(&[u8]) -> bool> Search<T> {
    fn below(&mut self, dir: &OwnedFd, path: &[u8], depth: usize) -> Result<(), Failed> {
        for name in beneath::names(dir).at("list", path)? {
            if self.left.is_empty() {
                return Ok(());
            }
            if path.is_empty() && name == STAGING.as_bytes() {
                continue;
            }
            let path = join(path, &name);
            let Some(stat) = beneath::look(dir, &name).at("look at", &path)? else { continue };
            match beneath::file_type(&stat) {
                FileType::RegularFile => self.file(path, stat.st_ino),
                FileType::Directory if depth >= DEPTH_MAX => {
                    return Err(Failed::new("look for other names of a file so deep in", &path, Errno::NAMETOOLONG));
                }
                FileType::Directory => match node::open(dir, &name, &stat) {
                    Ok((below, _widened)) => self.below(&below, &path, depth + 1)?,
                    // Somebody else's, or gone meanwhile: nothing that an action could have written to.
                    Err(Errno::ACCESS | Errno::PERM | Errno::NOENT) => {}
                    Err(errno) => return Err(Failed::new("open", &path, errno)),
                },
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: Vec<u8>, inode: u64) {
        let Some(left) = self.left.get_mut(&inode) else { return };
        if (self.told)(&path) {
            return;
        }
        *left -= 1;
        if *left == 0 {
            self.left.remove(&inode);
        }
        self.found.push((path, inode));
    }
}
