//! One model and one conversation's memory of it: completes text.
//!
//! What was read stays read: the next request re-reads only what differs from the last one.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use schema::talk::{CallMode, Completion, CompletionEnd, Message, Usage};
use schema::tool::ToolSpec;

use crate::error::EngineError;
use crate::limits::{ANSWER_ROOM_TOKENS, BATCH_TOKENS, CONTEXT_MAX_TOKENS, CONTEXT_START_TOKENS, THREADS_MAX};
use crate::pace::{self, Pace};
use crate::prefix::{context_for, reusable};
use crate::sample::{Candidate, Choice};
use crate::sys::{Context, Kernels, Model, Threads, Token};
use crate::talk::{Said, arrange};
use crate::template::{Piece, Template};
use crate::writing::{Step, Writing};

/// What is asked of the engine.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools that may be called.
    pub tools: Vec<ToolSpec>,
    /// Whether a call may or must be the answer.
    pub call: CallMode,
    /// Largest number of tokens to write.
    pub tokens_max: u32,
    /// How words are chosen.
    pub words: Choice,
}

/// How reading went on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// All tokens were read.
    Read,
    /// The stop flag ended it early; how much was read is unknown.
    Stopped,
}

/// An engine that is loaded.
#[derive(Debug)]
pub struct Engine {
    model: Arc<Model>,
    kernels: Kernels,
    template: Template,
    context: Context,
    context_tokens: u32,
    context_max_tokens: u32,
    threads: Option<Arc<Threads>>,
    stop: Arc<AtomicBool>,
    pace: Pace,
    /// What the context holds.
    read: Vec<Token>,
    row: Vec<Candidate>,
}

impl Engine {
    /// Loads the kernels for this processor from the directory `kernels` and the GGUF file `file`. All files that an
    /// engine ever opens are opened here.
    pub fn load(kernels: &Path, file: &Path) -> Result<Engine, EngineError> {
        let unopened =
            |error: std::io::Error| EngineError::Open { path: file.display().to_string(), reason: error.to_string() };
        File::open(file).map_err(unopened)?;
        let kernels = Kernels::load(kernels)?;
        let model = Arc::new(Model::load(kernels, file)?);
        let source =
            model.chat_template().ok_or_else(|| EngineError::Template { reason: "the file has none".to_owned() })?;
        let (begin, end) = model.begin_and_end_text();
        let template = Template::new(source, begin, end)?;
        let context_max_tokens = CONTEXT_MAX_TOKENS.min(model.trained_context_tokens());
        let context_tokens = CONTEXT_START_TOKENS.min(context_max_tokens);
        let stop = Arc::new(AtomicBool::new(false));
        let context = Context::new(&model, context_tokens, threads(), &stop)?;
        Ok(Engine {
            model,
            kernels,
            template,
            context,
            context_tokens,
            context_max_tokens,
            threads: None,
            stop,
            pace: Pace::default(),
            read: Vec::new(),
            row: Vec::new(),
        })
    }

    /// Starts the threads that compute; opens no file. Without them each computation starts its own.
    pub fn start_threads(&mut self) {
        self.threads = Threads::new(self.kernels, threads()).map(Arc::new);
        if let Some(threads) = &self.threads {
            self.context.use_threads(threads);
        }
    }

    /// The flag that ends a completion early, within one token. Whoever sets it clears it before the next.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Forgets the conversation.
    pub fn forget(&mut self) {
        self.context.forget_all();
        self.read.clear();
    }

