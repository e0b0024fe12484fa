//! A twin: see [`malformed::Conduct::ControlFlood`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::ControlFlood)
}
