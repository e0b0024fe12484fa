//! The engine's C interface, and nothing else: safe types around one model and one context with its threads. Decisions
//! are made elsewhere.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use llama_cpp_sys_2 as llama;

use crate::engine::Decoded;
use crate::error::EngineError;
use crate::limits::{BATCH_TOKENS, COMPLAINT_BYTES, PIECE_BYTES_MAX};

/// A token, as the engine numbers them.
pub type Token = i32;

/// What the engine complained of since it was last asked; it says why a file was refused.
static COMPLAINTS: Mutex<String> = Mutex::new(String::new());

unsafe extern "C" fn keep_complaint(level: llama::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if level != llama::GGML_LOG_LEVEL_WARN && level != llama::GGML_LOG_LEVEL_ERROR || text.is_null() {
        return;
    }
    // SAFETY: the engine passes a terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let mut kept = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() + text.len() <= COMPLAINT_BYTES {
        kept.push_str(&text);
    }
}

unsafe extern "C" fn say_last_words(text: *const c_char) {
    if !text.is_null() {
        // SAFETY: the engine passes a terminated string that lives for this call.
        eprintln!("the engine gives up: {}", unsafe { CStr::from_ptr(text) }.to_string_lossy());
    }
}

/// Takes what the engine complained of, one line.
pub fn take_complaints() -> String {
    let mut kept = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let text = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    kept.clear();
    text
}

type NewThreads = unsafe extern "C" fn(*mut llama::ggml_threadpool_params) -> *mut llama::ggml_threadpool;
type FreeThreads = unsafe extern "C" fn(*mut llama::ggml_threadpool);

/// The kernels for this processor, loaded: proof that models can be.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    new_threads: NewThreads,
    free_threads: FreeThreads,
}

impl Kernels {
    /// Loads the best of the kernel libraries in `directory` for this processor. Opens files; once a process, later
    /// calls return the first one's answer.
    pub fn load(directory: &Path) -> Result<Kernels, EngineError> {
        static LOADED: OnceLock<Option<Kernels>> = OnceLock::new();
        let path = c_path(directory)?;
        LOADED.get_or_init(|| load_kernels(&path)).ok_or_else(|| EngineError::NoKernels {
            directory: directory.display().to_string(),
            engine: take_complaints(),
        })
    }
}

fn load_kernels(directory: &CStr) -> Option<Kernels> {
    // SAFETY: the callbacks have the types the engine asks for and live for ever; the path is terminated; a device and a
    // registry that the engine returned stay valid for the life of the process; the two functions are looked up by the
    // names under which every CPU kernel library exports them with exactly these types.
    unsafe {
        llama::llama_log_set(Some(keep_complaint), std::ptr::null_mut());
        llama::ggml_set_abort_callback(Some(say_last_words));
        llama::ggml_backend_load_all_from_path(directory.as_ptr());
        llama::llama_backend_init();
        let device = llama::ggml_backend_dev_by_type(llama::GGML_BACKEND_DEVICE_TYPE_CPU);
        if device.is_null() {
            return None;
        }
        let registry = llama::ggml_backend_dev_backend_reg(device);
        let new = llama::ggml_backend_reg_get_proc_address(registry, c"ggml_threadpool_new".as_ptr());
        let free = llama::ggml_backend_reg_get_proc_address(registry, c"ggml_threadpool_free".as_ptr());
        if new.is_null() || free.is_null() {
            return None;
        }
        Some(Kernels {
            new_threads: std::mem::transmute::<*mut c_void, NewThreads>(new),
            free_threads: std::mem::transmute::<*mut c_void, FreeThreads>(free),
        })
    }
}

fn c_path(path: &Path) -> Result<CString, EngineError> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| EngineError::Load {
        path: path.display().to_string(),
        engine: "the name contains a zero byte".into(),
    })
}

/// A loaded model: its weights are pages of the file, shared with every other process that maps it.
#[derive(Debug)]
pub struct Model {
    raw: NonNull<llama::llama_model>,
    pub(crate) vocabulary: NonNull<llama::llama_vocab>,
}

