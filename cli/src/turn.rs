//! One turn, as `ask` and `chat` both show it.

use schema::edge::local::{FromClient, Reply, ToClient};
use schema::edge::memory::TurnEnd;
use schema::limits::MESSAGE_BYTES;
use schema::tool::{Decision, ToolCall, Verdict};

use crate::client::{Service, unique_id};
use crate::error::CliError;
use crate::limits::ARGUMENTS_SHOWN;
use crate::screen::{Screen, Style, shortened};

/// Says `text` and shows the reply as it comes; `quiet` shows nothing.
pub fn take(
    service: &Service,
    principal: Option<&str>,
    text: &str,
    screen: &mut Screen,
    quiet: bool,
) -> Result<Reply, CliError> {
    if text.len() > MESSAGE_BYTES {
        return Err(CliError::Usage(format!(
            "the message has {} bytes, the limit is {MESSAGE_BYTES}; put long text into a file and ask about that",
            text.len()
        )));
    }
    let request =
        FromClient::Ask { message_id: unique_id()?, principal: principal.map(str::to_owned), text: text.to_owned() };
    let mut shown = Shown::default();
    let reply = service.request(&request, |message| {
        match message {
            ToClient::Text(piece) if !quiet => shown.piece(screen, &piece),
            ToClient::ToolDecided { call, decision, .. } if !quiet => shown.decision(screen, &call, &decision),
            ToClient::Replied(reply) => return Some(reply),
            ToClient::Text(_)
            | ToClient::ToolDecided { .. }
            | ToClient::ToolOutput { .. }
            | ToClient::ToolReport { .. }
            | ToClient::Status(_)
            | ToClient::Probed(_)
            | ToClient::Actions(_)
            | ToClient::UndoPreviewed { .. }
            | ToClient::Uploaded { .. }
            | ToClient::Action { .. }
            | ToClient::Explained(_)
            | ToClient::Policy(_)
            | ToClient::Log(_)
            | ToClient::Failed { .. } => {}
        }
        None
    })?;
    if !quiet {
        shown.reply(screen, &reply);
    }
    Ok(reply)
}

/// Whether a turn did what it was asked for.
pub fn answered(end: TurnEnd) -> bool {
    match end {
        TurnEnd::Answered => true,
        TurnEnd::Failed | TurnEnd::Quarantined | TurnEnd::Cancelled => false,
    }
}

/// What of the reply is on the screen already.
#[derive(Default)]
struct Shown {
    text: String,
}

impl Shown {
    fn piece(&mut self, screen: &mut Screen, piece: &str) {
        self.text.push_str(piece);
        screen.text(piece);
    }

    fn decision(&mut self, screen: &mut Screen, call: &ToolCall, decision: &Decision) {
        self.text.clear();
        let (style, verdict) = match decision.verdict {
            Verdict::Allowed => (Style::Dim, "allowed"),
            Verdict::Asked => (Style::Warn, "waits for approval"),
            Verdict::Refused => (Style::Warn, "refused"),
        };
        let arguments = shortened(&call.arguments, ARGUMENTS_SHOWN);
        let mut line = format!("[{} {arguments}: {verdict}", call.name);
        if decision.verdict != Verdict::Allowed {
            line.push_str(&format!(", {}. {}", decision.reason, decision.remedy));
        }
        line.push(']');
        screen.line(style, &line);
    }

    /// The rest of the reply; all of it, when what was shown is not its beginning (a turn that began anew).
    fn reply(&self, screen: &mut Screen, reply: &Reply) {
        match reply.text.strip_prefix(&self.text) {
            Some(rest) => screen.text(rest),
            None => {
                screen.end();
                screen.text(&reply.text);
            }
        }
        screen.end();
    }
}
