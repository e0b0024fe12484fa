//! A role's twin: see [`hostile::twin`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hostile::twin::live()
}