// SAFETY: a loaded model is read-only; the engine allows its use from any thread.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: made by the loader, freed once; every context holds an `Arc` of the model and so is gone.
        unsafe { llama::llama_model_free(self.raw.as_ptr()) }
    }
}

impl Model {
    /// Maps the GGUF file at `path`, for kernels that are loaded.
    pub fn load(_kernels: Kernels, path: &Path) -> Result<Model, EngineError> {
        let name = c_path(path)?;
        take_complaints();
        // SAFETY: the parameters are the engine's defaults with plain fields changed; the path is terminated.
        let raw = unsafe {
            let mut params = llama::llama_model_default_params();
            params.n_gpu_layers = 0;
            params.load_mode = llama::LLAMA_LOAD_MODE_MMAP;
            // Repacked weights would be private copies; ours stay the file's own pages.
            params.use_extra_bufts = false;
            llama::llama_model_load_from_file(name.as_ptr(), params)
        };
        let refused = || EngineError::Load { path: path.display().to_string(), engine: take_complaints() };
        let raw = NonNull::new(raw).ok_or_else(refused)?;
        // SAFETY: the model was just loaded; its vocabulary lives as long as it does.
        let vocabulary = unsafe { llama::llama_model_get_vocab(raw.as_ptr()) };
        let vocabulary = NonNull::new(vocabulary.cast_mut()).ok_or_else(refused)?;
        Ok(Model { raw, vocabulary })
    }

    /// Tokens of context it was trained for.
    pub fn trained_context_tokens(&self) -> u32 {
        // SAFETY: the model is loaded.
        u32::try_from(unsafe { llama::llama_model_n_ctx_train(self.raw.as_ptr()) }).unwrap_or(0)
    }

    /// Number of tokens in its vocabulary.
    pub fn vocabulary_len(&self) -> usize {
        // SAFETY: the vocabulary lives as long as the model.
        usize::try_from(unsafe { llama::llama_vocab_n_tokens(self.vocabulary.as_ptr()) }).unwrap_or(0)
    }

    /// The chat template of the file's metadata.
    pub fn chat_template(&self) -> Option<String> {
        // SAFETY: the model is loaded; a template that it returns is a terminated string that lives as long.
        unsafe {
            let text = llama::llama_model_chat_template(self.raw.as_ptr(), std::ptr::null());
            if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy().into_owned()) }
        }
    }

    /// The token that begins every text, if the model wants one.
    pub fn begin(&self) -> Option<Token> {
        // SAFETY: the vocabulary lives as long as the model.
        unsafe {
            let wanted = llama::llama_vocab_get_add_bos(self.vocabulary.as_ptr());
            wanted.then(|| llama::llama_vocab_bos(self.vocabulary.as_ptr()))
        }
    }

    /// How the tokens for begin and end of text are written, for the template.
    pub fn begin_and_end_text(&self) -> (String, String) {
        // SAFETY: the vocabulary lives as long as the model.
        let (begin, end) = unsafe {
            (llama::llama_vocab_bos(self.vocabulary.as_ptr()), llama::llama_vocab_eos(self.vocabulary.as_ptr()))
        };
        let text = |token| String::from_utf8_lossy(&self.piece(token, true)).into_owned();
        (text(begin), text(end))
    }

    /// Whether the token ends an answer.
    pub fn ends(&self, token: Token) -> bool {
        // SAFETY: the vocabulary lives as long as the model; any number may be asked for.
        unsafe { llama::llama_vocab_is_eog(self.vocabulary.as_ptr(), token) }
    }

    /// The tokens of `text`. Only with `special` does text that looks like a control token become one.
    pub fn tokens(&self, text: &str, special: bool) -> Result<Vec<Token>, EngineError> {
        let too_long = |_| EngineError::TextTooLong { bytes: text.len() };
        let len = i32::try_from(text.len()).map_err(too_long)?;
        let mut tokens: Vec<Token> = vec![0; text.len() + 8];
        let room = i32::try_from(tokens.len()).map_err(too_long)?;
        // SAFETY: both buffers are valid for the lengths given with them.
        let count = unsafe {
            llama::llama_tokenize(
                self.vocabulary.as_ptr(),
                text.as_ptr().cast(),
                len,
                tokens.as_mut_ptr(),
                room,
                false,
                special,
            )
        };
        tokens.truncate(usize::try_from(count).map_err(|_| EngineError::TextTooLong { bytes: text.len() })?);
        Ok(tokens)
    }

    /// The bytes that a token stands for; none for a control token unless `special`.
    pub fn piece(&self, token: Token, special: bool) -> Vec<u8> {
        if token < 0 || token as usize >= self.vocabulary_len() {
            return Vec::new();
        }
        let mut bytes = vec![0u8; PIECE_BYTES_MAX];
        let room = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        // SAFETY: the token is in the vocabulary; the buffer is valid for the length given with it.
        let len = unsafe {
            llama::llama_token_to_piece(self.vocabulary.as_ptr(), token, bytes.as_mut_ptr().cast(), room, 0, special)
        };
        bytes.truncate(usize::try_from(len).unwrap_or(0));
        bytes
    }
}

