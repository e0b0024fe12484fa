//! A twin: see [`malformed::Conduct::ControlGarbage`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    malformed::live(malformed::Conduct::ControlGarbage)
}
