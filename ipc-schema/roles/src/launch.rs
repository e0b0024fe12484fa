//! The launcher's lines: fixed-size records, no lengths, no strings. Both ends use these functions and no others.
//!
//! All numbers little-endian. A record of another size or with an unknown kind, role or reserved byte is `None`: the
//! receiver ends the peer.

use crate::grant::Role;

/// Bytes of a [`Request`].
pub const REQUEST_BYTES: usize = 16;
/// Bytes of a [`Report`].
pub const REPORT_BYTES: usize = 40;
/// Bytes of an [`EdgeGiven`].
pub const EDGE_GIVEN_BYTES: usize = 24;
/// Bytes of a [`Failed`].
pub const FAILED_BYTES: usize = 5;
/// What a role writes on its line once it has sealed itself: one byte.
pub const SEALED: u8 = b'S';

/// One instance of a role: numbers are never reused while the launcher lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Instance {
    /// Which role.
    pub role: Role,
    /// Which slot.
    pub slot: u32,
    /// Which start of it, counted over all roles from 1.
    pub number: u64,
}

/// What the supervisor asks of the launcher.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Start this role in this slot.
    Start {
        /// Which role.
        role: Role,
        /// Which slot.
        slot: u32,
    },
    /// Send the signal to that instance, if it still runs.
    Signal {
        /// To whom.
        to: Instance,
        /// Which signal.
        signal: Signal,
    },
    /// Tell the service manager.
    Notify(Notice),
}

/// A signal that the supervisor may ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Signal {
    /// SIGTERM.
    Term = 1,
    /// SIGKILL.
    Kill = 2,
}

/// What the service manager is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Notice {
    /// Every permanent role is ready.
    Ready = 1,
    /// Configuration is being read again.
    Reloading = 2,
    /// The watchdog's sign of life.
    Alive = 3,
    /// Stopping.
    Stopping = 4,
}

/// What the launcher reports to the supervisor. `Started` and `Adopted` carry one descriptor: the supervisor's end of
/// that instance's control line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    /// The start was carried out.
    Started {
        /// Who.
        who: Instance,
        /// Its process id as the host sees it.
        pid: u32,
    },
    /// A role that ran already when this supervisor started.
    Adopted {
        /// Who.
        who: Instance,
        /// Its process id as the host sees it.
        pid: u32,
        /// Whether it has sealed itself and has its edge.
        sealed: bool,
    },
    /// The start was not carried out.
    Refused {
        /// Which role.
        role: Role,
        /// Which slot.
        slot: u32,
        /// Why.
        reason: Refusal,
        /// The error number where a system call failed, else 0.
        errno: i32,
    },
    /// The role is sealed, was looked at, and has its edge.
    Sealed {
        /// Who.
        who: Instance,
    },
    /// The role has ended and is reaped.
    Exited {
        /// Who.
        who: Instance,
        /// Exit status, or -1 when a signal ended it.
        status: i32,
        /// The signal that ended it, or 0.
        signal: i32,
        /// Processor time used, milliseconds.
        cpu_ms: u32,
        /// Largest resident size, KiB.
        rss_max_kib: u32,
    },
    /// SIGHUP came: read the configuration again.
    Reload,
    /// SIGTERM came: stop everything in order, then exit with status 0.
    Shutdown,
}

/// Why a start was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Refusal {
    /// The table has no such slot for that role, or the role is not for the supervisor to start.
    NoSuchSlot = 1,
    /// An instance of that slot runs.
    Running = 2,
    /// The slot's account still has a process.
    AccountBusy = 3,
    /// Too many starts of this slot in a short time.
    TooOften = 4,
    /// Too many instances at once.
    TooMany = 5,
    /// A step of the start failed; the error number says how, the launcher's log which.
    Failed = 6,
    /// A file that the table grants and does not call optional is missing; the launcher's log names it.
    FileMissing = 7,
}

impl Refusal {
    const ALL: [Refusal; 7] = [
        Refusal::NoSuchSlot,
        Refusal::Running,
        Refusal::AccountBusy,
        Refusal::TooOften,
        Refusal::TooMany,
        Refusal::Failed,
        Refusal::FileMissing,
    ];
}

/// What accompanies an edge's descriptor: at the gate whose edge it is, at a role its own name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EdgeGiven {
    /// The role at the other end (gate), or the receiver itself (any other role).
    pub who: Instance,
}

/// What a child tells the launcher, whose copy it is, when it can't become its role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed {
    /// Which act of its start.
    pub act: u8,
    /// The error number.
    pub errno: i32,
}

impl Failed {
    /// The record.
    pub fn to_bytes(self) -> [u8; FAILED_BYTES] {
        let [a, b, c, d] = self.errno.to_le_bytes();
        [self.act, a, b, c, d]
    }

    /// What is in a record.
    pub fn from_bytes([act, a, b, c, d]: [u8; FAILED_BYTES]) -> Failed {
        Failed { act, errno: i32::from_le_bytes([a, b, c, d]) }
    }
}

