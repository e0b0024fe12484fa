//! What stands in a role's place and can't start: it ends at once.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    eprintln!("this program always ends at its start");
    std::process::ExitCode::from(3)
}
