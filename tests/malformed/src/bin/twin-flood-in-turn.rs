//! A twin: see [`malformed::Conduct::FloodInTurn`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::FloodInTurn)
}
