//! What can be wrong with an image or with the store; each names the object and the way out.

use std::io;

/// A text of others, for a person's terminal.
pub fn shown(text: &[u8]) -> String {
    const SHOWN_BYTES: usize = 300;
    let cut = &text[..text.len().min(SHOWN_BYTES)];
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{more}", cut.escape_ascii())
}

/// Why an image is not imported. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file or directory is no OCI layout.
    #[error(
        "{0}. An OCI layout is what `skopeo copy SOURCE oci-archive:FILE` or `podman save --format oci-archive` writes"
    )]
    NotLayout(String),
    /// It could not be read.
    #[error("reading {what}: {error}")]
    Read {
        /// What.
        what: String,
        /// Why.
        error: io::Error,
    },
    /// A blob is not what its descriptor says.
    #[error("blob {digest}: {why}: the image is damaged or was tampered with; fetch it again")]
    Blob {
        /// Which.
        digest: String,
        /// What is wrong with it.
        why: String,
    },
    /// An index, manifest or configuration makes no sense.
    #[error("{what}: {why}")]
    Document {
        /// Which.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing in it for this platform.
    #[error("no image for linux/amd64 in it, only: {found}. Fetch it with `skopeo copy --override-arch amd64 …`")]
    NoPlatform {
        /// What there is.
        found: String,
    },
    /// More than one image.
    #[error("it holds several images: {references}. Say which with --reference")]
    Several {
        /// Their references.
        references: String,
    },
    /// None of that reference.
    #[error("it holds no image {wanted:?}, only: {references}")]
    NoReference {
        /// What was asked for.
        wanted: String,
        /// What there is.
        references: String,
    },
    /// More than is allowed.
    #[error("{what}: more than {limit}, which is the limit")]
    Limit {
        /// Of what.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// An entry of a layer is refused.
    #[error("layer {layer}, entry {}: {why}", shown(entry))]
    Entry {
        /// Which layer, from 1, the lowest.
        layer: usize,
        /// The entry's path, as it stands there.
        entry: Vec<u8>,
        /// Why.
        why: Refused,
    },
    /// A layer as a whole.
    #[error("layer {layer}: {why}")]
    Layer {
        /// Which layer, from 1, the lowest.
        layer: usize,
        /// Why.
        why: String,
    },
    /// It could not be written.
    #[error("writing {what}: {error}")]
    Write {
        /// What.
        what: String,
        /// Why.
        error: io::Error,
    },
}

/// Why an entry of a layer is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// `..`.
    #[error("its path has \"..\" in it")]
    Parent,
    /// `/…`.
    #[error("its path is absolute")]
    Absolute,
    /// A zero byte, or a name that is too long.
    #[error("its path holds what is no name of a file")]
    Name,
    /// An empty path where there must be a name.
    #[error("it has no name")]
    Empty,
    /// More bytes than a path may have.
    #[error("its path has more than {0} bytes")]
    Long(usize),
    /// More names than a path may have.
    #[error("its path has more than {0} names")]
    Deep(usize),
    /// A link on the way.
    #[error("its path leads through a symbolic link")]
    ThroughLink,
    /// Something else than a directory on the way.
    #[error("its path leads through what is no directory")]
    ThroughFile,
    /// Said twice.
    #[error("the same layer has it twice")]
    Duplicate,
    /// A device node.
    #[error("it is a device node: a sandbox has its own; make the image with an empty /dev")]
    Device,
    /// A pipe.
    #[error("it is a named pipe, of which an image that nobody writes to has no use")]
    Pipe,
    /// A kind that is not known.
    #[error("it is of a kind that a layer can't have: {0}")]
    Kind(String),
    /// A whiteout that makes no sense.
    #[error("it is a whiteout of nothing that could be there")]
    Whiteout,
    /// A hard link to a path that is refused.
    #[error("it is a hard link whose target is refused: {0}")]
    Target(Box<Refused>),
    /// A hard link to nothing.
    #[error("it is a hard link to what is not there, or is neither file nor symbolic link")]
    NoTarget,
    /// A symbolic link's target.
    #[error("it is a symbolic link without a target, or with one that is too long")]
    LinkText,
    /// An extended header.
    #[error("its extended header {0}")]
    Extended(&'static str),
    /// It could not be made.
    #[error("making it: {0}")]
    Make(#[from] rustix::io::Errno),
    /// Its content could not be read or written.
    #[error("its content: {0}")]
    Content(io::Error),
}

/// Why the store can't do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A call on a file failed.
    #[error("{step} {what}: {error}")]
    Io {
        /// What was tried.
        step: &'static str,
        /// With what.
        what: String,
        /// Why.
        error: io::Error,
    },
    /// The list of names is not what this program wrote.
    #[error("{0}: its list of names can't be read: remove the file and import the images again")]
    Names(String),
    /// Not a name.
    #[error("{0:?} can't be an image's name: {rule}", rule = schema::image::NAME_RULE)]
    Name(String),
    /// No such image.
    #[error("there is no image {name:?}; there is: {known}. Import it with: chela images import PATH --name {name}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A sandbox has it as its root.
    #[error("image {0:?} is the root of a command that runs: wait for it to end, or cancel it")]
    InUse(String),
    /// Too many.
    #[error("there are {0} images, which is the limit: remove one with: chela images remove NAME")]
    Full(usize),
    /// Somebody else is at it.
    #[error("another import or removal is under way: try again when it is done")]
    Busy,
    /// What the unpacking process answered makes no sense.
    #[error("{0:?} is no digest")]
    Digest(String),
}

impl StoreError {
    /// A failed call.
    pub fn io(step: &'static str, what: impl Into<String>, error: impl Into<io::Error>) -> StoreError {
        StoreError::Io { step, what: what.into(), error: error.into() }
    }
}
