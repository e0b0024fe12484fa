//! A layer comes from where a command ran. Whatever is in it, it is staged as what it says or refused with a reason, and
//! nothing happens outside the action's staging directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod common;

use std::fs;
use std::io::Read;

use common::layer::{Layer, record};
use common::{Home, assert_same, lines};
use tar::EntryType;
use workspace::{Limits, State};

fn limits() -> Limits {
    Limits {
        entries_max: 50,
        depth_max: 10,
        file_bytes_max: 1 << 20,
        length_bytes_max: 2 << 20,
        layer_bytes_max: 1 << 20,
        extents_max: 8,
        xattrs_max: 4,
        xattr_bytes_max: 1000,
        ..Limits::default()
    }
}

/// The reason for which a layer is refused; beside it nothing may have happened.
#[track_caller]
fn refused(layer: &[u8], reason: &str) {
    let home = Home::new();
    home.run("mkdir -p d/e; echo a > a; echo 1 > d/1; ln -s /tmp out; ln -s d in; echo outside > ../outside");
    let (workspace, store) = (home.look(), common::look(&home.store()));
    let (mut area, _) = home.open_with(limits());
    let outside = common::timeless(&common::look(home.dir.path()));
    let error = area.stage(1, &mut &layer[..]).unwrap_err().to_string();
    assert!(error.contains(reason), "refused for another reason: {error}");
    assert!(error.lines().count() == 1 && !error.contains('\x1b'), "{error:?}");
    assert_eq!(area.state(1), State::Unknown);
    assert_same(&home.look(), &workspace, reason);
    assert_same(&common::timeless(&common::look(home.dir.path())), &outside, reason);
    assert!(store.is_empty());
    assert!(
        area.stage(1, &mut &Layer::default().file(b"fine", b"1").end()[..]).is_ok(),
        "nothing can be staged after it"
    );
}

fn layer() -> Layer {
    Layer::default()
}

#[test]
fn paths_that_lead_elsewhere() {
    refused(&layer().file(b"../outside", b"x").end(), ". or ..");
    refused(&layer().file(b"d/../../outside", b"x").end(), ". or ..");
    refused(&layer().file(b"/etc/passwd", b"x").end(), "empty name");
    refused(&layer().file(b"//a", b"x").end(), "empty name");
    refused(&layer().file(b"./a", b"x").end(), ". or ..");
    refused(&layer().directory(b"d").file(b"d//1", b"x").end(), "empty name");
    refused(&layer().directory(b"d/").end(), "empty name");
    refused(&layer().file(b"", b"x").end(), "the path is empty");
    refused(&layer().file(b"a\0b", b"x").end(), "zero byte");
    refused(&layer().file(&[b'n'; 256], b"x").end(), "a name of the path is too long");
    refused(&layer().file(&b"n/".repeat(3000), b"x").end(), "the path is too long");
    let deep = (1..12).fold(layer(), |layer, depth| layer.directory(&b"d/".repeat(depth)[..2 * depth - 1]));
    refused(&deep.end(), "too deep");
    refused(&layer().whiteout(b"..").end(), ". or ..");
    refused(&layer().link(EntryType::Symlink, b"../outside", b"x").end(), ". or ..");
}

#[test]
fn entries_out_of_place() {
    refused(&layer().file(b"d/1", b"x").end(), "its directory does not come before it");
    refused(&layer().file(b"d/1", b"x").directory(b"d").end(), "its directory does not come before it");
    refused(&layer().link(EntryType::Symlink, b"s", b"/tmp").file(b"s/x", b"x").end(), "its directory does not come");
    refused(&layer().file(b"f", b"x").file(b"f/x", b"x").end(), "its directory does not come before it");
    refused(&layer().whiteout(b"d").file(b"d/x", b"x").end(), "its directory does not come before it");
    refused(&layer().file(b"f", b"1").file(b"f", b"2").end(), "it comes twice");
    refused(&layer().directory(b"d").whiteout(b"d").end(), "it comes twice");
    refused(&layer().link(EntryType::Link, b"f", b"a").end(), "a link to nothing before it");
    refused(&layer().link(EntryType::Link, b"f", b"../outside").end(), "a link to nothing before it");
    refused(&layer().directory(b"d").link(EntryType::Link, b"f", b"d").end(), "a link to nothing before it");
    refused(&layer().link(EntryType::Link, b"f", b"f").end(), "a link to nothing before it");
}

