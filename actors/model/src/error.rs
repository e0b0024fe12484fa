//! What can go wrong, by step and object, with the way out.

use thiserror::Error;

/// Why the engine could not do something.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum EngineError {
    /// No kernel library fits or none is there.
    #[error(
        "loading the engine's kernels from {directory}: none that works on this processor ({engine}); build them with \
         packaging/build-model-engine"
    )]
    NoKernels {
        /// Where they were looked for.
        directory: String,
        /// The engine's own words.
        engine: String,
    },
    /// The model's file could not be opened.
    #[error(
        "opening the model file {path}: {reason}; fetch the default model with packaging/fetch-model, or let \
         etc/model.gguf below Chela's root name any GGUF file"
    )]
    Open {
        /// The file.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// The model's file is no model, or a broken one.
    #[error(
        "loading the model file {path}: the engine refuses it ({engine}); it is no complete GGUF file: fetch it again \
         with packaging/fetch-model, or name another"
    )]
    Load {
        /// The file.
        path: String,
        /// The engine's own words.
        engine: String,
    },
    /// The file's chat template can't be used.
    #[error("reading the chat template of the model file: {reason}; name a model made for chat")]
    Template {
        /// What is wrong with it.
        reason: String,
    },
    /// There is not enough memory for the context.
    #[error("making a context of {tokens} tokens: not enough memory ({engine}); name a smaller model")]
    NoContext {
        /// Its size.
        tokens: u32,
        /// The engine's own words.
        engine: String,
    },
    /// The conversation does not fit.
    #[error(
        "this conversation has {tokens} tokens, and this model's context holds {limit} with an answer of at least \
         {answer}; say it in fewer words or begin a new conversation"
    )]
    Overflow {
        /// Tokens of the conversation.
        tokens: usize,
        /// The limit on the context.
        limit: u32,
        /// Room for an answer that is part of it.
        answer: u32,
    },
    /// One message is too long to be turned into tokens.
    #[error("a message of {bytes} bytes is too long for this model; say it in fewer words")]
    TextTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The request is not one that can be answered.
    #[error("the request can't be answered: {reason}")]
    Request {
        /// Which rule it breaks.
        reason: String,
    },
    /// The engine does not take the grammar.
    #[error("holding the answer to the tools' grammar: the engine refuses the grammar ({engine})")]
    Grammar {
        /// The engine's own words.
        engine: String,
    },
    /// The engine failed.
    #[error("computing the answer: the engine failed with status {status} ({engine}); try again")]
    Compute {
        /// The engine's status.
        status: i32,
        /// The engine's own words.
        engine: String,
    },
}
