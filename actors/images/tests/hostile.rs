//! Layers and documents that mean harm, or are damaged: each is refused with the reason, and nothing of it is left.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod common;

use common::{Home, Layout, TAR, Tar, gzip};
use images::{Limits, Wanted};
use serde_json::json;
use tar::EntryType;

/// The layers are refused with a message that has `reason` in it, which names the layer.
fn refused(case: &str, layers: &[Tar], reason: &str) {
    let home = Home::new();
    // Where a traversal would lead to is there: the file beside the store, from each depth.
    let error = home.import(&Layout::of(layers)).expect_err(case).to_string();
    assert!(error.contains(reason), "{case}: {error}");
    assert!(error.contains(&format!("layer {}", layers.len())), "{case}: {error}");
    home.assert_untouched(case);
}

fn tar() -> Tar {
    Tar::default()
}

#[test]
fn paths_that_lead_out() {
    let up = "../../../../victim/file";
    refused("..", &[tar().file(up, "x")], "\"..\"");
    refused(".. in the middle", &[tar().dir("a").file("a/../../../../../victim/file", "x")], "\"..\"");
    refused(".. as a directory", &[tar().dir("..")], "\"..\"");
    refused(".. as a link", &[tar().symlink("a/../../x", "y")], "\"..\"");
    refused("absolute", &[tar().file("/victim/file", "x")], "absolute");
    refused("absolute directory", &[tar().dir("/")], "absolute");
    let long = tar().raw(EntryType::GNULongName, b"././@LongLink", b"", 0o644, b"a/../../../../victim/file\0");
    refused(".. in a long name", &[long.file("harmless", "x")], "\"..\"");
    let pax = tar().records(EntryType::XHeader, &[("path", up)]);
    refused(".. in an extended header", &[pax.file("harmless", "x")], "\"..\"");
    let pax = tar().records(EntryType::XHeader, &[("path", "/etc/passwd")]);
    refused("absolute in an extended header", &[pax.file("harmless", "x")], "absolute");
    let pax = tar().records(EntryType::XGlobalHeader, &[("path", up)]);
    refused("a path for all that follows", &[pax.file("harmless", "x")], "every entry");
}

#[test]
fn links_that_lead_out() {
    for (case, target) in [("relative", "../../../../victim"), ("absolute", "/tmp"), ("inside", "b")] {
        let case = format!("through a link, {case}");
        refused(&case, &[tar().dir("b").symlink("a", target).file("a/file", "x")], "through a symbolic link");
        let lower = tar().dir("b").symlink("a", target);
        refused(&case, &[lower.clone(), tar().file("a/file", "x")], "through a symbolic link");
        refused(&case, &[lower.clone(), tar().dir("a/new/deep")], "through a symbolic link");
        refused(&case, &[lower.clone(), tar().file("a/.wh.file", "")], "through a symbolic link");
        refused(&case, &[lower.clone(), tar().file("a/.wh..wh..opq", "")], "through a symbolic link");
        refused(&case, &[lower, tar().link("c", "a/file")], "target is refused");
    }
    refused("a hard link up", &[tar().link("a", "../../../../victim/file")], "target is refused");
    refused("an absolute hard link", &[tar().link("a", "/etc/passwd")], "target is refused");
    refused("a hard link to nothing", &[tar().link("a", "b")], "not there");
    refused("a hard link to itself", &[tar().file("a", "x"), tar().link("a", "a")], "not there");
    refused("a hard link to a directory", &[tar().dir("b").link("a", "b")], "not there");
    refused("a hard link without a target", &[tar().link("a", "")], "not there");
    refused("a hard link that removes its target", &[tar().file("a/b", "x"), tar().link("a", "a/b")], "not there");
    let pax = tar().records(EntryType::XHeader, &[("linkpath", "../../../../victim/file")]);
    refused("a hard link up in an extended header", &[pax.link("a", "b")], "target is refused");
    refused("an empty symbolic link", &[tar().symlink("a", "")], "without a target");
}

