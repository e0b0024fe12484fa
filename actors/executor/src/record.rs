//! What executor and maker say to each other, and an init to its maker: fixed-size records, no strings.

use crate::image::Digest;
use crate::step::{Failure, Step};

/// Bytes of an [`Ask`].
pub const ASK_BYTES: usize = 64;
/// Bytes of an [`Answer`].
pub const ANSWER_BYTES: usize = 24;
/// Bytes of an [`End`].
pub const END_BYTES: usize = 8;

/// What a sandbox is for. The payload is the call, encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Operation {
    /// A command line for the shell.
    Command = 1,
    /// A file tool that changes nothing.
    Look = 2,
    /// A file tool that changes something.
    Change = 3,
    /// As `Command`, over the copy of the workspace that has the action's number; what follows the call in the payload's pipe
    /// is its standard input.
    Background = 32,
}

impl Operation {
    /// Whether it may change the workspace.
    pub fn changes(self) -> bool {
        match self {
            Operation::Command | Operation::Change | Operation::Background => true,
            Operation::Look => false,
        }
    }

    fn from_u8(number: u8) -> Option<Operation> {
        [Operation::Command, Operation::Look, Operation::Change, Operation::Background]
            .into_iter()
            .find(|operation| *operation as u8 == number)
    }
}

/// Executor to maker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Make a sandbox. Five descriptors come along: the payload's pipe, standard output, standard error, where what it
    /// changed is handed out, and where its end is told.
    Run {
        /// Number of this sandbox: an action may have several, one after another.
        run: u64,
        /// Number of the action.
        action: u64,
        /// What it is for.
        operation: Operation,
        /// Bytes of the payload.
        payload_bytes: u32,
        /// RLIMIT_CPU of each process, seconds.
        cpu_s: u32,
        /// The image that is the command's root, by its digest; none: the host's system directories.
        image: Option<Digest>,
        /// Lines and columns of a pseudo-terminal for a command in the background; zeros: none.
        terminal: (u16, u16),
    },
    /// Kill that sandbox.
    Kill {
        /// Its number.
        run: u64,
    },
}

impl Ask {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; ASK_BYTES] {
        let mut bytes = [0; ASK_BYTES];
        match self {
            Ask::Run { run, action, operation, payload_bytes, cpu_s, image, terminal } => {
                bytes[0] = 1;
                bytes[1] = operation as u8;
                bytes[4..8].copy_from_slice(&payload_bytes.to_le_bytes());
                bytes[8..16].copy_from_slice(&action.to_le_bytes());
                bytes[16..20].copy_from_slice(&cpu_s.to_le_bytes());
                bytes[20..22].copy_from_slice(&terminal.0.to_le_bytes());
                bytes[22..24].copy_from_slice(&terminal.1.to_le_bytes());
                bytes[24..32].copy_from_slice(&run.to_le_bytes());
                bytes[32..].copy_from_slice(&image.unwrap_or_default());
            }
            Ask::Kill { run } => {
                bytes[0] = 2;
                bytes[24..32].copy_from_slice(&run.to_le_bytes());
            }
        }
        bytes
    }

    /// The record in exactly these bytes; `None` ends the peer.
    pub fn from_bytes(bytes: &[u8]) -> Option<Ask> {
        let bytes: &[u8; ASK_BYTES] = bytes.try_into().ok()?;
        let run = u64::from_le_bytes(bytes[24..32].try_into().ok()?);
        let ask = match bytes[0] {
            1 => Ask::Run {
                run,
                action: u64::from_le_bytes(bytes[8..16].try_into().ok()?),
                operation: Operation::from_u8(bytes[1])?,
                payload_bytes: u32::from_le_bytes(bytes[4..8].try_into().ok()?),
                cpu_s: u32::from_le_bytes(bytes[16..20].try_into().ok()?),
                image: Some(bytes[32..].try_into().ok()?).filter(|digest| *digest != Digest::default()),
                terminal: (
                    u16::from_le_bytes(bytes[20..22].try_into().ok()?),
                    u16::from_le_bytes(bytes[22..24].try_into().ok()?),
                ),
            },
            2 => Ask::Kill { run },
            _ => return None,
        };
        // Reserved bytes are zero: the record is exactly what `to_bytes` would write.
        (ask.to_bytes() == *bytes).then_some(ask)
    }
}

