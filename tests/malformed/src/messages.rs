//! One message of the right type for each role and direction, framed: what a flood is made of.

use roles::Role;
use schema::codec::{CodecError, frame};
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
    ToExecutor::Run { action: 77, call: Admitted::RunCommand { command: command.to_owned(), timeout_ms: 10_000 } }
}