#[test]
fn kinds_and_names_that_no_layer_has() {
    refused("a character device", &[tar().node(EntryType::Char, "dev/kmem")], "device");
    refused("a block device", &[tar().node(EntryType::Block, "dev/sda")], "device");
    refused("a pipe", &[tar().node(EntryType::Fifo, "run/pipe")], "pipe");
    refused("an unknown kind", &[tar().node(EntryType::new(b'Z'), "a")], "of a kind");
    refused("holes", &[tar().node(EntryType::GNUSparse, "a")], "holes");
    let pax = tar().records(EntryType::XHeader, &[("GNU.sparse.realsize", "99999999999")]);
    refused("holes in an extended header", &[pax.file("a", "")], "holes");
    let pax = tar().records(EntryType::XHeader, &[("size", "1048576")]);
    refused("another size", &[pax.file("a", "x").file("b", "y")], "another size");
    refused("a file without a name", &[tar().symlink("./.", "x")], "no name");
    let zero = tar().records(EntryType::XHeader, &[("path", "a\0b")]);
    refused("a zero byte", &[zero.file("a", "x")], "no name of a file");
    let long = "n".repeat(256);
    let pax = tar().records(EntryType::XHeader, &[("path", &long)]);
    refused("a long name", &[pax.file("a", "x")], "no name of a file");
    let deep = "d/".repeat(65);
    let pax = tar().records(EntryType::XHeader, &[("path", &deep)]);
    refused("a deep path", &[pax.dir("a")], "more than 64 names");
    let wide = format!("{}x", "n/".repeat(2_000));
    let pax = tar().records(EntryType::XHeader, &[("path", &wide)]);
    refused("a long path", &[pax.file("a", "x")], "bytes");
    refused("no records", &[tar().raw(EntryType::XHeader, b"h", b"", 0, b"hello").file("a", "x")], "records");
}

#[test]
fn what_a_layer_says_twice_and_whiteouts_of_nothing() {
    refused("a file twice", &[tar().file("a", "x").file("a", "y")], "twice");
    refused("a file twice, spelt otherwise", &[tar().file("a/b", "x").file("./a//b", "y")], "twice");
    refused("a link over a file", &[tar().file("a", "x").symlink("a", "/etc")], "twice");
    refused("a directory twice", &[tar().dir("a").dir("a/")], "twice");
    refused("a link over a directory with something in it", &[tar().file("a/b", "x").symlink("a", "/etc")], "twice");
    refused("below a file", &[tar().file("a", "x").file("a/b", "y")], "no directory");
    refused("a whiteout of ..", &[tar().file(".wh...", "")], "whiteout");
    refused("a whiteout of .. below", &[tar().file("a", "x"), tar().file("a/.wh...", "")], "whiteout");
    refused("a whiteout of .", &[tar().file(".wh..", "")], "whiteout");
    refused("a whiteout of no name", &[tar().file(".wh.", "")], "whiteout");
    refused("a whiteout as a directory", &[tar().file("x", ""), tar().dir(".wh.x")], "whiteout");
    refused("below a whiteout", &[tar().file(".wh.x/y", "")], "whiteout");
    refused("a whiteout as a link", &[tar().symlink(".wh.x", "/etc")], "whiteout");
    refused("a whiteout up", &[tar().file("../../../../.wh.victim", "")], "\"..\"");
    refused("a whiteout twice", &[tar().file("x", ""), tar().file(".wh.x", "").file(".wh.x", "")], "twice");
}

/// The layout is refused under these limits.
fn limited(case: &str, layout: &Layout, limits: &Limits, reason: &str) {
    let home = Home::new();
    let at = tempfile::tempdir().unwrap();
    layout.write(at.path());
    let error = home.unpack(at.path(), &Wanted::default(), limits).expect_err(case).to_string();
    assert!(error.contains(reason), "{case}: {error}");
    home.assert_untouched(case);
}

