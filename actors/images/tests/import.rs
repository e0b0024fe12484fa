//! What an import makes of layers that mean well, and the store it goes into.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use common::{Home, Layout, Tar, listing};
use images::{Limits, StoreError, Wanted};
use serde_json::json;
use tar::EntryType;

fn tar() -> Tar {
    Tar::default()
}

/// What is in the image of these layers, without what every image is given.
fn made(layers: &[Tar]) -> BTreeMap<String, String> {
    let home = Home::new();
    let unpacked = home.import(&Layout::of(layers)).unwrap();
    let given = ["dev", "directories", "proc", "run", "sys", "tmp", "workspace", "etc", "var"];
    let mut found = listing(&home.rootfs(&unpacked.digest));
    found.retain(|path, _| !given.contains(&path.split('/').next().unwrap()));
    found
}

fn tree(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(path, what)| ((*path).to_owned(), (*what).to_owned())).collect()
}

#[test]
fn later_layers_replace_and_hide() {
    let lower = tar().dir("a").file("a/one", "1").file("a/two", "2").symlink("l", "a").dir("d").file("d/x", "x");
    let got = made(&[lower.clone(), tar().file("a/.wh.one", "").file("a/three", "3")]);
    let is = [("a", "d"), ("a/two", "f 2"), ("a/three", "f 3"), ("l", "l a"), ("d", "d"), ("d/x", "f x")];
    assert_eq!(got, tree(&is));
    // A whiteout hides what is below, never what its own layer brings: before or after it.
    let got = made(&[lower.clone(), tar().file("a/new", "n").file("a/.wh..wh..opq", "").file("a/one", "I")]);
    let is = [("a", "d"), ("a/new", "f n"), ("a/one", "f I"), ("l", "l a"), ("d", "d"), ("d/x", "f x")];
    assert_eq!(got, tree(&is));
    // Kinds change into each other.
    let upper =
        tar().file("d", "now a file").dir("l").file("l/.wh..wh..opq", "").file("l/in", "i").symlink("a", "/etc");
    let got = made(&[lower.clone(), upper]);
    assert_eq!(got, tree(&[("a", "l /etc"), ("d", "f now a file"), ("l", "d"), ("l/in", "f i")]));
    // A directory again leaves what is in it.
    let got = made(&[lower.clone(), tar().dir("a/")]);
    assert_eq!(got.len(), 6);
    // A whiteout of what is not there, and of a whole directory.
    let got = made(&[lower.clone(), tar().file(".wh.nothing", "").file(".wh.a", "").file("x/y/.wh.z", "")]);
    assert_eq!(got, tree(&[("l", "l a"), ("d", "d"), ("d/x", "f x")]));
    // All of it.
    assert_eq!(made(&[lower, tar().file(".wh..wh..opq", "").file("only", "o")]), tree(&[("only", "f o")]));
}

#[test]
fn hard_links_share_and_a_replaced_one_leaves_the_other() {
    let home = Home::new();
    let lower = tar().file("a", "1").link("b", "a").symlink("s", "a").link("t", "s");
    let unpacked = home.import(&Layout::of(std::slice::from_ref(&lower))).unwrap();
    let root = home.rootfs(&unpacked.digest);
    assert_eq!(root.join("a").metadata().unwrap().ino(), root.join("b").metadata().unwrap().ino());
    assert_eq!(fs::read_link(root.join("t")).unwrap().to_str(), Some("a"));
    let got = made(&[lower, tar().file("a", "2").link("c", "b")]);
    assert_eq!(got, tree(&[("a", "f 2"), ("b", "f 1"), ("c", "f 1"), ("s", "l a"), ("t", "l a")]));
}

#[test]
fn rights_are_everybodys_to_read_and_nobodys_to_write_and_times_stay() {
    let home = Home::new();
    let layer = tar()
        .raw(EntryType::Regular, b"suid", b"", 0o6711, b"x")
        .raw(EntryType::Regular, b"secret", b"", 0o600, b"x")
        .raw(EntryType::Regular, b"open", b"", 0o666, b"x")
        .raw(EntryType::Directory, b"closed", b"", 0o1700, b"");
    let layer = layer.records(EntryType::XHeader, &[("SCHILY.xattr.user.overlay.opaque", "y")]).file("marked", "");
    let unpacked = home.import(&Layout::of(&[layer])).unwrap();
    let root = home.rootfs(&unpacked.digest);
    let mode = |name: &str| root.join(name).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("suid"), mode("secret"), mode("open"), mode("closed")], [0o755, 0o644, 0o644, 0o755]);
    assert_eq!(root.join("open").metadata().unwrap().mtime(), 1_000_000_000);
    assert!(unpacked.notes.iter().any(|note| note.starts_with("2 entries")), "{:?}", unpacked.notes);
}

