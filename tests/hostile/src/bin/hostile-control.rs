//! Every attempt, made by processes without a seal: see [`hostile::control`].
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hostile::control::live()
}
