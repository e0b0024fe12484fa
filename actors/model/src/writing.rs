//! One answer while it is written: words, a call, or not yet known which.

use std::sync::Arc;

use schema::talk::CallMode;
use schema::tool::{ToolCall, ToolSpec};

use crate::call::{Beginning, judge, parse};
use crate::engine::Request;
use crate::error::EngineError;
use crate::grammar::sys::Grammar;
use crate::grammar::{Spacing, of_calls};
use crate::sample::{Candidate, Choice, Chooser};
use crate::sys::{Model, Token};
use crate::utf8::Assembler;

/// Whether an answer goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It does.
    More,
    /// It is a whole call.
    Complete,
}

#[derive(Debug)]
enum Kind {
    Words,
    /// May become either; these tokens were held back.
    Open(Vec<Token>),
    Call(Grammar),
}

/// An answer that is being written.
#[derive(Debug)]
pub struct Writing {
    kind: Kind,
    tools: Vec<ToolSpec>,
    chooser: Chooser,
    assembler: Assembler,
    text: String,
    /// Bytes of `text` that were shown.
    shown: usize,
}

impl Writing {
    /// One that has not begun.
    pub fn new(model: &Arc<Model>, request: &Request) -> Result<Writing, EngineError> {
        let (kind, choice) = match request.call {
            CallMode::Never => (Kind::Words, request.words),
            CallMode::May if request.tools.is_empty() => (Kind::Words, request.words),
            CallMode::May => (Kind::Open(Vec::new()), request.words),
            CallMode::Must => {
                (Kind::Call(Grammar::new(model, &of_calls(&request.tools, Spacing::Fixed)?)?), Choice::CALL)
            }
        };
        Ok(Writing {
            kind,
            tools: request.tools.clone(),
            chooser: Chooser::new(choice),
            assembler: Assembler::default(),
            text: String::new(),
            shown: 0,
        })
    }

    /// Chooses the next token. `row` is the whole vocabulary, in its order.
    pub fn choose(&mut self, row: &mut [Candidate]) -> Result<Token, EngineError> {
        let nothing = || EngineError::Compute { status: 0, engine: "no token is possible".to_owned() };
        self.chooser.penalise(row);
        let mut token = self.chooser.pick(row).ok_or_else(nothing)?;
        if let Kind::Call(grammar) = &mut self.kind
            && !grammar.follow(token)
        {
            grammar.strike_out(row);
            token = self.chooser.pick(row).ok_or_else(nothing)?;
            if !grammar.follow(token) {
                return Err(nothing());
            }
        }
        self.chooser.wrote(token);
        Ok(token)
    }

    /// Takes a chosen token, and shows what is certain to be words.
    pub fn take(&mut self, model: &Arc<Model>, token: Token, show: &mut dyn FnMut(&str)) -> Result<Step, EngineError> {
        self.text.push_str(&self.assembler.push(&model.piece(token, false)));
        match &mut self.kind {
            Kind::Words => {}
            Kind::Open(held) => {
                held.push(token);
                match judge(&self.text) {
                    Beginning::Open => return Ok(Step::More),
                    Beginning::Words => self.kind = Kind::Words,
                    Beginning::Call => {
                        let mut grammar = Grammar::new(model, &of_calls(&self.tools, Spacing::Free)?)?;
                        let fits = held.iter().all(|&token| grammar.follow(token));
                        self.kind = if fits { Kind::Call(grammar) } else { Kind::Words };
                        if fits {
                            self.chooser.change(Choice::CALL);
                        }
                    }
                }
            }
            Kind::Call(_) => {}
        }
        match self.kind {
            Kind::Call(_) if parse(&self.text, &self.tools).is_some() => return Ok(Step::Complete),
            Kind::Call(_) | Kind::Open(_) => {}
            Kind::Words => self.show_rest(show),
        }
        Ok(Step::More)
    }

    fn show_rest(&mut self, show: &mut dyn FnMut(&str)) {
        if let Some(rest) = self.text.get(self.shown..).filter(|rest| !rest.is_empty()) {
            show(rest);
            self.shown = self.text.len();
        }
    }

    /// The words, or the call. A call that was cut short is neither.
    pub fn finish(mut self, show: &mut dyn FnMut(&str)) -> (String, Option<ToolCall>) {
        match self.kind {
            Kind::Call(_) => (String::new(), parse(&self.text, &self.tools)),
            Kind::Words | Kind::Open(_) => {
                self.text.push_str(&self.assembler.finish());
                self.show_rest(show);
                (self.text, None)
            }
        }
    }
}
