//! Layouts made by hand, and a store to import them into.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use images::{ImportError, Limits, Named, Store, Unpacked, Wanted};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::EntryType;

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A tar, each entry as it is said.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn raw(mut self, kind: EntryType, path: &[u8], link: &[u8], mode: u32, content: &[u8]) -> Tar {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, path: &str, content: &str) -> Tar {
        self.raw(EntryType::Regular, path.as_bytes(), b"", 0o644, content.as_bytes())
    }

    pub fn dir(self, path: &str) -> Tar {
        self.raw(EntryType::Directory, path.as_bytes(), b"", 0o755, b"")
    }

    pub fn symlink(self, path: &str, to: &str) -> Tar {
        self.raw(EntryType::Symlink, path.as_bytes(), to.as_bytes(), 0o777, b"")
    }

    pub fn link(self, path: &str, to: &str) -> Tar {
        self.raw(EntryType::Link, path.as_bytes(), to.as_bytes(), 0o644, b"")
    }

    pub fn node(self, kind: EntryType, path: &str) -> Tar {
        self.raw(kind, path.as_bytes(), b"", 0o644, b"")
    }

    /// An extended header of these records.
    pub fn records(self, kind: EntryType, records: &[(&str, &str)]) -> Tar {
        let mut text = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..).find(|length| *length == rest + length.to_string().len()).unwrap();
            text += &format!("{length} {key}={value}\n");
        }
        self.raw(kind, b"header", b"", 0o644, text.as_bytes())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layout that is being made; the fields may be spoilt before it is written.
pub struct Layout {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub index: Value,
}

pub const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Layout {
    pub fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let (digest, size) = (sha256(&bytes), bytes.len());
        self.blobs.insert(digest.clone(), bytes);
        json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
    }

    /// Of these layers, each with the ending of its kind: "", "+gzip" or "+zstd".
    pub fn packed(layers: &[(Vec<u8>, &str)]) -> Layout {
        let mut layout = Layout { blobs: BTreeMap::new(), index: Value::Null };
        let manifest = layout.image(layers, "amd64");
        layout.index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        layout
    }

    /// A manifest's descriptor.
    pub fn image(&mut self, layers: &[(Vec<u8>, &str)], architecture: &str) -> Value {
        let diff_ids: Vec<String> = layers.iter().map(|(tar, _)| format!("sha256:{}", sha256(tar))).collect();
        let layers: Vec<Value> = layers
            .iter()
            .map(|(tar, ending)| {
                let bytes = match *ending {
                    "+gzip" => gzip(tar),
                    "+zstd" => zstd::encode_all(&tar[..], 1).unwrap(),
                    _ => tar.clone(),
                };
                self.blob(&format!("{TAR}{ending}"), bytes)
            })
            .collect();
        let config = json!({
            "architecture": architecture, "os": "linux",
            "config": { "Env": ["PATH=/opt/bin:/bin", "GREETING=hello world", "bad name=1"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        self.blob(MANIFEST, manifest.to_string().into_bytes())
    }

    pub fn of(layers: &[Tar]) -> Layout {
        let layers: Vec<_> = layers.iter().map(|tar| (tar.clone().end(), "")).collect();
        Layout::packed(&layers)
    }

    pub fn write(&self, at: &Path) {
        let blobs = at.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        for (digest, bytes) in &self.blobs {
            fs::write(blobs.join(digest), bytes).unwrap();
        }
        fs::write(at.join("index.json"), self.index.to_string()).unwrap();
        fs::write(at.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    }
}

/// A store of its own, with room beside it.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Home {
        let home = Home { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(home.store_path()).unwrap();
        fs::create_dir(home.path("victim")).unwrap();
        fs::write(home.path("victim/file"), "as it was").unwrap();
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn store_path(&self) -> PathBuf {
        self.path("store")
    }

    pub fn store(&self) -> Store {
        Store::open(&self.store_path()).unwrap()
    }

    pub fn unpack(&self, source: &Path, wanted: &Wanted, limits: &Limits) -> Result<Unpacked, ImportError> {
        self.import_as(source, "image", wanted, limits).map(|(unpacked, _)| unpacked)
    }

    pub fn import_as(
        &self,
        source: &Path,
        name: &str,
        wanted: &Wanted,
        limits: &Limits,
    ) -> Result<(Unpacked, Named), ImportError> {
        let changing = self.store().change().unwrap();
        let into = changing.begin(None).unwrap();
        let unpacked = images::unpack(images::open(source)?, into.as_fd(), wanted, limits)?;
        let named = changing.keep(&unpacked, name).unwrap();
        Ok((unpacked, named))
    }

    pub fn import(&self, layout: &Layout) -> Result<Unpacked, ImportError> {
        let at = tempfile::tempdir().unwrap();
        layout.write(at.path());
        self.unpack(at.path(), &Wanted::default(), &Limits::default())
    }

    pub fn rootfs(&self, digest: &str) -> PathBuf {
        self.store_path().join("roots").join(digest).join("rootfs")
    }

    /// Nothing of a failed import is left, and nothing outside was touched.
    pub fn assert_untouched(&self, case: &str) {
        assert!(self.store().list().unwrap().is_empty(), "{case}: a name is left");
        for name in ["roots", "tmp"] {
            let left: Vec<_> = fs::read_dir(self.store_path().join(name)).unwrap().flatten().collect();
            assert!(left.is_empty(), "{case}: {name} has {left:?}");
        }
        let victims: Vec<_> = fs::read_dir(self.path("victim")).unwrap().flatten().collect();
        assert_eq!(victims.len(), 1, "{case}: {victims:?}");
        let victim = self.path("victim/file");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "as it was", "{case}");
        assert_eq!(victim.metadata().unwrap().nlink(), 1, "{case}: linked");
        let beside: Vec<_> = fs::read_dir(self.dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(beside.len(), 2, "{case}: {beside:?}");
    }
}

/// Every path of a tree with what it is: `d`, `l TARGET`, `f CONTENT` (`x` when it runs).
pub fn listing(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let kind = path.symlink_metadata().unwrap();
            let text = if kind.is_dir() {
                left.push(path);
                "d".to_owned()
            } else if kind.is_symlink() {
                format!("l {}", fs::read_link(&path).unwrap().display())
            } else {
                let letter = if kind.permissions().mode() & 0o100 != 0 { "x" } else { "f" };
                format!("{letter} {}", String::from_utf8_lossy(&fs::read(&path).unwrap()))
            };
            found.insert(name, text);
        }
    }
    found
}
