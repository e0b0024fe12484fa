//! The sandbox against the real kernel: what a command can and can't do. Needs user namespaces; as root it first
//! becomes an ordinary account, since no executor is root.
//!
//! Not under the usual test harness: a maker is forked by a process that has one thread.

use std::process::ExitCode;

mod sandbox_cases;

use sandbox_cases::bench::bench;
use sandbox_cases::world::World;
use sandbox_cases::{failures, warm};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let one_call = wanted.iter().any(|name| name == failures::ONE_CALL);
    let world = match World::new(!one_call) {
        Ok(world) => world,
        Err(why) => {
            eprintln!("the sandbox tests can't run: {why}");
            return ExitCode::FAILURE;
        }
    };
    if one_call {
        return ExitCode::from(u8::from(world.block_on(failures::one_call(&world)).is_err()));
    }
    if wanted.iter().any(|name| name == warm::KILL_MAKER) {
        return ExitCode::from(u8::from(world.block_on(warm::kill_the_maker(&world)).is_err()));
    }
    if wanted.iter().any(|name| name == "bench") {
        return bench(&world);
    }
    let all = sandbox_cases::all();
    let chosen =
        || all.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())));
    println!("running {} tests", chosen().count());
    let (mut passed, mut failures) = (0, Vec::new());
    for (name, case) in chosen() {
        match world.block_on(case(&world)) {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Err(why) => {
                println!("test {name} ... FAILED\n    {why}");
                failures.push(*name);
            }
        }
    }
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; 0 ignored; 0 measured; {} filtered out",
        failures.len(),
        all.len() - passed - failures.len()
    );
    ExitCode::from(u8::from(!failures.is_empty()))
}
