//! Names of images, that root gives and calls use: the same rule at every end.

use crate::limits::NAME_BYTES;

/// The rule, for people.
pub const NAME_RULE: &str = "a name has lower-case letters, digits and . _ - : / in it, begins with a letter or digit, \
                             and has 64 bytes at most";

/// Whether this may be an image's name, for example `debian:13`. It is a name in a list, never one of a file.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= NAME_BYTES
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || b"._-:/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        for good in ["debian", "debian:13", "docker.io/library/python:3.13-slim", "0", &"a".repeat(NAME_BYTES)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-rf", "/etc", "..", "Debian", "a b", "a\n", "ä", "a\u{1b}[0m", &"a".repeat(NAME_BYTES + 1)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
