//! The log stream: tracing-subscriber to standard error, which the launcher opened. A fixed identifier for each role and
//! slot, no time of our own (what the reader stamps is trusted, what a role writes is not), one line an event, control
//! characters made harmless, length and rate bounded.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing_subscriber::fmt::MakeWriter;

use crate::limits::{LOG_BURST_LINES, LOG_LINE_BYTES, LOG_LINES_PER_SECOND};

/// Sends this process's tracing events, from INFO up, and its panics to standard error under the name `who`.
pub fn start(who: String) {
    let lines = Lines(Arc::new(Mutex::new(State::new(who, Instant::now()))));
    let started = tracing_subscriber::fmt()
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::INFO)
        .with_writer(lines)
        .try_init();
    if let Err(error) = started {
        let _ = writeln!(io::stderr(), "log stream: {error}");
    }
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("panicked: {panic}");
        // Not abort: a sealed process may send itself no signal, and would seem to have broken its filter.
        crate::sys::exit_now(101);
    }));
}

#[derive(Clone)]
struct Lines(Arc<Mutex<State>>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

impl Write for Lines {
    /// The subscriber hands over one whole event at a time.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.line(event, Instant::now()) {
            io::stderr().write_all(line.as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A bucket of lines that refills with time.
struct State {
    who: String,
    tokens: f64,
    filled: Instant,
    dropped: u64,
}

impl State {
    fn new(who: String, now: Instant) -> State {
        State { who, tokens: f64::from(LOG_BURST_LINES), filled: now, dropped: 0 }
    }

    /// What to write for an event: nothing when lines come too fast, else the line, after a note of what was dropped.
    fn line(&mut self, event: &[u8], now: Instant) -> Option<String> {
        let refill = now.duration_since(self.filled).as_secs_f64() * f64::from(LOG_LINES_PER_SECOND);
        self.filled = now;
        self.tokens = (self.tokens + refill).min(f64::from(LOG_BURST_LINES));
        if self.tokens < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.tokens -= 1.0;
        let mut line = String::with_capacity(event.len() + self.who.len() + 8);
        if self.dropped > 0 {
            let _ = writeln!(line, "{}: {} lines dropped", self.who, self.dropped);
            self.dropped = 0;
        }
        let _ = write!(line, "{}: ", self.who);
        harmless(event, &mut line);
        line.push('\n');
        Some(line)
    }
}

/// Appends `event` without its line end, control characters spelt out, cut to [`LOG_LINE_BYTES`].
fn harmless(event: &[u8], line: &mut String) {
    let text = String::from_utf8_lossy(event);
    let most = line.len() + LOG_LINE_BYTES;
    for c in text.trim_start().trim_end_matches('\n').chars() {
        if line.len() >= most {
            line.push_str("...");
            return;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn state(now: Instant) -> State {
        State::new("brain-3".into(), now)
    }

    #[test]
    fn a_line_cannot_pose_as_another() {
        let now = Instant::now();
        let line = state(now).line(b"hi\ngate-0: fine\x1b[2J\n", now).unwrap();
        assert_eq!(line, "brain-3: hi\\ngate-0: fine\\u{1b}[2J\n");
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let now = Instant::now();
        let mut state = state(now);
        let written = (0..10_000).filter(|_| state.line(b"x\n", now).is_some());
        assert_eq!(written.count(), LOG_BURST_LINES as usize);
        let line = state.line(b"y\n", now + Duration::from_secs(1)).unwrap();
        assert_eq!(line, "brain-3: 9600 lines dropped\nbrain-3: y\n");
    }

    #[test]
    fn a_line_is_bounded() {
        let now = Instant::now();
        let line = state(now).line(&vec![b'x'; 1 << 20], now).unwrap();
        assert!(line.len() < LOG_LINE_BYTES + 32);
    }
}