#[test]
fn devices_and_what_else_is_none_of_ours() {
    let records: &[(&str, &[u8])] = &[("path", b"dev"), ("mtime", b"1")];
    refused(&layer().entry(EntryType::Block, records, b"").end(), "dev is a device");
    refused(&layer().entry(EntryType::Fifo, records, b"").end(), "dev is a pipe");
    refused(&layer().entry(EntryType::Continuous, records, b"").end(), "of a kind that is not used");
    refused(&layer().entry(EntryType::GNUSparse, records, b"").end(), "of a kind that is not used");
    refused(&layer().entry(EntryType::GNULongName, records, b"/etc/passwd\0").end(), "has data and is no file");
    refused(&layer().entry(EntryType::new(b'V'), records, b"").end(), "of a kind that is not used");
    let mut null = layer().whiteout(b"dev").end();
    // The device's major number, of the second header.
    let header = &mut null[1024..1536];
    header[329..336].copy_from_slice(b"0000001");
    let sum: u32 =
        header.iter().enumerate().map(|(at, b)| if (148..156).contains(&at) { 32 } else { u32::from(*b) }).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    refused(&null, "dev is a device");
}

#[test]
fn streams_that_are_broken() {
    refused(b"", "it was cut short");
    refused(&[0; 1024], "it was cut short");
    refused(&[b'x'; 2048], "");
    refused(&layer().file(b"f", b"x").cut(), "it was cut short");
    refused(&layer().file(b"f", b"x").end_of(2), "it has another end");
    refused(&layer().file(b"f", b"x").end_of(0), "it has another end");
    let whole = layer().file(b"f", &[7; 3000]).end();
    for bytes in [1, 511, 512, 700, 1024, 1100, 1536, 2000, 4607] {
        refused(&whole[..bytes], "");
    }
    let mut more = layer().file(b"f", b"x").end();
    more.truncate(more.len() - 1024);
    refused(&[&more[..], &layer().file(b"g", b"x").end()].concat(), "more behind its end");
    let mut changed = whole.clone();
    changed[3] ^= 1;
    refused(&changed, "");
    refused(&layer().raw(EntryType::Regular, 1, b"x").end_of(1), "an entry has no header");
    let pax = record("path", b"a");
    let twice = layer().raw(EntryType::XHeader, pax.len() as u64, &pax);
    refused(&twice.clone().raw(EntryType::XHeader, pax.len() as u64, &pax).cut(), "a header stands for no entry");
    refused(&twice.end_of(0), "a header stands for no entry");
}

#[test]
fn headers_that_lie() {
    let file = |records: &[(&str, &[u8])], data: &[u8]| layer().entry(EntryType::Regular, records, data).end();
    let fine: [(&str, &[u8]); 3] = [("path", b"f"), ("mtime", b"1"), ("atime", b"1")];
    let with = |more: &[(&'static str, &'static [u8])], data: &[u8]| file(&[&fine[..], more].concat(), data);
    refused(&with(&[("path", b"g")], b""), "says something twice");
    refused(&with(&[("mtime", b"x")], b""), "a time is none");
    refused(&with(&[("uid", b"0")], b""), "a record that is not used");
    refused(&with(&[("size", b"0")], b"x"), "a record that is not used");
    refused(&with(&[("linkpath", b"a")], b""), "another kind's");
    refused(&with(&[("CHELA.opaque", b"1")], b""), "another kind's");
    refused(&file(&fine[..2], b""), "no time of reading");
    refused(&file(&[fine[0], fine[2]], b""), "it has no time");
    refused(&layer().entry(EntryType::Directory, &fine, b"").end(), "has data and is no file");
    refused(&layer().entry(EntryType::Symlink, &fine[..2], b"").end(), "another kind's");
    refused(&layer().link(EntryType::Symlink, b"s", b"").end(), "none that a link can have");
    refused(&layer().link(EntryType::Symlink, b"s", &[b't'; 5000]).end(), "none that a link can have");
    refused(
        &layer().raw(EntryType::XHeader, 5, b"x=y\n\n").raw(EntryType::Regular, 0, b"").cut(),
        "a header is malformed",
    );
    refused(&layer().raw(EntryType::XHeader, 9 << 20, &vec![b'1'; 9 << 20]).cut(), "a header is too large");
    refused(&layer().raw(EntryType::XHeader, 1 << 50, b"").cut(), "");
}

