//! A twin: see [`malformed::Conduct::OutOfTurn`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::OutOfTurn)
}
