//! From a row's system calls to seccomp programs.

use std::collections::BTreeMap;

use filters::FilterError;
use roles::Row;
use seccompiler::{BpfProgram, SeccompAction};

use super::SealError;

/// The row's allow-list: anything else kills the whole process. Calls that are answered with an error number are let
/// through here, since of several filters the one that kills wins.
///
/// # Errors
/// An unknown name, or a filter that does not compile.
pub fn allow_list(row: &Row) -> Result<BpfProgram, SealError> {
    let grants = row.syscalls.iter().copied().flatten();
    let answered = row.answered.iter().map(|answer| answer.name);
    filters::compile(grants, answered, SeccompAction::KillProcess, SeccompAction::Allow).map_err(failed(row))
}

/// One program for each error number that the row answers with.
///
/// # Errors
/// As [`allow_list`].
pub fn answers(row: &Row) -> Result<Vec<BpfProgram>, SealError> {
    let mut by_errno: BTreeMap<u32, Vec<&'static str>> = BTreeMap::new();
    for answer in row.answered {
        by_errno.entry(answer.errno.unsigned_abs()).or_default().push(answer.name);
    }
    let program = |(errno, names): (u32, Vec<&'static str>)| {
        filters::compile(std::iter::empty(), names.into_iter(), SeccompAction::Allow, SeccompAction::Errno(errno))
    };
    by_errno.into_iter().map(program).collect::<Result<_, _>>().map_err(failed(row))
}

fn failed(row: &Row) -> impl Fn(FilterError) -> SealError {
    let row = row.name;
    move |error| match error {
        FilterError::Unknown { name } => SealError::UnknownSyscall { row, name },
        error @ (FilterError::Rule { .. } | FilterError::Whole(_)) => {
            SealError::Seccomp { step: "compiling a filter", error: error.to_string() }
        }
    }
}

/// Installs a program on every thread of the process.
pub(super) fn install(program: &BpfProgram) -> Result<(), SealError> {
    seccompiler::apply_filter_all_threads(program)
        .map_err(|error| SealError::Seccomp { step: "installing a filter", error: error.to_string() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::time::{Duration, Instant};

    use roles::Role;
    use roles::grant::SyscallGrant;

    use super::*;

    /// Every role; the launcher has no list.
    fn rows() -> impl Iterator<Item = &'static Row> {
        Role::ALL.into_iter().skip(1).map(Role::row)
    }

    #[test]
    fn every_row_compiles_and_every_name_exists() {
        for row in rows() {
            let allowed = allow_list(row).unwrap_or_else(|error| panic!("{error}"));
            assert!(allowed.len() > 50, "{}", row.name);
            answers(row).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_error() {
        const GRANTS: &[&[SyscallGrant]] = &[&[roles::rows::common::any("opena", "test")]];
        let row = Row { syscalls: GRANTS, ..*Role::Brain.row() };
        let error = allow_list(&row).unwrap_err().to_string();
        assert!(error.contains("`brain`") && error.contains("`opena`"));
    }

    #[test]
    fn compiling_takes_no_time_to_speak_of() {
        for row in rows() {
            let fastest = (0..20).map(|_| {
                let start = Instant::now();
                allow_list(row).unwrap();
                start.elapsed()
            });
            let fastest = fastest.min().unwrap();
            assert!(fastest < Duration::from_millis(1), "{}: {fastest:?}", row.name);
        }
    }
}