#[test]
fn attributes_that_are_not_kept() {
    let with = |name: &str, value: &[u8]| {
        let key = format!("SCHILY.xattr.{name}");
        let records: &[(&str, &[u8])] = &[("path", b"f"), ("mtime", b"1"), ("atime", b"1"), (&key, value)];
        layer().entry(EntryType::Regular, records, b"").end()
    };
    for name in [
        "security.capability",
        "trusted.overlay.opaque",
        "user.overlay.opaque",
        "user.",
        "user.overlay.redirect",
        "system.posix_acl_access",
        &format!("user.{}", "n".repeat(300)),
    ] {
        refused(&with(name, b"x"), "of a kind that is not kept");
    }
    refused(&with("user.large", &[1; 2000]), "too many attributes");
    let many: Vec<String> = (0..5).map(|number| format!("SCHILY.xattr.user.{number}")).collect();
    let records = [("path", &b"d"[..]), ("mtime", b"1")].into_iter();
    let records: Vec<_> = records.chain(many.iter().map(|key| (key.as_str(), &b"x"[..]))).collect();
    refused(&layer().entry(EntryType::Directory, &records, b"").end(), "too many attributes");
    let twice = [records[0], records[1], records[2], records[2]];
    refused(&layer().entry(EntryType::Directory, &twice, b"").end(), "says something twice");
}

#[test]
fn sizes_and_maps_beyond_the_limits() {
    let sparse = |size: &'static [u8], blocks: &'static [u8], map: &'static [u8], data: &[u8]| {
        let records: &[(&str, &[u8])] = &[
            ("path", b"f"),
            ("mtime", b"1"),
            ("atime", b"1"),
            ("GNU.sparse.size", size),
            ("GNU.sparse.numblocks", blocks),
            ("GNU.sparse.map", map),
        ];
        layer().entry(EntryType::Regular, records, data).end()
    };
    refused(&sparse(b"18446744073709551615", b"0", b"", b""), "larger than a file may be");
    refused(&sparse(b"1048577", b"0", b"", b""), "larger than a file may be");
    refused(&sparse(b"100", b"1", b"90,20", &[1; 20]), "not in order");
    refused(&sparse(b"100", b"1", b"18446744073709551610,10", &[1; 10]), "beyond any file");
    refused(&sparse(b"100", b"2", b"50,10,0,10", &[1; 20]), "not in order");
    refused(&sparse(b"100", b"2", b"0,10,5,10", &[1; 20]), "not in order");
    refused(&sparse(b"100", b"1", b"0,10", &[1; 11]), "not what its data is");
    refused(&sparse(b"100", b"1", b"0,0", b""), "not in order");
    refused(&sparse(b"100", b"2", b"0,10", &[1; 10]), "another number of runs");
    refused(&sparse(b"100", b"1", b"0", b""), "a map is malformed");
    refused(&sparse(b"100", b"1", b"-1,1", b"x"), "a map is malformed");
    refused(&sparse(b"100", b"9", b"0,1,2,1,4,1,6,1,8,1,10,1,12,1,14,1,16,1", &[1; 9]), "a map is malformed");
    refused(&layer().file(b"f", &vec![1; (1 << 20) + 1]).end(), "larger than a file may be");
    let holes = (0..3).fold(layer(), |layer, number| {
        let path = format!("f{number}");
        let records: &[(&str, &[u8])] = &[
            ("path", path.as_bytes()),
            ("mtime", b"1"),
            ("atime", b"1"),
            ("GNU.sparse.size", b"1000000"),
            ("GNU.sparse.numblocks", b"0"),
            ("GNU.sparse.map", b""),
        ];
        layer.entry(EntryType::Regular, records, b"")
    });
    refused(&holes.end(), "bytes of all files, holes included,");
    let much = (0..2).fold(layer(), |layer, number| layer.file(format!("f{number}").as_bytes(), &vec![1; 600_000]));
    refused(&much.end(), "bytes of a layer");
    let many = (0..51).fold(layer(), |layer, number| layer.whiteout(format!("f{number}").as_bytes()));
    refused(&many.end(), "files of a layer");
    refused(&layer().raw(EntryType::Regular, 1 << 60, b"").cut(), "an entry has no header");
}

