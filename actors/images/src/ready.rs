//! What makes an image's tree the root of a sandbox: places for the sandbox's own mounts, and the few files of /etc that
//! speak of the machine it runs on. Made once, at the import, so that a sandbox need not.

use std::io::{Read, Write};

use crate::entry::Parts;
use crate::error::{ImportError, Refused};
use crate::limits::ACCOUNTS_BYTES;
use crate::tree::{Found, Tree};

/// Directories that a sandbox mounts something over, or leaves empty.
pub const PLACES: [&str; 7] = ["dev", "directories", "proc", "run", "sys", "tmp", "workspace"];

/// The account that a sandbox's command has inside.
const ACCOUNT: (&str, &str) = ("user", "1000");

const ETC: [(&str, &str); 3] = [
    ("hosts", "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"),
    ("hostname", "sandbox\n"),
    // No network, so no name server.
    ("resolv.conf", ""),
];

fn path(text: &str) -> Parts {
    text.split('/').map(|name| name.as_bytes().to_vec()).collect()
}

/// Makes it so.
///
/// # Errors
/// When something can't be written.
pub fn make(tree: &mut Tree) -> Result<(), ImportError> {
    for place in PLACES {
        at(place, empty_directory(tree, &path(place)))?;
    }
    for directory in ["etc", "var"] {
        at(directory, tree.put_directory(&path(directory)))?;
    }
    at("var/tmp", tree.put_symlink(&path("var/tmp"), b"/tmp", 0))?;
    at("etc/mtab", tree.put_symlink(&path("etc/mtab"), b"/proc/self/mounts", 0))?;
    for (name, text) in ETC {
        write(tree, &format!("etc/{name}"), text.as_bytes())?;
    }
    let (name, id) = ACCOUNT;
    accounts(tree, "etc/passwd", &format!("{name}:x:{id}:{id}:{name}:/workspace:/bin/sh\n"))?;
    accounts(tree, "etc/group", &format!("{name}:x:{id}:\n"))
}

fn at<T>(what: &str, result: Result<T, Refused>) -> Result<T, ImportError> {
    result.map_err(|why| {
        let error = match why {
            Refused::Make(errno) => errno.into(),
            other => std::io::Error::other(other.to_string()),
        };
        ImportError::Write { what: format!("/{what} of the image"), error }
    })
}

fn empty_directory(tree: &mut Tree, path: &[Vec<u8>]) -> Result<(), Refused> {
    if tree.look(path)? == Found::Directory { tree.empty(path) } else { tree.put_directory(path) }
}

fn write(tree: &mut Tree, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
    let mut file = at(name, tree.put_file(&path(name), false))?;
    at(name, file.write_all(bytes).map_err(Refused::Content))
}

/// Adds the command's account to a list that has neither its name nor its number.
fn accounts(tree: &mut Tree, name: &str, line: &str) -> Result<(), ImportError> {
    let mut list = Vec::new();
    if let Some(file) = tree.read_file(&path(name)) {
        at(name, file.take(ACCOUNTS_BYTES).read_to_end(&mut list).map_err(Refused::Content))?;
    }
    if let Some(list) = with_account(list, line) { write(tree, name, &list) } else { Ok(()) }
}

/// The list with the account; `None` when it has it.
fn with_account(mut list: Vec<u8>, line: &str) -> Option<Vec<u8>> {
    let (own_name, own_id) = ACCOUNT;
    let has = list.split(|byte| *byte == b'\n').any(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, id) = (fields.next(), fields.nth(1));
        name == Some(own_name.as_bytes()) || id == Some(own_id.as_bytes())
    });
    if has {
        return None;
    }
    if list.last().is_some_and(|last| *last != b'\n') {
        list.push(b'\n');
    }
    list.extend_from_slice(line.as_bytes());
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_added_once_and_never_over_another() {
        let line = "user:x:1000:1000:user:/workspace:/bin/sh\n";
        let added = with_account(b"root:x:0:0::/root:/bin/sh".to_vec(), line);
        assert_eq!(added, Some(format!("root:x:0:0::/root:/bin/sh\n{line}").into_bytes()));
        assert_eq!(with_account(Vec::new(), line), Some(line.as_bytes().to_vec()));
        assert_eq!(with_account(b"node:x:1000:1000::/home/node:/bin/sh\n".to_vec(), line), None);
        assert_eq!(with_account(b"user:x:7:7:::\n".to_vec(), line), None);
    }
}