unsafe extern "C" fn asked_to_stop(flag: *mut c_void) -> bool {
    // SAFETY: the pointer is the context's own flag, which lives as long as the context.
    unsafe { &*flag.cast::<AtomicBool>() }.load(Ordering::Relaxed)
}

/// Threads that compute; they sleep between computations.
#[derive(Debug)]
pub struct Threads {
    raw: NonNull<llama::ggml_threadpool>,
    free: FreeThreads,
}

// SAFETY: the pool is only handed to contexts, which use it one computation at a time; freeing needs the last owner.
unsafe impl Send for Threads {}
// SAFETY: as above; nothing but its address is ever read through a shared reference.
unsafe impl Sync for Threads {}

impl Drop for Threads {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once; every context that uses it holds an `Arc` of it.
        unsafe { (self.free)(self.raw.as_ptr()) }
    }
}

impl Threads {
    /// Starts threads, so that with the caller `count` compute. Needs no file.
    pub fn new(kernels: Kernels, count: usize) -> Option<Threads> {
        let count = i32::try_from(count).ok()?;
        // SAFETY: plain data, which the engine's own function fills in before it is used.
        let raw = unsafe {
            let mut wanted = std::mem::zeroed::<llama::ggml_threadpool_params>();
            llama::ggml_threadpool_params_init(&mut wanted, count);
            (kernels.new_threads)(&mut wanted)
        };
        Some(Threads { raw: NonNull::new(raw)?, free: kernels.free_threads })
    }

    /// Lets a context of the engine's own compute with these threads; they must outlive it.
    pub fn attach(&self, context: NonNull<llama::llama_context>) {
        // SAFETY: the pool is alive, and the caller's context is.
        unsafe { llama::llama_attach_threadpool(context.as_ptr(), self.raw.as_ptr(), self.raw.as_ptr()) }
    }
}

/// A model's working memory.
#[derive(Debug)]
pub struct Context {
    raw: NonNull<llama::llama_context>,
    model: Arc<Model>,
    threads: Option<Arc<Threads>>,
    /// The engine holds its address.
    _stop: Arc<AtomicBool>,
}

// SAFETY: used by one thread at a time (every method that computes takes `&mut self`); not bound to its maker.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed once, while its model and threads still live.
        unsafe { llama::llama_free(self.raw.as_ptr()) }
    }
}

