//! The peer: llama.cpp's own way through its C interface, as its benchmark program goes: default parameters, one batch
//! for reading, token by token for writing, nothing sampled, no text made.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use llama_cpp_sys_2 as llama;
use model::sys::{Kernels, Threads};

/// A model and a context with llama.cpp's defaults.
pub struct Peer {
    model: NonNull<llama::llama_model>,
    context: NonNull<llama::llama_context>,
    _threads: Option<Threads>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once, the context first.
        unsafe {
            llama::llama_free(self.context.as_ptr());
            llama::llama_model_free(self.model.as_ptr());
        }
    }
}

impl Peer {
    /// Loads `file`; the kernels must be loaded.
    pub fn new(kernels: Kernels, file: &Path, threads: usize) -> Option<Peer> {
        let name = CString::new(file.to_str()?).ok()?;
        let count = i32::try_from(threads).ok()?;
        let pool = Threads::new(kernels, threads)?;
        // SAFETY: parameters are the engine's defaults with plain fields changed; the path is terminated; the pool lives as
        // long as the context, in the same value, and is dropped after it.
        unsafe {
            let model = llama::llama_model_load_from_file(name.as_ptr(), llama::llama_model_default_params());
            let model = NonNull::new(model)?;
            let mut params = llama::llama_context_default_params();
            params.n_ctx = 2048;
            params.n_batch = 2048;
            params.n_ubatch = 512;
            params.n_threads = count;
            params.n_threads_batch = count;
            let context = NonNull::new(llama::llama_init_from_model(model.as_ptr(), params))?;
            pool.attach(context);
            Some(Peer { model, context, _threads: Some(pool) })
        }
    }

    fn decode(&mut self, tokens: &mut [i32]) -> bool {
        let count = i32::try_from(tokens.len()).unwrap_or(0);
        // SAFETY: the batch borrows `tokens`, which lives through the call.
        unsafe {
            llama::llama_decode(self.context.as_ptr(), llama::llama_batch_get_one(tokens.as_mut_ptr(), count)) == 0
        }
    }

    /// Time to read these tokens and then to write `count` more.
    pub fn read_and_write(&mut self, tokens: &[i32], count: usize) -> Option<(Duration, Duration)> {
        // SAFETY: the context is alive.
        unsafe { llama::llama_memory_clear(llama::llama_get_memory(self.context.as_ptr()), true) }
        let mut tokens = tokens.to_vec();
        let begun = Instant::now();
        if !self.decode(&mut tokens) {
            return None;
        }
        let read = begun.elapsed();
        let begun = Instant::now();
        for token in tokens.iter().copied().cycle().take(count) {
            if !self.decode(&mut [token]) {
                return None;
            }
        }
        Some((read, begun.elapsed()))
    }
}