#[test]
fn an_image_is_made_ready_to_be_a_root() {
    let home = Home::new();
    let layer = tar()
        .symlink("etc/resolv.conf", "/run/systemd/resolve/stub-resolv.conf")
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        .file("tmp/left", "x")
        .symlink("run", "/var/run")
        .symlink("proc", "/etc");
    let unpacked = home.import(&Layout::of(&[layer])).unwrap();
    let root = home.rootfs(&unpacked.digest);
    for place in images::PLACES {
        let found = root.join(place).symlink_metadata().unwrap();
        assert!(found.is_dir() && fs::read_dir(root.join(place)).unwrap().next().is_none(), "{place}");
    }
    let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
    assert!(passwd.starts_with("root:") && passwd.contains("\nuser:x:1000:1000:"), "{passwd}");
    assert!(root.join("etc/resolv.conf").symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_link(root.join("var/tmp")).unwrap().to_str(), Some("/tmp"));
    let environment = fs::read(root.parent().unwrap().join(images::ENVIRONMENT)).unwrap();
    assert_eq!(environment, b"PATH=/opt/bin:/bin\0GREETING=hello world\0");
    assert!(unpacked.notes.iter().any(|note| note.starts_with("1 variables")), "{:?}", unpacked.notes);
}

#[test]
fn every_packing_gives_the_same_root() {
    let layer = || tar().file("a", "1").dir("b").end();
    let mut found = Vec::new();
    for packing in ["", "+gzip", "+zstd"] {
        let home = Home::new();
        let unpacked = home.import(&Layout::packed(&[(layer(), packing)])).unwrap();
        found.push((unpacked.digest.clone(), listing(&home.rootfs(&unpacked.digest))));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[1], found[2]);
}

#[test]
fn an_archive_is_the_same_as_the_directory() {
    let layout = Layout::of(&[tar().file("a", "1")]);
    let mut archive = tar().raw(EntryType::Regular, b"index.json", b"", 0o644, layout.index.to_string().as_bytes());
    for (digest, bytes) in &layout.blobs {
        archive = archive.raw(EntryType::Regular, format!("blobs/sha256/{digest}").as_bytes(), b"", 0o644, bytes);
    }
    let at = tempfile::tempdir().unwrap();
    let file = at.path().join("image.tar");
    fs::write(&file, archive.end()).unwrap();
    let home = Home::new();
    let from_file = home.unpack(&file, &Wanted::default(), &Limits::default()).unwrap();
    assert_eq!(from_file.digest, Home::new().import(&layout).unwrap().digest);
    assert_eq!(fs::read_to_string(home.rootfs(&from_file.digest).join("a")).unwrap(), "1");
}

