//! A twin: see [`malformed::Conduct::Half`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::Half)
}
