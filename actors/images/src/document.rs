//! Index, manifest, configuration: which image of a layout is the one for this platform, and what it is made of.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;

use oci_spec::image::{Arch, Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, Os, Platform};
use serde::de::DeserializeOwned;

use crate::error::{ImportError, shown};
use crate::limits::{DOCUMENT_BYTES, INDEX_DEPTH, Limits, MANIFESTS};
use crate::source::{Blobs, INDEX, is_digest};
use crate::stream::{Packing, Tallied};

const REFERENCE: &str = "org.opencontainers.image.ref.name";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// One layer, as the manifest and the configuration describe it.
#[derive(Clone, Debug)]
pub struct Layer {
    /// From 1, the lowest.
    pub number: usize,
    /// Digest of it as stored, in hexadecimal.
    pub digest: String,
    /// Bytes of it as stored.
    pub bytes: u64,
    /// How it is stored.
    pub packing: Packing,
    /// Digest of it unpacked, in hexadecimal.
    pub unpacked_digest: String,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Digest of its configuration, in hexadecimal: the image's own name.
    pub digest: String,
    /// What the layout calls it.
    pub reference: Option<String>,
    /// From the lowest.
    pub layers: Vec<Layer>,
    /// Its environment, as written there.
    pub environment: Vec<String>,
}

/// A manifest that could be it.
struct Candidate {
    manifest: Descriptor,
    reference: Option<String>,
}

/// Finds the image for linux/amd64, of that reference where there is one.
///
/// # Errors
/// When there is none or more than one, and when a document is not what its descriptor says.
pub fn find(blobs: &Blobs, wanted: Option<&str>, limits: &Limits) -> Result<Image, ImportError> {
    let read = |error| ImportError::Read { what: INDEX.to_owned(), error };
    let mut text = Vec::new();
    blobs.index().map_err(read)?.take(DOCUMENT_BYTES + 1).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 > DOCUMENT_BYTES {
        return Err(ImportError::Limit { what: format!("bytes of {INDEX}"), limit: DOCUMENT_BYTES });
    }
    let mut search = Search { blobs, candidates: Vec::new(), others: Vec::new(), looked_at: 0 };
    search.index(&parse(INDEX, &text)?, None, 0)?;
    let Search { mut candidates, mut others, .. } = search;
    if let Some(wanted) = wanted {
        let references = references(&candidates);
        candidates.retain(|candidate| candidate.reference.as_deref() == Some(wanted));
        if candidates.is_empty() {
            return Err(ImportError::NoReference { wanted: wanted.to_owned(), references });
        }
    }
    let mut images: BTreeMap<String, Image> = BTreeMap::new();
    for candidate in &candidates {
        match image(blobs, candidate, limits)? {
            Ok(image) => drop(images.entry(image.digest.clone()).or_insert(image)),
            Err(other) => others.push(other),
        }
    }
    match images.len() {
        0 => Err(ImportError::NoPlatform { found: list(others) }),
        1 => images.into_values().next().ok_or(ImportError::NoPlatform { found: String::new() }),
        _ => Err(ImportError::Several { references: references(&candidates) }),
    }
}

fn list(mut names: Vec<String>) -> String {
    names.sort();
    names.dedup();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn references(candidates: &[Candidate]) -> String {
    let name = |candidate: &Candidate| match &candidate.reference {
        Some(reference) => shown(reference.as_bytes()),
        None => "(one without a reference)".to_owned(),
    };
    list(candidates.iter().map(name).collect())
}

fn parse<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(text)
        .map_err(|error| ImportError::Document { what: what.to_owned(), why: shown(error.to_string().as_bytes()) })
}

/// The SHA-256 digest of a descriptor, in hexadecimal.
fn digest_of(descriptor: &Descriptor) -> Result<&str, ImportError> {
    match descriptor.as_digest_sha256() {
        Some(digest) if is_digest(digest) => Ok(digest),
        _ => Err(ImportError::Document {
            what: shown(descriptor.digest().to_string().as_bytes()),
            why: "only sha256 digests are known".to_owned(),
        }),
    }
}

/// A document, checked against its descriptor.
fn document<T: DeserializeOwned>(blobs: &Blobs, descriptor: &Descriptor) -> Result<T, ImportError> {
    let digest = digest_of(descriptor)?;
    let wrong = |why: &str| ImportError::Blob { digest: digest.to_owned(), why: why.to_owned() };
    let read = |error| ImportError::Read { what: format!("blob {digest}"), error };
    if descriptor.size() > DOCUMENT_BYTES {
        return Err(ImportError::Limit { what: format!("bytes of document {digest}"), limit: DOCUMENT_BYTES });
    }
    let found = blobs.blob(digest).map_err(read)?.ok_or_else(|| wrong("it is not there"))?;
    let tally = crate::stream::Shared::default();
    let mut text = Vec::new();
    Tallied::new(found.take(descriptor.size() + 1), &tally).read_to_end(&mut text).map_err(read)?;
    if text.len() as u64 != descriptor.size() {
        return Err(wrong("its size is not what its descriptor says"));
    }
    if tally.borrow().digest() != digest {
        return Err(wrong("its content is not what its digest says"));
    }
    parse(&format!("blob {digest}"), &text)
}

struct Search<'a> {
    blobs: &'a Blobs,
    candidates: Vec<Candidate>,
    /// Platforms that are not ours.
    others: Vec<String>,
    looked_at: usize,
}

