//! The real chelad, with puppets in the place of every role: what a cage is made of, by the kernel's word, and what
//! happens when the launcher, the supervisor, the gate or a role misbehaves or dies. Needs root, and the accounts.

#![allow(clippy::expect_used, clippy::panic)]

mod cases;
mod facts;
mod puppet;
mod scene;
#[allow(unsafe_code)]
mod sys;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let name = Path::new(&arguments[0]).file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("chela-") && arguments.len() == 2 && !name.contains("cage") {
        puppet::live(&name, &arguments[1]);
    }
    if arguments.iter().any(|a| a == "--list") {
        cases::ALL.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("these tests start chelad, which takes root: run them with sudo. NOT RUN");
        return ExitCode::FAILURE;
    }
    let wanted =
        |name: &str| arguments.iter().skip(1).filter(|a| !a.starts_with('-')).all(|a| name.contains(a.as_str()));
    let mut failed = 0;
    for (name, case) in cases::ALL.iter().filter(|(name, _)| wanted(name)) {
        match case() {
            Ok(()) => println!("test {name} ... ok"),
            Err(why) => {
                failed += 1;
                println!("test {name} ... FAILED\n{why}");
            }
        }
    }
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
