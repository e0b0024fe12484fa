//! ZeroClaw as a peer: its daemon, and its agent as a command, under a home of their own, in a network of their own.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::network;
use crate::provider::Provider;
use crate::sample::Sample;

/// How long its daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is measured of it; each may fail by itself.
pub struct Measured {
    /// Milliseconds from the start of its daemon until its health page answers, median.
    pub start_ms: Result<f64, String>,
    /// Proportional set size of its idle daemon, kB.
    pub idle_kb: Result<f64, String>,
    /// Milliseconds of `zeroclaw agent -m hi`, median.
    pub ask_ms: Result<f64, String>,
    /// Bytes that it sends to the model for "hi", those two aside.
    pub sent_bytes: Result<f64, String>,
}

impl Measured {
    /// Nothing could be measured.
    pub fn none(reason: &str) -> Measured {
        let all = || Err(reason.to_string());
        Measured { start_ms: all(), idle_kb: all(), ask_ms: all(), sent_bytes: all() }
    }
}

/// Measures the installed `program`; `home` is made and left to the caller to remove.
pub fn measure(program: &Path, home: &Path, starts: usize, asks: usize) -> Measured {
    if !program.exists() {
        return Measured::none(&format!("{} is not there: ./x bench installs it", program.display()));
    }
    let all = || -> Result<Measured, String> {
        let provider = Provider::start()?;
        let zeroclaw = ZeroClaw::new(program, home, &provider)?;
        let start_ms = Sample::take(starts, || zeroclaw.daemon().map(|(took, _daemon)| took)).map(|s| s.median());
        let ask_ms = zeroclaw.agent().and_then(|_| Sample::take(asks, || zeroclaw.agent())).map(|s| s.median());
        let sent_bytes = match provider.last_body_bytes() {
            0 => Err("zeroclaw agent -m hi sent nothing to the provider".to_string()),
            body => Ok(body as f64 - "hi".len() as f64),
        };
        Ok(Measured { start_ms, idle_kb: zeroclaw.idle_kb(), ask_ms, sent_bytes })
    };
    network::alone(all).unwrap_or_else(|reason| Measured::none(&reason))
}

struct ZeroClaw {
    program: PathBuf,
    home: PathBuf,
    port: u16,
}

/// A running daemon. Dropped: killed.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl ZeroClaw {
    fn new(program: &Path, home: &Path, provider: &Provider) -> Result<ZeroClaw, String> {
        let config = home.join(".zeroclaw");
        fs::create_dir_all(&config).map_err(|e| format!("{}: {e}", config.display()))?;
        let text = format!(
            "default_provider = \"custom:http://{}/v1\"\ndefault_model = \"m\"\napi_key = \"none\"\n\
             default_temperature = 0.7\n",
            provider.address
        );
        fs::write(config.join("config.toml"), text).map_err(|e| format!("{}: {e}", config.display()))?;
        // Nobody else is in this network, so a port that is free now stays so.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(|e| format!("a free port: {e}"))?.port();
        Ok(ZeroClaw { program: program.to_path_buf(), home: home.to_path_buf(), port })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.home).env("ZEROCLAW_CONFIG_DIR", self.home.join(".zeroclaw"));
        command.current_dir(&self.home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn daemon(&self) -> Result<(f64, Daemon), String> {
        let port = self.port.to_string();
        let from = Instant::now();
        let started = self.command().args(["daemon", "--host", "127.0.0.1", "--port", &port]).spawn();
        let mut daemon = Daemon(started.map_err(|e| format!("{}: {e}", self.program.display()))?);
        while from.elapsed() < PATIENCE {
            if self.is_healthy() {
                return Ok((from.elapsed().as_secs_f64() * 1e3, daemon));
            }
            if let Ok(Some(status)) = daemon.0.try_wait() {
                return Err(format!("zeroclaw daemon ended ({status}) before its health page answered"));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Err(format!("zeroclaw daemon: its health page did not answer within {} s", PATIENCE.as_secs()))
    }

    fn is_healthy(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return false };
        let mut head = [0; "HTTP/1.0 200".len()];
        let asked = stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .and_then(|()| stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n"))
            .and_then(|()| stream.read_exact(&mut head));
        asked.is_ok() && head.ends_with(b"200")
    }

    fn idle_kb(&self) -> Result<f64, String> {
        let (_, daemon) = self.daemon()?;
        std::thread::sleep(crate::tree::SETTLE);
        let kib = harness::procs::pss_kib(daemon.0.id()).ok_or("zeroclaw daemon: its smaps_rollup can't be read")?;
        Ok(kib as f64 * 1.024)
    }

    fn agent(&self) -> Result<f64, String> {
        let from = Instant::now();
        let status = self.command().args(["agent", "-m", "hi"]).status();
        let took = from.elapsed().as_secs_f64() * 1e3;
        match status {
            Ok(status) if status.success() => Ok(took),
            Ok(status) => Err(format!("zeroclaw agent -m hi: {status}")),
            Err(e) => Err(format!("{}: {e}", self.program.display())),
        }
    }
}
