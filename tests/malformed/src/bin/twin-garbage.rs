//! A twin: see [`malformed::Conduct::Garbage`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::Garbage)
}
