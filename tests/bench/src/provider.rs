//! An OpenAI-compatible provider on loopback that answers "ok" at once, so that a peer's model takes no time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A running provider. Dropped: stopped.
pub struct Provider {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Seen>,
    accepts: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    last_body_bytes: AtomicUsize,
    stops: AtomicBool,
}

impl Provider {
    /// Starts it on a free port of the network that the calling thread is in.
    pub fn start() -> Result<Provider, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| format!("the fake provider: {e}"))?;
        let address = listener.local_addr().map_err(|e| format!("the fake provider: {e}"))?;
        let seen = Arc::new(Seen::default());
        let accepts = std::thread::spawn({
            let seen = Arc::clone(&seen);
            move || accept(&listener, &seen)
        });
        Ok(Provider { address, seen, accepts: Some(accepts) })
    }

    /// Bytes of the last question's body; 0 when nothing was asked.
    pub fn last_body_bytes(&self) -> usize {
        self.seen.last_body_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.seen.stops.store(true, Ordering::Relaxed);
        // Wakes it from its wait.
        drop(TcpStream::connect(self.address));
        if let Some(accepts) = self.accepts.take() {
            drop(accepts.join());
        }
    }
}

fn accept(listener: &TcpListener, seen: &Arc<Seen>) {
    for stream in listener.incoming().flatten() {
        if seen.stops.load(Ordering::Relaxed) {
            return;
        }
        let seen = Arc::clone(seen);
        std::thread::spawn(move || drop(serve(stream, &seen)));
    }
}

fn serve(stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if length > 0 {
            seen.last_body_bytes.store(length, Ordering::Relaxed);
        }
        let is_streamed = String::from_utf8_lossy(&body).contains("\"stream\":true");
        writer.write_all(answer(is_streamed).as_bytes())?;
    }
}

fn answer(is_streamed: bool) -> String {
    let (kind, body) = if is_streamed {
        let chunk = r#"data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}"#;
        ("text/event-stream", format!("{chunk}\n\ndata: [DONE]\n\n"))
    } else {
        let body = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
        ("application/json", body.to_string())
    };
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
