//! What an entry of a layer says, from its path and kind alone: nothing is looked up here.

use crate::error::Refused;
use crate::limits::{Limits, NAME_BYTES};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Names from the root down; empty is the root itself.
pub type Parts = Vec<Vec<u8>>;

/// A path of a layer, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Something is to be there.
    At(Parts),
    /// What lower layers have there is to go.
    Whiteout(Parts),
    /// What lower layers have in this directory is to go.
    Opaque(Parts),
}

/// The names of a path, or why it is refused.
///
/// # Errors
/// A path that leads out, or that no file system could hold.
pub fn parts(path: &[u8], limits: &Limits) -> Result<Parts, Refused> {
    if path.first() == Some(&b'/') {
        return Err(Refused::Absolute);
    }
    if path.len() > limits.path_bytes {
        return Err(Refused::Long(limits.path_bytes));
    }
    let mut parts = Parts::new();
    for name in path.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => return Err(Refused::Parent),
            name if name.len() > NAME_BYTES || name.contains(&0) => return Err(Refused::Name),
            name => parts.push(name.to_vec()),
        }
    }
    if parts.len() > limits.depth_names {
        return Err(Refused::Deep(limits.depth_names));
    }
    Ok(parts)
}

/// Where an entry belongs.
///
/// # Errors
/// As [`parts`], and a whiteout that makes no sense.
pub fn place(path: &[u8], limits: &Limits) -> Result<Place, Refused> {
    let mut parts = parts(path, limits)?;
    let Some(last) = parts.pop() else { return Ok(Place::At(parts)) };
    // A whiteout is not a directory.
    if parts.iter().any(|name| name.starts_with(WHITEOUT)) {
        return Err(Refused::Whiteout);
    }
    if last == OPAQUE {
        return Ok(Place::Opaque(parts));
    }
    let Some(hidden) = last.strip_prefix(WHITEOUT) else {
        parts.push(last);
        return Ok(Place::At(parts));
    };
    match hidden {
        b"" | b"." | b".." => Err(Refused::Whiteout),
        // Names that only AUFS had a use for.
        name if name.starts_with(WHITEOUT) => Err(Refused::Whiteout),
        name => {
            parts.push(name.to_vec());
            Ok(Place::Whiteout(parts))
        }
    }
}

/// The names, joined.
pub fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.join(&b'/')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;

    fn at(path: &str) -> Result<Place, Refused> {
        place(path.as_bytes(), &Limits::default())
    }

    fn names(path: &str) -> Parts {
        path.split('/').filter(|name| !name.is_empty()).map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn paths_are_names_from_the_root_down() {
        for (path, is) in [("./a//b/", "a/b"), ("a/./b", "a/b"), ("", ""), ("./", ""), ("...", "...")] {
            assert_eq!(at(path).unwrap(), Place::At(names(is)), "{path}");
        }
        assert_eq!(at("a/.wh.b").unwrap(), Place::Whiteout(names("a/b")));
        assert_eq!(at("a/.wh..wh..opq").unwrap(), Place::Opaque(names("a")));
        assert_eq!(at(".wh..hidden").unwrap(), Place::Whiteout(names(".hidden")));
    }

    #[test]
    fn what_leads_out_or_is_no_name_is_refused() {
        let long = "x".repeat(256);
        for path in
            ["/etc", "..", "a/../b", "./..", "a\0b", &long, "a/.wh.", "a/.wh...", ".wh..", ".wh.x/y", ".wh..wh.plnk"]
        {
            assert!(at(path).is_err(), "{path:?}");
        }
        let limits = Limits { depth_names: 2, path_bytes: 9, ..Limits::default() };
        assert!(place(b"a/b", &limits).is_ok());
        assert!(matches!(place(b"a/b/c", &limits), Err(Refused::Deep(2))));
        assert!(matches!(place(b"aaaaaaaaaa", &limits), Err(Refused::Long(9))));
    }
}
