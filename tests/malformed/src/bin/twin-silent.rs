//! A twin: see [`malformed::Conduct::Silent`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::Silent)
}
