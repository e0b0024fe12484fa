//! The named peers: the C program, ZeroClaw, runit, one fdatasync. Each is measured in this run.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sample::Sample;

/// Runs the C program `count` times; milliseconds from its first clone to its ninth ready process.
pub fn nine(program: &Path, idle: &Path, scratch: &Path, sealed: bool, count: usize) -> Result<Sample, String> {
    Sample::take(count, || {
        let mut command = Command::new(program);
        command.arg(idle).arg(scratch);
        if !sealed {
            command.arg("unsealed");
        }
        let output = command.output().map_err(|e| format!("{}: {e}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim()
            .parse::<f64>()
            .map(|us| us / 1000.0)
            .map_err(|_| format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim()))
    })
}

/// Compiles the C program with the machine's own compiler.
pub fn compile_nine(source: &Path, out: &Path) -> Result<(), String> {
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-o"])
        .arg(out)
        .arg(source)
        .status()
        .map_err(|e| format!("cc: {e}; install build-essential"))?;
    if status.success() { Ok(()) } else { Err(format!("cc could not compile {}", source.display())) }
}

/// Milliseconds of one write of 512 bytes and its fdatasync in `dir`, the disk that the journal is on.
pub fn fdatasync(dir: &Path, count: usize) -> Result<Sample, String> {
    let path = dir.join("fdatasync-probe");
    let result = (|| {
        let mut file = fs::File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Sample::take(count, || {
            let from = Instant::now();
            file.write_all(&[7; 512])
                .and_then(|()| file.sync_data())
                .map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(from.elapsed().as_secs_f64() * 1e3)
        })
    })();
    drop(fs::remove_file(&path));
    result
}

/// Milliseconds until runit's `runsv` runs a killed `sleep` again, `count` kills of it.
pub fn runsv(dir: &Path, count: usize) -> Result<Sample, String> {
    let service = dir.join("runit-sleep");
    fs::create_dir_all(&service).map_err(|e| format!("{}: {e}", service.display()))?;
    let run = service.join("run");
    fs::write(&run, "#!/bin/sh\nexec sleep 1000000\n").map_err(|e| format!("{}: {e}", run.display()))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&run, mode).map_err(|e| format!("{}: {e}", run.display()))?;
    let mut runsv = Command::new("runsv")
        .arg(&service)
        .spawn()
        .map_err(|e| format!("runsv: {e}; install runit with apt-get install --no-install-recommends runit"))?;
    let pid_file = service.join("supervise/pid");
    let pid_now = || fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let wait_for = |old: Option<u32>| -> Result<u32, String> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            // A pid file names the shell before it has become `sleep`; ready is when it has.
            if let Some(pid) = pid_now().filter(|pid| Some(*pid) != old)
                && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == "sleep")
            {
                return Ok(pid);
            }
        }
        Err("runsv did not restart sleep within 10 s".to_string())
    };
    let result = wait_for(None).and_then(|mut pid| {
        Sample::take(count, || {
            // runsv waits a second between starts of a service that ended within its first second.
            std::thread::sleep(Duration::from_millis(1050));
            let from = Instant::now();
            kill(pid)?;
            pid = wait_for(Some(pid))?;
            Ok(from.elapsed().as_secs_f64() * 1e3)
        })
    });
    drop(Command::new("sv").arg("exit").arg(&service).status());
    drop(runsv.kill());
    drop(runsv.wait());
    if let Some(pid) = pid_now() {
        drop(kill(pid));
    }
    drop(fs::remove_dir_all(&service));
    result
}

/// SIGKILL.
pub fn kill(pid: u32) -> Result<(), String> {
    let status = Command::new("/bin/kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("process {pid} is not there to be killed")),
        Err(e) => Err(format!("kill: {e}")),
    }
}

/// An OpenAI-compatible provider on loopback that answers "ok" at once and remembers the size of the last question.
pub struct FakeProvider {
    /// Where it listens.
    pub address: SocketAddr,
    last_body_bytes: Arc<AtomicUsize>,
}

impl FakeProvider {
    /// Starts it on a free port.
    pub fn start() -> Result<FakeProvider, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| format!("loopback listener: {e}"))?;
        let address = listener.local_addr().map_err(|e| format!("loopback listener: {e}"))?;
        let last_body_bytes = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&last_body_bytes);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || drop(serve(stream, &seen)));
            }
        });
        Ok(FakeProvider { address, last_body_bytes })
    }

    /// Bytes of the last question's body.
    pub fn last_body_bytes(&self) -> usize {
        self.last_body_bytes.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, seen: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
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
            seen.store(length, Ordering::Relaxed);
        }
        let streamed = String::from_utf8_lossy(&body).contains("\"stream\":true");
        writer.write_all(answer(streamed).as_bytes())?;
    }
}

fn answer(streamed: bool) -> String {
    let (kind, body) = if streamed {
        let chunk = r#"data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}"#;
        ("text/event-stream", format!("{chunk}\n\ndata: [DONE]\n\n"))
    } else {
        let body = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
        ("application/json", body.to_string())
    };
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// ZeroClaw, installed by `./x bench` with `cargo install zeroclawlabs --version 0.6.9 --locked`.
pub struct ZeroClaw {
    program: PathBuf,
    home: PathBuf,
    port: u16,
}

impl ZeroClaw {
    /// With a home directory of its own below `scratch`, speaking to `provider`.
    pub fn new(program: &Path, scratch: &Path, provider: SocketAddr) -> Result<ZeroClaw, String> {
        let home = scratch.join("zeroclaw-home");
        let config = home.join(".zeroclaw");
        fs::create_dir_all(&config).map_err(|e| format!("{}: {e}", config.display()))?;
        let text = format!(
            "default_provider = \"custom:http://{provider}/v1\"\ndefault_model = \"m\"\napi_key = \"none\"\ndefault_temperature = 0.7\n"
        );
        fs::write(config.join("config.toml"), text).map_err(|e| format!("{}: {e}", config.display()))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr());
        let port = free.map_err(|e| format!("a free port: {e}"))?.port();
        Ok(ZeroClaw { program: program.to_path_buf(), home, port })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.home).env("ZEROCLAW_CONFIG_DIR", self.home.join(".zeroclaw"));
        command.current_dir(&self.home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts the daemon; milliseconds until its health page answers, and the running daemon.
    pub fn daemon(&self) -> Result<(f64, Child), String> {
        let from = Instant::now();
        let mut child = self
            .command()
            .args(["daemon", "--host", "127.0.0.1", "--port", &self.port.to_string()])
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        while from.elapsed() < Duration::from_secs(20) {
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                drop(stream.set_read_timeout(Some(Duration::from_secs(2))));
                let asked = stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n");
                let mut head = [0; 12];
                if asked.is_ok() && stream.read_exact(&mut head).is_ok() && head.ends_with(b"200") {
                    return Ok((from.elapsed().as_secs_f64() * 1e3, child));
                }
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        drop(child.kill());
        drop(child.wait());
        Err("zeroclaw daemon: its health page did not answer within 20 s".to_string())
    }

    /// Milliseconds of `zeroclaw agent -m hi`.
    pub fn agent(&self) -> Result<f64, String> {
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
