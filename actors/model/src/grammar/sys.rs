//! The engine's grammar in progress: its C interface, and nothing else.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as llama;

use crate::error::EngineError;
use crate::sample::Candidate;
use crate::sys::{Model, Token, take_complaints};

/// A grammar in progress: knows which tokens may come next.
#[derive(Debug)]
pub struct Grammar {
    raw: NonNull<llama::llama_sampler>,
    _model: Arc<Model>,
}

// SAFETY: used by one thread at a time (every method takes `&mut self`); not bound to its maker.
unsafe impl Send for Grammar {}

impl Drop for Grammar {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once.
        unsafe { llama::llama_sampler_free(self.raw.as_ptr()) }
    }
}

impl Grammar {
    /// Parses GBNF text whose first rule is `root`.
    pub fn new(model: &Arc<Model>, text: &str) -> Result<Grammar, EngineError> {
        let refused = || EngineError::Grammar { engine: take_complaints() };
        let text = CString::new(text).map_err(|_| refused())?;
        // SAFETY: both strings are terminated; the vocabulary lives as long as the model, of which we hold an `Arc`.
        let raw =
            unsafe { llama::llama_sampler_init_grammar(model.vocabulary.as_ptr(), text.as_ptr(), c"root".as_ptr()) };
        Ok(Grammar { raw: NonNull::new(raw).ok_or_else(refused)?, _model: Arc::clone(model) })
    }

    /// Sets the logit of every candidate that may not come next to minus infinity.
    pub fn strike_out(&mut self, candidates: &mut [Candidate]) {
        let mut raw: Vec<llama::llama_token_data> =
            candidates.iter().map(|c| llama::llama_token_data { id: c.token, logit: c.logit, p: 0.0 }).collect();
        let mut array =
            llama::llama_token_data_array { data: raw.as_mut_ptr(), size: raw.len(), selected: -1, sorted: false };
        // SAFETY: the array borrows `raw`, which lives through the call; a grammar only writes logits.
        unsafe { llama::llama_sampler_apply(self.raw.as_ptr(), &mut array) };
        for (candidate, judged) in candidates.iter_mut().zip(&raw) {
            candidate.logit = judged.logit;
        }
    }

    /// Goes on by a token that [`Grammar::strike_out`] left standing; any other would end the process.
    fn accept(&mut self, token: Token) {
        // SAFETY: the grammar is alive.
        unsafe { llama::llama_sampler_accept(self.raw.as_ptr(), token) }
    }

    /// Goes on by `token` if it may come next; says whether it did.
    pub fn follow(&mut self, token: Token) -> bool {
        let mut one = [Candidate { token, logit: 0.0 }];
        self.strike_out(&mut one);
        let allowed = one.iter().all(|c| c.logit.is_finite());
        if allowed {
            self.accept(token);
        }
        allowed
    }
}
