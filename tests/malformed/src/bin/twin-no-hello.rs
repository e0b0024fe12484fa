//! A twin: see [`malformed::Conduct::NoHello`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::NoHello)
}