#[test]
fn a_stream_without_end_is_ended() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0 += into.len() as u64;
            into.fill(b'1');
            Ok(into.len())
        }
    }
    let home = Home::new();
    let (mut area, _) = home.open_with(limits());
    let header = layer().raw(EntryType::XHeader, 1 << 40, b"").bytes();
    let mut endless = Endless(0);
    area.stage(1, &mut header.chain(&mut endless)).unwrap_err();
    assert!(endless.0 < 32 << 20, "{} bytes were read", endless.0);
    let files = layer().file(b"f", b"").bytes();
    area.stage(1, &mut files.chain(Endless(0))).unwrap_err();
    assert_eq!(area.state(1), State::Unknown);
}

#[test]
fn setuid_and_setgid_never_get_in() {
    let home = Home::new();
    let mut area = home.open();
    let mut bytes = layer().file(b"f", b"x").end();
    let header = &mut bytes[1024..1536];
    header[100..107].copy_from_slice(b"0007777");
    let sum: u32 =
        header.iter().enumerate().map(|(at, b)| if (148..156).contains(&at) { 32 } else { u32::from(*b) }).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    area.stage(1, &mut &bytes[..]).unwrap();
    area.commit(1, b"").unwrap();
    assert_eq!(home.look()[std::path::Path::new("f")].mode, 0o1777);
}

#[test]
fn a_layer_does_not_follow_links_of_the_workspace() {
    let home = Home::new();
    home.run("mkdir ../outside; echo o > ../outside/f; ln -s ../outside out; mkdir d; ln -s d in");
    let mut area = home.open();
    let stream = layer().directory(b"in").file(b"in/f", b"x").directory(b"out").file(b"out/f", b"x").end();
    let effects = area.stage(1, &mut &stream[..]).unwrap();
    assert_eq!(lines(&effects), ["~ directory in", "+ file in/f", "~ directory out", "+ file out/f"]);
    area.commit(1, b"").unwrap();
    assert_eq!(fs::read_to_string(home.dir.path().join("outside/f")).unwrap(), "o\n");
    assert_eq!(fs::read_to_string(home.path("out/f")).unwrap(), "x");
    assert!(!home.path("d/f").exists());
}

#[test]
fn whiteouts_of_nothing_are_nothing() {
    let home = Home::new();
    home.run("mkdir d");
    let mut area = home.open();
    let stream = layer().whiteout(b"a").directory(b"d").whiteout(b"d/x").end();
    let effects = area.stage(1, &mut &stream[..]).unwrap();
    assert_eq!(lines(&effects), ["~ directory d"], "its permissions are the layer's");
}

#[test]
fn any_changed_byte_is_refused_or_changes_nothing_else() {
    let home = Home::new();
    home.run("mkdir d; echo a > a");
    let whole = layer().directory(b"d").file(b"d/f", b"data").whiteout(b"a").link(EntryType::Symlink, b"l", b"t").end();
    let mut area = home.open();
    let inside = common::timeless(&common::look(home.dir.path()));
    for (action, at) in (0..whole.len()).enumerate() {
        let mut changed = whole.clone();
        changed[at] ^= if at % 2 == 0 { 1 } else { 0x80 };
        if area.stage(action as u64, &mut &changed[..]).is_ok() {
            area.discard(action as u64).unwrap();
        }
    }
    drop(area);
    let now = common::timeless(&common::look(home.dir.path()));
    let outside = |tree: &common::Tree| {
        tree.iter()
            .filter(|(path, _)| {
                !path.starts_with("store/actions") && !path.to_string_lossy().starts_with("store/labels.db")
            })
            .map(|(p, n)| (p.clone(), n.clone()))
            .collect()
    };
    assert_same(&outside(&now), &outside(&inside), "a changed byte");
}
