//! A twin: see [`malformed::Conduct::TooLong`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::TooLong)
}