    /// Completes a conversation. `show` gets the words as they are written, whole characters; never part of a call.
    pub fn complete(&mut self, request: &Request, show: &mut dyn FnMut(&str)) -> Result<Completion, EngineError> {
        let begun = Instant::now();
        let mut writing = Writing::new(&self.model, request)?;
        let prompt = self.prompt(request)?;
        let answer_max = self.make_room(prompt.len(), request.tokens_max)?;
        let kept = self.keep(&prompt);
        let result = self.read_and_write(&prompt, kept, answer_max, &mut writing, show);
        if result.is_err() {
            self.forget();
        }
        let (ended, tokens_out) = result?;
        let (text, call) = writing.finish(show);
        let usage = Usage {
            tokens_in: count(prompt.len()),
            tokens_cached: count(kept),
            tokens_out,
            model_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX),
        };
        Ok(Completion { text, call, ended, usage })
    }

    /// The conversation as tokens.
    pub fn prompt(&self, request: &Request) -> Result<Vec<Token>, EngineError> {
        let said = arrange(&request.messages, &request.tools, request.call, self.template.manners());
        let mut tokens = Vec::new();
        for piece in self.template.render(&said)? {
            match piece {
                Piece::Own(text) => tokens.extend(self.model.tokens(&text, true)?),
                Piece::Message(i) => {
                    let text = said.get(i).map_or("", |message: &Said| message.text.as_str());
                    tokens.extend(self.model.tokens(text, false)?);
                }
            }
        }
        match self.model.begin() {
            Some(begin) if tokens.first() != Some(&begin) => tokens.insert(0, begin),
            Some(_) | None => {}
        }
        Ok(tokens)
    }

    /// Grows the context if it must; returns how many tokens the answer may have.
    fn make_room(&mut self, prompt: usize, wanted: u32) -> Result<u32, EngineError> {
        let limit = self.context_max_tokens;
        let overflow = || EngineError::Overflow { tokens: prompt, limit, answer: ANSWER_ROOM_TOKENS };
        let prompt = u32::try_from(prompt).map_err(|_| overflow())?;
        let least = prompt.saturating_add(ANSWER_ROOM_TOKENS.min(wanted));
        if least > limit {
            return Err(overflow());
        }
        let needed = prompt.saturating_add(wanted).min(limit);
        let size = context_for(needed, self.context_tokens, limit).ok_or_else(overflow)?;
        if size > self.context_tokens {
            self.grow(size)?;
        }
        Ok(needed - prompt)
    }

    fn grow(&mut self, tokens: u32) -> Result<(), EngineError> {
        let mut larger = Context::new(&self.model, tokens, threads(), &self.stop)?;
        if let Some(threads) = &self.threads {
            larger.use_threads(threads);
        }
        if !larger.take_over(&mut self.context) {
            self.read.clear();
        }
        self.context = larger;
        self.context_tokens = tokens;
        Ok(())
    }

    /// Forgets what the prompt does not begin with; returns how many of its tokens are read already.
    fn keep(&mut self, prompt: &[Token]) -> usize {
        let kept = reusable(&self.read, prompt);
        if kept < self.read.len() && !self.context.forget_after(kept) {
            self.forget();
            return 0;
        }
        self.read.truncate(kept);
        kept
    }

    fn read_and_write(
        &mut self,
        prompt: &[Token],
        kept: usize,
        answer_max: u32,
        writing: &mut Writing,
        show: &mut dyn FnMut(&str),
    ) -> Result<(CompletionEnd, u32), EngineError> {
        let (_, unread) = prompt.split_at(kept);
        for batch in unread.chunks(BATCH_TOKENS as usize) {
            if self.read_tokens(batch)? == Decoded::Stopped {
                return Ok((CompletionEnd::Cancelled, 0));
            }
        }
        let mut written = 0;
        while written < answer_max {
            let token = self.choose(writing)?;
            if self.model.ends(token) {
                return Ok((CompletionEnd::Done, written));
            }
            written += 1;
            if writing.take(&self.model, token, show)? == Step::Complete {
                return Ok((CompletionEnd::Done, written));
            }
            if self.stop.load(Ordering::Relaxed) {
                return Ok((CompletionEnd::Cancelled, written));
            }
            let timed = Instant::now();
            if written < answer_max && self.read_tokens(&[token])? == Decoded::Stopped {
                return Ok((CompletionEnd::Cancelled, written));
            }
            self.pace.took(timed.elapsed());
        }
        Ok((CompletionEnd::Length, written))
    }

    fn read_tokens(&mut self, tokens: &[Token]) -> Result<Decoded, EngineError> {
        let way = if tokens.len() > 1 { self.pace.reading() } else { self.pace.writing() };
        self.context.compute_with(match way {
            pace::Threads::All => threads(),
            pace::Threads::One => 1,
        });
        let decoded = self.context.read(tokens)?;
        match decoded {
            Decoded::Read => self.read.extend_from_slice(tokens),
            Decoded::Stopped => {
                // Part of them may have been read: back to what is certain.
                if !self.context.forget_after(self.read.len()) {
                    self.forget();
                }
            }
        }
        Ok(decoded)
    }

    fn choose(&mut self, writing: &mut Writing) -> Result<Token, EngineError> {
        let logits = self.context.logits()?;
        self.row.clear();
        self.row.extend(logits.iter().zip(0..).map(|(&logit, token)| Candidate { token, logit }));
        writing.choose(&mut self.row)
    }
}

/// Threads that compute on this machine: the processors that this process may run on, asked of the kernel by a call that
/// the seal permits. The standard library would read files, which are out of reach by then.
pub fn threads() -> usize {
    let allowed = sched_getaffinity(Pid::from_raw(0));
    let count = allowed.map_or(1, |set| (0..CpuSet::count()).filter(|at| set.is_set(*at).unwrap_or(false)).count());
    count.clamp(1, THREADS_MAX)
}

fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}
