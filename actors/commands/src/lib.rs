//! What a shell command would do, before it runs. Pure: a text goes in, a verdict comes out, nothing is looked up.
//!
//! `text → bounds → syntax → simple commands with resolved words → wrappers unwrapped → rules → verdict`
//!
//! * `bounds` refuses to parse what is too long or lies too deep within itself;
//! * the parser is the crate rable; `words` resolves quotes, braces, parameters and substitutions where they are literal;
//! * `walk` goes through the syntax as a shell would, and unwraps `sudo`, `env`, `sh -c`, `xargs` and their like;
//! * `rules` holds each simple command and each redirection against small tables, one module a family.
//!
//! What can't be resolved is not guessed safe: where it matters, the verdict is that it is not understood. The sandbox
//! holds in any case; this is on top of it.
#![forbid(unsafe_code)]

mod bounds;
mod code;
pub mod limits;
mod paths;
pub mod rules;
mod text;
mod walk;
mod words;

use rules::Rule;

/// What is to be thought of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing speaks against it; what it changes is decided on when that is known.
    Ordinary,
    /// A part of it that matters can't be told before it runs.
    NotUnderstood,
    /// It would do what nobody may.
    Destructive,
}

/// What is to be thought of a command, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nothing speaks against it.
    Ordinary,
    /// A part of it that matters can't be told before it runs.
    NotUnderstood {
        /// Which part.
        what: String,
    },
    /// It would do what nobody may.
    Destructive {
        /// The rule against it.
        rule: &'static Rule,
        /// The part of it that does.
        what: String,
    },
}

impl Verdict {
    /// Which of the three.
    pub fn kind(&self) -> Kind {
        match self {
            Verdict::Ordinary => Kind::Ordinary,
            Verdict::NotUnderstood { .. } => Kind::NotUnderstood,
            Verdict::Destructive { .. } => Kind::Destructive,
        }
    }
}

/// Judges a command line, as `/bin/sh -c` or bash would read it.
pub fn judge(command: &str) -> Verdict {
    judged(command).0
}

/// The verdict and the steps it took, of `limits::STEPS_MAX`.
pub fn judged(command: &str) -> (Verdict, usize) {
    walk::run(command)
}
