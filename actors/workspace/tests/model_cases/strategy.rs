//! Random trees and operations.

use std::path::PathBuf;

use proptest::prelude::*;

use super::Op;

/// Few names, so that operations meet.
fn path() -> impl Strategy<Value = PathBuf> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "e"]);
    prop::collection::vec(name, 1..=3).prop_map(|names| names.iter().collect())
}

fn bytes() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0..200_u32, 2 => 4000..4200_u32, 1 => 20_000..70_000_u32]
}

/// Up to some megabytes, so that a filesystem leaves holes.
fn offset() -> impl Strategy<Value = u32> {
    prop_oneof![9 => 0..9000_u32, 2 => 0..200_000_u32, 1 => 0..9_000_000_u32]
}

fn mode() -> impl Strategy<Value = u32> {
    let modes = match rustix::process::geteuid().is_root() {
        true => vec![0o600, 0o640, 0o644, 0o755, 0o700, 0o444, 0o400, 0o555, 0o000, 0o1777],
        // The walk that compares is held to permissions, too.
        false => vec![0o600, 0o640, 0o644, 0o755, 0o700],
    };
    prop::sample::select(modes)
}

/// One operation.
pub fn op() -> impl Strategy<Value = Op> {
    let value = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Some),
        1 => Just(None),
    ];
    let target = prop::sample::select(vec!["a", "../b", "/etc/passwd", "nowhere/at/all", "."]);
    prop_oneof![
        5 => (path(), any::<u8>(), bytes()).prop_map(|(path, seed, bytes)| Op::Write { path, seed, bytes }),
        2 => (path(), any::<u8>(), offset(), 1..6000_u16)
            .prop_map(|(path, seed, offset, bytes)| Op::WriteAt { path, seed, offset, bytes }),
        1 => (path(), offset()).prop_map(|(path, bytes)| Op::Truncate { path, bytes }),
        2 => (path(), any::<u8>(), bytes()).prop_map(|(path, seed, bytes)| Op::Save { path, seed, bytes }),
        4 => path().prop_map(|path| Op::MakeDirectory { path }),
        4 => path().prop_map(|path| Op::Delete { path }),
        4 => (path(), path()).prop_map(|(from, to)| Op::Rename { from, to }),
        2 => (path(), path()).prop_map(|(one, other)| Op::Exchange { one, other }),
        6 => (path(), path()).prop_map(|(from, to)| Op::Link { from, to }),
        2 => (path(), target).prop_map(|(path, target)| Op::Symlink { path, target: target.to_owned() }),
        2 => (path(), mode()).prop_map(|(path, mode)| Op::Chmod { path, mode }),
        2 => (path(), 0..2_u8, value).prop_map(|(path, name, value)| Op::Xattr { path, name, value }),
        1 => (path(), -2..2_000_000_000_i32, 0..1_000_000_000_u32).prop_map(|(path, s, ns)| Op::Mtime { path, s, ns }),
    ]
}

/// What makes a tree, and what a command does to it.
pub fn tree_and_command() -> impl Strategy<Value = (Vec<Op>, Vec<Op>)> {
    (prop::collection::vec(op(), 0..30), prop::collection::vec(op(), 1..14))
}

/// What makes a tree, and three commands, each in a part of it, with an order to take them back in.
pub fn apart() -> impl Strategy<Value = (Vec<Op>, Vec<Vec<Op>>, Vec<usize>)> {
    let commands = prop::collection::vec(prop::collection::vec(op(), 1..8), 3);
    (prop::collection::vec(op(), 0..30), commands, Just(vec![0, 1, 2]).prop_shuffle())
}
