//! A twin: see [`malformed::Conduct::WellBehaved`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::WellBehaved)
}