/// How a sandbox ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With an exit status.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// A step of its making failed.
    Failed(Failure),
    /// Its init was killed, and with it everything.
    Killed,
    /// So it was by the maker, since its processes had more memory together than a sandbox may have.
    OutOfMemory,
}

impl End {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; END_BYTES] {
        let (kind, step, value) = match self {
            End::Exited(code) => (1, 0, code),
            End::Signalled(signal) => (2, 0, signal),
            End::Failed(failure) => (3, failure.step as u8, failure.errno),
            End::Killed => (4, 0, 0),
            End::OutOfMemory => (5, 0, 0),
        };
        let mut bytes = [0; END_BYTES];
        bytes[0] = kind;
        bytes[1] = step;
        bytes[4..8].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    /// The end in exactly these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<End> {
        let bytes: &[u8; END_BYTES] = bytes.try_into().ok()?;
        let value = i32::from_le_bytes(bytes[4..8].try_into().ok()?);
        match bytes[0] {
            1 => Some(End::Exited(value)),
            2 => Some(End::Signalled(value)),
            3 => Some(End::Failed(Failure::new(Step::from_u8(bytes[1])?, value))),
            4 => Some(End::Killed),
            5 => Some(End::OutOfMemory),
            _ => None,
        }
    }
}

/// Maker to executor: every process of that sandbox is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its number.
    pub run: u64,
    /// How it ended, where it could not tell by itself.
    pub end: End,
}

impl Answer {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; ANSWER_BYTES] {
        let mut bytes = [0; ANSWER_BYTES];
        bytes[0..8].copy_from_slice(&self.run.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.end.to_bytes());
        bytes
    }

    /// The answer in exactly these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Answer> {
        let bytes: &[u8; ANSWER_BYTES] = bytes.try_into().ok()?;
        Some(Answer { run: u64::from_le_bytes(bytes[0..8].try_into().ok()?), end: End::from_bytes(&bytes[8..16])? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_they_were() {
        for ask in [
            Ask::Run {
                run: 6,
                action: u64::MAX,
                operation: Operation::Change,
                payload_bytes: 7,
                cpu_s: 9,
                image: None,
                terminal: (0, 0),
            },
            Ask::Run {
                run: u64::MAX,
                action: 1,
                operation: Operation::Command,
                payload_bytes: 7,
                cpu_s: 9,
                image: Some([7; 32]),
                terminal: (0, 0),
            },
            Ask::Run {
                run: 1,
                action: 4,
                operation: Operation::Background,
                payload_bytes: 7,
                cpu_s: 9,
                image: None,
                terminal: (24, 300),
            },
            Ask::Kill { run: 3 },
        ] {
            assert_eq!(Ask::from_bytes(&ask.to_bytes()), Some(ask));
        }
        for end in [
            End::Exited(-1),
            End::Signalled(9),
            End::Failed(Failure::new(Step::Exec, 2)),
            End::Killed,
            End::OutOfMemory,
        ] {
            let answer = Answer { run: 5, end };
            assert_eq!(Answer::from_bytes(&answer.to_bytes()), Some(answer));
        }
    }

    #[test]
    fn other_bytes_are_no_record() {
        assert_eq!(Ask::from_bytes(&[0; ASK_BYTES]), None);
        assert_eq!(Ask::from_bytes(&[1; ASK_BYTES - 1]), None);
        let mut bytes = Ask::Kill { run: 3 }.to_bytes();
        bytes[23] = 1;
        assert_eq!(Ask::from_bytes(&bytes), None);
        bytes = Ask::Kill { run: 3 }.to_bytes();
        bytes[0] = 3;
        assert_eq!(Ask::from_bytes(&bytes), None);
        assert_eq!(End::from_bytes(&[3, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