#[test]
fn bombs() {
    let zeros = tar().raw(EntryType::Regular, b"zeros", b"", 0o644, &vec![0; 8 << 20]).end();
    let limits = Limits { ratio: 50, ratio_free_bytes: 1 << 20, ..Limits::default() };
    for packing in ["+gzip", "+zstd"] {
        let bomb = Layout::packed(&[(zeros.clone(), packing)]);
        limited("a ratio", &bomb, &limits, "50 times its size");
        limited("bytes", &bomb, &Limits { unpacked_bytes: 4 << 20, ..Limits::default() }, "more than it may");
    }
    let half = tar().raw(EntryType::Regular, b"a", b"", 0o644, &vec![1; 3 << 20]).end();
    let two = Layout::packed(&[(half.clone(), ""), (half, "")]);
    limited("bytes of all layers", &two, &Limits { unpacked_bytes: 5 << 20, ..Limits::default() }, "layer 2");
    // What follows the end of the tar counts too.
    let mut behind = tar().file("a", "x").end();
    behind.resize(behind.len() + (8 << 20), 0);
    limited("bytes behind the end", &Layout::packed(&[(behind, "+gzip")]), &limits, "50 times its size");
    let many = (0..50).fold(tar(), |tar, number| tar.file(&format!("f{number}"), ""));
    limited("entries", &Layout::of(&[many]), &Limits { entries: 49, ..Limits::default() }, "49 entries");
    let layers = vec![tar(); 4];
    limited("layers", &Layout::of(&layers), &Limits { layers: 3, ..Limits::default() }, "layers");
    let big = Layout::packed(&[(vec![0; 4096], "")]);
    limited("a large blob", &big, &Limits { blob_bytes: 4095, ..Limits::default() }, "bytes of layer 1");
    let name = "n".repeat(2 << 20);
    let pax = tar().records(EntryType::XHeader, &[("comment", &name)]);
    refused("an extended header of megabytes", &[pax.file("a", "x")], "longer than any path");
    let gnu = tar().raw(EntryType::GNULongName, b"l", b"", 0, &vec![b'n'; 2 << 20]);
    refused("a long name of megabytes", &[gnu.file("a", "x")], "longer than any path");
}

/// The layout, spoilt in some way, is refused.
fn spoilt(case: &str, spoil: impl FnOnce(&mut Layout), reason: &str) {
    let mut layout = Layout::packed(&[(tar().file("a", "content").end(), "+gzip")]);
    spoil(&mut layout);
    limited(case, &layout, &Limits::default(), reason);
}

fn layer_of(layout: &Layout) -> String {
    layout.blobs.iter().find(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b])).unwrap().0.clone()
}

