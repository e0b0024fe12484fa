//! What reading by a path leads over: reading follows links that stay inside, so what is read is what they lead to, and
//! where they lead is of them.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use crate::limits::LINKS_FOLLOWED_MAX;
use crate::parents::Parents;
use crate::planner::join;

/// The links on the way, and at the end where they lead to. What can't be looked at is taken for no link.
pub fn trail(top: &OwnedFd, path: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let names = |path: &[u8]| path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut left: VecDeque<Vec<u8>> = names(path).into();
    let mut parents = Parents::new(top);
    let (mut at, mut links) = (Vec::new(), Vec::new());
    while let Some(name) = left.pop_front() {
        match &name[..] {
            b"" | b"." => continue,
            b".." => {
                let above = at.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                at.truncate(above);
                continue;
            }
            _ => {}
        }
        let target = parents.get(&at).ok().and_then(|dir| rustix::fs::readlinkat(dir, &name[..], Vec::new()).ok());
        at = join(&at, &name);
        let Some(target) = target else { continue };
        links.push(at.clone());
        if links.len() > LINKS_FOLLOWED_MAX || target.as_bytes().starts_with(b"/") {
            break;
        }
        at.truncate(at.len() - name.len());
        at.pop();
        names(target.as_bytes()).into_iter().rev().for_each(|name| left.push_front(name));
    }
    (links, at)
}
