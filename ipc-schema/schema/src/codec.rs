//! The one module through which every message passes: bincode in its standard configuration, behind a length prefix,
//! under a hard limit that is checked before anything is allocated, on send and on receive.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{DECODED_BYTES_MAX, PREFIX_BYTES};

/// Why a message could not be encoded or a frame not decoded. On receive each of them ends the peer.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The message is larger than its edge allows.
    #[error("message is larger than its limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// A length prefix announces more than the edge allows, or nothing.
    #[error("frame announces {announced} bytes, the limit is {limit}")]
    BadLength {
        /// What the prefix says.
        announced: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not a message of this type.
    #[error("frame is not a message of this edge: {0}")]
    Malformed(String),
    /// The message ended before the frame did.
    #[error("frame has {0} bytes behind its message")]
    Trailing(usize),
}

/// The body of `message`: bincode, no prefix. At most `limit_bytes`.
pub fn encode<T: Serialize>(message: &T, limit_bytes: usize) -> Result<Vec<u8>, CodecError> {
    let mut body = Vec::with_capacity(256);
    encode_onto(message, &mut body, limit_bytes)?;
    Ok(body)
}

/// As [`encode`], with the prefix in front: what goes onto an edge, in one buffer for one write.
pub fn frame<T: Serialize>(message: &T, limit_bytes: usize) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::with_capacity(256);
    frame_into(message, &mut bytes, limit_bytes)?;
    Ok(bytes)
}

/// As [`frame`], into a buffer that is used again; what it held before is gone. On an error it holds nothing.
pub fn frame_into<T: Serialize>(message: &T, bytes: &mut Vec<u8>, limit_bytes: usize) -> Result<(), CodecError> {
    bytes.clear();
    bytes.extend_from_slice(&[0; PREFIX_BYTES]);
    let body = encode_onto(message, bytes, limit_bytes).and_then(|()| {
        u32::try_from(bytes.len() - PREFIX_BYTES).map_err(|_| CodecError::TooLarge { limit: limit_bytes })
    });
    match body {
        Ok(body) => {
            bytes[..PREFIX_BYTES].copy_from_slice(&body.to_le_bytes());
            Ok(())
        }
        Err(error) => {
            bytes.clear();
            Err(error)
        }
    }
}

fn encode_onto<T: Serialize>(message: &T, bytes: &mut Vec<u8>, limit_bytes: usize) -> Result<(), CodecError> {
    let mut bounded = Bounded { bytes, room: limit_bytes };
    match bincode::serde::encode_into_writer(message, &mut bounded, bincode::config::standard()) {
        Ok(()) => Ok(()),
        Err(bincode::error::EncodeError::UnexpectedEnd) => Err(CodecError::TooLarge { limit: limit_bytes }),
        Err(other) => Err(CodecError::Malformed(other.to_string())),
    }
}

/// A writer that refuses to grow past its room.
struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    room: usize,
}

impl bincode::enc::write::Writer for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        match self.room.checked_sub(bytes.len()) {
            Some(left) => {
                self.room = left;
                self.bytes.extend_from_slice(bytes);
                Ok(())
            }
            None => Err(bincode::error::EncodeError::UnexpectedEnd),
        }
    }
}

/// Length of the body that a prefix announces, checked before any byte of it is read.
pub fn body_length(prefix: [u8; PREFIX_BYTES], limit: usize) -> Result<usize, CodecError> {
    let announced = u32::from_le_bytes(prefix) as usize;
    if announced == 0 || announced > limit {
        return Err(CodecError::BadLength { announced, limit });
    }
    Ok(announced)
}

/// The message in a body. Exactly all of it: bytes behind the message are an error. bincode counts every allocation
/// before it is made against a limit of its own, which is twice the largest frame's: it counts numbers at full width.
pub fn decode<T: DeserializeOwned>(body: &[u8], limit_bytes: usize) -> Result<T, CodecError> {
    if body.len() > limit_bytes {
        return Err(CodecError::TooLarge { limit: limit_bytes });
    }
    let config = bincode::config::standard().with_limit::<DECODED_BYTES_MAX>();
    let (message, used) =
        bincode::serde::decode_from_slice(body, config).map_err(|error| CodecError::Malformed(error.to_string()))?;
    if used != body.len() {
        return Err(CodecError::Trailing(body.len() - used));
    }
    Ok(message)
}
