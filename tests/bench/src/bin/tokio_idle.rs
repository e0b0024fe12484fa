//! A process that does what every role does at least: runs a current-thread runtime, says so with one byte on its
//! standard output, and waits. The C program of the benchmark starts nine of it.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        let mut out = std::io::stdout();
        if out.write_all(b"R").and_then(|()| out.flush()).is_err() {
            return ExitCode::FAILURE;
        }
        std::future::pending::<()>().await;
        ExitCode::SUCCESS
    })
}
