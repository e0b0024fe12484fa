//! One attempt, made.

use std::io::{self, Write};

use crate::attempts::{Attempt, How};
use crate::given::Given;
use crate::outcome::Outcome;
use crate::sys;

/// What a line of the log begins with that says with which arguments an attempt is about to be made.
const TRIES: &str = "tries";

/// Says what it is about to do, and does it.
pub fn make(attempt: &Attempt, given: &Given) -> Outcome {
    let args = (attempt.args)(given);
    // An attempt at a full log can't be announced in it.
    let _ = io::stderr().write_all(announcement(attempt.name, args).as_bytes());
    let Ok(call) = attempt.call.parse::<syscalls::Sysno>() else {
        return Outcome::Denied(libc::ENOSYS);
    };
    let number = i64::from(call.id());
    match attempt.how {
        How::Once => sys::call(number, args),
        How::Forks => sys::fork(number, args),
        How::Repeated(times) => {
            let mut outcomes = (0..times).map(|_| sys::call(number, args));
            outcomes.find(|outcome| *outcome != Outcome::Done).unwrap_or(Outcome::Done)
        }
        How::Threads(times) => threads(times),
        How::X32 => sys::call(number | 0x4000_0000, args),
        How::Int80(number) => sys::int80(number),
    }
}

fn announcement(name: &str, args: [u64; 6]) -> String {
    let args: Vec<String> = args.iter().map(u64::to_string).collect();
    format!("{TRIES} {name} {}\n", args.join(" "))
}

/// The arguments with which the attempt was made last, from a log.
pub fn announced(log: &str, name: &str) -> Option<[u64; 6]> {
    log.lines().rev().find_map(|line| {
        let mut words = line.split(' ');
        if words.next() != Some(TRIES) || words.next() != Some(name) {
            return None;
        }
        let args: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        args?.try_into().ok()
    })
}

/// Threads that stay until the process ends.
fn threads(times: u32) -> Outcome {
    const STACK_BYTES: usize = 64 << 10;
    for _ in 0..times {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        if let Err(error) = builder.spawn(std::thread::park) {
            return Outcome::Denied(error.raw_os_error().unwrap_or(libc::EIO));
        }
    }
    Outcome::Done
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_last_announcement_counts() {
        let log = [announcement("kill", [1; 6]), announcement("killer", [2; 6]), announcement("kill", [3; 6])].concat();
        assert_eq!(announced(&log, "kill"), Some([3; 6]));
        assert_eq!(announced(&log, "bind"), None);
    }
}
