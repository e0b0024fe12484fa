//! One message of the right type for each role and direction, framed: what a flood is made of.

use roles::Role;
use schema::codec::{CodecError, decode, frame};
use schema::edge::Frame;
use schema::edge::brain::{FromBrain, ToBrain};
use schema::edge::connector::{FromConnector, LinkState, ToConnector};
use schema::edge::executor::{FromExecutor, ToExecutor};
use schema::edge::memory::{Answer, Ask, FromMemory, ToMemory};
use schema::edge::model::{FromModel, ToModel};
use schema::limits::FRAME_BYTES_MAX;
use schema::talk::CallMode;
use schema::tool::{Admitted, ToolCall};

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// This role, to the gate.
    Up(Role),
    /// The gate, to this role.
    Down(Role),
}

impl Direction {
    /// Who listens.
    pub fn peer(self) -> Role {
        match self {
            Direction::Up(_) => Role::Gate,
            Direction::Down(role) => role,
        }
    }
}

/// A message that it may say, at a time when it may not.
pub fn message(direction: Direction) -> Result<Vec<u8>, CodecError> {
    match direction {
        Direction::Up(role) => up(role),
        Direction::Down(role) => down(role),
    }
}

fn body<M: serde::Serialize>(message: M) -> Result<Vec<u8>, CodecError> {
    frame(&Frame::Body(message), FRAME_BYTES_MAX)
}

fn up(role: Role) -> Result<Vec<u8>, CodecError> {
    match role {
        Role::Connector => body(FromConnector::LinkDescribed { request: 77, state: LinkState::Unconfigured }),
        Role::Brain => body(FromBrain::RequestTool {
            request: 0,
            call: ToolCall { name: "list_files".to_owned(), arguments: "{}".to_owned() },
        }),
        Role::Executor => body(FromExecutor::Output { action: 77, from_stderr: false, bytes: vec![b'x'; 16 << 10] }),
        Role::Memory => body(FromMemory { request: 77, answer: Answer::Stored }),
        Role::Model => body(FromModel::Token { request: 77, text: "x".repeat(4 << 10) }),
        Role::Launcher | Role::Supervisor | Role::Gate => Ok(Vec::new()),
    }
}

fn down(role: Role) -> Result<Vec<u8>, CodecError> {
    match role {
        Role::Connector => body(ToConnector::DescribeLink { request: 77 }),
        Role::Brain => body(ToBrain::StartTurn { messages: Vec::new(), tools: Vec::new(), steps_left: 1 }),
        Role::Executor => body(run("echo flood")),
        Role::Memory => body(ToMemory { request: 77, ask: Ask::OpenTurns }),
        Role::Model => body(ToModel::Complete {
            request: 77,
            messages: Vec::new(),
            tools: Vec::new(),
            call: CallMode::Never,
            tokens_max: 1,
        }),
        Role::Launcher | Role::Supervisor | Role::Gate => Ok(Vec::new()),
    }
}

/// One command for an executor.
pub fn run(command: &str) -> ToExecutor {
    ToExecutor::Run {
        action: 77,
        call: Admitted::RunCommand { command: command.to_owned(), timeout_ms: 10_000, paths: Vec::new(), image: None },
        label: schema::label::Label::OWN,
    }
}

/// A message that answers what is asked in `body`, if something is: it has the right number, but there is no end to it.
pub fn asked_for(direction: Direction, body: &[u8]) -> Result<Option<Vec<u8>>, CodecError> {
    let Direction::Up(role) = direction else { return Ok(None) };
    let message = match role {
        Role::Executor => match decode(body, FRAME_BYTES_MAX)? {
            Frame::Body(ToExecutor::Run { action, .. }) => {
                self::body(FromExecutor::Output { action, from_stderr: false, bytes: vec![b'x'; 16 << 10] })?
            }
            _ => return Ok(None),
        },
        Role::Model => match decode(body, FRAME_BYTES_MAX)? {
            Frame::Body(ToModel::Complete { request, .. }) => {
                self::body(FromModel::Token { request, text: "x".repeat(4 << 10) })?
            }
            _ => return Ok(None),
        },
        Role::Memory => match decode(body, FRAME_BYTES_MAX)? {
            Frame::Body(ToMemory { request, .. }) => self::body(FromMemory { request, answer: Answer::Stored })?,
            _ => return Ok(None),
        },
        Role::Brain => match decode(body, FRAME_BYTES_MAX)? {
            Frame::<ToBrain>::Body(_) => up(role)?,
            _ => return Ok(None),
        },
        // Nothing is asked of a connector yet.
        Role::Connector | Role::Launcher | Role::Supervisor | Role::Gate => return Ok(None),
    };
    Ok(Some(message))
}