#[test]
fn blobs_that_are_not_what_they_should_be() {
    spoilt("a layer that is missing", |layout| drop(layout.blobs.remove(&layer_of(layout))), "not there");
    let longer = |layout: &mut Layout| layout.blobs.get_mut(&layer_of(layout)).unwrap().push(0);
    spoilt("a layer that is longer", longer, "size");
    let shorter = |layout: &mut Layout| {
        layout.blobs.get_mut(&layer_of(layout)).unwrap().pop();
    };
    spoilt("a layer that is shorter", shorter, "size");
    let other = |layout: &mut Layout| {
        let bytes = layout.blobs.get_mut(&layer_of(layout)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    };
    spoilt("a layer with another bit", other, "digest");
    // The same size, a valid layer, another content.
    let (was, is) = (tar().file("a", "content").end(), tar().file("a", "CONTENT").end());
    let mut swapped = Layout::packed(&[(was.clone(), "")]);
    swapped.blobs.insert(common::sha256(&was), is);
    limited("another layer of the same size", &swapped, &Limits::default(), "digest");
    let config = |layout: &mut Layout| {
        for bytes in layout.blobs.values_mut() {
            let text = String::from_utf8_lossy(bytes).replace("GREETING=hello", "GREETING=HELLO");
            if text.starts_with('{') {
                *bytes = text.into_bytes();
            }
        }
    };
    spoilt("a configuration that was changed", config, "digest");
    spoilt("a manifest that is missing", |layout| layout.blobs.clear(), "not there");
    spoilt("an index that is none", |layout| layout.index = json!(["hello"]), "index.json");
    let sha512 = |layout: &mut Layout| {
        layout.index["manifests"][0]["digest"] = json!(format!("sha512:{}", "ab".repeat(64)));
    };
    spoilt("another kind of digest", sha512, "sha256");
    let path = |layout: &mut Layout| layout.index["manifests"][0]["digest"] = json!("sha256:../../../../etc/passwd");
    spoilt("a digest that is a path", path, "index.json");
    let size = |layout: &mut Layout| layout.index["manifests"][0]["size"] = json!(1_u64 << 40);
    spoilt("a manifest of a terabyte", size, "limit");
}

#[test]
fn manifests_that_lie() {
    let home = Home::new();
    // A layer whose content is right by its own digest, but not the one that the configuration speaks of.
    let mut layout = Layout::packed(&[(tar().file("a", "x").end(), "")]);
    let other = tar().file("a", "y").end();
    let descriptor = layout.blob(TAR, other);
    let parsed = layout.blobs.values().filter_map(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok());
    let mut manifest = parsed.into_iter().find(|value| value.get("layers").is_some()).unwrap();
    manifest["layers"][0] = descriptor;
    let manifest = layout.blob(common::MANIFEST, manifest.to_string().into_bytes());
    layout.index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    let error = home.import(&layout).unwrap_err().to_string();
    assert!(error.contains("configuration"), "{error}");
    home.assert_untouched("another layer than the configuration's");
    let mut layout = Layout::packed(&[]);
    layout.index = json!({ "schemaVersion": 2, "manifests": [layout.image(&[], "arm64")] });
    let error = home.import(&layout).unwrap_err().to_string();
    assert!(error.contains("linux/arm64"), "{error}");
    let mut layout = Layout::packed(&[]);
    let nested = json!({ "schemaVersion": 2, "manifests": [] });
    let mut inner = layout.blob("application/vnd.oci.image.index.v1+json", nested.to_string().into_bytes());
    for _ in 0..6 {
        let outer = json!({ "schemaVersion": 2, "manifests": [inner] });
        inner = layout.blob("application/vnd.oci.image.index.v1+json", outer.to_string().into_bytes());
    }
    layout.index = json!({ "schemaVersion": 2, "manifests": [inner] });
    let error = home.import(&layout).unwrap_err().to_string();
    assert!(error.contains("indexes within indexes"), "{error}");
    home.assert_untouched("indexes within indexes");
}

#[test]
fn the_file_itself() {
    let home = Home::new();
    let at = tempfile::tempdir().unwrap();
    let file = at.path().join("image.tar");
    let case = |bytes: &[u8], reason: &str| {
        std::fs::write(&file, bytes).unwrap();
        let error = home.unpack(&file, &Wanted::default(), &Limits::default()).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
        home.assert_untouched(reason);
    };
    case(b"", "no index.json");
    case(&gzip(b"hello"), "gunzip");
    case(&zstd::encode_all(&b"hello"[..], 1).unwrap(), "unzstd");
    case(&[7; 4096], "is none");
    case(&tar().file("a", "x").end(), "no index.json");
    case(&tar().file("../index.json", "{}").end(), "\"..\"");
    case(&tar().symlink("index.json", "/etc/passwd").end(), "no index.json");
    // A layout whose blob is a link is one without that blob.
    let layout = Layout::of(&[tar().file("a", "x")]);
    let dir = at.path().join("layout");
    layout.write(&dir);
    let blob = dir.join("blobs/sha256").join(layout.blobs.keys().next().unwrap());
    std::fs::rename(&blob, at.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(at.path().join("moved"), &blob).unwrap();
    let error = home.unpack(&dir, &Wanted::default(), &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("symbolic links") || error.contains("not there"), "{error}");
    home.assert_untouched("a blob that is a link");
}
