//! The supervisor's parts: pure decisions ([`life`], [`tree`], [`backoff`]), the actors that carry them out ([`root`],
//! [`instance`]), and its configuration ([`settings`]).
#![forbid(unsafe_code)]

pub mod backoff;
pub mod instance;
pub mod life;
pub mod limits;
pub mod line;
pub mod root;
pub mod serve;
pub mod settings;
pub mod strategies;
pub mod tree;