#[test]
fn the_image_of_this_platform_and_reference_is_found() {
    let mut layout = Layout::packed(&[]);
    let ours = layout.image(&[(tar().file("which", "ours").end(), "")], "amd64");
    let other = layout.image(&[(tar().file("which", "other").end(), "")], "arm64");
    let named = |descriptor: &serde_json::Value, name: &str| {
        let mut descriptor = descriptor.clone();
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        descriptor
    };
    let mut platform = other.clone();
    platform["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    let inner = json!({ "schemaVersion": 2, "manifests": [platform, other, ours] });
    let inner = layout.blob("application/vnd.oci.image.index.v1+json", inner.to_string().into_bytes());
    let second = layout.image(&[(tar().file("which", "second").end(), "")], "amd64");
    layout.index = json!({ "schemaVersion": 2, "manifests": [named(&inner, "13"), named(&second, "12")] });
    let at = tempfile::tempdir().unwrap();
    layout.write(at.path());
    let home = Home::new();
    let pick = |reference: Option<&str>| {
        let wanted = Wanted { reference: reference.map(str::to_owned), ..Wanted::default() };
        home.unpack(at.path(), &wanted, &Limits::default())
    };
    let unpacked = pick(Some("13")).unwrap();
    assert_eq!(unpacked.reference.as_deref(), Some("13"));
    assert_eq!(fs::read_to_string(home.rootfs(&unpacked.digest).join("which")).unwrap(), "ours");
    let error = pick(None).unwrap_err().to_string();
    assert!(error.contains("12, 13") && error.contains("--reference"), "{error}");
    let error = pick(Some("14")).unwrap_err().to_string();
    assert!(error.contains("\"14\"") && error.contains("12, 13"), "{error}");
}

#[test]
fn names_lead_to_images_until_the_last_is_removed() {
    let home = Home::new();
    let at = tempfile::tempdir().unwrap();
    Layout::of(&[tar().file("a", "1")]).write(at.path());
    let (first, _) = home.import_as(at.path(), "one", &Wanted::default(), &Limits::default()).unwrap();
    let wanted = Wanted { have: [first.digest.clone()].into(), ..Wanted::default() };
    let (second, _) = home.import_as(at.path(), "two:2", &wanted, &Limits::default()).unwrap();
    assert!(second.had && second.digest == first.digest);
    let names: Vec<String> = home.store().list().unwrap().into_keys().collect();
    assert_eq!(names, ["one", "two:2"]);
    let removed = home.store().change().unwrap().remove("one").unwrap();
    assert_eq!(removed.still, ["two:2"]);
    assert!(home.rootfs(&first.digest).exists());
    let error = home.store().hold("one").unwrap_err().to_string();
    assert!(error.contains("two:2") && error.contains("chela images import"), "{error}");
    // One that a sandbox stands on is not removed, nor is its name.
    let held = home.store().hold("two:2").unwrap();
    assert!(matches!(home.store().change().unwrap().remove("two:2"), Err(StoreError::InUse(_))));
    assert!(home.store().list().unwrap().contains_key("two:2"));
    drop(held);
    assert!(home.store().change().unwrap().remove("two:2").unwrap().still.is_empty());
    home.assert_untouched("the last name removed");
    assert!(matches!(home.store().change().unwrap().remove("two:2"), Err(StoreError::Unknown { .. })));
    for name in ["", "../x", "A", "a b"] {
        assert!(matches!(home.store().hold(name), Err(StoreError::Name(_))), "{name}");
    }
}

#[test]
fn a_name_given_anew_lets_the_old_image_go_once_nobody_stands_on_it() {
    let home = Home::new();
    let old = home.import(&Layout::of(&[tar().file("a", "old")])).unwrap();
    let held = home.store().hold("image").unwrap();
    let new = home.import(&Layout::of(&[tar().file("a", "new")])).unwrap();
    assert_eq!(home.store().find("image").unwrap().digest, new.digest);
    assert!(home.rootfs(&old.digest).join("a").exists(), "a sandbox stands on it");
    drop(held);
    drop(home.store().change().unwrap());
    assert!(!home.rootfs(&old.digest).exists() && home.rootfs(&new.digest).exists());
}

#[test]
fn one_change_at_a_time_and_what_a_killed_one_left_goes() {
    let home = Home::new();
    let changing = home.store().change().unwrap();
    assert!(matches!(home.store().change(), Err(StoreError::Busy)));
    std::mem::forget(changing.begin(None).unwrap());
    fs::write(home.store_path().join("tmp/import/half"), "x").unwrap();
    // As a kill would: the lock goes, what is there stays.
    std::mem::forget(changing);
    let copy = home.store_path().join("tmp");
    assert!(copy.join("import/half").exists());
    // The lock is this process's still, by a descriptor that nobody has any more: another store stands for the next.
    let other = Home::new();
    fs::create_dir_all(other.store_path().join("tmp/import/deep")).unwrap();
    fs::create_dir_all(other.store_path().join("roots").join("ab".repeat(32))).unwrap();
    drop(other.store().change().unwrap());
    other.assert_untouched("what a killed import left");
}

#[test]
fn a_list_of_names_that_is_none_is_said() {
    let home = Home::new();
    for text in
        ["hello", "{\"../x\":{}}", r#"{"a":{"digest":"../..","imported_s":1,"layers":1,"bytes":1,"entries":1}}"#]
    {
        fs::write(home.store_path().join("names.json"), text).unwrap();
        assert!(matches!(home.store().list(), Err(StoreError::Names(_))), "{text}");
        assert!(home.store().change().is_err(), "{text}");
    }
}