fn put<const N: usize>(bytes: &mut [u8; N], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    u32_at(bytes, at) as i32
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

fn put_instance<const N: usize>(bytes: &mut [u8; N], who: Instance) {
    bytes[1] = who.role as u8;
    put(bytes, 4, &who.slot.to_le_bytes());
    put(bytes, 8, &who.number.to_le_bytes());
}

fn instance_at(bytes: &[u8]) -> Option<Instance> {
    Some(Instance { role: Role::from_u8(bytes[1])?, slot: u32_at(bytes, 4), number: u64_at(bytes, 8) })
}

fn zero(bytes: &[u8]) -> Option<()> {
    bytes.iter().all(|b| *b == 0).then_some(())
}

impl Request {
    /// The record.
    pub fn to_bytes(self) -> [u8; REQUEST_BYTES] {
        let mut bytes = [0; REQUEST_BYTES];
        match self {
            Request::Start { role, slot } => {
                bytes[0] = 1;
                bytes[1] = role as u8;
                put(&mut bytes, 4, &slot.to_le_bytes());
            }
            Request::Signal { to, signal } => {
                bytes[0] = 2;
                put_instance(&mut bytes, to);
                bytes[2] = signal as u8;
            }
            Request::Notify(notice) => {
                bytes[0] = 3;
                bytes[2] = notice as u8;
            }
        }
        bytes
    }

    /// The request in a record, or `None` for a record that nobody well-meaning sends.
    pub fn from_bytes(bytes: &[u8]) -> Option<Request> {
        if bytes.len() != REQUEST_BYTES || bytes[3] != 0 {
            return None;
        }
        match bytes[0] {
            1 => {
                zero(&bytes[2..4])?;
                zero(&bytes[8..])?;
                Some(Request::Start { role: Role::from_u8(bytes[1])?, slot: u32_at(bytes, 4) })
            }
            2 => {
                let signal = match bytes[2] {
                    1 => Signal::Term,
                    2 => Signal::Kill,
                    _ => return None,
                };
                Some(Request::Signal { to: instance_at(bytes)?, signal })
            }
            3 => {
                zero(&bytes[1..2])?;
                zero(&bytes[4..])?;
                match bytes[2] {
                    1 => Some(Request::Notify(Notice::Ready)),
                    2 => Some(Request::Notify(Notice::Reloading)),
                    3 => Some(Request::Notify(Notice::Alive)),
                    4 => Some(Request::Notify(Notice::Stopping)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

impl Report {
    /// The record.
    pub fn to_bytes(self) -> [u8; REPORT_BYTES] {
        let mut bytes = [0; REPORT_BYTES];
        match self {
            Report::Started { who, pid } => {
                bytes[0] = 1;
                put_instance(&mut bytes, who);
                put(&mut bytes, 16, &pid.to_le_bytes());
            }
            Report::Adopted { who, pid, sealed } => {
                bytes[0] = 2;
                put_instance(&mut bytes, who);
                bytes[2] = u8::from(sealed);
                put(&mut bytes, 16, &pid.to_le_bytes());
            }
            Report::Refused { role, slot, reason, errno } => {
                bytes[0] = 3;
                bytes[1] = role as u8;
                bytes[2] = reason as u8;
                put(&mut bytes, 4, &slot.to_le_bytes());
                put(&mut bytes, 16, &errno.to_le_bytes());
            }
            Report::Sealed { who } => {
                bytes[0] = 4;
                put_instance(&mut bytes, who);
            }
            Report::Exited { who, status, signal, cpu_ms, rss_max_kib } => {
                bytes[0] = 5;
                put_instance(&mut bytes, who);
                put(&mut bytes, 16, &status.to_le_bytes());
                put(&mut bytes, 20, &signal.to_le_bytes());
                put(&mut bytes, 24, &cpu_ms.to_le_bytes());
                put(&mut bytes, 28, &rss_max_kib.to_le_bytes());
            }
            Report::Reload => bytes[0] = 6,
            Report::Shutdown => bytes[0] = 7,
        }
        bytes
    }

    /// The report in a record. Exactly the bytes that [`Report::to_bytes`] writes: one that is not used is 0.
    pub fn from_bytes(bytes: &[u8]) -> Option<Report> {
        if bytes.len() != REPORT_BYTES {
            return None;
        }
        Report::read(bytes).filter(|report| report.to_bytes() == bytes)
    }

    fn read(bytes: &[u8]) -> Option<Report> {
        let word = |at| u32_at(bytes, at);
        match bytes[0] {
            1 => Some(Report::Started { who: instance_at(bytes)?, pid: word(16) }),
            2 => Some(Report::Adopted {
                who: instance_at(bytes)?,
                pid: word(16),
                sealed: match bytes[2] {
                    0 => false,
                    1 => true,
                    _ => return None,
                },
            }),
            3 => Some(Report::Refused {
                role: Role::from_u8(bytes[1])?,
                slot: word(4),
                reason: Refusal::ALL.into_iter().find(|r| *r as u8 == bytes[2])?,
                errno: i32_at(bytes, 16),
            }),
            4 => Some(Report::Sealed { who: instance_at(bytes)? }),
            5 => Some(Report::Exited {
                who: instance_at(bytes)?,
                status: i32_at(bytes, 16),
                signal: i32_at(bytes, 20),
                cpu_ms: word(24),
                rss_max_kib: word(28),
            }),
            6 => zero(&bytes[1..]).map(|()| Report::Reload),
            7 => zero(&bytes[1..]).map(|()| Report::Shutdown),
            _ => None,
        }
    }
}

impl EdgeGiven {
    /// The record.
    pub fn to_bytes(self) -> [u8; EDGE_GIVEN_BYTES] {
        let mut bytes = [0; EDGE_GIVEN_BYTES];
        bytes[0] = 1;
        put_instance(&mut bytes, self.who);
        bytes
    }

    /// The label in a record.
    pub fn from_bytes(bytes: &[u8]) -> Option<EdgeGiven> {
        if bytes.len() != EDGE_GIVEN_BYTES || bytes[0] != 1 {
            return None;
        }
        zero(&bytes[2..4])?;
        zero(&bytes[16..])?;
        Some(EdgeGiven { who: instance_at(bytes)? })
    }
}