impl Search<'_> {
    fn index(&mut self, index: &ImageIndex, above: Option<&String>, depth: usize) -> Result<(), ImportError> {
        if depth > INDEX_DEPTH {
            return Err(ImportError::Limit { what: "indexes within indexes".to_owned(), limit: INDEX_DEPTH as u64 });
        }
        for descriptor in index.manifests() {
            self.looked_at += 1;
            if self.looked_at > MANIFESTS {
                return Err(ImportError::Limit { what: "manifests".to_owned(), limit: MANIFESTS as u64 });
            }
            let reference = annotation(descriptor.annotations()).or(above).cloned();
            match kind(descriptor.media_type()) {
                Kind::Index => {
                    let inner = document(self.blobs, descriptor)?;
                    self.index(&inner, reference.as_ref(), depth + 1)?;
                }
                Kind::Manifest => match descriptor.platform() {
                    Some(platform) if !is_ours(platform.os(), platform.architecture()) => {
                        self.others.push(name_of(platform));
                    }
                    _ => self.candidates.push(Candidate { manifest: descriptor.clone(), reference }),
                },
                Kind::Other => {}
            }
        }
        Ok(())
    }
}

fn annotation(annotations: &Option<HashMap<String, String>>) -> Option<&String> {
    annotations.as_ref()?.get(REFERENCE)
}

fn name_of(platform: &Platform) -> String {
    shown(format!("{}/{}", platform.os(), platform.architecture()).as_bytes())
}

fn is_ours(os: &Os, architecture: &Arch) -> bool {
    *os == Os::Linux && *architecture == Arch::Amd64
}

enum Kind {
    Index,
    Manifest,
    Other,
}

fn kind(media_type: &MediaType) -> Kind {
    match media_type {
        MediaType::ImageIndex => Kind::Index,
        MediaType::ImageManifest => Kind::Manifest,
        MediaType::Other(name) if name == DOCKER_INDEX => Kind::Index,
        MediaType::Other(name) if name == DOCKER_MANIFEST => Kind::Manifest,
        _ => Kind::Other,
    }
}

/// The image of a manifest, or the platform it is for instead.
fn image(blobs: &Blobs, candidate: &Candidate, limits: &Limits) -> Result<Result<Image, String>, ImportError> {
    let manifest: ImageManifest = document(blobs, &candidate.manifest)?;
    let digest = digest_of(manifest.config())?;
    let configuration: ImageConfiguration = document(blobs, manifest.config())?;
    let (os, architecture) = (configuration.os(), configuration.architecture());
    if !is_ours(os, architecture) {
        return Ok(Err(shown(format!("{os}/{architecture}").as_bytes())));
    }
    let unpacked = configuration.rootfs().diff_ids();
    if manifest.layers().len() > limits.layers {
        return Err(ImportError::Limit { what: "layers".to_owned(), limit: limits.layers as u64 });
    }
    if unpacked.len() != manifest.layers().len() {
        let (is, other) = (manifest.layers().len(), unpacked.len());
        let why = format!("it has {is} layers, and its configuration speaks of {other}");
        return Err(ImportError::Document { what: format!("manifest {}", digest_of(&candidate.manifest)?), why });
    }
    let layers = manifest.layers().iter().zip(unpacked).enumerate();
    let layers = layers.map(|(at, (descriptor, unpacked))| layer(at + 1, descriptor, unpacked, limits));
    let environment = configuration.config().as_ref().and_then(|config| config.env().clone()).unwrap_or_default();
    Ok(Ok(Image {
        digest: digest.to_owned(),
        reference: candidate.reference.clone(),
        layers: layers.collect::<Result<_, _>>()?,
        environment,
    }))
}

fn layer(number: usize, descriptor: &Descriptor, unpacked: &str, limits: &Limits) -> Result<Layer, ImportError> {
    let wrong = |why: String| ImportError::Layer { layer: number, why };
    let packing = packing(descriptor.media_type()).ok_or_else(|| {
        wrong(format!("{} is no kind of layer", shown(descriptor.media_type().to_string().as_bytes())))
    })?;
    if descriptor.size() > limits.blob_bytes {
        return Err(ImportError::Limit { what: format!("bytes of layer {number}"), limit: limits.blob_bytes });
    }
    let unpacked_digest = unpacked
        .strip_prefix("sha256:")
        .filter(|digest| is_digest(digest))
        .ok_or_else(|| wrong(format!("{} is no digest that is known", shown(unpacked.as_bytes()))))?;
    Ok(Layer {
        number,
        digest: digest_of(descriptor)?.to_owned(),
        bytes: descriptor.size(),
        packing,
        unpacked_digest: unpacked_digest.to_owned(),
    })
}

fn packing(media_type: &MediaType) -> Option<Packing> {
    match media_type {
        MediaType::ImageLayer => Some(Packing::Plain),
        MediaType::ImageLayerGzip => Some(Packing::Gzip),
        MediaType::ImageLayerZstd => Some(Packing::Zstd),
        MediaType::Other(name) if name == DOCKER_LAYER => Some(Packing::Plain),
        MediaType::Other(name) if name == DOCKER_LAYER_GZIP => Some(Packing::Gzip),
        MediaType::Other(name) if name == DOCKER_LAYER_ZSTD => Some(Packing::Zstd),
        _ => None,
    }
}
