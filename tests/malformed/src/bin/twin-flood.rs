//! A twin: see [`malformed::Conduct::Flood`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::Flood)
}