impl Context {
    /// Makes a context of `tokens` for computing with `threads` threads. Needs no file. `stop`, once true, ends any
    /// computation of this context.
    pub fn new(
        model: &Arc<Model>,
        tokens: u32,
        threads: usize,
        stop: &Arc<AtomicBool>,
    ) -> Result<Context, EngineError> {
        let no_memory = || EngineError::NoContext { tokens, engine: take_complaints() };
        let count = i32::try_from(threads).map_err(|_| no_memory())?;
        // SAFETY: parameters are the engine's defaults with plain fields changed; the model and the stop flag outlive the
        // context, which holds an `Arc` of each, so that the flag's address is stable.
        let raw = unsafe {
            let mut params = llama::llama_context_default_params();
            params.n_ctx = tokens;
            params.n_batch = BATCH_TOKENS;
            params.n_ubatch = BATCH_TOKENS;
            params.n_seq_max = 1;
            params.n_outputs_max = 1;
            params.n_threads = count;
            params.n_threads_batch = count;
            params.no_perf = true;
            params.abort_callback = Some(asked_to_stop);
            params.abort_callback_data = Arc::as_ptr(stop).cast_mut().cast();
            llama::llama_init_from_model(model.raw.as_ptr(), params)
        };
        let raw = NonNull::new(raw).ok_or_else(no_memory)?;
        Ok(Context { raw, model: Arc::clone(model), threads: None, _stop: Arc::clone(stop) })
    }

    /// Computes with these threads from now on, rather than with new ones for each computation.
    pub fn use_threads(&mut self, threads: &Arc<Threads>) {
        threads.attach(self.raw);
        self.threads = Some(Arc::clone(threads));
    }

    /// Computes with this many of its threads from now on.
    pub fn compute_with(&mut self, threads: usize) {
        let count = i32::try_from(threads).unwrap_or(1);
        // SAFETY: the context is alive; the engine takes any count up to that of its threads.
        unsafe { llama::llama_set_n_threads(self.raw.as_ptr(), count, count) }
    }

    /// Reads tokens after those it holds; at most [`BATCH_TOKENS`].
    pub fn read(&mut self, tokens: &[Token]) -> Result<Decoded, EngineError> {
        let mut tokens = tokens.to_vec();
        let count = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
        // SAFETY: the batch borrows `tokens`, which lives through the call; the engine checks the count.
        let status =
            unsafe { llama::llama_decode(self.raw.as_ptr(), llama::llama_batch_get_one(tokens.as_mut_ptr(), count)) };
        match status {
            0 => Ok(Decoded::Read),
            2 => Ok(Decoded::Stopped),
            status => Err(EngineError::Compute { status, engine: take_complaints() }),
        }
    }

    /// Forgets all tokens from position `kept` on. False when this model can't forget a part only.
    pub fn forget_after(&mut self, kept: usize) -> bool {
        // SAFETY: the context is alive; an absent range is not an error.
        unsafe {
            let memory = llama::llama_get_memory(self.raw.as_ptr());
            llama::llama_memory_seq_rm(memory, 0, i32::try_from(kept).unwrap_or(i32::MAX), -1)
        }
    }

    /// Forgets everything.
    pub fn forget_all(&mut self) {
        // SAFETY: the context is alive.
        unsafe { llama::llama_memory_clear(llama::llama_get_memory(self.raw.as_ptr()), false) }
    }

    /// Takes over all that `other` has read. False when it does not fit; then nothing is held.
    pub fn take_over(&mut self, other: &mut Context) -> bool {
        // SAFETY: the buffer has the size that the engine named for exactly this state and is valid for both calls.
        let took = unsafe {
            let size = llama::llama_state_seq_get_size(other.raw.as_ptr(), 0);
            let mut state = vec![0u8; size];
            let got = llama::llama_state_seq_get_data(other.raw.as_ptr(), state.as_mut_ptr(), size, 0);
            llama::llama_state_seq_set_data(self.raw.as_ptr(), state.as_ptr(), got, 0)
        };
        if took == 0 {
            self.forget_all();
        }
        took != 0
    }

    /// How likely each token is to come next, after a successful [`Context::read`]: unnormalised logarithms.
    pub fn logits(&mut self) -> Result<&[f32], EngineError> {
        // SAFETY: after a read the engine keeps one row of logits, as long as its vocabulary, until the next read, which
        // needs `&mut self`; it returns null when there is none.
        unsafe {
            let row = llama::llama_get_logits_ith(self.raw.as_ptr(), -1);
            if row.is_null() {
                return Err(EngineError::Compute { status: 0, engine: take_complaints() });
            }
            Ok(std::slice::from_raw_parts(row, self.model.vocabulary_len()))
        }
    }
}
