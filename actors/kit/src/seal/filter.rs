//! From a row's system calls to seccomp programs.

use std::collections::BTreeMap;

use roles::Row;
use roles::grant::{ArgRule, ArgTest, SyscallGrant, Width};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};
use syscalls::Sysno;

use super::SealError;

/// The row's allow-list: anything else kills the whole process. Calls that are answered with an error number are let
/// through here, since of several filters the one that kills wins.
///
/// # Errors
/// An unknown name, or a filter that does not compile.
pub fn allow_list(row: &Row) -> Result<BpfProgram, SealError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut unconditional = Vec::new();
    for grant in row.syscalls.iter().copied().flatten() {
        let number = number(row, grant.name)?;
        let alternatives = rules.entry(number).or_default();
        match rule(grant)? {
            Some(rule) => alternatives.push(rule),
            None => unconditional.push(number),
        }
    }
    for answer in row.answered {
        unconditional.push(number(row, answer.name)?);
    }
    for number in unconditional {
        rules.insert(number, Vec::new());
    }
    compile(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

/// One program for each error number that the row answers with.
///
/// # Errors
/// As [`allow_list`].
pub fn answers(row: &Row) -> Result<Vec<BpfProgram>, SealError> {
    let mut by_errno: BTreeMap<u32, BTreeMap<i64, Vec<SeccompRule>>> = BTreeMap::new();
    for answer in row.answered {
        let errno = answer.errno.unsigned_abs();
        let number = number(row, answer.name)?;
        by_errno.entry(errno).or_default().insert(number, Vec::new());
    }
    by_errno
        .into_iter()
        .map(|(errno, rules)| compile(rules, SeccompAction::Allow, SeccompAction::Errno(errno)))
        .collect()
}

/// Installs a program on every thread of the process.
pub(super) fn install(program: &BpfProgram) -> Result<(), SealError> {
    seccompiler::apply_filter_all_threads(program)
        .map_err(|error| SealError::Seccomp { step: "installing a filter", error: error.to_string() })
}

fn compile(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    on_match: SeccompAction,
) -> Result<BpfProgram, SealError> {
    SeccompFilter::new(rules, otherwise, on_match, TargetArch::x86_64)
        .and_then(BpfProgram::try_from)
        .map_err(|error| SealError::Seccomp { step: "compiling a filter", error: error.to_string() })
}

fn number(row: &Row, name: &'static str) -> Result<i64, SealError> {
    name.parse::<Sysno>()
        .map(|known| i64::from(known.id()))
        .map_err(|()| SealError::UnknownSyscall { row: row.name, name })
}

/// `None` for a grant of any arguments.
fn rule(grant: &SyscallGrant) -> Result<Option<SeccompRule>, SealError> {
    if grant.args.is_empty() {
        return Ok(None);
    }
    let failed = |error: seccompiler::BackendError| SealError::Seccomp {
        step: "compiling a rule",
        error: format!("{}: {error}", grant.name),
    };
    let conditions = grant.args.iter().map(condition).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    SeccompRule::new(conditions).map(Some).map_err(failed)
}

fn condition(rule: &ArgRule) -> Result<SeccompCondition, seccompiler::BackendError> {
    let width = match rule.width {
        Width::Low32 => SeccompCmpArgLen::Dword,
        Width::Full64 => SeccompCmpArgLen::Qword,
    };
    match rule.test {
        ArgTest::Is(value) => SeccompCondition::new(rule.arg, width, SeccompCmpOp::Eq, value),
        ArgTest::Masked { mask, value } => SeccompCondition::new(rule.arg, width, SeccompCmpOp::MaskedEq(mask), value),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::time::{Duration, Instant};

    use roles::Role;

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
