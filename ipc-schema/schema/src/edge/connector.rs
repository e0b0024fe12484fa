//! Gate and connector. No channel and no provider yet: the edge exists, sealed and typed, and carries its state.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::limits::CONNECTOR_FRAME_BYTES;

/// The edge's type.
pub enum ConnectorWire {}

impl Wire for ConnectorWire {
    type Down = ToConnector;
    type Up = FromConnector;
    const NAME: &'static str = "connector";
    const LIMIT_BYTES: usize = CONNECTOR_FRAME_BYTES;
}

/// What a connector is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ToConnector {
    /// Say how the link is.
    DescribeLink {
        /// Returned with the answer.
        request: u64,
    },
}

/// What a connector says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FromConnector {
    /// How the link is.
    LinkDescribed {
        /// Number of the request.
        request: u64,
        /// Its state.
        state: LinkState,
    },
}

/// State of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// No channel and no provider is configured for it.
    Unconfigured,
}
