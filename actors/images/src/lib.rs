//! OCI images as roots of sandboxes: read from a layout or an archive of one, checked by digest, unpacked by who has no
//! privilege at all, kept by content, and shared read-only. Nothing here talks to a network.
#![forbid(unsafe_code)]

mod confine;
mod document;
mod entry;
mod error;
mod filter;
pub mod hand;
mod head;
mod layer;
mod limits;
mod ready;
mod source;
mod store;
mod stream;
mod tree;
mod unpack;

pub use confine::{ConfineError, confine};
pub use error::{ImportError, Refused, StoreError};
pub use limits::{ANSWER_BYTES, ENVIRONMENT_BYTES, Limits};
pub use ready::PLACES;
pub use source::{Opened, open};
pub use store::{Changing, Held, Named, Names, Removed, Store};
pub use unpack::{ENVIRONMENT, ROOTFS, Unpacked, Wanted, unpack};
